"""The command `commonwatt`: arguments, output and exit codes; the work is done elsewhere.

Exit codes: 0 done, 1 what was asked for does not hold (a damaged log, a missed number), 2 the
input cannot be taken; then one line on standard error says which and why.
"""

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

from api.server.dashboard_build import BuildFailed
from chaincode.queries.market import SlotView
from commonwatt.bench.benches import BENCHES
from commonwatt.bench.figure import Figure
from commonwatt.commands import api as api_command
from commonwatt.commands import contract as contract_command
from commonwatt.commands import demonstration as demonstration_command
from commonwatt.commands import ledger as ledger_command
from commonwatt.commands import meter as meter_command
from commonwatt.commands import network as network_command
from commonwatt.commands import oracle as oracle_command
from commonwatt.commands import wallet as wallet_command
from commonwatt.commands.auction import AuctionInputError, run_auction
from commonwatt.demonstration.market_plan import (
    HOUSEHOLDS_DEFAULT,
    HOUSEHOLDS_MAX,
    SPEED_DEFAULT,
    SPEED_MAX,
    UpRefused,
)
from commonwatt.demonstration.meter_process import FieldFailed
from commonwatt.demonstration.simulation import (
    DAYS_MAX,
    SimulationResult,
    simulate,
    simulate_on_fabric,
)
from commonwatt.demonstration.simulation import HOUSEHOLDS_MAX as SIMULATED_MAX
from commonwatt.terminal.formats import kwh, money
from commonwatt.wiring.garbage_collection import collect_seldom
from commonwatt.wiring.ledger_choice import LedgerKind
from commonwatt.wiring.up import PORT_DEFAULT, run_up
from ledger_network.port import Invalid, Unknown
from meter_oracle.simulated.device import FaultKind

app = typer.Typer(
    name="commonwatt",
    help="A permissioned market for local energy: run it, simulate it, check it.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
)
app.add_typer(wallet_command.app, name="wallet")
app.add_typer(ledger_command.app, name="ledger")
app.add_typer(contract_command.app, name="contract")
app.add_typer(network_command.app, name="network")
app.add_typer(meter_command.app, name="meter")
app.add_typer(oracle_command.app, name="oracle")
app.add_typer(api_command.app, name="api")
app.add_typer(demonstration_command.app, name="demonstration")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


@app.callback()
def prepare() -> None:
    """A permissioned market for local energy: run it, simulate it, check it."""
    collect_seldom()


def refuse(sentence: str, code: int = 2) -> typer.Exit:
    """Say in one line why not, and end with `code`."""
    sys.stderr.write(sentence.replace("\n", " ") + "\n")
    return typer.Exit(code)


@app.command(
    epilog="Examples: `commonwatt up` · `commonwatt up --speed 900 --households 50` · "
    "`commonwatt up --speed 1 --data /srv/market`"
)
def up(
    *,
    speed: Annotated[
        int,
        typer.Option(
            min=1,
            max=SPEED_MAX,
            help="How much faster than real time; 90 runs a slot in 10 seconds, 1 is real time.",
        ),
    ] = SPEED_DEFAULT,
    data: Annotated[
        Path, typer.Option(help="Where the market lives; it goes on there when started again.")
    ] = Path(".commonwatt"),
    households: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=HOUSEHOLDS_MAX,
            help=f"How many households a new market has (default {HOUSEHOLDS_DEFAULT}).",
        ),
    ] = None,
    ledger: Annotated[
        LedgerKind,
        typer.Option(help="What it runs on: `embedded` in this process, or a `fabric` network."),
    ] = LedgerKind.EMBEDDED,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Where the pages are; 0 takes a free port.")
    ] = PORT_DEFAULT,
    fault: Annotated[
        FaultKind | None, typer.Option(help="What the second household's meter does wrong.")
    ] = None,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Draw the market in the terminal, too.")
    ] = False,
) -> None:
    """Run the whole market on this machine: meters, oracle, ledger, API and dashboard.

    Ctrl-C (or SIGTERM) stops it cleanly; started again it goes on where it stopped.
    """
    console = Console()
    if terminal and not console.is_terminal:
        raise refuse("--terminal: the output is no terminal; leave it out for a line per slot.")
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
    except (UpRefused, BuildFailed, *ledger_command.REFUSALS, *network_command.FAULTS) as error:
        raise refuse(str(error)) from None
    except (Invalid, Unknown, FieldFailed) as error:
        sentence = f"The market has stopped, {error}. What was acknowledged is on disk; mend that"
        raise refuse(f"{sentence} and start it again.", code=1) from None


@app.command(
    name="simulate",
    epilog="Example: `commonwatt simulate --days 1 --households 20 --seed 7 --json`",
)
def simulate_command(
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="Days of 96 slots.")] = 1,
    households: Annotated[
        int, typer.Option(min=2, max=SIMULATED_MAX, help="How many households trade.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same state hash.")] = 1,
    data: Annotated[
        Path | None, typer.Option(help="Keep the ledger in this new folder (default: dropped).")
    ] = None,
    ledger: Annotated[
        LedgerKind,
        typer.Option(
            help="What it runs on: `embedded`, or a `fabric` network of its own, which goes again."
        ),
    ] = LedgerKind.EMBEDDED,
    *,
    as_json: Json = False,
) -> None:
    """Trade and settle days of a seeded market in one process.

    Real contract, real signatures, real embedded ledger; only time and households are made up.
    """
    if data is not None and ledger is LedgerKind.FABRIC:
        raise refuse("--data: a simulation's Fabric network is dropped at its end; leave it out.")
    if data is not None and data.exists():
        raise refuse(f"--data: {data} exists already; name a new folder.")
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


@app.command(
    name="auction",
    epilog="Example: `commonwatt auction < book.json > result.json`",
)
def auction_command() -> None:
    """Clear one book: JSON on standard input, the outcome with its digest on standard output.

    An input that cannot be taken ends with exit code 2 and one line that names the field.
    """
    try:
        outcome = run_auction(sys.stdin.buffer.read())
    except AuctionInputError as error:
        raise refuse(str(error)) from None
    sys.stdout.buffer.write(outcome)
    sys.stdout.buffer.flush()


@app.command(
    name="bench",
    epilog="Examples: `commonwatt bench` · `commonwatt bench clearing gate --json`",
)
def bench_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which benches (default: all).", show_default=False)
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Measure the numbers that the project promises, here and now.

    Ratios are taken within one run, so that a busy machine slows both sides.
    """
    wanted = names or list(BENCHES)
    for name in wanted:
        if name not in BENCHES:
            raise refuse(f"NAME: there is no bench {name!r}; there are {', '.join(BENCHES)}.")
    figures: list[Figure] = []
    with Console(stderr=True).status("measuring …") as status:
        for name in wanted:
            status.update(f"measuring {name} …")
            figures.extend(BENCHES[name]())
    if as_json:
        typer.echo(msgspec.json.encode(figures).decode())
    else:
        _print_figures(figures)


def _print_figures(figures: list[Figure]) -> None:
    table = Table()
    for column in ("name", "value", "spread", "reach", "met"):
        table.add_column(column, no_wrap=True)
    for figure in figures:
        low, high = figure.spread
        table.add_row(
            figure.name,
            f"{figure.value:.3g} {figure.unit}",
            f"{low:.2g} to {high:.2g}",
            figure.reach,
            "yes" if figure.met else "NO",
        )
    console = Console()
    console.print(table)
    for figure in figures:
        console.print(f"{figure.name}: {figure.against}", style="bright_black", highlight=False)
