"""Order sheets: place, amend, cancel, expire.

One row per (slot, participant) holds that participant's orders over all its meters: capacity,
own crossing and used ids are checked there, and nothing is scanned while placing but the gate
key of the slot. Cover is not checked here; clearing takes it.

The answer is per sheet: a bad sheet is refused as a whole and stops no other. A sheet seen
before answers `EXISTS` whatever has happened since, so a lost batch is simply sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from chaincode.context import Context
from chaincode.errors import (
    AMENDED_ALREADY,
    BATCH_STEPS,
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
from chaincode.orders.order_batch import Desk, RowKey, SlotTerms, StoredOrder
from chaincode.orders.sheets import (
    AMEND_TYP,
    CANCEL_TYP,
    SHEET_BYTES_MAX,
    SHEET_TYP,
    TOKEN_BYTES_MAX,
    Amend,
    Cancel,
    Payload,
    Sheet,
    SheetOrder,
    Token,
    TokensArguments,
    read_tokens,
)
from chaincode.state import encode
from chaincode.units import Energy, Power, Price

STEPS_MAX = 20  # steps of one order
BATCH_STEPS_MAX = 2_000  # steps of all sheets of a batch
ORDERS_PER_ROW_MAX = 50  # orders of one participant in one slot, cancelled ones too
ORDERS_PER_SHEET_MAX = 200  # two days of quarter hours

P = TypeVar("P", bound=Payload)

_sheets = msgspec.json.Decoder(Sheet)
_amends = msgspec.json.Decoder(Amend)
_cancels = msgspec.json.Decoder(Cancel)


class TokenAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one token: PLACED, AMENDED, CANCELLED, EXISTS, or a refusal."""

    code: str
    sentence: str = ""


class TokensAnswer(msgspec.Struct, frozen=True):
    """One answer per token, in the order given."""

    answers: list[TokenAnswer]


class OrdersChanged(msgspec.Struct, frozen=True):
    """The event of a batch: how many sheets did what, per (area, slot) touched."""

    act: str
    slots: list[tuple[str, int]]
    count: int


def place_orders(context: Context, arguments: TokensArguments) -> TokensAnswer:
    """Place the orders of up to 500 signed sheets; the answer is per sheet."""
    read = read_tokens(
        context,
        arguments.tokens,
        typ=SHEET_TYP,
        bytes_max=SHEET_BYTES_MAX,
        decoder=_sheets,
    )
    sheets = [token for token in read if not isinstance(token, Refused)]
    steps = sum(max(1, len(order.steps)) for order in _readable_orders(sheets))
    if steps > BATCH_STEPS_MAX:
        raise BATCH_STEPS(count=steps, limit=BATCH_STEPS_MAX)
    desk = Desk(context)
    desk.load_locks()
    desk.load_meters({token.payload.meter: None for token in sheets})
    desk.load_traders((token.did, token.payload.meter) for token in sheets)
    desk.load_rows(_sheet_rows(desk, sheets))
    return _answer(context, desk, read, "PLACED", _place)


def amend_orders(context: Context, arguments: TokensArguments) -> TokensAnswer:
    """Replace the steps of open orders; Wh given up cost the cancellation fee."""
    read = read_tokens(
        context,
        arguments.tokens,
        typ=AMEND_TYP,
        bytes_max=TOKEN_BYTES_MAX,
        decoder=_amends,
    )
    amends = [token for token in read if not isinstance(token, Refused)]
    steps = sum(len(token.payload.steps) for token in amends)
    if steps > BATCH_STEPS_MAX:
        raise BATCH_STEPS(count=steps, limit=BATCH_STEPS_MAX)
    desk = Desk(context)
    desk.load_locks()
    desk.load_rows(RowKey(t.payload.area, t.payload.slot, t.did) for t in amends)
    desk.load_meters({order.meter: None for order in desk.all_orders()})
    return _answer(context, desk, read, "AMENDED", _amend)


def cancel_orders(context: Context, arguments: TokensArguments) -> TokensAnswer:
    """Withdraw open orders; their Wh cost the cancellation fee."""
    read = read_tokens(
        context,
        arguments.tokens,
        typ=CANCEL_TYP,
        bytes_max=TOKEN_BYTES_MAX,
        decoder=_cancels,
    )
    cancels = [token for token in read if not isinstance(token, Refused)]
    desk = Desk(context)
    desk.load_rows(RowKey(t.payload.area, t.payload.slot, t.did) for t in cancels)
    return _answer(context, desk, read, "CANCELLED", _cancel)


def _sheet_rows(desk: Desk, sheets: Sequence[Token[Sheet]]) -> Iterator[RowKey]:
    for token in sheets:
        area = desk.area_of(token.payload.meter)
        if area is not None:
            for order in _readable_orders([token]):
                yield RowKey(area, order.slot, token.did)


def _readable_orders(sheets: Sequence[Token[Sheet]]) -> Iterator[SheetOrder]:
    """The orders of sheets that have no more than they may; of others nothing is read."""
    for token in sheets:
        if len(token.payload.orders) <= ORDERS_PER_SHEET_MAX:
            yield from token.payload.orders


def _answer(
    context: Context,
    desk: Desk,
    read: Sequence[Token[P] | Refused],
    done: str,
    act: Callable[[Desk, Token[P]], bool],
) -> TokensAnswer:
    """Let each token act on the desk; `act` says whether it was new, or refuses."""
    answers: list[TokenAnswer] = []
    for token in read:
        if isinstance(token, Refused):
            answers.append(TokenAnswer(token.code, token.sentence))
            continue
        try:
            answers.append(TokenAnswer(done if act(desk, token) else "EXISTS"))
        except Refused as refused:
            answers.append(TokenAnswer(refused.code, refused.sentence))
    changed = desk.write()
    if changed:
        slots = list(dict.fromkeys((key.area, key.slot) for key in changed))
        count = sum(1 for answer in answers if answer.code == done)
        context.emit("orders_changed", encode(OrdersChanged(done, slots, count)))
    return TokensAnswer(answers)


def _place(desk: Desk, token: Token[Sheet]) -> bool:
    sheet = token.payload
    if not 1 <= len(sheet.orders) <= ORDERS_PER_SHEET_MAX:
        raise ORDERS_COUNT(count=len(sheet.orders), limit=ORDERS_PER_SHEET_MAX)
    area = desk.area_of(sheet.meter)
    if area is None:
        raise METER_UNKNOWN(meter=sheet.meter, slot=sheet.orders[0].slot)
    if _is_known(desk, token, area):
        return False
    if not desk.is_participant(token.did):
        raise TRADER_UNKNOWN(did=token.did)
    if desk.is_locked(token.did):
        raise TRADER_LOCKED(did=token.did)
    rows: dict[RowKey, list[StoredOrder]] = {}
    for order in sheet.orders:
        key = RowKey(area, order.slot, token.did)
        row = rows.get(key)
        if row is None:
            row = rows[key] = list(desk.orders(key))
        if len(row) >= ORDERS_PER_ROW_MAX:
            raise ORDERS_TOO_MANY(slot=order.slot, limit=ORDERS_PER_ROW_MAX)
        terms = desk.terms(area, order.slot)
        meter = _check_place(desk, token, area, order, terms)
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
        desk.replace(key, row)
    return True


def _is_known(desk: Desk, token: Token[Sheet], area: str) -> bool:
    """Whether every order of the sheet stands in its row already, as it was placed."""
    seen: set[tuple[int, str]] = set()
    known = 0
    for order in token.payload.orders:
        if (order.slot, order.id) in seen:
            raise ID_REPEATED(id=order.id, slot=order.slot)
        seen.add((order.slot, order.id))
        for stored in desk.orders(RowKey(area, order.slot, token.did)):
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
    desk: Desk, token: Token[Sheet], area: str, order: SheetOrder, terms: SlotTerms
) -> MeterVersion:
    """Refuse a wrong meter or zone and a gate that is not open; the meter as of the slot."""
    sheet = token.payload
    meter = meter_at(desk.meter(sheet.meter), sheet.meter, order.slot)
    if meter.holder != token.did:
        raise METER_NOT_HELD(meter=sheet.meter, did=token.did)
    if meter.zone != sheet.zone:
        raise ZONE_WRONG(zone=sheet.zone, meter=sheet.meter, right=meter.zone)
    _check_gate(terms, area, order.slot)
    if terms.now_s < terms.opening_s:
        raise SLOT_NOT_OPEN(slot=order.slot, opening_s=terms.opening_s)
    if desk.is_paused(area, sheet.zone):
        raise ZONE_PAUSED(zone=sheet.zone)
    if order.expires_s is not None and order.expires_s <= terms.now_s:
        raise ORDER_EXPIRED(id=order.id, expires_s=order.expires_s)
    return meter


def _check_gate(terms: SlotTerms, area: str, slot: int) -> None:
    if terms.is_closed or terms.now_s >= terms.gate_s:
        raise GATE_CLOSED(area=area, slot=slot, gate_s=terms.gate_s)


def _check_steps(
    order: StoredOrder, others: Sequence[StoredOrder], terms: SlotTerms, meter: MeterVersion
) -> None:
    """Hold an order's steps against the band, the meter's capacity and the own other orders."""
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


def _amend(desk: Desk, token: Token[Amend]) -> bool:
    amend = token.payload
    key = RowKey(amend.area, amend.slot, token.did)
    place, order = _find(desk, key, amend.id)
    if amend.revision <= order.revision:
        if amend.revision == order.revision and amend.steps == order.steps:
            return False
        raise AMENDED_ALREADY(id=amend.id, revision=order.revision)
    if not order.open:
        raise ORDER_NOT_OPEN(id=amend.id)
    if amend.revision != order.revision + 1:
        raise REVISION_WRONG(id=amend.id, revision=amend.revision, due=order.revision + 1)
    if desk.is_locked(token.did):
        raise TRADER_LOCKED(did=token.did)
    terms = desk.terms(amend.area, amend.slot)
    _check_gate(terms, amend.area, amend.slot)
    if desk.is_paused(amend.area, order.zone):
        raise ZONE_PAUSED(zone=order.zone)
    row = list(desk.orders(key))
    others = row[:place] + row[place + 1 :]
    changed = msgspec.structs.replace(order, steps=amend.steps, revision=amend.revision)
    meter = meter_at(desk.meter(order.meter), order.meter, amend.slot)
    _check_steps(changed, others, terms, meter)
    given_up_wh = max(0, order.quantity_wh - changed.quantity_wh)
    row[place] = _with_fee(terms, changed, given_up_wh)
    desk.replace(key, row)
    return True


def _cancel(desk: Desk, token: Token[Cancel]) -> bool:
    cancel = token.payload
    key = RowKey(cancel.area, cancel.slot, token.did)
    place, order = _find(desk, key, cancel.id)
    if not order.open:
        return False
    terms = desk.terms(cancel.area, cancel.slot)
    _check_gate(terms, cancel.area, cancel.slot)
    row = list(desk.orders(key))
    closed = msgspec.structs.replace(order, open=False)
    row[place] = _with_fee(terms, closed, order.quantity_wh)
    desk.replace(key, row)
    return True


def _with_fee(terms: SlotTerms, order: StoredOrder, given_up_wh: int) -> StoredOrder:
    """The order with the area's fee on the Wh given up; amending down is no way round it."""
    fee = Energy(given_up_wh) * Price(terms.cancel_fee)
    return msgspec.structs.replace(
        order,
        withdrawn_wh=order.withdrawn_wh + given_up_wh,
        fee_nano=order.fee_nano + fee.nano,
    )


def _find(desk: Desk, key: RowKey, name: str) -> tuple[int, StoredOrder]:
    for place, order in enumerate(desk.orders(key)):
        if order.id == name:
            return place, order
    raise ORDER_UNKNOWN(id=name, slot=key.slot)
