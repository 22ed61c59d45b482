"""The page that says who may do what: each cell of its table is tried on the running network."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AsyncExitStack
from typing import NamedTuple, cast

import pytest

from commonwatt.demonstration.cast import DSO, ORACLE
from tests.house.tree import ROOT
from tests.ledger_network.fabric import odd_contracts
from tests.ledger_network.fabric.attempts import ACTS, YES, Actor, As, outcome, record
from tests.ledger_network.fabric.grounds import GUEST, StandingNetwork

pytestmark = pytest.mark.network

PAGE = ROOT / "docs" / "reference" / "who-may-do-what.md"
COLUMNS = {
    "DSO": DSO,
    "retailer": "GreenPower",
    "oracle operator": ORACLE,
    "regulator": "EnergyAuthority",
    "guest": GUEST.name,
    "stranger": DSO,
}
"""Who stands for a column; a stranger calls itself so."""


class Cell(NamedTuple):
    """One cell of the table: an act of somebody, and how it ends."""

    act: str
    role: As
    who: str
    expected: str

    def __str__(self) -> str:
        return f"{self.act}, {self.who} as {self.role}"


def table() -> list[list[str]]:
    """The rows of the page's table, its head first."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if set(row[0]) != {"-"}]


def cells() -> list[Cell]:
    """All cells of the table."""
    (_, _, *who), *rows = table()
    return [
        Cell(act, cast("As", role), column, expected)
        for act, role, *words in rows
        for column, expected in zip(who, words, strict=True)
    ]


@pytest.fixture(scope="module")
def readable(network: StandingNetwork) -> Generator[StandingNetwork]:
    """The network with a reading, and with a query for it in every member's contract service."""
    members = [member.name for member in network.consortium.organisations if member.peers]
    command = odd_contracts.command("readings")

    async def recorded() -> AsyncExitStack:
        held = AsyncExitStack()
        oracle = Actor(network, ORACLE)
        async with oracle.gateway("client") as gateway:
            assert gateway is not None
            await record(gateway, oracle)
        await held.enter_async_context(network.replaced(dict.fromkeys(members, command)))
        return held

    held = network.run(recorded())
    yield network
    network.run(held.aclose())


@pytest.mark.parametrize("cell", cells(), ids=str)
def test_act_ends_as_the_page_says(cell: Cell, readable: StandingNetwork) -> None:
    actor = Actor(readable, COLUMNS[cell.who], is_stranger=cell.who == "stranger")

    async def tried() -> str:
        async with actor.gateway("client" if cell.act.startswith("endorse") else cell.role) as own:
            return "none" if own is None else await outcome(ACTS[cell.act](own, actor))

    assert readable.run(tried()) == cell.expected


def test_table_has_every_act_and_everybody() -> None:
    (act, role, *who), *rows = table()

    assert [act, role, *who] == ["act", "as", *COLUMNS]
    assert {row[0] for row in rows} == set(ACTS)
    assert len({(row[0], row[1]) for row in rows}) == len(rows)
    for name in ACTS:
        assert any(YES in row for row in rows if row[0] == name) or name.endswith("alone")
