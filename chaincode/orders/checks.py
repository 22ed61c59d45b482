"""The checks of an order against its row, its meter and the terms of its slot."""

from __future__ import annotations

from collections.abc import Sequence

from chaincode.documents.document import Opened, is_expired
from chaincode.errors import (
    CAPACITY_EXCEEDED,
    GATE_CLOSED,
    METER_NOT_HELD,
    ORDER_EXPIRED,
    ORDERS_TOO_MANY,
    PRICE_BAND,
    QUANTITY_BOUNDS,
    SELF_CROSSING,
    SLOT_NOT_OPEN,
    SLOT_STEPS_TOO_MANY,
    STEPS_COUNT,
    ZONE_PAUSED,
    ZONE_WRONG,
)
from chaincode.metering.meters import MeterVersion
from chaincode.orders.order_batch import (
    ORDERS_PER_ROW_MAX,
    STEPS_MAX,
    STEPS_PER_ROW_MAX,
    OrderBatch,
    RowKey,
    SlotTerms,
    StoredOrder,
)
from chaincode.orders.sheets import Sheet, SheetOrder
from chaincode.units import Power


def check_count(batch: OrderBatch, key: RowKey, orders: int) -> None:
    """Refuse one more order in a row of `orders`; early cancels count too."""
    if orders + len(batch.withdrawn(key)) >= ORDERS_PER_ROW_MAX:
        raise ORDERS_TOO_MANY(slot=key.slot, limit=ORDERS_PER_ROW_MAX)


def check_place(
    batch: OrderBatch, token: Opened[Sheet], area: str, order: SheetOrder, terms: SlotTerms
) -> MeterVersion:
    """Refuse a wrong meter or zone and a closed gate; return the meter's version for the slot."""
    sheet = token.payload
    meter = batch.meter_at(sheet.meter, order.slot)
    if meter.holder != token.did:
        raise METER_NOT_HELD(meter=sheet.meter, did=token.did)
    if meter.zone != sheet.zone:
        raise ZONE_WRONG(zone=sheet.zone, meter=sheet.meter, right=meter.zone)
    batch.require_supply(sheet.meter, order.slot)
    check_gate(terms, area, order.slot)
    if terms.now_s < terms.opening_s:
        raise SLOT_NOT_OPEN(slot=order.slot, opening_s=terms.opening_s)
    if batch.is_paused(area, sheet.zone):
        raise ZONE_PAUSED(zone=sheet.zone)
    if is_expired(order.expires_s, at_s=terms.now_s):
        raise ORDER_EXPIRED(id=order.id, expires_s=order.expires_s)
    return meter


def check_gate(terms: SlotTerms, area: str, slot: int) -> None:
    """Refuse a slot whose gate has closed, or whose gate's time has come."""
    if terms.is_closed or terms.now_s >= terms.gate_s:
        raise GATE_CLOSED(area=area, slot=slot, gate_s=terms.gate_s)


def check_steps(
    order: StoredOrder,
    others: Sequence[StoredOrder],
    slot: int,
    terms: SlotTerms,
    meter: MeterVersion,
) -> None:
    """Check an order's steps against the price band, the meter and the trader's other orders."""
    if not 1 <= len(order.steps) <= STEPS_MAX:
        raise STEPS_COUNT(count=len(order.steps), limit=STEPS_MAX)
    count = len(order.steps) + sum(len(other.steps) for other in others if other.open)
    if count > STEPS_PER_ROW_MAX:
        raise SLOT_STEPS_TOO_MANY(slot=slot, count=count, limit=STEPS_PER_ROW_MAX)
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
