"""Order sheets: place, amend, cancel, expire.

One row per (slot, participant) holds that participant's orders at all its meters. Capacity,
crossing of own orders and used ids are checked in that row, so placing scans nothing and reads only
the gate key of the slot. Cover is not checked here; clearing takes the cover.

There is one answer per sheet: an invalid sheet is refused as a whole and does not affect the other
sheets. A sheet that was placed before gets the answer `EXISTS`, whatever has happened since, so a
client can send a lost batch again. It is compared with what was signed first; until when a sheet
may be carried is not part of its orders.

The id of an order that is cancelled before it has come is used up, so that a sheet that somebody
held back cannot be placed afterwards (rules/contract.md, 8.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import TypeVar

import msgspec

from chaincode.context import Context
from chaincode.documents.document import INTENT_S_MAX, Intent, Opened, require_timely
from chaincode.documents.intake import take_batch
from chaincode.errors import (
    AMENDED_ALREADY,
    AREA_WRONG,
    BATCH_FULL,
    ID_REPEATED,
    ID_USED,
    METER_UNKNOWN,
    ORDER_NOT_OPEN,
    ORDER_UNKNOWN,
    ORDERS_COUNT,
    REVISION_WRONG,
    SLOT_NOT_OPEN,
    TRADER_LOCKED,
    TRADER_UNKNOWN,
    ZONE_PAUSED,
    Refused,
)
from chaincode.orders.checks import check_count, check_gate, check_place, check_steps
from chaincode.orders.closed_books import fee_held
from chaincode.orders.order_batch import (
    ORDER_BYTES,
    STEP_BYTES,
    OrderBatch,
    RowKey,
    StoredOrder,
)
from chaincode.orders.sheets import (
    AMENDS,
    CANCELS,
    ORDERS_PER_SHEET_MAX,
    SHEETS,
    Amend,
    Cancel,
    Sheet,
    SheetOrder,
    Step,
    TokensArguments,
)
from chaincode.state import encode
from chaincode.units import Energy, Price

CANCEL_AHEAD_S = INTENT_S_MAX  # how long before its slot opens an order may be cancelled unseen

P = TypeVar("P", bound=Intent)


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
    batch.load_rows(_sheet_rows(sheets))
    return _answer(context, batch, taken, "PLACED", _place)


def amend_orders(context: Context, arguments: TokensArguments) -> TokensAnswer:
    """Replace the steps of open orders; the cancellation fee is due on Wh that are given up."""
    taken = take_batch(context, AMENDS, arguments.tokens)
    amends = [token for token in taken if not isinstance(token, Refused)]
    batch = OrderBatch(context)
    batch.load_locks()
    keys = [RowKey(t.payload.area, t.payload.slot, t.did) for t in amends]
    batch.load_rows(keys)
    found = [batch.order(key, t.payload.id) for key, t in zip(keys, amends, strict=True)]
    batch.load_meters(order.meter for order in found if order is not None)
    return _answer(context, batch, taken, "AMENDED", _amend)


def cancel_orders(context: Context, arguments: TokensArguments) -> TokensAnswer:
    """Withdraw orders; the cancellation fee is due on the Wh of those that had come."""
    taken = take_batch(context, CANCELS, arguments.tokens)
    cancels = [token for token in taken if not isinstance(token, Refused)]
    batch = OrderBatch(context)
    keys = [RowKey(t.payload.area, t.payload.slot, t.did) for t in cancels]
    batch.load_rows(keys)
    named = zip(keys, cancels, strict=True)
    batch.load_participants(key.did for key, t in named if batch.order(key, t.payload.id) is None)
    return _answer(context, batch, taken, "CANCELLED", _cancel)


def _sheet_rows(sheets: Sequence[Opened[Sheet]]) -> Iterator[RowKey]:
    for token in sheets:
        for order in _readable_orders([token]):
            yield RowKey(token.payload.area, order.slot, token.did)


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
    full: TokenAnswer | None = None
    for token in taken:
        if isinstance(token, Refused):
            answers.append(TokenAnswer(token.code, token.sentence))
            continue
        if full is not None:  # later tokens wait too: they may rely on the one that did not fit
            answers.append(full)
            continue
        try:
            answers.append(TokenAnswer(done if act(batch, token) else "EXISTS"))
        except Refused as refused:
            answers.append(TokenAnswer(refused.code, refused.sentence))
            if refused.code == BATCH_FULL.code:
                full = answers[-1]
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
    if area != sheet.area:
        raise AREA_WRONG(meter=sheet.meter, right=area, area=sheet.area)
    if _is_known(batch, token):
        return False
    if not batch.is_participant(token.did):
        raise TRADER_UNKNOWN(did=token.did)
    if batch.is_locked(token.did):
        raise TRADER_LOCKED(did=token.did)
    rows: dict[RowKey, list[StoredOrder]] = {}
    growth = 0
    for order in sheet.orders:
        key = RowKey(area, order.slot, token.did)
        row = rows.get(key)
        if row is None:
            row = rows[key] = list(batch.orders(key))
        check_count(batch, key, len(row))
        terms = batch.terms(area, order.slot)
        meter = check_place(batch, token, area, order, terms)
        stored = StoredOrder(
            id=order.id,
            meter=sheet.meter,
            zone=sheet.zone,
            side=order.side,
            steps=order.steps,
            expires_s=order.expires_s,
        )
        check_steps(stored, row, order.slot, terms, meter)
        row.append(stored)
        growth += ORDER_BYTES + STEP_BYTES * len(order.steps)
    last = batch.terms(area, max(order.slot for order in sheet.orders))
    require_timely(sheet, now_s=last.now_s, limit_s=last.gate_s)
    batch.require_room(rows, growth)
    for key, row in rows.items():
        batch.replace(key, row)
    return True


def _is_known(batch: OrderBatch, token: Opened[Sheet]) -> bool:
    """Whether every order of the sheet is already in its row as the sheet states it."""
    sheet = token.payload
    seen: set[tuple[int, str]] = set()
    known = 0
    for order in sheet.orders:
        if (order.slot, order.id) in seen:
            raise ID_REPEATED(id=order.id, slot=order.slot)
        seen.add((order.slot, order.id))
        key = RowKey(sheet.area, order.slot, token.did)
        if order.id in batch.withdrawn(key):
            raise ID_USED(id=order.id, slot=order.slot)
        stored = batch.order(key, order.id)
        if stored is None:
            continue
        if not _is_same(stored, order, sheet):
            raise ID_USED(id=order.id, slot=order.slot)
        known += 1
    if 0 < known < len(sheet.orders):
        raise ID_USED(id=sheet.orders[0].id, slot=sheet.orders[0].slot)
    return known > 0


def _is_same(stored: StoredOrder, order: SheetOrder, sheet: Sheet) -> bool:
    """Whether an order is what the trader signed first, before any amendment."""
    sent = (sheet.meter, sheet.zone, order.side, order.expires_s)
    if sent != (stored.meter, stored.zone, stored.side, stored.expires_s):
        return False
    if stored.placed:
        return stored.placed == _steps_digest(order.steps)
    return stored.steps == order.steps


def _steps_digest(steps: Sequence[Step]) -> str:
    return sha256(encode(steps)).hexdigest()


def _amend(batch: OrderBatch, token: Opened[Amend]) -> bool:
    amend = token.payload
    key = RowKey(amend.area, amend.slot, token.did)
    order = batch.order(key, amend.id)
    if order is None:
        if amend.id in batch.withdrawn(key):
            raise ORDER_NOT_OPEN(id=amend.id)
        raise ORDER_UNKNOWN(id=amend.id, slot=amend.slot)
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
    check_gate(terms, amend.area, amend.slot)
    if batch.is_paused(amend.area, order.zone):
        raise ZONE_PAUSED(zone=order.zone)
    changed = msgspec.structs.replace(
        order,
        steps=amend.steps,
        revision=amend.revision,
        placed=order.placed or _steps_digest(order.steps),
    )
    others = [other for other in batch.orders(key) if other.id != amend.id]
    meter = batch.meter_at(order.meter, amend.slot)
    check_steps(changed, others, amend.slot, terms, meter)
    require_timely(amend, now_s=terms.now_s, limit_s=terms.gate_s)
    batch.require_room([key], ORDER_BYTES + STEP_BYTES * len(amend.steps))
    given_up_wh = max(0, order.quantity_wh - changed.quantity_wh)
    batch.replace(key, _replaced(batch.orders(key), _with_fee(batch, key, changed, given_up_wh)))
    return True


def _cancel(batch: OrderBatch, token: Opened[Cancel]) -> bool:
    cancel = token.payload
    key = RowKey(cancel.area, cancel.slot, token.did)
    order = batch.order(key, cancel.id)
    if order is None:
        return _cancel_early(batch, key, token)
    if not order.open:
        return False
    terms = batch.terms(cancel.area, cancel.slot)
    check_gate(terms, cancel.area, cancel.slot)
    require_timely(cancel, now_s=terms.now_s, limit_s=terms.gate_s)
    batch.require_room([key], ORDER_BYTES)
    closed = msgspec.structs.replace(order, open=False)
    changed = _with_fee(batch, key, closed, order.quantity_wh)
    batch.replace(key, _replaced(batch.orders(key), changed))
    return True


def _cancel_early(batch: OrderBatch, key: RowKey, token: Opened[Cancel]) -> bool:
    """Use up the id of an order that has not come; it counts towards the orders of its row."""
    cancel = token.payload
    if cancel.id in batch.withdrawn(key):
        return False
    if not batch.is_participant(token.did):
        raise TRADER_UNKNOWN(did=token.did)
    terms = batch.terms(cancel.area, cancel.slot)
    check_gate(terms, cancel.area, cancel.slot)
    if terms.now_s < terms.opening_s - CANCEL_AHEAD_S:
        raise SLOT_NOT_OPEN(slot=cancel.slot, opening_s=terms.opening_s)
    check_count(batch, key, len(batch.orders(key)))
    require_timely(cancel, now_s=terms.now_s, limit_s=terms.gate_s)
    batch.require_room([key], ORDER_BYTES)
    batch.withdraw(key, cancel.id)
    return True


def _replaced(orders: Sequence[StoredOrder], changed: StoredOrder) -> list[StoredOrder]:
    return [changed if order.id == changed.id else order for order in orders]


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
