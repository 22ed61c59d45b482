"""Queries about an area: slots, books, trades, postings, orders and their states.

`states.py` computes the states of orders and trades.
"""

from __future__ import annotations

import msgspec

from chaincode.accounts.posting import Posting
from chaincode.area.clock import CLOCKS, Clock, market_time_s
from chaincode.area.rules import RULES, SEEDS, MarketRules, SeedChain, rules_at
from chaincode.area.zones import Area, AreaName, Lane, get_area, get_lane
from chaincode.auctions.book import book_json
from chaincode.clearing.auction_books import book_of_zone
from chaincode.clearing.order_book import (
    book_pages,
    page_entries,
)
from chaincode.clearing.records import CLEARINGS, TREES, TreeClearing, ZoneClearing
from chaincode.clearing.run import MatchedTrade, slot_trades
from chaincode.context import Context
from chaincode.errors import BOOK_OPEN, NO_SEED_CHAIN, PAGE_UNKNOWN, ZONE_UNKNOWN
from chaincode.orders.order_batch import ORDERS, OrderRow, StoredOrder
from chaincode.queries.states import OrderState, order_state, trade_state
from chaincode.settlement.disputes import disputed_trades
from chaincode.settlement.settled_slot import POSTINGS, SETTLEMENTS, SlotSettlement
from chaincode.slots.gate import (
    SLOTS,
    PageArguments,
    Slot,
    SlotArguments,
)
from chaincode.state import (
    Did,
    Id,
    Second,
    at_slot,
    encode,
    page_part,
    slot_part,
)


class BookArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One zone's closed book of a slot."""

    area: Id
    slot: Second
    zone: Id


class TraderArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One trader's orders of a slot."""

    area: Id
    slot: Second
    did: Did


class AreaAnswer(msgspec.Struct, frozen=True):
    """An area with its lane, its clock and the current market time.

    A real area has no clock. A demonstration has no market time before its clock is set.
    """

    area: Area
    lane: Lane
    clock: Clock | None
    market_s: int | None


class SeedChainView(msgspec.Struct, frozen=True):
    """The seed chain that holds for a slot."""

    chain: SeedChain


class SlotView(msgspec.Struct, frozen=True):
    """A slot: its gate, its row once closed, the results of its zones, and its settlement.

    `tree` is what the edges carried if the whole tree was cleared as one book.
    """

    slot: int
    gate_s: int
    phase: str
    row: Slot | None
    zones: list[ZoneClearing]
    settlement: SlotSettlement | None
    tree: TreeClearing | None = None


class OrderView(msgspec.Struct, frozen=True):
    """An order and its state; `matched_wh` and `settled_wh` are sums over all its steps.

    `left_out` says why an open order is not in the book; it is empty if the order is in the book.
    """

    order: StoredOrder
    state: OrderState
    matched_wh: int
    settled_wh: int
    left_out: str = ""


class OrdersAnswer(msgspec.Struct, frozen=True):
    """A trader's orders of a slot, in the order placed."""

    orders: list[OrderView]


class TradeView(msgspec.Struct, frozen=True):
    """A trade and its state."""

    trade: MatchedTrade
    state: OrderState


class TradesAnswer(msgspec.Struct, frozen=True):
    """A slot's trades in match sequence."""

    trades: list[TradeView]


class PostingsAnswer(msgspec.Struct, frozen=True):
    """A page of postings, and the number of pages."""

    postings: list[Posting]
    pages: int


class BookAnswer(msgspec.Struct, frozen=True):
    """A book in the form that `commonwatt auction` reads."""

    book: msgspec.Raw


class OpenOrder(msgspec.Struct, frozen=True):
    """An open order of a slot whose gate may still be open."""

    trader: Did
    order: StoredOrder


class OpenOrdersAnswer(msgspec.Struct, frozen=True):
    """Every open order of a slot, sorted by trader."""

    orders: list[OpenOrder]


def describe_area(context: Context, arguments: AreaName) -> AreaAnswer:
    """An area's tree of zones, lane and clock."""
    area = get_area(context, arguments.area)
    clock = CLOCKS.get(context, area.area)
    waits = area.demonstration and clock is None
    market_s = None if waits else market_time_s(context, area.area)
    return AreaAnswer(area, get_lane(context, area.area), clock, market_s)


def get_market_rules(context: Context, arguments: SlotArguments) -> MarketRules:
    """The rules that hold for a slot."""
    return rules_at(RULES.get(context, arguments.area), arguments.area, arguments.slot)


def get_seed_chain(context: Context, arguments: SlotArguments) -> SeedChainView:
    """The anchor of the tie seeds for a slot, and the seed that was revealed last."""
    row = SEEDS.get(context, arguments.area)
    chain = None if row is None else at_slot(row.versions, arguments.slot)
    if chain is None:
        raise NO_SEED_CHAIN(area=arguments.area, slot=arguments.slot)
    return SeedChainView(chain)


def describe_slot(context: Context, arguments: SlotArguments) -> SlotView:
    """A slot's phase, and the results of its clearing and settlement."""
    part = slot_part(arguments.slot)
    row = SLOTS.get(context, arguments.area, part)
    rules = rules_at(RULES.get(context, arguments.area), arguments.area, arguments.slot)
    zones = [record for _, record in CLEARINGS.range(context, arguments.area, part)]
    settlement = SETTLEMENTS.get(context, arguments.area, part)
    tree = TREES.get(context, arguments.area, part)
    phase = "OPEN" if row is None else row.phase
    gate_s = rules.gate_s(arguments.slot)
    return SlotView(arguments.slot, gate_s, phase, row, zones, settlement, tree)


def list_open_orders(context: Context, arguments: SlotArguments) -> OpenOrdersAnswer:
    """The open orders of a slot."""
    rows = ORDERS.range(context, arguments.area, slot_part(arguments.slot))
    return OpenOrdersAnswer(
        [OpenOrder(did, order) for did, row in rows for order in row.orders if order.open]
    )


def get_book(context: Context, arguments: BookArguments) -> BookAnswer:
    """The book in which a zone was cleared, so that anybody can clear it again."""
    area = get_area(context, arguments.area)
    if all(zone.id != arguments.zone for zone in area.zones):
        raise ZONE_UNKNOWN(zone=arguments.zone)
    row = SLOTS.get(context, arguments.area, slot_part(arguments.slot))
    if row is None or row.phase in ("CLOSED", "CLEARING"):
        raise BOOK_OPEN(slot=arguments.slot, zone=arguments.zone)
    rules = rules_at(RULES.get(context, arguments.area), arguments.area, arguments.slot)
    pages = list(book_pages(context, arguments.area, arguments.slot, row.book_pages))
    entries = list(page_entries(pages))
    book = book_of_zone(context, area, arguments.slot, rules, entries, zone=arguments.zone)
    return BookAnswer(msgspec.Raw(encode(book_json(book))))


def list_trades(context: Context, arguments: SlotArguments) -> TradesAnswer:
    """A slot's trades with their states."""
    row = SLOTS.get(context, arguments.area, slot_part(arguments.slot))
    if row is None:
        return TradesAnswer([])
    disputed = disputed_trades(context, arguments.area, arguments.slot)
    now_s = market_time_s(context, arguments.area)
    trades = slot_trades(context, arguments.area, arguments.slot, row.trade_pages)
    return TradesAnswer(
        [
            TradeView(
                trade,
                trade_state(
                    row.phase,
                    slot=arguments.slot,
                    disputed=trade.number in disputed,
                    now_s=now_s,
                ),
            )
            for trade in trades
        ]
    )


def list_postings(context: Context, arguments: PageArguments) -> PostingsAnswer:
    """A page of a slot's postings."""
    row = SLOTS.get(context, arguments.area, slot_part(arguments.slot))
    pages = 0 if row is None else row.posting_pages
    if arguments.page >= max(1, pages):
        raise PAGE_UNKNOWN(page=arguments.page, pages=pages)
    names = (arguments.area, slot_part(arguments.slot), page_part(arguments.page))
    page = POSTINGS.get(context, *names)
    return PostingsAnswer([] if page is None else page.postings, pages)


def list_orders(context: Context, arguments: TraderArguments) -> OrdersAnswer:
    """A trader's orders of a slot with their states."""
    part = slot_part(arguments.slot)
    row = ORDERS.get(context, arguments.area, part, arguments.did) or OrderRow(orders=[])
    slot = SLOTS.get(context, arguments.area, part)
    own: dict[str, list[TradeView]] = {}
    reasons: dict[str, str] = {}
    if slot is not None:
        answer = list_trades(context, SlotArguments(arguments.area, arguments.slot))
        for view in answer.trades:
            for step in (view.trade.buy, view.trade.sell):
                own.setdefault(step.partition("#")[0], []).append(view)
        for page in book_pages(context, arguments.area, arguments.slot, slot.book_pages):
            reasons.update((item.order, item.reason) for item in page.left_out)
    now_s = market_time_s(context, arguments.area)
    views: list[OrderView] = []
    for order in row.orders:
        name = f"{arguments.did}/{order.id}"
        trades = own.get(name, [])
        view = _order_view(order, slot, trades, start=arguments.slot, now_s=now_s)
        views.append(msgspec.structs.replace(view, left_out=reasons.get(name, "")))
    return OrdersAnswer(views)


def _order_view(
    order: StoredOrder, slot: Slot | None, own: list[TradeView], *, start: int, now_s: int
) -> OrderView:
    state = order_state(
        None if slot is None else slot.phase,
        slot=start,
        is_open=order.open,
        is_matched=bool(own),
        disputed=any(view.state == "DISPUTED" for view in own),
        expires_s=order.expires_s,
        now_s=now_s,
    )
    matched_wh = sum(view.trade.quantity_wh for view in own)
    settled_wh = sum(view.trade.settled_wh or 0 for view in own)
    return OrderView(order, state, matched_wh, settled_wh)
