"""Clearing of a slot: take cover, run the mechanism, write trades, keep cover of what matched.

A run begins with the draw of the gate seed (`slots/draw.py`), and uses the pauses, locks and zones
that were frozen with the gate. Slots clear in their order, each after the epochs up to its gate are
folded. A run has four steps: FOLD does what is left of that folding. COVER builds the book (see
`order_book`).
MATCH runs the mechanism zone by zone or on the whole tree, as its scope says; records hold the
digests of the book and of the outcome, so that anyone can clear again and compare. RESERVE releases
the cover of what is not matched. Clearing moves no money and rewrites no order row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from chaincode.accounts.balances import LaneAccounts
from chaincode.area.fees import Relation, relation_of
from chaincode.area.rules import rules_at
from chaincode.area.zones import PATH_MAX, get_area, paused_zones
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
from chaincode.clearing.records import (
    CLEARINGS,
    TREES,
    TreeClearing,
    ZoneClearing,
    tree_record,
    zone_records,
)
from chaincode.context import Context
from chaincode.errors import CLEARING_OUT_OF_ORDER, TRADE_UNKNOWN
from chaincode.orders.order_batch import ORDERS_PER_ROW_MAX
from chaincode.slots.draw import draw, drawn_seed
from chaincode.slots.folding import EntryFolding
from chaincode.slots.gate import Slot, SlotAnswer, SlotArguments, area_at_gate, get_gate
from chaincode.slots.runs import (
    ACCOUNT_BYTES,
    PAGE_ROWS,
    POINTS,
    Progress,
    Step,
    Taken,
    advance,
    begun,
    cost,
    slot_in,
    store,
)
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

CHUNK_ROWS = 250  # participants of one page of the book
CHUNK_ORDERS = PAGE_ROWS - ORDERS_PER_ROW_MAX  # so that no page exceeds PAGE_ROWS orders
ORDER_BYTES = 1_200  # of an order of 20 steps in the book, at the longest names
TRADE_BYTES = 1_000  # of a trade without its path
PATH_BYTES = 67  # of a zone on a path

PARTICIPANT_POINTS = cost(rows=3, keys=1, size=ACCOUNT_BYTES)
ORDER_POINTS = cost(rows=2, size=ORDER_BYTES)
CHUNK_POINTS = CHUNK_ROWS * PARTICIPANT_POINTS + 2 * PAGE_ROWS * ORDER_POINTS
"""The most that a page of the book may cost; an order may stand in it twice, once withdrawn."""
RECORD_POINTS = cost(rows=1, keys=1, size=900)  # the record of a zone and of its edge
RELEASE_POINTS = cost(rows=1, keys=1, size=ACCOUNT_BYTES)  # an account whose cover is released


class MatchedTrade(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """A trade of a slot, by its number in match sequence.

    `buy` and `sell` are order names, with `#k` where the order has several steps. The covers are
    what the trade keeps reserved until it settles. `tariff` is the sum of the path's edge
    tariffs. `settled_wh` is None until the slot settles. `undelivered_wh` is the Wh on which the
    seller pays a penalty, 0 where the rules set none. `retired_wh` is the Wh of certificates
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
    path: Annotated[list[Name], msgspec.Meta(max_length=PATH_MAX)]
    relation: Relation
    tariff: int
    buy_cover_nano: int
    sell_cover_nano: int
    settled_wh: int | None = None
    retired_wh: int = 0
    undelivered_wh: int = 0


class TradePage(Row, frozen=True):
    """Up to 500 trades of a slot."""

    trades: Annotated[list[MatchedTrade], msgspec.Meta(max_length=PAGE_ROWS)]


PAGES_REMEMBERED = 16  # 10 MB; a run reads a page again in each transaction until it is done

TRADES = Table(44, "trade pages", TradePage, ("area", "slot", "page"), remembered=PAGES_REMEMBERED)


class SlotCleared(msgspec.Struct, frozen=True):
    """The event of a cleared slot, with its trades and the result of each zone."""

    area: str
    slot: int
    trades: int
    zones: list[ZoneClearing]


def clear_slot(context: Context, arguments: SlotArguments) -> SlotAnswer:
    """Clear the slot that is due, or continue its run, as far as one transaction allows."""
    slot = slot_in(context, area=arguments.area, slot=arguments.slot, phases=("CLOSED", "CLEARING"))
    accounts = LaneAccounts(context, arguments.area)
    folding = EntryFolding(context, arguments.area, accounts)
    due = folding.due
    if due is None or due.slot != arguments.slot:
        raise CLEARING_OUT_OF_ORDER(slot=arguments.slot, due=None if due is None else due.slot)
    if slot.phase == "CLOSED":
        slot = draw(context, arguments.area, arguments.slot, slot)
    return _Clearing(context, arguments, slot, accounts, folding).work()


class _Clearing:
    """One transaction's part of a clearing run."""

    def __init__(
        self,
        context: Context,
        arguments: SlotArguments,
        slot: Slot,
        accounts: LaneAccounts,
        folding: EntryFolding,
    ) -> None:
        self._context = context
        self._name = arguments.area
        self._start = arguments.slot
        self._gate = get_gate(context, arguments.area, arguments.slot)
        self._area = area_at_gate(get_area(context, arguments.area), self._gate)
        self._rules = rules_at(context, self._name, self._start)
        self._accounts = accounts
        self._folding = folding
        self._progress = Progress(slot.run or begun("FOLD"))
        self._slot = slot

    def work(self) -> SlotAnswer:
        """Do as much of the run as a transaction has points for, and store it."""
        steps = (
            Step("FOLD", self._folding.take),
            Step("COVER", self._cover),
            Step("MATCH", self._match),
            Step("RESERVE", self._release),
        )
        done = advance(self._progress, steps)
        self._accounts.write()
        if done:
            self._folding.cleared(self._start)
            self._announce()
        self._folding.write()
        return store(
            self._context,
            area=self._name,
            slot=self._start,
            row=self._slot,
            run=None if done else self._progress.run,
            phase="CLEARED" if done else "CLEARING",
        )

    def _cover(self, points: int) -> Taken:
        """Build the book, some participants after the others, with a page for each chunk."""
        quantity_wh = self._quantities()
        covering = Covering(
            self._context,
            area=self._name,
            slot=self._start,
            slot_s=self._area.slot_s,
            seed=drawn_seed(self._slot),
            rules=self._rules,
            paused=paused_zones(self._area),
            locks=self._gate.locks,
            books=self._accounts,
            quantity_wh=quantity_wh,
            scope=MECHANISMS[self._rules.mechanism].scope,
        )
        left = points
        while left >= CHUNK_POINTS:
            page, cursor, count = covering.take(
                self._progress.run.cursor, rows_max=CHUNK_ROWS, orders_min=CHUNK_ORDERS
            )
            if page.entries or page.left_out or page.withdrawals:
                self._put_book_page(page, quantity_wh)
            self._progress.move(cursor=cursor)
            orders = len(page.entries) + len(page.left_out) + len(page.withdrawals)
            left -= count * PARTICIPANT_POINTS + orders * ORDER_POINTS
            if not cursor:
                return Taken(points - left, done=True)
        return Taken(points - left, done=False)

    def _put_book_page(self, page: BookPage, quantity_wh: dict[str, int]) -> None:
        number = self._slot.book_pages
        names = self._name, slot_part(self._start), page_part(number)
        self._progress.chain(BOOK_PAGES.put(self._context, page, *names))
        stored_wh = [quantity_wh.get(zone.id, 0) for zone in self._area.zones]
        self._slot = msgspec.structs.replace(
            self._slot, book_pages=number + 1, quantity_wh=stored_wh
        )

    def _quantities(self) -> dict[str, int]:
        """The quantity in the book so far, by zone."""
        zones = self._area.zones
        stored_wh = self._slot.quantity_wh or [0] * len(zones)
        return {zone.id: held_wh for zone, held_wh in zip(zones, stored_wh, strict=True) if held_wh}

    def _match(self, points: int) -> Taken:
        """Clear book after book; the next transaction repeats a book whose trades do not fit."""
        pages = book_pages(self._context, self._name, self._start, self._slot.book_pages)
        entries = list(page_entries(list(pages)))
        books = auction_books(self._context, self._area, self._start, self._rules, entries)
        run = self._progress.run
        waiting = [book for book in books if book.name >= run.cursor]
        left = points
        for place, auction in enumerate(waiting):
            outcome = MECHANISMS[self._rules.mechanism].clear(auction.book)
            spent, done = self._put_trades(auction, outcome, left, first=left >= POINTS)
            left -= spent
            records = zone_records(auction.book, outcome)
            spent = len(records) * RECORD_POINTS
            if not done or spent > left:
                self._progress.move(cursor=auction.name)
                return Taken(points - left, done=False)
            left -= spent
            self._put_records(records, tree_record(outcome))
            following = waiting[place + 1].name if place + 1 < len(waiting) else ""
            self._progress.move(cursor=following, page=0)
        return Taken(points - left, done=True)

    def _put_trades(
        self, auction: AuctionBook, outcome: Outcome, points: int, *, first: bool
    ) -> Taken:
        """Write the book's trades from the run's page on, as many pages as there are points for.

        With `first` one page is written whatever it costs.
        """
        by_name = {entry.order: entry for entry in auction.entries}
        levels = {zone.id: zone.grid_level for zone in self._area.zones}
        zones = auction.book.zones
        left = points
        page_from = self._progress.run.page * PAGE_ROWS
        for index in range(page_from, len(outcome.trades), PAGE_ROWS):
            chosen = outcome.trades[index : index + PAGE_ROWS]
            size = sum(TRADE_BYTES + PATH_BYTES * len(trade.path) for trade in chosen)
            spent = cost(keys=1, size=size)
            if spent > left and not (first and index == page_from):
                return Taken(points - left, done=False)
            left = max(0, left - spent)
            number = self._slot.trade_pages
            trades = [
                _matched(
                    trade,
                    by_name,
                    number=number * PAGE_ROWS + place,
                    relation=relation_of(levels[top_of(trade.path, zones)]),
                    tariff=path_tariff(trade.path, zones),
                )
                for place, trade in enumerate(chosen)
            ]
            names = self._name, slot_part(self._start), page_part(number)
            self._progress.chain(TRADES.put(self._context, TradePage(trades=trades), *names))
            self._progress.move(page=self._progress.run.page + 1)
            self._slot = msgspec.structs.replace(self._slot, trade_pages=number + 1)
        return Taken(points - left, done=True)

    def _put_records(self, records: Sequence[ZoneClearing], tree: TreeClearing | None) -> None:
        part = slot_part(self._start)
        if tree is not None:
            TREES.put(self._context, tree, self._name, part)
        for record in records:
            CLEARINGS.put(self._context, record, self._name, part, record.zone)

    def _release(self, points: int) -> Taken:
        """Release the cover of what is not matched, one page of the book after another."""
        kept: dict[str, int] = {}
        for trade in slot_trades(self._context, self._name, self._start, self._slot.trade_pages):
            for step, cover_nano in (
                (trade.buy, trade.buy_cover_nano),
                (trade.sell, trade.sell_cover_nano),
            ):
                kept[step] = kept.get(step, 0) + cover_nano
        left = points
        for number in range(self._progress.run.page, self._slot.book_pages):
            page = book_page(self._context, self._name, self._start, number)
            spent = len(page.entries) * RELEASE_POINTS
            if spent > left:
                self._progress.move(page=number)
                return Taken(points - left, done=False)
            left -= spent
            self._accounts.load(entry.trader for entry in page.entries)
            for entry in page.entries:
                held_nano = sum(kept.get(step, 0) for step in step_names(entry))
                if held_nano != entry.cover_nano:
                    self._accounts.change(entry.trader, reserved_nano=held_nano - entry.cover_nano)
        return Taken(points - left, done=True)

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
