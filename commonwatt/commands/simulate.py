"""`commonwatt simulate`: days of a seeded market in one process."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from chaincode.queries.market import SlotView
from commonwatt.command_line import Json, command_group, ended
from commonwatt.demonstration.simulation import (
    DAYS_MAX,
    HOUSEHOLDS_MAX,
    SimulationResult,
    simulate,
    simulate_on_fabric,
)
from commonwatt.terminal.formats import kwh, money
from commonwatt.wiring.ledger_choice import LedgerKind

app = command_group()


@app.command(
    name="simulate",
    epilog="Example: `commonwatt simulate --days 1 --households 20 --seed 7 --json`",
)
def simulate_command(
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="How many days of 96 slots.")] = 1,
    households: Annotated[
        int, typer.Option(min=2, max=HOUSEHOLDS_MAX, help="How many households trade.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same state hash.")] = 1,
    data: Annotated[
        Path | None, typer.Option(help="Keep the ledger in this new folder (default: remove it).")
    ] = None,
    ledger: Annotated[
        LedgerKind,
        typer.Option(
            help="The ledger: `embedded`, or `fabric` for a network that is removed at the end."
        ),
    ] = LedgerKind.EMBEDDED,
    *,
    as_json: Json = False,
) -> None:
    """Trade and settle days of a seeded market in one process.

    The contract, the signatures and the ledger are real; only time and households are simulated.
    """
    if data is not None and ledger is LedgerKind.FABRIC:
        raise ended(
            "--data: a simulation's Fabric network is removed at its end; leave --data out."
        )
    if data is not None and data.exists():
        raise ended(f"--data: {data} exists already; choose a new folder.")
    progress = Progress(
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} slots"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with progress:
        task = progress.add_task("slots", total=days * 96)

        def settled(_: SlotView) -> None:
            progress.advance(task)

        result = asyncio.run(
            simulate_on_fabric(days=days, households=households, seed=seed, settled=settled)
            if ledger is LedgerKind.FABRIC
            else simulate(days=days, households=households, seed=seed, data=data, settled=settled)
        )
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
    else:
        _print_simulation(result)


def _print_simulation(result: SimulationResult) -> None:
    table = Table(title=f"{result.days} days, {result.households} households, seed {result.seed}")
    table.add_column("what")
    table.add_column("figure", justify="right", overflow="fold")
    for name, value in (
        ("slots settled", str(result.slots)),
        ("orders placed", str(result.orders)),
        ("trades", str(result.trades)),
        ("traded kWh", kwh(result.volume_wh)),
        ("delivered kWh", kwh(result.settled_wh)),
        ("all money sums to", money(result.money_sum)),
        ("certificates minted kWh", kwh(result.certificates_minted_wh)),
        ("certificates retired kWh", kwh(result.certificates_retired_wh)),
        ("certificates live kWh", kwh(result.certificates_live_wh)),
        ("blocks", str(result.blocks)),
        ("seconds", f"{result.seconds:.1f}"),
        ("state hash", result.state_hash),
    ):
        table.add_row(name, value)
    Console().print(table)
