"""Order sheets: place, amend, cancel, expire.

One row per (slot, participant) holds that participant's orders at all its meters. Capacity,
crossing of own orders and used ids are checked in that row, so placing scans nothing and reads only
the gate key of the slot. Cover is not checked here; clearing takes the cover.

There is one answer per sheet: an invalid sheet is refused as a whole and does not affect the other
sheets. A sheet that was placed before gets the answer `EXISTS`, whatever has happened since, so a
client can send a lost batch again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from chaincode.context import Context
from chaincode.documents.document import Destination, Opened, is_expired
from chaincode.documents.intake import take_batch
from chaincode.errors import (
    AMENDED_ALREADY,
    CAPACITY_EXCEEDED,
    GATE_CLOSED,
    ID_REPEATED,
    ID_USED,
    METER_NOT_HELD,
    METER_UNKNOWN,
    ORDER_EXPIRED,
    ORDER_NOT_OPEN,
    ORDER_UNKNOWN,
    ORDERS_COUNT,
    ORDERS_TOO_MANY,
    PRICE_BAND,
    QUANTITY_BOUNDS,
    REVISION_WRONG,
    SELF_CROSSING,
    SLOT_NOT_OPEN,
    STEPS_COUNT,
    TRADER_LOCKED,
    TRADER_UNKNOWN,
    ZONE_PAUSED,
    ZONE_WRONG,
    Refused,
)
from chaincode.metering.meters import MeterVersion, meter_at
from chaincode.orders.closed_books import fee_held
from chaincode.orders.order_batch import OrderBatch, RowKey, SlotTerms, StoredOrder
from chaincode.orders.sheets import (
    AMENDS,
    CANCELS,
    ORDERS_PER_SHEET_MAX,
    SHEETS,
    Amend,
    Cancel,
    Sheet,
    SheetOrder,
    TokensArguments,
)
from chaincode.state import encode
from chaincode.units import Energy, Power, Price

STEPS_MAX = 20  # steps of one order
ORDERS_PER_ROW_MAX = 50  # orders of one participant in one slot, including cancelled orders

P = TypeVar("P", bound=Destination)


class TokenAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of one token: PLACED, AMENDED, CANCELLED, EXISTS, or a refusal."""

    code: str
    sentence: str = ""


class TokensAnswer(msgspec.Struct, frozen=True):
    """One answer per token, in the order given."""

    answers: list[TokenAnswer]


class OrdersChanged(msgspec.Struct, frozen=True):
    """The event of a batch: the number of sheets by result, per changed (area, slot)."""

    act: str
    slots: list[tuple[str, int]]
    count: int


def place_orders(context: Context, arguments: TokensArguments) -> TokensAnswer:
    """Place the orders of up to 500 signed sheets; each sheet gets an answer."""
    taken = take_batch(context, SHEETS, arguments.tokens)
    sheets = [token for token in taken if not isinstance(token, Refused)]
    batch = OrderBatch(context)
    batch.load_locks()
    batch.load_meters({token.payload.meter: None for token in sheets})
    batch.load_traders((token.did, token.payload.meter) for token in sheets)
    batch.load_rows(_sheet_rows(batch, sheets))
    return _answer(context, batch, taken, "PLACED", _place)


def amend_orders(context: Context, arguments: TokensArguments) -> TokensAnswer:
    """Replace the steps of open orders; the cancellation fee is due on Wh that are given up."""
    taken = take_batch(context, AMENDS, arguments.tokens)
    amends = [token for token in taken if not isinstance(token, Refused)]
    batch = OrderBatch(context)
    batch.load_locks()
    batch.load_rows(RowKey(t.payload.area, t.payload.slot, t.did) for t in amends)
    batch.load_meters({order.meter: None for order in batch.all_orders()})
    return _answer(context, batch, taken, "AMENDED", _amend)


def cancel_orders(context: Context, arguments: TokensArguments) -> TokensAnswer:
    """Withdraw open orders; the cancellation fee is due on their Wh."""
    taken = take_batch(context, CANCELS, arguments.tokens)
    cancels = [token for token in taken if not isinstance(token, Refused)]
    batch = OrderBatch(context)
    batch.load_rows(RowKey(t.payload.area, t.payload.slot, t.did) for t in cancels)
    return _answer(context, batch, taken, "CANCELLED", _cancel)


def _sheet_rows(batch: OrderBatch, sheets: Sequence[Opened[Sheet]]) -> Iterator[RowKey]:
    for token in sheets:
        area = batch.area_of(token.payload.meter)
        if area is not None:
            for order in _readable_orders([token]):
                yield RowKey(area, order.slot, token.did)


def _readable_orders(sheets: Sequence[Opened[Sheet]]) -> Iterator[SheetOrder]:
    """The orders of all sheets; sheets with more orders than allowed are skipped."""
    for token in sheets:
        if len(token.payload.orders) <= ORDERS_PER_SHEET_MAX:
            yield from token.payload.orders


def _answer(
    context: Context,
    batch: OrderBatch,
    taken: Sequence[Opened[P] | Refused],
    done: str,
    act: Callable[[OrderBatch, Opened[P]], bool],
) -> TokensAnswer:
    """Apply each token to the batch; `act` returns whether the token was new, or refuses it."""
    answers: list[TokenAnswer] = []
    for token in taken:
        if isinstance(token, Refused):
            answers.append(TokenAnswer(token.code, token.sentence))
            continue
        try:
            answers.append(TokenAnswer(done if act(batch, token) else "EXISTS"))
        except Refused as refused:
            answers.append(TokenAnswer(refused.code, refused.sentence))
    changed = batch.write()
    if changed:
        slots = list(dict.fromkeys((key.area, key.slot) for key in changed))
        count = sum(1 for answer in answers if answer.code == done)
        context.emit("orders_changed", encode(OrdersChanged(done, slots, count)))
    return TokensAnswer(answers)


def _place(batch: OrderBatch, token: Opened[Sheet]) -> bool:
    sheet = token.payload
    if not 1 <= len(sheet.orders) <= ORDERS_PER_SHEET_MAX:
        raise ORDERS_COUNT(count=len(sheet.orders), limit=ORDERS_PER_SHEET_MAX)
    area = batch.area_of(sheet.meter)
    if area is None:
        raise METER_UNKNOWN(meter=sheet.meter, slot=sheet.orders[0].slot)
    if _is_known(batch, token, area):
        return False
    if not batch.is_participant(token.did):
        raise TRADER_UNKNOWN(did=token.did)
    if batch.is_locked(token.did):
        raise TRADER_LOCKED(did=token.did)
    rows: dict[RowKey, list[StoredOrder]] = {}
    for order in sheet.orders:
        key = RowKey(area, order.slot, token.did)
        row = rows.get(key)
        if row is None:
            row = rows[key] = list(batch.orders(key))
        if len(row) >= ORDERS_PER_ROW_MAX:
            raise ORDERS_TOO_MANY(slot=order.slot, limit=ORDERS_PER_ROW_MAX)
        terms = batch.terms(area, order.slot)
        meter = _check_place(batch, token, area, order, terms)
        stored = StoredOrder(
            id=order.id,
            meter=sheet.meter,
            zone=sheet.zone,
            side=order.side,
            steps=order.steps,
            expires_s=order.expires_s,
        )
        _check_steps(stored, row, terms, meter)
        row.append(stored)
    for key, row in rows.items():
        batch.replace(key, row)
    return True


def _is_known(batch: OrderBatch, token: Opened[Sheet], area: str) -> bool:
    """Whether every order of the sheet is already in its row as the sheet states it."""
    seen: set[tuple[int, str]] = set()
    known = 0
    for order in token.payload.orders:
        if (order.slot, order.id) in seen:
            raise ID_REPEATED(id=order.id, slot=order.slot)
        seen.add((order.slot, order.id))
        for stored in batch.orders(RowKey(area, order.slot, token.did)):
            if stored.id != order.id:
                continue
            sent = (token.payload.meter, order.side, order.expires_s)
            same = sent == (stored.meter, stored.side, stored.expires_s)
            if not same or (stored.revision == 0 and stored.steps != order.steps):
                raise ID_USED(id=order.id, slot=order.slot)
            known += 1
    if 0 < known < len(token.payload.orders):
        raise ID_USED(id=token.payload.orders[0].id, slot=token.payload.orders[0].slot)
    return known > 0


def _check_place(
    batch: OrderBatch, token: Opened[Sheet], area: str, order: SheetOrder, terms: SlotTerms
) -> MeterVersion:
    """Refuse a wrong meter or zone and a closed gate; return the meter's version for the slot."""
    sheet = token.payload
    meter = meter_at(batch.meter(sheet.meter), sheet.meter, order.slot)
    if meter.holder != token.did:
        raise METER_NOT_HELD(meter=sheet.meter, did=token.did)
    if meter.zone != sheet.zone:
        raise ZONE_WRONG(zone=sheet.zone, meter=sheet.meter, right=meter.zone)
    _check_gate(terms, area, order.slot)
    if terms.now_s < terms.opening_s:
        raise SLOT_NOT_OPEN(slot=order.slot, opening_s=terms.opening_s)
    if batch.is_paused(area, sheet.zone):
        raise ZONE_PAUSED(zone=sheet.zone)
    if is_expired(order.expires_s, at_s=terms.now_s):
        raise ORDER_EXPIRED(id=order.id, expires_s=order.expires_s)
    return meter


def _check_gate(terms: SlotTerms, area: str, slot: int) -> None:
    if terms.is_closed or terms.now_s >= terms.gate_s:
        raise GATE_CLOSED(area=area, slot=slot, gate_s=terms.gate_s)


def _check_steps(
    order: StoredOrder, others: Sequence[StoredOrder], terms: SlotTerms, meter: MeterVersion
) -> None:
    """Check an order's steps against the price band, the meter and the trader's other orders."""
    if not 1 <= len(order.steps) <= STEPS_MAX:
        raise STEPS_COUNT(count=len(order.steps), limit=STEPS_MAX)
    low, high = terms.limit_min, terms.limit_max
    for price, quantity_wh in order.steps:
        if quantity_wh < 1:
            raise QUANTITY_BOUNDS(quantity_wh=quantity_wh)
        if not low <= price <= high:
            raise PRICE_BAND(price=price, low=low, high=high)
    power = Power(meter.export_w if order.side == "sell" else meter.import_w)
    capacity_wh = power.over(terms.slot_s).wh
    wanted_wh = order.quantity_wh
    for other in others:
        if other.open and other.meter == order.meter and other.side == order.side:
            wanted_wh += other.quantity_wh
    if wanted_wh > capacity_wh:
        raise CAPACITY_EXCEEDED(
            meter=order.meter, side=order.side, wanted_wh=wanted_wh, capacity_wh=capacity_wh
        )
    if others:
        _check_crossing(order, others)


def _check_crossing(order: StoredOrder, others: Sequence[StoredOrder]) -> None:
    across = [price for o in others if o.open and o.side != order.side for price, _ in o.steps]
    if not across:
        return
    own = [price for price, _ in order.steps]
    bid, ask = (max(own), min(across)) if order.side == "buy" else (max(across), min(own))
    if bid >= ask:
        raise SELF_CROSSING(bid=bid, ask=ask)


def _amend(batch: OrderBatch, token: Opened[Amend]) -> bool:
    amend = token.payload
    key = RowKey(amend.area, amend.slot, token.did)
    place, order = _find(batch, key, amend.id)
    if amend.revision <= order.revision:
        if amend.revision == order.revision and amend.steps == order.steps:
            return False
        raise AMENDED_ALREADY(id=amend.id, revision=order.revision)
    if not order.open:
        raise ORDER_NOT_OPEN(id=amend.id)
    if amend.revision != order.revision + 1:
        raise REVISION_WRONG(id=amend.id, revision=amend.revision, due=order.revision + 1)
    if batch.is_locked(token.did):
        raise TRADER_LOCKED(did=token.did)
    terms = batch.terms(amend.area, amend.slot)
    _check_gate(terms, amend.area, amend.slot)
    if batch.is_paused(amend.area, order.zone):
        raise ZONE_PAUSED(zone=order.zone)
    row = list(batch.orders(key))
    others = row[:place] + row[place + 1 :]
    changed = msgspec.structs.replace(order, steps=amend.steps, revision=amend.revision)
    meter = meter_at(batch.meter(order.meter), order.meter, amend.slot)
    _check_steps(changed, others, terms, meter)
    given_up_wh = max(0, order.quantity_wh - changed.quantity_wh)
    row[place] = _with_fee(batch, key, changed, given_up_wh)
    batch.replace(key, row)
    return True


def _cancel(batch: OrderBatch, token: Opened[Cancel]) -> bool:
    cancel = token.payload
    key = RowKey(cancel.area, cancel.slot, token.did)
    place, order = _find(batch, key, cancel.id)
    if not order.open:
        return False
    terms = batch.terms(cancel.area, cancel.slot)
    _check_gate(terms, cancel.area, cancel.slot)
    row = list(batch.orders(key))
    closed = msgspec.structs.replace(order, open=False)
    row[place] = _with_fee(batch, key, closed, order.quantity_wh)
    batch.replace(key, row)
    return True


def _with_fee(batch: OrderBatch, key: RowKey, order: StoredOrder, given_up_wh: int) -> StoredOrder:
    """The order with the area's fee on the Wh given up, whether by cancelling or by amending.

    The fee is reserved as far as free money reaches; the rest lapses, and the order records it.
    """
    fee_nano = (Energy(given_up_wh) * Price(batch.terms(key.area, key.slot).cancel_fee)).nano
    held_nano = fee_held(
        batch.context, area=key.area, slot=key.slot, owner=key.did, fee_nano=fee_nano
    )
    return msgspec.structs.replace(
        order,
        withdrawn_wh=order.withdrawn_wh + given_up_wh,
        fee_nano=order.fee_nano + held_nano,
        lapsed_nano=order.lapsed_nano + fee_nano - held_nano,
    )


def _find(batch: OrderBatch, key: RowKey, name: str) -> tuple[int, StoredOrder]:
    for place, order in enumerate(batch.orders(key)):
        if order.id == name:
            return place, order
    raise ORDER_UNKNOWN(id=name, slot=key.slot)
