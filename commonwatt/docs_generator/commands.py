"""The page of commands, from the `--help` of each command."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from typer import Typer
from typer.models import ArgumentInfo, ParameterInfo

from commonwatt.cli import COMMANDS

HEAD = """\
# Commands

Every command of Commonwatt with its options, as `--help` prints them. `make docs` writes this page
from the commands themselves.

In a checkout the command is `.venv/bin/commonwatt`, which `make up` or `make venv` installs.
`commonwatt --version` prints the versions of Commonwatt, Python and Fabric, and the commit where it
is known.

Exit codes: 0 done; 1 what was asked for does not hold (a damaged log, a missed number); 2 the input
cannot be taken. With 1 and 2 one line on standard error says what and why. `--json` prints one JSON
document for machines.

"""


def commands_page() -> str:
    """Return the page as Markdown."""
    return "\n\n".join([HEAD.strip("\n"), *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    for name, listed in COMMANDS.items():
        group: Typer = import_module(listed.module).app
        is_group = group.registered_callback is not None or len(group.registered_commands) > 1
        for command in group.registered_commands:
            if command.callback is not None:
                word = command.name or command.callback.__name__.replace("_", "-")
                full = f"commonwatt {name} {word}" if is_group else f"commonwatt {name}"
                yield _section(command.callback, full, command.epilog or "")


def _section(callback: Callable[..., object], name: str, epilog: str) -> str:
    said = [f"## `{name}`", _plain(inspect.getdoc(callback) or "")]
    hints = get_type_hints(callback, include_extras=True)
    parameters = inspect.signature(callback).parameters.values()
    rows = [_row(each, *get_args(hints[each.name])) for each in parameters]
    if rows:
        said.append("| option | default | meaning |\n|---|---|---|\n" + "\n".join(rows))
    if epilog:
        said.append(_plain(epilog))
    return "\n\n".join(said)


def _row(parameter: inspect.Parameter, kind: object, info: ParameterInfo) -> str:
    if isinstance(info, ArgumentInfo):
        name = parameter.name.upper()
    else:
        declared = (info.default, *(info.param_decls or ()))
        given = [each for each in declared if isinstance(each, str) and each.startswith("-")]
        name = "`, `".join(given) or f"--{parameter.name.replace('_', '-')}"
    meaning = _plain(info.help or "") + _bounds(kind, info)
    return f"| `{name}` | {_default(parameter)} | {meaning} |"


def _default(parameter: inspect.Parameter) -> str:
    default = parameter.default
    if default is inspect.Parameter.empty:
        return "required"
    if isinstance(default, bool) or default in (None, ""):
        return ""
    return f"`{default.as_posix() if isinstance(default, Path) else default}`"


def _bounds(kind: object, info: ParameterInfo) -> str:
    if get_origin(kind) is Literal:
        return " One of " + ", ".join(f"`{choice}`" for choice in get_args(kind)) + "."
    low, high = info.min, info.max
    if low is None and high is None:
        return ""
    return f" From {low:,}." if high is None else f" {low:,} to {high:,}."


def _plain(text: str) -> str:
    """Return a text for a table cell: one line per paragraph, each ending in a full stop."""
    flat = re.sub(r"(?<!\n)\n(?!\n)", " ", text.strip())
    return flat if not flat or flat.endswith((".", "?", "`", ":")) else f"{flat}."
