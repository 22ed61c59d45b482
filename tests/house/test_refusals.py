"""Every refusal of the contract is listed, explained to users, and provoked by a test."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chaincode.errors import REFUSALS
from tests.house.tree import ROOT, python_sources

PAGE = "docs/reference/refusals.md"
_HEADING = re.compile(r"^#+\s+`?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)`?\s*$", re.MULTILINE)


def headings(page: str) -> list[str]:
    """The codes that a page of refusals explains, in its order."""
    return _HEADING.findall(page)


def untested(codes: Iterable[str], tests: Iterable[str]) -> list[str]:
    """The codes that no test names."""
    named = {word for text in tests for word in re.findall(r"\b[A-Z][A-Z0-9_]*\b", text)}
    return [code for code in codes if code not in named]


def codes() -> Sequence[str]:
    return [refusal.code for refusal in REFUSALS]


def test_no_code_is_given_twice() -> None:
    assert len(set(codes())) == len(codes())


def test_every_refusal_has_a_heading_and_every_heading_a_refusal() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")

    assert headings(page) == list(codes())


def test_every_refusal_is_named_by_a_test() -> None:
    tests = (
        source.text
        for source in python_sources()
        if source.path.startswith("tests/") and not source.path.startswith("tests/house/")
    )

    missing = untested(codes(), tests)

    assert not missing, "no test names " + ", ".join(missing)


def test_missing_heading_and_missing_test_are_found() -> None:
    page = "# Refusals\n\n## GATE_CLOSED\n\ntext\n\n## `LIMITS`\n"
    tests = ["def test_a() -> None:\n    refused('GATE_CLOSED')", "NO_LIMITS"]

    assert headings(page) == ["GATE_CLOSED", "LIMITS"]
    assert untested(["GATE_CLOSED", "LIMITS"], tests) == ["LIMITS"]
