"""`commonwatt up`: the whole market on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.server.dashboard_build import BuildFailed
from commonwatt.command_line import FAILED, command_group, ended
from commonwatt.commands.ledger import LEDGER_FAULTS
from commonwatt.commands.network.opening import FAULTS as NETWORK_FAULTS
from commonwatt.demonstration.market_plan import (
    HOUSEHOLDS_DEFAULT,
    HOUSEHOLDS_MAX,
    SPEED_DEFAULT,
    SPEED_MAX,
)
from commonwatt.demonstration.meter_process import MeterProcessFailed
from commonwatt.wiring.ledger_choice import LedgerKind
from commonwatt.wiring.market_folder import UpRefused
from commonwatt.wiring.up import PORT_DEFAULT, run_up
from ledger_network.port import Invalid, Unknown
from meter_oracle.simulated.device import FaultKind

app = command_group()

Speed = Annotated[
    int,
    typer.Option(
        min=1,
        max=SPEED_MAX,
        help="How much faster than real time; 90 runs a slot in 10 seconds, 1 is real time.",
    ),
]
Households = Annotated[
    int | None,
    typer.Option(
        min=2,
        max=HOUSEHOLDS_MAX,
        help=f"How many households a new market has (default {HOUSEHOLDS_DEFAULT}).",
    ),
]


@app.command(
    epilog="Examples: `commonwatt up` · `commonwatt up --speed 900 --households 50` · "
    "`commonwatt up --speed 1 --data /srv/market`"
)
def up(
    *,
    speed: Speed = SPEED_DEFAULT,
    data: Annotated[
        Path,
        typer.Option(
            help="The market's folder; started again with the same folder, the market resumes."
        ),
    ] = Path(".commonwatt"),
    households: Households = None,
    ledger: Annotated[
        LedgerKind,
        typer.Option(help="The ledger: `embedded` in this process, or a `fabric` network."),
    ] = LedgerKind.EMBEDDED,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port of the pages; 0 takes a free port.")
    ] = PORT_DEFAULT,
    fault: Annotated[
        FaultKind | None, typer.Option(help="A fault of the second household's meter.")
    ] = None,
    terminal: Annotated[
        bool,
        typer.Option(
            "--terminal", help="Draw the market in the terminal instead of printing lines."
        ),
    ] = False,
) -> None:
    """Run the whole market on this machine: meters, oracle, ledger, API and dashboard.

    Ctrl-C or SIGTERM stops the market cleanly; the same command resumes it where it stopped.
    """
    console = Console()
    if terminal and not console.is_terminal:
        raise ended(
            "--terminal: the output is not a terminal; leave --terminal out to get a line per slot."
        )
    work = run_up(
        data=data,
        households=households,
        speed=speed,
        console=console,
        terminal=terminal,
        port=port,
        fault=fault,
        ledger=ledger,
    )
    try:
        asyncio.run(work)
    except (UpRefused, BuildFailed, *LEDGER_FAULTS, *NETWORK_FAULTS) as error:
        raise ended(error) from None
    except (Invalid, Unknown, MeterProcessFailed) as error:
        sentence = (
            f"The market has stopped, {error}. Everything acknowledged is on disk; repair that"
        )
        raise ended(f"{sentence} and start it again.", FAILED) from None
