"""The page of commands, from what `--help` says of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from commonwatt.cli import app

HEAD = """\
# Commands

For whoever runs Commonwatt: every command with its options, as `--help` tells them. Written from the
commands themselves by `make docs`.

In the checkout they lie in `.venv/bin`, which `make up` or `make venv` prepares:
`.venv/bin/commonwatt --help`.

Exit codes: 0 done; 1 what was asked for does not hold (a damaged log, a missed number); 2 the input
cannot be taken, and one line on standard error says which and why. `--json` prints one JSON document
where a machine may read the answer.

"""


def commands_page() -> str:
    """The page as Markdown."""
    group = get_command(app)
    if not isinstance(group, TyperGroup):
        raise TypeError("commonwatt is a group of commands")
    parts = list(_sections(group, "commonwatt"))
    return "\n\n".join([HEAD.strip("\n"), *parts]) + "\n"


def _sections(group: TyperGroup, name: str) -> Iterator[str]:
    for word, command in group.commands.items():
        full = f"{name} {word}"
        if isinstance(command, TyperGroup):
            yield from _sections(command, full)
            continue
        said = [f"## `{full}`", _plain(command.help or "")]
        rows = [_row(each) for each in command.params if _is_shown(each)]
        if rows:
            said.append("| option | default | meaning |\n|---|---|---|\n" + "\n".join(rows))
        if command.epilog:
            said.append(_plain(command.epilog))
        yield "\n\n".join(said)


def _is_shown(parameter: object) -> bool:
    return isinstance(parameter, TyperArgument | TyperOption) and not parameter.hidden


def _row(parameter: object) -> str:
    if isinstance(parameter, TyperArgument):
        name = f"`{(parameter.metavar or parameter.name or '').upper()}`"
    elif isinstance(parameter, TyperOption):
        name = ", ".join(f"`{each}`" for each in parameter.opts)
    else:
        raise TypeError(f"{parameter!r} is neither an argument nor an option")
    return f"| {name} | {_default(parameter)} | {_plain(parameter.help or '')}{_range(parameter)} |"


def _default(parameter: TyperArgument | TyperOption) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if isinstance(default, bool) or default in (None, "", ()):
        return ""
    return f"`{default.as_posix() if isinstance(default, Path) else default}`"


def _range(parameter: TyperArgument | TyperOption) -> str:
    low, high = getattr(parameter.type, "min", None), getattr(parameter.type, "max", None)
    choices = getattr(parameter.type, "choices", None)
    if choices:
        return " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    if low is None and high is None:
        return ""
    return f" From {low:,}." if high is None else f" {low:,} to {high:,}."


def _plain(text: str) -> str:
    """One line per paragraph, a full stop at its end, ready for a table cell."""
    flat = re.sub(r"(?<!\n)\n(?!\n)", " ", text.strip())
    return flat if not flat or flat.endswith((".", "?", "`", ":")) else f"{flat}."
