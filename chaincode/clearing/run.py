"""Clearing of a slot: take cover, run the mechanism, write trades, keep cover of what matched.

A run in four steps: FOLD (credits into balances), COVER (the book, see `book`), MATCH (each zone
clears by itself; a record with the digests of its book and of the outcome, so that anyone can
clear again and compare), RESERVE (what is not matched is released). Clearing moves no money and
rewrites no order row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import zip_longest

import msgspec

from chaincode.accounts.balances import Books, fold
from chaincode.area.fees import Relation, relation_of
from chaincode.area.rules import RULES, MarketRules, rules_at
from chaincode.area.zones import get_area, paused_zones
from chaincode.auctions.book import AuctionRules, Book, Order, Zone, book_json
from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.auctions.outcome import Outcome, Trade
from chaincode.clearing.order_book import (
    BOOKS,
    BookEntry,
    BookPage,
    Covering,
    book_page,
    book_pages,
    page_entries,
)
from chaincode.context import Context
from chaincode.errors import TRADE_UNKNOWN
from chaincode.orders.handlers import ORDERS_PER_ROW_MAX
from chaincode.slots.gate import Run, Slot, SlotAnswer, SlotArguments
from chaincode.slots.runs import CHUNK_ROWS, PAGE_ROWS, chained, enter, has_room, leave
from chaincode.state import (
    Row,
    Table,
    encode,
    page_part,
    slot_part,
)
from chaincode.units import Energy, Price

FOLD_ROWS = 450  # entries folded between two looks at the room left: two writes for each
CHUNK_ORDERS = PAGE_ROWS - ORDERS_PER_ROW_MAX  # so that no page of the book holds more


class ZoneClearing(Row, frozen=True):
    """What a zone cleared at.

    `book_digest` is SHA-256 of the book as `commonwatt auction` reads it, in canonical JSON;
    `outcome_digest` is the `digest` that the auction of that book prints.
    """

    zone: str
    price: int | None
    price_range: tuple[int, int] | None
    volume_wh: int
    welfare_nano: int
    orders: int
    trades: int
    book_digest: str
    outcome_digest: str


class MatchedTrade(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """A trade of a slot, by its number in match sequence.

    `buy` and `sell` are order names, with `#k` where the order has several steps. Covers are
    what the trade keeps reserved until it settles. `tariff` is the sum of the path's edge
    tariffs. `settled_wh` is None until the slot settles.
    """

    number: int
    buy: str
    sell: str
    buy_meter: str
    sell_meter: str
    quantity_wh: int
    buy_price: int
    sell_price: int
    path: list[str]
    relation: Relation
    tariff: int
    buy_cover_nano: int
    sell_cover_nano: int
    settled_wh: int | None = None


class TradePage(Row, frozen=True):
    """Up to 500 trades of a slot."""

    trades: list[MatchedTrade]


CLEARINGS = Table(43, "clearings", ZoneClearing, ("area", "slot", "zone"))
TRADES = Table(44, "trade pages", TradePage, ("area", "slot", "page"))


class SlotCleared(msgspec.Struct, frozen=True):
    """The event of a cleared slot: its trades and what each zone cleared at."""

    area: str
    slot: int
    trades: int
    zones: list[ZoneClearing]


def clear_slot(context: Context, arguments: SlotArguments) -> SlotAnswer:
    """Clear a slot whose gate is closed, or go on clearing it, as far as one transaction takes."""
    slot, run = enter(
        context,
        area=arguments.area,
        slot=arguments.slot,
        phases=("CLOSED", "CLEARING"),
        first_step="FOLD",
    )
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
        self._area = get_area(context, arguments.area)
        self._name = arguments.area
        self._start = arguments.slot
        self._rules = rules_at(RULES.get(context, self._name), self._name, self._start)
        self._books = Books(context, self._name)
        self._run = run
        self.slot = slot

    def work(self) -> Run | None:
        """Step by step until done (None) or out of room (where to go on)."""
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
            seed=self.slot.seed,
            rules=self._rules,
            paused=paused_zones(self._area),
            books=self._books,
            quantity_wh=(quantity_wh := dict(self.slot.quantity_wh)),
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
        BOOKS.put(self._context, page, self._name, slot_part(self._start), page_part(number))
        digest = chained(self._run.digest, encode(page))
        self._run = msgspec.structs.replace(self._run, digest=digest)
        self.slot = msgspec.structs.replace(
            self.slot, book_pages=number + 1, quantity_wh=dict(quantity_wh)
        )

    def _match(self) -> bool:
        """Clear zone after zone; a zone whose trades do not fit is cleared again to go on."""
        pages = list(book_pages(self._context, self._name, self._start, self.slot.book_pages))
        entries: dict[str, list[BookEntry]] = {}
        for entry in page_entries(pages):
            entries.setdefault(entry.zone, []).append(entry)
        names = [name for name in sorted(entries) if name >= self._run.cursor]
        for zone, following in zip_longest(names, names[1:], fillvalue=""):
            book = zone_book(zone, entries[zone], self._rules)
            outcome = MECHANISMS[book.mechanism](book)
            if not self._put_trades(zone, entries[zone], outcome):
                return False
            self._put_clearing(zone, book, outcome)
            self._run = msgspec.structs.replace(self._run, cursor=following, page=0)
        return True

    def _put_trades(self, zone: str, entries: Sequence[BookEntry], outcome: Outcome) -> bool:
        """Write the zone's trades from the page where the run stands; False when out of room."""
        by_name = {entry.order: entry for entry in entries}
        level = next(z.grid_level for z in self._area.zones if z.id == zone)
        for index in range(self._run.page * PAGE_ROWS, len(outcome.trades), PAGE_ROWS):
            if not has_room(self._context, self._books):
                self._run = msgspec.structs.replace(self._run, cursor=zone)
                return False
            number = self.slot.trade_pages
            trades = [
                _matched(trade, by_name, relation_of(level), number * PAGE_ROWS + place)
                for place, trade in enumerate(outcome.trades[index : index + PAGE_ROWS])
            ]
            page = TradePage(trades=trades)
            TRADES.put(self._context, page, self._name, slot_part(self._start), page_part(number))
            digest = chained(self._run.digest, encode(page))
            self._run = msgspec.structs.replace(self._run, page=self._run.page + 1, digest=digest)
            self.slot = msgspec.structs.replace(self.slot, trade_pages=number + 1)
        return True

    def _put_clearing(self, zone: str, book: Book, outcome: Outcome) -> None:
        record = ZoneClearing(
            zone=zone,
            price=outcome.prices[zone],
            price_range=outcome.price_range[zone],
            volume_wh=outcome.volume,
            welfare_nano=outcome.welfare,
            orders=len({order.id for order in book.orders}),
            trades=len(outcome.trades),
            book_digest=book_digest(book),
            outcome_digest=outcome.digest,
        )
        CLEARINGS.put(self._context, record, self._name, slot_part(self._start), zone)

    def _release(self) -> bool:
        """Release the cover of what is not matched, book page by book page."""
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


def zone_book(zone: str, entries: Sequence[BookEntry], rules: MarketRules) -> Book:
    """The auction of one zone: its entries as a one-zone book, edges carrying nothing."""
    orders = [
        Order(
            id=entry.order,
            step=number,
            plain=len(entry.steps) == 1,
            zone=zone,
            side=entry.side,
            price=step.price,
            quantity_wh=step.quantity_wh,
            time=entry.time,
            participant=entry.trader,
        )
        for entry in entries
        for number, step in enumerate(entry.steps, start=1)
    ]
    auction_rules = AuctionRules(
        price_rule=rules.price_rule, price_band=rules.price_band, loss_price=rules.loss_price
    )
    return Book(
        mechanism=rules.mechanism,
        rules=auction_rules,
        zones=[Zone(id=zone, parent=None)],
        orders=orders,
    )


def book_digest(book: Book) -> str:
    """SHA-256 of a book as `commonwatt auction` reads it, in canonical JSON."""
    return sha256(encode(book_json(book))).hexdigest()


def step_names(entry: BookEntry) -> Iterator[str]:
    """The names under which an entry's steps stand in trades."""
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
    """One trade of a slot by its number; refuses an unknown one."""
    names = (area, slot_part(slot), page_part(number // PAGE_ROWS))  # house: division, a page index
    page = TRADES.get(context, *names)
    if page is not None:
        for trade in page.trades:
            if trade.number == number:
                return trade
    raise TRADE_UNKNOWN(trade=number, slot=slot, area=area)


def _matched(
    trade: Trade, entries: dict[str, BookEntry], relation: Relation, number: int
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
        tariff=0,
        buy_cover_nano=(energy * buy_cover).nano,
        sell_cover_nano=(energy * sell_cover).nano,
    )


def _side(step: str, entries: dict[str, BookEntry]) -> tuple[BookEntry, Price]:
    """The order behind a step's name, and the cover per Wh of that step."""
    order, _, number = step.partition("#")
    entry = entries[order]
    place = int(number) - 1 if number else 0
    return entry, Price(entry.steps[place].cover_price)
