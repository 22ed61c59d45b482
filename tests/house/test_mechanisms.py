"""Every mechanism of the table is explained to users, and every module of one has its tests."""

from __future__ import annotations

from chaincode.auctions.mechanisms import MECHANISMS
from tests.house.tree import ROOT

PAGE = "docs/concepts/clearing.md"
BESIDE = {"__init__", "book", "mechanisms", "outcome"}  # what all mechanisms share


def test_every_mechanism_is_explained() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")

    assert [name for name in MECHANISMS if f"`{name}`" not in page] == []


def test_every_module_of_a_mechanism_has_its_tests() -> None:
    modules = {path.stem for path in (ROOT / "chaincode" / "auctions").glob("*.py")} - BESIDE
    tested = {
        path.stem.removeprefix("test_")
        for path in (ROOT / "tests" / "chaincode" / "auctions").glob("test_*.py")
    }

    assert modules - tested == set()
