"""The files that the house checks read, what a rule is, and how a line escapes one.

A rule is one function that yields findings for one file; its docstring says which failure it
prevents. An escape is a comment `# house: <rule>, <reason>` on the line found or alone on the line
above; it must name a rule, give a reason, and silence something.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("identity", "chaincode", "ledger_network", "meter_oracle", "api", "commonwatt")

_ESCAPE = re.compile(r"#\s*house:\s*(?P<rule>[a-z ]+?)\s*(?:,\s*(?P<reason>.*))?$")


class Finding(NamedTuple):
    """A line that breaks a rule, and what to do about it."""

    line: int
    message: str


class Escape(NamedTuple):
    """A comment that excuses its line from a rule, and the line below when it stands alone."""

    written: int
    lines: tuple[int, ...]
    rule: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A file of the repository: its path from the root with forward slashes, and its text."""

    path: str
    text: str

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        """Line number and text of each comment; in Python a `#` inside a string does not count."""
        if not self.is_python:
            marked = ((number, line.partition("#")) for number, line in enumerate(self.lines, 1))
            return [(number, mark + comment) for number, (_, mark, comment) in marked if mark]
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [
            (token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT
        ]

    @cached_property
    def escapes(self) -> list[Escape]:
        found: list[Escape] = []
        for line, comment in self.comments:
            if match := _ESCAPE.search(comment):
                alone = self.lines[line - 1].lstrip().startswith("#")
                reason = (match["reason"] or "").strip()
                excused = (line, line + 1) if alone else (line,)
                found.append(Escape(line, excused, match["rule"], reason))
        return found


class Rule(NamedTuple):
    """A house rule: where it holds, how it is checked, and samples that break and keep it."""

    name: str
    applies: Callable[[str], bool]
    check: Callable[[Source], Iterator[Finding]]
    bad: Sequence[str]
    good: Sequence[str]
    sample_path: str = "chaincode/sample.py"


@cache
def sources() -> tuple[Source, ...]:
    """Every text file that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found: list[Source] = []
    for path in sorted(set(listed.split("\0")) - {""}):
        file = ROOT / path
        data = file.read_bytes() if file.is_file() else b""
        if b"\0" not in data:
            found.append(Source(path, data.decode("utf-8", errors="replace")))
    return tuple(found)


def python_sources() -> tuple[Source, ...]:
    """Every Python file of the repository."""
    return tuple(source for source in sources() if source.is_python)


def in_packages(path: str) -> bool:
    """Whether `path` is a Python file of one of our packages."""
    return path.endswith(".py") and path.split("/", maxsplit=1)[0] in PACKAGES


def in_contract(path: str) -> bool:
    """Whether `path` is a Python file of the contract; its shim does not count."""
    return in_packages(path) and path.startswith("chaincode/") and "/shim/" not in path


def broken(rule: Rule, source: Source) -> list[Finding]:
    """What of `source` breaks `rule` and is not escaped."""
    escaped = {
        line for escape in source.escapes if escape.rule == rule.name for line in escape.lines
    }
    return [finding for finding in rule.check(source) if finding.line not in escaped]


def idle_escapes(rules: Sequence[Rule], source: Source) -> list[Finding]:
    """Escapes of `source` that name no rule, give no reason or silence nothing."""
    by_name = {rule.name: rule for rule in rules}
    found: list[Finding] = []
    for escape in source.escapes:
        rule = by_name.get(escape.rule)
        if rule is None:
            found.append(Finding(escape.written, f"no house rule is named {escape.rule!r}"))
        elif len(escape.reason.split()) < 2:
            found.append(Finding(escape.written, "an escape gives its reason after a comma"))
        elif not rule.applies(source.path) or all(
            finding.line not in escape.lines for finding in rule.check(source)
        ):
            found.append(
                Finding(escape.written, f"nothing here breaks {escape.rule!r}: take it out")
            )
    return found
