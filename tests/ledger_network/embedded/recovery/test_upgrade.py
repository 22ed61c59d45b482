"""The contract is replaced on the embedded ledger, at any moment of a slot: as if it never had been.

One history of a slot is run twice, once with one contract from beginning to end and once with the
ledger closed in between and opened with the contract of a later version. `tests/ledger_network/
fabric/test_upgrade.py` does it on a running network.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from chaincode.contract import NAME, Contract
from chaincode.slots.gate import SlotArguments
from ledger_network.embedded.recovery.export import export
from ledger_network.embedded.recovery.rebuild import rebuild
from ledger_network.embedded.recovery.verify import verify
from tests.contract.stage.cast import AREA, MEMBERS, R1, SLOT, WEST, Clock, Rules
from tests.contract.stage.embedded_engine import CHANNEL, SEED, EmbeddedEngine, TestedEmbedded
from tests.contract.stage.held import HeldContract
from tests.contract.stage.large_book import place_large_book
from tests.contract.stage.market import Market
from tests.ledger_network.embedded.workbench import UnsyncedDisk


class History(NamedTuple):
    """Steps by the name of the moment behind each, and traders to look at."""

    traders: tuple[str, ...]
    steps: dict[str, Callable[[Market], object]]


class LaterContract(HeldContract):
    """The contract under a later version."""

    def __init__(self, version: str) -> None:
        super().__init__(NAME)
        self.version = version


class ReopeningEngine(EmbeddedEngine):
    """One embedded ledger in a folder, which can be opened again with another contract."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "ledger"

    async def open(self, clock: Clock) -> TestedEmbedded:
        """The ledger with the contract as it is."""
        return self.open_with(HeldContract(NAME), clock)

    def open_with(self, contract: HeldContract, clock: Clock) -> TestedEmbedded:
        """The ledger, made or as it was left, with a contract."""
        ledger = TestedEmbedded.open(
            self.path,
            contract=contract,
            channel=CHANNEL,
            members=MEMBERS,
            seed=SEED,
            clock=clock,
            disk=UnsyncedDisk(),
            verifiers=1,
        )
        ledger.held = contract
        return ledger

    def upgrade(self, market: Market, version: str) -> None:
        """Close the market's ledger and open it with a later version of the contract."""
        market.close()
        market.ledger = self.open_with(LaterContract(version), market.clock)


# The history of a slot, step by step


def first_orders(market: Market) -> None:
    """Orders in two zones; the slot stays open."""
    market.traders("S1", "S2", "B1", "B2")
    market.trader("W", zone=WEST)
    market.place("""
        who  id  side  price   wh
        S1   s   sell  100000  1000
        S1   t   sell  150000  500
        B1   b   buy   200000  700
        W    w   buy   180000  300
        """)


def second_orders(market: Market) -> None:
    """More orders; of the first ones one is amended and one cancelled."""
    market.place("""
        who  id  side  price   wh
        S2   s   sell  120000  600
        B2   b   buy   190000  900
        B2   c   buy   110000  100
        """)
    assert market.amend("B1", "b", 1, [(210_000, 800)]) == "AMENDED"
    assert market.cancel("S1", "t") == "CANCELLED"


def readings(market: Market) -> None:
    """One seller is short, and one buyer takes less than it bought."""
    market.report("""
        meter  import  export
        S1     0       1000
        S2     0       500
        B1     900     0
        B2     700     0
        W      300     0
        """)


SHORT_STEPS: dict[str, Callable[[Market], object]] = {
    "first orders": first_orders,
    "second orders": second_orders,
    "gate closed": Market.close_gate,
    "cleared": Market.clear,
    "reported": readings,
    "settled": Market.settle,
    "paid out": lambda market: market.debit("S1", 1_000_000),
}


SHORT = History(("S1", "S2", "B1", "B2", "W"), SHORT_STEPS)


def begin_clearing(market: Market) -> None:
    """The first transaction of clearing, which is not the last."""
    market.close_gate()
    assert market.clear_part() == "CLEARING"


def begin_settling(market: Market) -> None:
    """The first transaction of settlement, which is not the last."""
    market.submit("settle_slot", SlotArguments(AREA, SLOT), R1)
    assert market.slot().phase == "SETTLING"


CROWDED_STEPS: dict[str, Callable[[Market], object]] = {
    "orders": place_large_book,
    "clearing begun": begin_clearing,
    "cleared": Market.clear,
    "reported": lambda market: market.report("meter import export\nS 0 10000"),
    "settling begun": begin_settling,
    "settled": Market.settle,
}
CROWDED = History(("S", "B000", "B109"), CROWDED_STEPS)

MOMENTS = [
    *(pytest.param(SHORT, [moment], id=moment) for moment in list(SHORT_STEPS)[:-1]),
    pytest.param(CROWDED, ["clearing begun", "settling begun"], id="within both runs"),
]
LATER = (f"{Contract.version}.1", f"{Contract.version}.2")


class Told(NamedTuple):
    """What a market says of itself."""

    state_hash: str
    phase: str
    orders: dict[str, dict[str, str]]
    money_nano: dict[str, int]
    trades: list[str]
    posted: dict[str, int]


def told(market: Market, traders: tuple[str, ...]) -> Told:
    """What its traders and its members ask for."""
    return Told(
        market.state_hash(),
        market.slot().phase,
        {name: market.states(name) for name in traders},
        {name: market.account(name).available_nano for name in traders},
        market.traded(),
        market.posted(),
    )


class Carried(msgspec.Struct):
    """A transaction in the exported log, as far as it is looked at."""

    version: str


class Exported(msgspec.Struct):
    """A block of it."""

    transactions: list[Carried]


def versions_of(path: Path) -> list[str]:
    """Which version carried out each transaction of a ledger that is closed."""
    exported = [msgspec.convert(block, Exported) for block in export(path)]
    return [one.version for block in exported for one in block.transactions]


@contextmanager
def opened(folder: Path) -> Generator[tuple[ReopeningEngine, Market]]:
    """A market on a ledger that can be opened again; it is checked in the end, and closed."""
    with ReopeningEngine(folder) as engine:
        market = Market(engine, Rules())
        try:
            yield engine, market
            market.check_end()
        finally:
            market.close()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[History], Told]:
    """What the market says at the end of a history with one contract."""
    ends: list[tuple[History, Told]] = []

    def end_of(history: History) -> Told:
        for known, end in ends:
            if known is history:
                return end
        with opened(tmp_path_factory.mktemp("plain")) as (_, market):
            for step in history.steps.values():
                step(market)
            ends.append((history, told(market, history.traders)))
        return ends[-1][1]

    return end_of


@pytest.mark.parametrize(("history", "moments"), MOMENTS)
def test_upgrade_in_the_middle_of_a_slot_leaves_its_end_as_it_would_have_been(
    history: History, moments: list[str], plain: Callable[[History], Told], tmp_path: Path
) -> None:
    """Behind the steps `moments` the ledger is closed and opened with a later contract.

    That reads what the old one wrote, and goes on; the log tells which version carried out what,
    and bears the whole check and a rebuild.
    """
    later = LATER[: len(moments)]
    with opened(tmp_path) as (engine, market):
        for name, step in history.steps.items():
            step(market)
            if name in moments:
                left = told(market, history.traders)
                engine.upgrade(market, later[moments.index(name)])
                assert told(market, history.traders) == left
        end = told(market, history.traders)

    assert end == plain(history)
    assert end.phase == "SETTLED"
    assert end.trades
    assert end.posted
    versions = versions_of(engine.path)
    assert versions == sorted(versions)
    assert set(versions) == {Contract.version, *later}
    assert verify(engine.path).fault is None
    counts = Contract().counts_in_state_hash
    assert rebuild(engine.path, counts=counts).state_hash == end.state_hash
