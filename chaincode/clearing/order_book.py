"""The book of a slot: which orders are in it, with how much cover, and which were left out.

This is the COVER step of clearing. The run scans order rows in key order. A participant's orders
take cover from what its account has free, in the order (time, id). An order that no longer fits is
left out as NO_COVER, and a smaller order after it may still fit. Pauses and locks are those that
held when the gate closed, however many transactions this takes. Terms are frozen once a slot is
open; an order that could not be placed now is left out all the same. The book is stored in pages, so
that clearing, release and anyone who clears the slot again
read the same orders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple

import msgspec

from chaincode.accounts.balances import LaneAccounts
from chaincode.area.fees import highest_cover
from chaincode.area.rules import MarketRules
from chaincode.area.tariffs import Tariffs
from chaincode.auctions.mechanisms import Scope
from chaincode.clearing.cover import (
    cover_nano,
)
from chaincode.consortium.participants import locked_at
from chaincode.context import Context
from chaincode.documents.document import is_expired
from chaincode.errors import Broken
from chaincode.metering.meters import METERS, Meter, MeterVersion, supply_at, version_at
from chaincode.orders.order_batch import ORDERS, STEPS_MAX, OrderRow, StoredOrder
from chaincode.slots.runs import PAGE_ROWS
from chaincode.state import (
    Name,
    OrderName,
    Row,
    Side,
    Table,
    page_part,
    slot_part,
)
from chaincode.units import INT64_SAFE, Energy, Power, Price, local_hour

LeftOutReason = Literal[
    "EXPIRED", "LOCKED", "METER_CHANGED", "ZONE_PAUSED", "PRICE_BAND", "BOUND", "NO_COVER"
]
"""METER_CHANGED and PRICE_BAND guard what a clearing relies on. Terms are frozen when a slot opens, so
no order that was placed meets them.
"""


class BookStep(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, array_like=True):
    """A step in the book; limit and cover are in micro/kWh, the quantity in Wh."""

    price: int
    quantity_wh: int
    cover_price: int

    @property
    def cover_nano(self) -> int:
        """The amount that the step reserves."""
        return (Energy(self.quantity_wh) * Price(self.cover_price)).nano


class BookEntry(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An order in the book under its full name `<trader DID>/<client id>`."""

    order: OrderName
    meter: Name
    side: Side
    steps: Annotated[list[BookStep], msgspec.Meta(max_length=STEPS_MAX)]
    time: int
    zone: Name

    @property
    def trader(self) -> str:
        """The DID that placed the order."""
        return trader_of(self.order)

    @property
    def cover_nano(self) -> int:
        """The amount that the order reserves until the slot has cleared."""
        return sum(step.cover_nano for step in self.steps)


class LeftOut(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An open order that is not in the book, and why."""

    order: OrderName
    reason: LeftOutReason


class Withdrawal(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The Wh that a trader gave up before the gate, and the fee that settlement posts for them."""

    order: OrderName
    meter: Name
    withdrawn_wh: int
    fee_nano: int


class BookPage(Row, frozen=True):
    """A page of the book of a slot."""

    entries: Annotated[list[BookEntry], msgspec.Meta(max_length=PAGE_ROWS)]
    left_out: Annotated[list[LeftOut], msgspec.Meta(max_length=PAGE_ROWS)]
    withdrawals: Annotated[list[Withdrawal], msgspec.Meta(max_length=PAGE_ROWS)]


BOOK_PAGES = Table(42, "book pages", BookPage, ("area", "slot", "page"))


def trader_of(order: str) -> str:
    """The DID in an order's full name."""
    return order.partition("/")[0]


def book_page(context: Context, area: str, slot: int, number: int) -> BookPage:
    """One page of a slot's book; a missing page is `Broken`."""
    page = BOOK_PAGES.get(context, area, slot_part(slot), page_part(number))
    if page is None:
        raise Broken(f"page {number} of the book of {area}, {slot} is gone")
    return page


def book_pages(context: Context, area: str, slot: int, count: int) -> Iterator[BookPage]:
    """The pages of a slot's book, in order."""
    names = [(area, slot_part(slot), page_part(page)) for page in range(count)]
    for page in BOOK_PAGES.get_many(context, names):
        if page is not None:
            yield page


def draw_time(seed: bytes, did: str, client_id: str) -> int:
    """The tie-breaking time of an order by rule `draw`: 63 bits of a hash; the smaller is first.

    The hash is SHA-256 over the gate seed, the trader's DID and the order's id, each preceded by
    its length.
    """
    parts = (seed, did.encode(), client_id.encode())
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return int.from_bytes(sha256(framed).digest()[:8], "big") >> 1


class _Place(NamedTuple):
    """A meter's certificate for the slot, and the VAT rate of the retailer that supplies it."""

    meter: MeterVersion
    vat_ppm: int


class Covering:
    """Takes cover for the orders of one slot, one chunk of participants at a time."""

    def __init__(
        self,
        context: Context,
        *,
        area: str,
        slot: int,
        slot_s: int,
        seed: str,
        rules: MarketRules,
        paused: frozenset[str],
        locks: int,
        books: LaneAccounts,
        quantity_wh: dict[str, int],
        scope: Scope,
    ) -> None:
        self._context = context
        self._area = area
        self._slot = slot
        self._slot_s = slot_s
        self._seed = bytes.fromhex(seed)
        self._gate_s = rules.gate_s(slot)
        self._paused = paused
        self._locks = locks
        self._books = books
        self._quantity_wh = quantity_wh
        self._scope = scope
        self._tariffs = Tariffs(context, area, slot)
        self._hour = local_hour(slot, rules.offset_s(slot))
        self._fees: dict[int, int] = {}
        self._band = rules.price_band
        self._shortfall_penalty = rules.shortfall_penalty
        self._taken_wh: dict[tuple[str, Side], int] = {}

    def take(self, did_from: str, *, rows_max: int, orders_min: int) -> tuple[BookPage, str, int]:
        """Return the part of the book of the next participants after `did_from`.

        With it comes the last DID, and the number of participants.

        Takes at most `rows_max` participants, and no further one once the part has `orders_min`
        orders. The DID is empty when no participant is left.
        """
        part = slot_part(self._slot)
        chunk: list[tuple[str, OrderRow]] = []
        orders = 0
        left = False
        for did, row in ORDERS.range(self._context, self._area, part, after=did_from):
            chunk.append((did, row))
            orders += len(row.orders)
            left = len(chunk) == rows_max or orders >= orders_min
            if left:
                break
        page = BookPage(entries=[], left_out=[], withdrawals=[])
        dids = [did for did, _ in chunk]
        locks = locked_at(self._context, self._locks, dids)
        self._books.load(dids)
        names = list(dict.fromkeys(o.meter for _, row in chunk for o in row.orders if o.open))
        rows = METERS.get_many(self._context, [(name,) for name in names])
        meters = dict(zip(names, rows, strict=True))
        for did, row in chunk:
            timed: list[tuple[int, StoredOrder]] = []
            for order in row.orders:
                if order.withdrawn_wh:
                    page.withdrawals.append(
                        Withdrawal(
                            f"{did}/{order.id}", order.meter, order.withdrawn_wh, order.fee_nano
                        )
                    )
                if order.open:
                    timed.append((draw_time(self._seed, did, order.id), order))
            timed.sort(key=lambda item: (item[0], item[1].id))
            for time, order in timed:
                place = self._place(meters[order.meter])
                self._judge(page, did, order, time, place, locked=did in locks)
        return page, dids[-1] if left else "", len(chunk)

    def _judge(
        self,
        page: BookPage,
        did: str,
        order: StoredOrder,
        time: int,
        place: _Place | None,
        *,
        locked: bool,
    ) -> None:
        name = f"{did}/{order.id}"
        steps: list[BookStep] = []
        cover_nano, wanted_wh = 0, order.quantity_wh
        reason: LeftOutReason | None
        if locked:
            reason = "LOCKED"
        elif place is None or not self._fits_meter(order, did, place.meter):
            reason = "METER_CHANGED"
        else:
            steps = [
                BookStep(price, quantity_wh, self._cover_price(order.side, price, place))
                for price, quantity_wh in order.steps
            ]
            cover_nano = sum(step.cover_nano for step in steps)
            reason = self._left_out(did, order, wanted_wh, cover_nano)
        if reason is not None:
            page.left_out.append(LeftOut(name, reason))
            return
        if cover_nano:
            self._books.change(did, reserved_nano=cover_nano)
        side = (order.meter, order.side)
        self._taken_wh[side] = self._taken_wh.get(side, 0) + wanted_wh
        self._quantity_wh[order.zone] = self._quantity_wh.get(order.zone, 0) + wanted_wh
        page.entries.append(
            BookEntry(
                order=name,
                meter=order.meter,
                side=order.side,
                steps=steps,
                time=time,
                zone=order.zone,
            )
        )

    def _left_out(
        self, did: str, order: StoredOrder, wanted_wh: int, cover_nano: int
    ) -> LeftOutReason | None:
        if is_expired(order.expires_s, at_s=self._gate_s):
            return "EXPIRED"
        if order.zone in self._paused:
            return "ZONE_PAUSED"
        low, high = self._band
        if any(not low <= price <= high for price, _ in order.steps):
            return "PRICE_BAND"
        held_wh = self._quantity_wh
        book_wh = held_wh.get(order.zone, 0) if self._scope == "zone" else sum(held_wh.values())
        if (book_wh + wanted_wh) * (high - low) >= INT64_SAFE:
            return "BOUND"
        if cover_nano:
            account = self._books.account(did)
            if cover_nano > max(0, account.balance_nano - account.reserved_nano):
                return "NO_COVER"
        return None

    def _fits_meter(self, order: StoredOrder, trader: str, meter: MeterVersion) -> bool:
        """Whether the meter, as certified for this slot, still allows its holder this quantity.

        All orders at a meter belong to its holder, so they are in one row and in one chunk.
        """
        power = Power(meter.export_w if order.side == "sell" else meter.import_w)
        taken_wh = self._taken_wh.get((order.meter, order.side), 0)
        return (
            meter.holder == trader
            and meter.zone == order.zone
            and taken_wh + order.quantity_wh <= power.over(self._slot_s).wh
        )

    def _place(self, meter: Meter | None) -> _Place | None:
        """What holds for a meter in the slot; None where it does not take part."""
        supply = None if meter is None else supply_at(self._context, meter, self._slot)
        version = None if meter is None else version_at(self._context, meter, self._slot)
        if supply is None or version is None:
            return None
        return _Place(version, self._tariffs.taxed_ppm(supply.retailer))

    def _cover_price(self, side: Side, limit: int, place: _Place) -> int:
        """The cover per Wh: nano per Wh equals micro per kWh."""
        if side == "sell" and limit >= 0:
            return self._shortfall_penalty
        level = place.meter.grid_level
        if level not in self._fees:
            self._fees[level] = highest_cover(
                self._tariffs.fee_rows, grid_level=level, local_hour=self._hour
            )
        return cover_nano(
            side=side,
            limit=limit,
            quantity_wh=1,
            fees=self._fees[level],
            vat_ppm=place.vat_ppm,
            shortfall_penalty=self._shortfall_penalty,
        )


def page_entries(pages: Sequence[BookPage]) -> Iterator[BookEntry]:
    """All entries of pages, in order."""
    for page in pages:
        yield from page.entries
