"""What all commands share: the form of a group, `--json`, and the line that explains a failure.

A command ends with exit code 0 when it is done, with `FAILED` when what was asked for does not
hold, and with `REFUSED` when its input cannot be taken. Begin with `commonwatt/cli.py`, which lists
the commands.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

FAILED = 1
"""What was asked for does not hold: a damaged log, a missed number, a network that is down."""

REFUSED = 2
"""The input cannot be taken."""

INTERRUPTED = 130
"""Ctrl-C ended the command, as shells report it."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


def command_group(purpose: str | None = None) -> typer.Typer:
    """Return an empty group; a group with one command and no callback becomes that command."""
    return typer.Typer(
        help=purpose,
        no_args_is_help=purpose is not None,
        add_completion=False,  # the list of commands has this option
        rich_markup_mode="markdown",
    )


def ended(reason: Exception | str, code: int = REFUSED) -> typer.Exit:
    """Print one line on standard error that says why a command ends; return the exit to raise.

    Reasons repeat what files and other machines say, so control characters are replaced.
    """
    line = "".join(each if each.isprintable() else " " for each in str(reason))
    sys.stderr.write(line + "\n")
    return typer.Exit(code)
