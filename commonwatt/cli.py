"""The command `commonwatt`: the list of its commands, whose modules are loaded when they run.

`--help` prints the list from the table below and loads no command. So `--help` starts quickly, and
so do commands that need few parts (`auction`, `wallet`). `command_line.py` has what all commands
share.

Exit codes: 0 the command is done; 1 what was asked for does not hold (a damaged log, a missed
number); 2 the input cannot be taken. For 1 and 2 a line on standard error says what is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from commonwatt.command_line import FAILED, Json, ended
from commonwatt.wiring.garbage_collection import collect_seldom

PURPOSE = "A permissioned market for local energy: run it, simulate it, check it."


class Listed(NamedTuple):
    """A command as `--help` lists it: the module that defines it as `app`, and what it does."""

    module: str
    line: str


COMMANDS: Mapping[str, Listed] = {
    "up": Listed(
        "commonwatt.commands.up",
        "Run the whole market on this machine: meters, oracle, ledger, API and dashboard.",
    ),
    "simulate": Listed(
        "commonwatt.commands.simulate", "Trade and settle days of a seeded market in one process."
    ),
    "auction": Listed(
        "commonwatt.commands.auction",
        "Clear one book: JSON on standard input, the outcome with its digest on standard output.",
    ),
    "bench": Listed(
        "commonwatt.commands.bench", "Measure the numbers that the project promises, here and now."
    ),
    "wallet": Listed(
        "commonwatt.commands.wallet", "Make, show, use and rotate the keys of a wallet file."
    ),
    "ledger": Listed("commonwatt.commands.ledger", "Check, rebuild and export a ledger's folder."),
    "contract": Listed(
        "commonwatt.commands.contract", "The contract as a service for a Fabric peer."
    ),
    "network": Listed(
        "commonwatt.commands.network.group",
        "A Fabric network of the consortium on this machine, without containers.",
    ),
    "meter": Listed("commonwatt.commands.meter.group", "Simulate meters, read them, find them."),
    "oracle": Listed("commonwatt.commands.oracle", "Oracle nodes: read meters, agree, report."),
    "api": Listed("commonwatt.commands.api", "GraphQL and the dashboard."),
    "demonstration": Listed(
        "commonwatt.commands.demonstration", "Parts of a demonstration that run apart."
    ),
}
"""Every command by its name, in the order of `--help`."""


class CommandList(TyperGroup):
    """The list of commands, which loads only the command that is run or completed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that the first argument names, and its arguments."""
        name, listed, rest = super().resolve_command(ctx, args)
        if name is None:
            return name, listed, rest
        return name, typer.main.get_command(import_module(COMMANDS[name].module).app), rest

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line and exit; print one line for a wrong option or argument."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)
        try:
            code = super().main(*args, standalone_mode=False, **extra)
        except TyperException as error:
            code = error.exit_code
            if sentence := error.format_message():  # empty if the help was printed instead
                context = getattr(error, "ctx", None)
                command = "commonwatt" if context is None else context.command_path
                ended(f"{sentence.rstrip('.')}; see `{command} --help`.")
        except typer.Abort:
            code = ended("Aborted.", FAILED).exit_code
        sys.exit(code)


app = typer.Typer(
    cls=CommandList,
    name="commonwatt",
    help=PURPOSE,
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
)


@app.callback()
def prepare(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the versions of Commonwatt, Python and Fabric.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Set up this process for any command."""
    collect_seldom()
    if version:
        import_module("commonwatt.commands.version").print_version(as_json=as_json)
        raise typer.Exit
    if as_json:
        raise ended("--json: here it goes with --version; a command takes it after its own name.")
    if context.invoked_subcommand is None:
        raise ended("COMMAND: none is named; `commonwatt --help` lists the commands.")


def _listed() -> None:
    """Placeholder for a command in the list; `CommandList` loads the command itself."""


for _name, _command in COMMANDS.items():
    app.command(_name, help=_command.line)(_listed)
