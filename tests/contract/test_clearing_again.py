"""A clearing can be repeated by anybody and continued by any member; large ones take several steps."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import msgspec
import pytest

from chaincode.area.zones import AreaName
from chaincode.auctions.book import AuctionRules, Book, Order, Zone
from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.errors import Refused
from chaincode.queries.market import BookAnswer, BookArguments, OpenOrdersAnswer
from chaincode.slots.gate import SlotArguments
from tests.contract.stage.cast import (
    AREA,
    DSO,
    EAST,
    MILLION,
    ORACLE,
    OTHER_DSO,
    R1,
    R2,
    SLOT,
    SLOT_S,
    WEST,
    did_of,
)
from tests.contract.stage.large_book import place_large_book
from tests.contract.stage.market import Market, Opener

NEXT = SLOT + SLOT_S
ORDERS = """
    who  id  side  price   wh
    S1   s   sell   90000  700
    S1   s   sell  110000  700
    S2   s   sell   90000  400
    B1   b   buy   140000  600
    B2   b   buy   120000  900
    B2   b   buy    80000  900
    """


class OrderText(msgspec.Struct, forbid_unknown_fields=True):
    """An order of a book as `commonwatt auction` reads it."""

    id: str
    zone: str
    side: Literal["buy", "sell"]
    participant: str
    time: int | str
    price: int | None = None
    quantity: int | None = None
    steps: list[tuple[int, int]] = []


class BookText(msgspec.Struct, forbid_unknown_fields=True):
    """A book as `commonwatt auction` reads it, as far as one zone has it."""

    mechanism: str
    rules: AuctionRules
    zones: list[Zone]
    orders: list[OrderText]


def read_book(text: bytes) -> Book:
    """The book in a text."""
    read = msgspec.json.decode(text, type=BookText)
    orders: list[Order] = []
    for order in read.orders:
        plain = order.price is not None and order.quantity is not None
        steps = [(order.price or 0, order.quantity or 0)] if plain else order.steps
        for number, (price, quantity_wh) in enumerate(steps, start=1):
            orders.append(
                Order(
                    id=order.id,
                    step=number,
                    plain=plain,
                    zone=order.zone,
                    side=order.side,
                    price=price,
                    quantity_wh=quantity_wh,
                    time=int(order.time),
                    participant=order.participant,
                )
            )
    return Book(read.mechanism, read.rules, read.zones, orders)


def book_text(market: Market, zone: str = EAST) -> bytes:
    """A zone's cleared book as the ledger gives it."""
    return bytes(market.ask("get_book", BookArguments(AREA, SLOT, zone), BookAnswer).book)


def test_whoever_clears_the_book_again_gets_the_recorded_digests(market: Market) -> None:
    market.traders("S1", "S2", "B1", "B2")
    market.traders("S3", "B3", zone=WEST)
    market.place(ORDERS)
    market.place("who id side price wh\nS3 s sell 50000 20\nB3 b buy 60000 30")
    market.clear()

    for record in market.slot().zones:
        text = book_text(market, record.zone)
        outcome = MECHANISMS["uniform"].clear(read_book(text))

        assert sha256(text).hexdigest() == record.book_digest
        assert outcome.digest == record.outcome_digest
        trades = [
            (view.trade.buy, view.trade.sell, view.trade.quantity_wh, view.trade.buy_price)
            for view in market.trades()
            if view.trade.path == [record.zone]
        ]
        assert trades == [(t.buy, t.sell, t.quantity, t.buy_price) for t in outcome.trades]
        assert (record.price, record.volume_wh) == (outcome.prices[record.zone], outcome.volume)


def test_book_is_not_given_out_before_it_has_cleared(market: Market) -> None:
    for step in ("open", "closed"):
        if step == "closed":
            market.close_gate()
        with pytest.raises(Refused, match="BOOK_OPEN"):
            book_text(market)


def test_order_of_arrival_is_not_part_of_the_outcome(open_market: Opener) -> None:
    header, *rows = ORDERS.strip().splitlines()
    outcomes: list[tuple[list[str], str]] = []
    for listed in (rows, [*rows[3:], *rows[2:3], *rows[:2]]):
        market = open_market()
        market.traders("S1", "S2", "B1", "B2")
        market.place("\n".join([header, *listed]))
        market.clear()
        outcomes.append((market.traded(), market.state_hash()))

    assert outcomes[0] == outcomes[1]


def test_rule_1_6_each_part_of_a_slots_life_may_be_another_members_work(
    open_market: Opener,
) -> None:
    hashes: list[str] = []
    for closer, clearer, settler in ((DSO, DSO, DSO), (R2, ORACLE, OTHER_DSO)):
        market = open_market()
        market.traders("S1", "S2", "B1", "B2")
        market.place(ORDERS)
        market.close_gate(member=closer)
        market.clear_part(member=clearer)
        market.report("meter import export\nS1 0 1000\nS2 0 400\nB1 600 0\nB2 900 0")
        market.settle(member=settler)
        hashes.append(market.state_hash())

    assert hashes[0] == hashes[1]


@pytest.fixture
def large_market(open_market: Opener) -> Market:
    """A market whose book takes more than one transaction."""
    return open_market(prepare=place_large_book)


def test_large_clearing_goes_on_in_parts_by_any_member(large_market: Market) -> None:
    market = large_market
    market.close_gate(SLOT)

    assert market.clear_part(SLOT, member=R1) == "CLEARING"
    with pytest.raises(Refused, match="BOOK_OPEN"):
        book_text(market)
    with pytest.raises(Refused, match="SLOT_PHASE"):
        market.submit("settle_slot", SlotArguments(AREA, SLOT), R1)
    market.close_gate(NEXT)
    before = market.state_hash()
    with pytest.raises(Refused, match="CLEARING_OUT_OF_ORDER"):
        market.clear_part(NEXT)
    with pytest.raises(Refused, match="NOTHING_TO_FOLD"):  # what is behind the gate waits
        market.submit("fold_accounts", AreaName(AREA), R2)
    assert market.state_hash() == before
    market.credit("B000", MILLION)  # nobody waits for a run
    phases: list[str] = []
    for member in (ORACLE, DSO, R2) * 5:
        phases.append(market.clear_part(SLOT, member=member))
        if phases[-1] == "CLEARED":
            break
    market.clear(NEXT)

    assert phases[-1] == "CLEARED"
    row = market.slot(SLOT).row
    assert row is not None
    assert row.quantity_wh == [0, 110 * 50 + 2500, 0]  # of root, east and west
    matched_wh = sum(view.trade.quantity_wh for view in market.trades(SLOT))
    assert matched_wh == 2500
    (record,) = market.slot(SLOT).zones
    assert record.outcome_digest == MECHANISMS["uniform"].clear(read_book(book_text(market))).digest
    market.report("meter import export\nS 0 2500", SLOT)
    market.settle(SLOT)


def test_open_orders_are_listed_while_the_gate_is_open(market: Market) -> None:
    market.traders("S1", "S2", "B1", "B2")
    market.place(ORDERS)
    market.cancel("S2", "s")

    answer = market.ask("list_open_orders", SlotArguments(AREA, SLOT), OpenOrdersAnswer)

    assert sorted(market.named(row.trader) for row in answer.orders) == ["B1", "B2", "S1"]
    assert did_of("S2") not in {row.trader for row in answer.orders}


def test_book_of_a_zone_that_is_not_there_is_refused(market: Market) -> None:
    market.clear()

    with pytest.raises(Refused, match="ZONE_UNKNOWN"):
        market.ask("get_book", BookArguments(AREA, SLOT, "nowhere"), BookAnswer)
