"""Tables of the concept pages name what the contract knows, all of it and nothing else."""

from __future__ import annotations

import re
from typing import get_args

from chaincode.clearing.order_book import LeftOutReason
from chaincode.queries.states import OrderState
from chaincode.slots.gate import Phase
from tests.house.tree import PACKAGES, ROOT

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


def test_architecture_names_every_room_and_every_module_beside_the_rooms() -> None:
    """Of `ledger_network` and `dashboard` the rooms below are named as well."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[a-z_]+", text))
    floors = [ROOT / name for name in PACKAGES]
    folders = [*floors, ROOT / "ledger_network" / "embedded", ROOT / "ledger_network" / "fabric"]
    rooms = {init.parent.name for folder in folders for init in folder.glob("*/__init__.py")}
    modules = {path.stem for path in (ROOT / "chaincode").glob("*.py")} - {"__init__"}

    assert (rooms | modules) - named == set()
