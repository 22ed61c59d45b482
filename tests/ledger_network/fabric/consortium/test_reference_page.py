"""The page of the consortium's file names every field with the default and bounds of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

from ledger_network.fabric.consortium.definition import (
    NODES_MAX,
    ORDERERS_MIN,
    Collection,
    Consortium,
    Lifecycle,
    Limits,
    Organisation,
    Policies,
    Site,
)
from tests.house.tree import ROOT

TEXT = (ROOT / "docs" / "reference" / "consortium.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<field>[a-z_.]+)` \| (?P<rest>.+) \|$", re.MULTILINE)
WITHIN: dict[type[msgspec.Struct], str] = {Lifecycle: "lifecycle."}
SECTIONS: dict[str, list[type[msgspec.Struct]]] = {
    "The whole": [Consortium],
    "Organisations": [Organisation, Site],
    "Policies": [Policies, Lifecycle],
    "Collections": [Collection],
    "Limits": [Limits],
}


def rows(section: str) -> dict[str, list[str]]:
    """The rows of a section's tables: field, then its cells."""
    text = TEXT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return {row["field"]: row["rest"].split(" | ") for row in ROW.finditer(text)}


def fields(structs: list[type[msgspec.Struct]]) -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """The fields of a section as the page names them; a field that is a part has its own rows."""
    for struct in structs:
        for field in msgspec.structs.fields(struct):
            if field.type not in structs:
                yield f"{WITHIN.get(struct, '')}{field.name}", field


def default(field: msgspec.structs.FieldInfo) -> str:
    """A default as the page prints it."""
    if field.default_factory is not msgspec.NODEFAULT:
        return "`[]`"
    if field.default is msgspec.NODEFAULT:
        return "required"
    return "as below" if isinstance(field.default, Limits) else f"`{field.default}`"


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_is_listed_with_its_default(section: str) -> None:
    listed = {name: cells[0] for name, cells in rows(section).items()}

    assert listed == {name: default(field) for name, field in fields(SECTIONS[section])}


def test_every_limit_has_the_bounds_printed() -> None:
    printed = {name: cells[1] for name, cells in rows("Limits").items()}

    wanted: dict[str, str] = {}
    for name, field in fields([Limits]):
        (bounds,) = [each for each in get_args(field.type)[1:] if isinstance(each, msgspec.Meta)]
        wanted[name] = f"{bounds.ge:,} to {bounds.le:,}"
    assert printed == wanted


def test_numbers_in_the_text_are_those_of_the_code() -> None:
    site: Any = msgspec.json.schema(Site)["$defs"]["Site"]["properties"]["port"]

    assert f"{site['minimum']} to {site['maximum']}" in TEXT
    assert f"At most {NODES_MAX} peers and orderers" in TEXT
    assert ORDERERS_MIN == 4
    assert "There are four orderers or more" in TEXT
