"""Clearing of a slot: take cover, run the mechanism, write trades, keep cover of what matched.

A run begins with the draw of the gate seed (`slots/draw.py`), and uses the pauses, locks and zones
that were frozen with the gate. It has four steps: FOLD folds credits into balances. COVER builds the book (see `order_book`).
MATCH runs the mechanism zone by zone or on the whole tree, as its scope says; records hold the
digests of the book and of the outcome, so that anyone can clear again and compare. RESERVE releases
the cover of what is not matched. Clearing moves no money and rewrites no order row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from chaincode.accounts.balances import RunAccounts, fold
from chaincode.area.fees import Relation, relation_of
from chaincode.area.rules import rules_at
from chaincode.area.zones import ZONES_MAX, get_area, paused_zones
from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.auctions.outcome import Outcome, Trade
from chaincode.clearing.auction_books import AuctionBook, auction_books, path_tariff, top_of
from chaincode.clearing.order_book import (
    BOOK_PAGES,
    BookEntry,
    BookPage,
    Covering,
    book_page,
    book_pages,
    page_entries,
)
from chaincode.clearing.records import CLEARINGS, TREES, ZoneClearing, tree_record, zone_records
from chaincode.context import Context
from chaincode.errors import TRADE_UNKNOWN
from chaincode.orders.order_batch import ORDERS_PER_ROW_MAX
from chaincode.slots.draw import draw, drawn_seed
from chaincode.slots.gate import Run, Slot, SlotAnswer, SlotArguments, area_at_gate, get_gate
from chaincode.slots.runs import CHUNK_ROWS, PAGE_ROWS, chained, enter, has_room, leave
from chaincode.state import (
    Name,
    OrderName,
    Row,
    Table,
    encode,
    page_part,
    slot_part,
)
from chaincode.units import Energy, Price

FOLD_ROWS = 450  # entries folded between two checks of the room left; each needs two writes
CHUNK_ORDERS = PAGE_ROWS - ORDERS_PER_ROW_MAX  # so that no page exceeds PAGE_ROWS orders


class MatchedTrade(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """A trade of a slot, by its number in match sequence.

    `buy` and `sell` are order names, with `#k` where the order has several steps. The covers are
    what the trade keeps reserved until it settles. `tariff` is the sum of the path's edge
    tariffs. `settled_wh` is None until the slot settles. `retired_wh` is the Wh of certificates
    that the buyer has retired for the trade.
    """

    number: int
    buy: OrderName
    sell: OrderName
    buy_meter: Name
    sell_meter: Name
    quantity_wh: int
    buy_price: int
    sell_price: int
    path: Annotated[list[Name], msgspec.Meta(max_length=ZONES_MAX)]
    relation: Relation
    tariff: int
    buy_cover_nano: int
    sell_cover_nano: int
    settled_wh: int | None = None
    retired_wh: int = 0


class TradePage(Row, frozen=True):
    """Up to 500 trades of a slot."""

    trades: Annotated[list[MatchedTrade], msgspec.Meta(max_length=PAGE_ROWS)]


TRADES = Table(44, "trade pages", TradePage, ("area", "slot", "page"))


class SlotCleared(msgspec.Struct, frozen=True):
    """The event of a cleared slot, with its trades and the result of each zone."""

    area: str
    slot: int
    trades: int
    zones: list[ZoneClearing]


def clear_slot(context: Context, arguments: SlotArguments) -> SlotAnswer:
    """Clear a slot whose gate is closed, or continue its run, as far as one transaction allows."""
    slot, run = enter(
        context,
        area=arguments.area,
        slot=arguments.slot,
        phases=("CLOSED", "CLEARING"),
        first_step="FOLD",
    )
    if slot.phase == "CLOSED":
        slot = draw(context, arguments.area, arguments.slot, slot)
    clearing = _Clearing(context, arguments, slot, run)
    left = clearing.work()
    return leave(
        context,
        area=arguments.area,
        slot=arguments.slot,
        row=clearing.slot,
        run=left,
        done="CLEARED",
        during="CLEARING",
    )


class _Clearing:
    """One transaction's part of a clearing run."""

    def __init__(self, context: Context, arguments: SlotArguments, slot: Slot, run: Run) -> None:
        self._context = context
        self._name = arguments.area
        self._start = arguments.slot
        self._gate = get_gate(context, arguments.area, arguments.slot)
        self._area = area_at_gate(get_area(context, arguments.area), self._gate)
        self._rules = rules_at(context, self._name, self._start)
        self._books = RunAccounts(context, self._name)
        self._run = run
        self.slot = slot

    def work(self) -> Run | None:
        """Work step by step; return None when done, else the run to continue from."""
        steps = {
            "FOLD": (self._fold, "COVER"),
            "COVER": (self._cover, "MATCH"),
            "MATCH": (self._match, "RESERVE"),
            "RESERVE": (self._release, ""),
        }
        while self._run.step:
            act, following = steps[self._run.step]
            if not act():
                self._books.write()
                return self._run
            self._run = msgspec.structs.replace(self._run, step=following, cursor="", page=0)
        self._books.write()
        self._announce()
        return None

    def _fold(self) -> bool:
        while has_room(self._context, self._books):
            if fold(self._context, self._books, self._name, rows_max=FOLD_ROWS):
                return True
        return False

    def _cover(self) -> bool:
        covering = Covering(
            self._context,
            area=self._name,
            slot=self._start,
            slot_s=self._area.slot_s,
            seed=drawn_seed(self.slot),
            rules=self._rules,
            paused=paused_zones(self._area),
            locks=self._gate.locks,
            books=self._books,
            quantity_wh=(quantity_wh := dict(self.slot.quantity_wh)),
            scope=MECHANISMS[self._rules.mechanism].scope,
        )
        while has_room(self._context, self._books):
            page, cursor = covering.take(
                self._run.cursor, rows_max=CHUNK_ROWS, orders_min=CHUNK_ORDERS
            )
            if page.entries or page.left_out or page.withdrawals:
                self._put_book_page(page, quantity_wh)
            self._run = msgspec.structs.replace(self._run, cursor=cursor)
            if not cursor:
                return True
        return False

    def _put_book_page(self, page: BookPage, quantity_wh: dict[str, int]) -> None:
        number = self.slot.book_pages
        BOOK_PAGES.put(self._context, page, self._name, slot_part(self._start), page_part(number))
        digest = chained(self._run.digest, encode(page))
        self._run = msgspec.structs.replace(self._run, digest=digest)
        self.slot = msgspec.structs.replace(
            self.slot, book_pages=number + 1, quantity_wh=dict(quantity_wh)
        )

    def _match(self) -> bool:
        """Clear book after book; the next transaction repeats a book whose trades do not fit."""
        pages = book_pages(self._context, self._name, self._start, self.slot.book_pages)
        entries = list(page_entries(list(pages)))
        books = auction_books(self._context, self._area, self._start, self._rules, entries)
        left = [book for book in books if book.name >= self._run.cursor]
        followings = [*(book.name for book in left[1:]), ""]
        for auction, following in zip(left, followings, strict=False):
            outcome = MECHANISMS[self._rules.mechanism].clear(auction.book)
            if not (self._put_trades(auction, outcome) and self._put_clearing(auction, outcome)):
                self._run = msgspec.structs.replace(self._run, cursor=auction.name)
                return False
            self._run = msgspec.structs.replace(self._run, cursor=following, page=0)
        return True

    def _put_trades(self, auction: AuctionBook, outcome: Outcome) -> bool:
        """Write the book's trades from the run's page on; return False when out of room."""
        by_name = {entry.order: entry for entry in auction.entries}
        levels = {zone.id: zone.grid_level for zone in self._area.zones}
        zones = auction.book.zones
        for index in range(self._run.page * PAGE_ROWS, len(outcome.trades), PAGE_ROWS):
            if not has_room(self._context, self._books):
                return False
            number = self.slot.trade_pages
            trades = [
                _matched(
                    trade,
                    by_name,
                    number=number * PAGE_ROWS + place,
                    relation=relation_of(levels[top_of(trade.path, zones)]),
                    tariff=path_tariff(trade.path, zones),
                )
                for place, trade in enumerate(outcome.trades[index : index + PAGE_ROWS])
            ]
            page = TradePage(trades=trades)
            TRADES.put(self._context, page, self._name, slot_part(self._start), page_part(number))
            digest = chained(self._run.digest, encode(page))
            self._run = msgspec.structs.replace(self._run, page=self._run.page + 1, digest=digest)
            self.slot = msgspec.structs.replace(self.slot, trade_pages=number + 1)
        return True

    def _put_clearing(self, auction: AuctionBook, outcome: Outcome) -> bool:
        """Write the records of a book; return False when a tree's records need more room."""
        part = slot_part(self._start)
        tree = tree_record(outcome)
        if tree is not None:
            if not has_room(self._context, self._books):
                return False
            TREES.put(self._context, tree, self._name, part)
        for record in zone_records(auction.book, outcome):
            CLEARINGS.put(self._context, record, self._name, part, record.zone)
        return True

    def _release(self) -> bool:
        """Release the cover of what is not matched, one page of the book after another."""
        kept: dict[str, int] = {}
        for trade in slot_trades(self._context, self._name, self._start, self.slot.trade_pages):
            for step, cover_nano in (
                (trade.buy, trade.buy_cover_nano),
                (trade.sell, trade.sell_cover_nano),
            ):
                kept[step] = kept.get(step, 0) + cover_nano
        for number in range(self._run.page, self.slot.book_pages):
            if not has_room(self._context, self._books):
                self._run = msgspec.structs.replace(self._run, page=number)
                return False
            page = book_page(self._context, self._name, self._start, number)
            self._books.load(entry.trader for entry in page.entries)
            for entry in page.entries:
                held_nano = sum(kept.get(step, 0) for step in step_names(entry))
                if held_nano != entry.cover_nano:
                    self._books.change(entry.trader, reserved_nano=held_nano - entry.cover_nano)
        return True

    def _announce(self) -> None:
        zones = [
            record
            for _, record in CLEARINGS.range(self._context, self._name, slot_part(self._start))
        ]
        trades = sum(record.trades for record in zones)
        event = SlotCleared(self._name, self._start, trades, zones)
        self._context.emit("slot_cleared", encode(event))


def step_names(entry: BookEntry) -> Iterator[str]:
    """The names of an entry's steps in trades."""
    if len(entry.steps) == 1:
        yield entry.order
        return
    for number in range(1, len(entry.steps) + 1):
        yield f"{entry.order}#{number}"


def slot_trades(context: Context, area: str, slot: int, pages: int) -> Iterator[MatchedTrade]:
    """The trades of a slot in match sequence."""
    names = [(area, slot_part(slot), page_part(page)) for page in range(pages)]
    for page in TRADES.get_many(context, names):
        if page is not None:
            yield from page.trades


def trade_at(context: Context, area: str, slot: int, number: int) -> MatchedTrade:
    """One trade of a slot by its number; an unknown number is refused."""
    names = (area, slot_part(slot), page_part(number // PAGE_ROWS))  # house: division, a page index
    page = TRADES.get(context, *names)
    if page is not None:
        for trade in page.trades:
            if trade.number == number:
                return trade
    raise TRADE_UNKNOWN(trade=number, slot=slot, area=area)


def _matched(
    trade: Trade, entries: dict[str, BookEntry], *, number: int, relation: Relation, tariff: int
) -> MatchedTrade:
    buyer, buy_cover = _side(trade.buy, entries)
    seller, sell_cover = _side(trade.sell, entries)
    energy = Energy(trade.quantity)
    return MatchedTrade(
        number=number,
        buy=trade.buy,
        sell=trade.sell,
        buy_meter=buyer.meter,
        sell_meter=seller.meter,
        quantity_wh=trade.quantity,
        buy_price=trade.buy_price,
        sell_price=trade.sell_price,
        path=trade.path,
        relation=relation,
        tariff=tariff,
        buy_cover_nano=(energy * buy_cover).nano,
        sell_cover_nano=(energy * sell_cover).nano,
    )


def _side(step: str, entries: dict[str, BookEntry]) -> tuple[BookEntry, Price]:
    """The order behind a step's name, and the cover per Wh of that step."""
    order, _, number = step.partition("#")
    entry = entries[order]
    place = int(number) - 1 if number else 0
    return entry, Price(entry.steps[place].cover_price)
