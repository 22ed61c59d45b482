"""Rules for every Python file: names, lengths, docstrings, faults that are not swallowed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.house.tree import Finding, Rule, Source, in_packages

MODULE_LINES_MAX = 400  # what a reviewer holds in mind, and one mechanism or handler needs less
FUNCTION_LINES_MAX = 60  # a screen

_EMPTY_NAMES = {
    "util", "utils", "utility", "utilities", "helper", "helpers", "common", "base", "kit",
    "manager", "managers", "misc",
}  # fmt: skip
_IGNORE = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?|(?:type|pyright):\s*ignore(?:\[[^\]]*\])?)"
)
_WHOLE_FILE = re.compile(r"#\s*(?:ruff:\s*noqa|flake8:\s*noqa|pyright:(?!\s*ignore)|mypy:)")


def is_python(path: str) -> bool:
    """Whether `path` is a Python file, ours or a test's."""
    return path.endswith(".py")


def module_name(source: Source) -> Iterator[Finding]:
    """A module named after no thing in the domain collects what nobody could place."""
    path = PurePosixPath(source.path)
    for part in (*path.parts[:-1], path.stem):
        if _EMPTY_NAMES & set(part.lower().split("_")):
            yield Finding(1, f"name {part!r} after the thing in the domain")


def length(source: Source) -> Iterator[Finding]:
    """A file or function that fits no head hides its second purpose."""
    if len(source.lines) > MODULE_LINES_MAX:
        yield Finding(
            1, f"{len(source.lines)} lines, at most {MODULE_LINES_MAX}: part it by subject"
        )
    for node in ast.walk(source.syntax):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                said = f"{node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"
                yield Finding(node.lineno, said)


def docstring(source: Source) -> Iterator[Finding]:
    """A module without a sentence at its head makes every reader find out what it decides."""
    name = PurePosixPath(source.path).stem
    if (not name.startswith("_") or name == "__init__") and not ast.get_docstring(source.syntax):
        yield Finding(1, "say in a docstring what this module decides")


def broad_except(source: Source) -> Iterator[Finding]:
    """A handler for everything swallows the broken invariant that it never meant."""
    for node in ast.walk(source.syntax):
        match node:
            case ast.ExceptHandler() if _is_broad(node.type) and not _raises_again(node):
                yield Finding(node.lineno, "catch the error that is expected here, by name")
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress")):
                if any(_is_broad(argument) for argument in node.args):
                    yield Finding(node.lineno, "suppress the error that is expected here, by name")
            case _:
                pass


def _is_broad(caught: ast.expr | None) -> bool:
    match caught:
        case None:
            return True
        case ast.Name():
            return caught.id in {"Exception", "BaseException"}
        case ast.Tuple():
            return any(_is_broad(element) for element in caught.elts)
        case _:
            return False


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Cleaning up before the same fault goes on swallows nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def ignore_reason(source: Source) -> Iterator[Finding]:
    """A check that was switched off without a reason is never switched on again."""
    for line, comment in source.comments:
        if _WHOLE_FILE.match(comment):
            yield Finding(line, "silence a line, not a file")
        elif match := _IGNORE.search(comment):
            reason = comment[match.end() :].strip(" #:,-")
            if len(reason.split()) < 2:
                yield Finding(line, "say behind the ignore why it is right here")


RULES = (
    Rule(
        "module name",
        is_python,
        module_name,
        bad=(),
        good=("x = 1",),
    ),
    Rule(
        "length",
        in_packages,
        length,
        bad=("x = 1\n" * 401, "def f() -> None:\n" + "    g()\n" * 60),
        good=("x = 1\n" * 400, "def f() -> None:\n" + "    g()\n" * 59),
    ),
    Rule(
        "docstring",
        in_packages,
        docstring,
        bad=("", "x = 1", "# orders\nx = 1"),
        good=('"""Orders: what the contract takes."""',),
    ),
    Rule(
        "broad except",
        is_python,
        broad_except,
        bad=(
            "try:\n    f()\nexcept:\n    pass",
            "try:\n    f()\nexcept Exception as error:\n    g(error)",
            "try:\n    f()\nexcept (KeyError, BaseException):\n    g()",
            "with suppress(Exception):\n    f()",
        ),
        good=(
            "try:\n    f()\nexcept KeyError:\n    g()",
            "try:\n    f()\nexcept BaseException:\n    g()\n    raise",
            "with contextlib.suppress(FileNotFoundError):\n    f()",
        ),
    ),
    Rule(
        "ignore reason",
        is_python,
        ignore_reason,
        bad=(
            "x = 1  # noqa",
            "x = 1  # noqa: E501",
            "x = 1  # noqa: E501, S101 -",
            "x = 1  # type: ignore",
            "x = 1  # type: ignore[attr-defined]",
            "x = 1  # pyright: ignore[reportPrivateUsage]",
            "# ruff: noqa\nx = 1",
            "# pyright: basic\nx = 1",
            "# pyright: reportPrivateUsage=false\nx = 1",
        ),
        good=(
            "x = 1  # noqa: E501 the address stays whole",
            "x = 1  # pyright: ignore[reportPrivateUsage]  # the library has no other way",
            "x = '# noqa'",
        ),
    ),
)
