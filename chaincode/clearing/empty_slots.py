"""Closing many empty slots at once (contract.md, part 4.6).

An area that stood still may have thousands of gates due in their order. If nobody has ordered
anything in these slots, one transaction closes them all. They get no rows: `slots/gate.py` says
that such a slot is cleared and empty, and its settlement begins from that.
"""

from __future__ import annotations

import msgspec

from chaincode.accounts.entries import close_epoch
from chaincode.area.clock import market_time_s
from chaincode.area.rules import rules_at, rules_spans
from chaincode.area.zones import LANES, Area, get_area, get_lane, require_slot_start
from chaincode.context import Context
from chaincode.errors import GATE_NOT_DUE, GATE_NOT_EMPTY, GATES_TOO_MANY, SLOT_PHASE
from chaincode.orders.order_batch import ORDERS
from chaincode.slots.gate import (
    EMPTY_GATES,
    EmptyGates,
    SlotAnswer,
    due_slot,
    get_slot,
    last_deadline_s,
)
from chaincode.state import SLOT_DIGITS, Id, Second, encode, slot_part

RULE_CHANGES_MAX = 100  # versions of the rules that one transaction looks at


class EmptyGatesArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last of the empty slots to close."""

    area: Id
    until_slot: Second


class EmptyGatesClosed(msgspec.Struct, frozen=True):
    """The event of empty slots that closed together."""

    area: str
    from_slot: int
    until_slot: int


def close_empty_gates(context: Context, arguments: EmptyGatesArguments) -> SlotAnswer:
    """Close the gates of all slots up to `until_slot`; they must be due and have no orders.

    Any member may do so. The slots before them must be cleared, so that clearing stays in order.
    """
    area, until_slot = get_area(context, arguments.area), arguments.until_slot
    require_slot_start(area, until_slot)
    row = get_slot(context, area.area, until_slot)
    if row is not None:
        raise SLOT_PHASE(slot=until_slot, area=area.area, phase=row.phase, wanted="OPEN")
    rules_at(context, area.area, until_slot)
    due = due_slot(context, area)
    if until_slot < due:
        raise SLOT_PHASE(slot=until_slot, area=area.area, phase="CLEARED", wanted="OPEN")
    deadline_s = _require_due(context, area, due=due, until_slot=until_slot)
    before = get_slot(context, area.area, due - area.slot_s)
    if before is not None and before.phase in ("CLOSED", "CLEARING"):
        raise SLOT_PHASE(
            slot=due - area.slot_s, area=area.area, phase=before.phase, wanted="CLEARED"
        )
    _require_empty(context, area.area, due=due, until_slot=until_slot)
    earlier = EMPTY_GATES.get(context, area.area)
    empty = EmptyGates(
        from_slot=due if earlier is None else earlier.from_slot,
        until_slot=until_slot,
        deadline_s=max(deadline_s, last_deadline_s(context, area, due)),
    )
    lane = get_lane(context, area.area)
    EMPTY_GATES.put(context, empty, area.area)
    LANES.put(context, msgspec.structs.replace(lane, closed_slot=until_slot), area.area)
    close_epoch(context, area.area)
    closed = EmptyGatesClosed(area.area, due, until_slot)
    context.emit("empty_gates_closed", encode(closed))
    return SlotAnswer(area.area, until_slot, "CLEARED")


def _require_due(context: Context, area: Area, *, due: int, until_slot: int) -> int:
    """Refuse if a gate up to `until_slot` has not come; the latest of their seed deadlines."""
    now_s = market_time_s(context, area.area)
    deadline_s = 0
    spans = rules_spans(context, area, from_slot=due, until_slot=until_slot)
    for count, (slot, rules) in enumerate(spans, start=1):
        if count > RULE_CHANGES_MAX:
            raise GATES_TOO_MANY(until_slot=until_slot, limit=RULE_CHANGES_MAX)
        if now_s < rules.gate_s(slot):
            raise GATE_NOT_DUE(slot=slot, gate_s=rules.gate_s(slot), now_s=now_s)
        deadline_s = max(deadline_s, rules.gate_s(slot) + rules.seed_deadline_s)
    return deadline_s


def _require_empty(context: Context, area: str, *, due: int, until_slot: int) -> None:
    """Refuse if anybody has ordered in these slots, also if the orders were cancelled."""
    last = slot_part(until_slot)
    for key, _ in ORDERS.range(context, area, after=slot_part(due - 1), until=last):
        raise GATE_NOT_EMPTY(slot=int(key[:SLOT_DIGITS]))
