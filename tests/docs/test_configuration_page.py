"""The tables of `docs/configuration.md` say what the code does."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import msgspec

from chaincode.area.rules import MarketRules
from tests.house.tree import ROOT

TEXT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
LIMIT = re.compile(r"^\| .+? \| (?P<value>[\d,]+) \| `(?P<module>[\w.]+)\.(?P<name>\w+)` \|$")
RULE = re.compile(r"^\| `(?P<name>\w+)` \| (?:`(?P<default>[^`]+)`)? ?\| .+ \|$")


def lines(heading: str) -> Iterator[str]:
    """The lines of the section under a heading."""
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    yield from section.splitlines()


def test_every_market_rule_is_listed_with_its_default() -> None:
    listed = {
        row["name"]: row["default"]
        for row in map(RULE.match, lines("Market rules of an area"))
        if row
    }

    wanted = {
        field.name: None
        if field.default is msgspec.NODEFAULT
        else msgspec.json.encode(field.default).decode()
        for field in msgspec.structs.fields(MarketRules)
    }
    assert listed == wanted


def test_every_limit_has_the_value_printed() -> None:
    rows = [row for row in map(LIMIT.match, lines("Limits")) if row]

    for row in rows:
        held = getattr(importlib.import_module(row["module"]), row["name"])
        assert f"{held:,}" == row["value"], row["name"]
    assert len(rows) == sum(1 for line in lines("Limits") if line.startswith("| ")) - 1
