"""`commonwatt bench`: the numbers that the project promises, measured on this machine."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from commonwatt.bench.benches import BENCHES
from commonwatt.bench.figure import Figure
from commonwatt.command_line import Json, command_group, ended

app = command_group()


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

    Ratios compare two measurements of one run, so a busy machine slows both.
    """
    wanted = names or list(BENCHES)
    for name in wanted:
        if name not in BENCHES:
            raise ended(f"NAME: no bench is called {name!r}; choose from {', '.join(BENCHES)}.")
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
