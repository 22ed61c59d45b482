"""Tables of the concept pages name what the contract knows, all of it and nothing else."""

from __future__ import annotations

import re
from typing import get_args

from chaincode.clearing.order_book import LeftOutReason
from chaincode.queries.market import OrderState
from chaincode.slots.gate import Phase
from tests.house.tree import ROOT

CONCEPTS = ROOT / "docs" / "concepts"


def capitals(page: str) -> set[str]:
    """The words in capitals that begin a row of a table of the page."""
    text = (CONCEPTS / page).read_text(encoding="utf-8")
    return set(re.findall(r"^\| ([A-Z][A-Z_]+) \|", text, re.MULTILINE))


def test_every_reason_to_be_left_out_is_explained() -> None:
    assert capitals("orders.md") == set(get_args(LeftOutReason))


def test_every_state_of_an_order_is_explained() -> None:
    states = capitals("glossary.md") - {"DSO"}

    assert states == set(get_args(OrderState))


def test_every_phase_of_a_slot_is_explained() -> None:
    assert capitals("areas-and-slots.md") == {"OPEN", *get_args(Phase)}


def test_architecture_names_every_module_of_the_contract() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    modules = {path.name for path in (ROOT / "chaincode").glob("*.py")} - {"__init__.py"}

    assert {name for name in modules if f"`{name}`" not in text} == set()
