"""A slot's phase, its gate, and what is frozen when the gate closes.

Placing an order reads the slot's row; while the row is absent the slot takes orders. Closing the
gate writes the row, so that orders in flight conflict, as they should, and clearing then scans
without phantoms. The gate record holds what clearing must use and what may change afterwards:
pauses, locks, zones, and the members that reveal seeds (contract.md, parts 4.2 and 5).

Empty slots of an area that stood still close together, without rows
(`clearing/empty_slots.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.accounts.entries import close_epoch
from chaincode.area.clock import market_time_s
from chaincode.area.history import HISTORIES, first_slot
from chaincode.area.rules import rules_at
from chaincode.area.seed_chains import SEED_MEMBERS_MAX, seed_members
from chaincode.area.zones import (
    LANES,
    ZONES_MAX,
    Area,
    get_area,
    get_lane,
    require_slot_start,
)
from chaincode.consortium.participants import last_act
from chaincode.context import (
    Context,
)
from chaincode.errors import (
    GATE_NOT_DUE,
    GATE_OUT_OF_ORDER,
    SLOT_PHASE,
    Broken,
)
from chaincode.state import (
    Count,
    Hex32,
    Id,
    Name,
    OrderName,
    Row,
    Second,
    Table,
    encode,
    slot_part,
)
from chaincode.units import is_slot_start

Phase = Literal["CLOSED", "CLEARING", "CLEARED", "SETTLING", "SETTLED", "CORRECTING"]
"""Open slots have no row; in CLEARING, SETTLING and CORRECTING any member continues the run.

While a run only looks for readings the slot stays CLEARED or SETTLED, and takes reports."""


SeedNames = Annotated[list[Name], msgspec.Meta(max_length=SEED_MEMBERS_MAX)]

FINAL_MAX = 8  # slots that one gate finds final: more than one, so that a late area catches up


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The progress of a run: its step, where the step continues, and a digest of what it wrote."""

    step: Name
    cursor: OrderName
    page: int
    digest: Hex32


class Slot(Row, frozen=True):
    """A slot whose gate is closed.

    `seed` orders ties; it is None until clearing begins. `withheld` names the seed members that
    revealed nothing. `run` is set while a run is in progress. The page numbers count what clearing
    and settlement have stored. `quantity_wh` is the quantity in the book of each zone that the gate
    record counts, in the order of the area's zones; without their names it stays within what a run may carry.
    """

    phase: Phase
    seed: Hex32 | None = None
    withheld: SeedNames = msgspec.field(default_factory=list[str])
    run: Run | None = None
    book_pages: int = 0
    trade_pages: int = 0
    posting_pages: int = 0
    quantity_wh: Annotated[list[Count], msgspec.Meta(max_length=ZONES_MAX)] = msgspec.field(
        default_factory=list[int]
    )


class Gate(Row, frozen=True):
    """What was frozen when the gate of a slot closed.

    `epoch` is the epoch that this gate closed. `paused` are the zones that were paused, `zones` is
    the number of zones that the area had, and `locks` is the number of the regulator's last act.
    `seeds` are the members whose seeds the draw awaits until `deadline_s`.
    """

    epoch: int
    paused: Annotated[list[Name], msgspec.Meta(max_length=ZONES_MAX)]
    zones: int
    locks: int
    seeds: SeedNames
    deadline_s: int


class EmptyGates(Row, frozen=True):
    """The slots that closed without a row, where they have no row of their own.

    They lie from `from_slot` to `until_slot`. No gate of them leaves time to reveal after
    `deadline_s`.
    """

    from_slot: int
    until_slot: int
    deadline_s: int


SLOTS = Table(40, "slots", Slot, ("area", "slot"))
GATES = Table(70, "gates", Gate, ("area", "slot"))
EMPTY_GATES = Table(74, "empty gates", EmptyGates, ("area",))


class SlotArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One slot of an area."""

    area: Id
    slot: Second


class PageArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of a slot's rows, counted from 0."""

    area: Id
    slot: Second
    page: Count = 0


class SlotAnswer(msgspec.Struct, frozen=True):
    """A slot's phase after the transaction, and the progress of its run."""

    area: str
    slot: int
    phase: str
    step: str = ""
    cursor: str = ""


class GateClosed(msgspec.Struct, frozen=True):
    """The event of a closed gate, with the members whose seeds are awaited, and until when."""

    area: str
    slot: int
    seeds: list[str]
    deadline_s: int


def close_gate(context: Context, arguments: SlotArguments) -> SlotAnswer:
    """Close a slot's gate: it takes no more orders, and what clearing uses is frozen.

    Any member may close a gate. Gates close in the order of slots, so that no slot can be skipped
    and its orders left without a clearing.
    """
    area = get_area(context, arguments.area)
    require_slot_start(area, arguments.slot)
    part = slot_part(arguments.slot)
    row = get_slot(context, area.area, arguments.slot)
    if row is not None:
        raise SLOT_PHASE(slot=arguments.slot, area=area.area, phase=row.phase, wanted="OPEN")
    rules = rules_at(context, area.area, arguments.slot)
    due = due_slot(context, area)
    if arguments.slot != due:
        raise GATE_OUT_OF_ORDER(slot=arguments.slot, due=due)
    now_s = market_time_s(context, area.area)
    gate_s = rules.gate_s(arguments.slot)
    if now_s < gate_s:
        raise GATE_NOT_DUE(slot=arguments.slot, gate_s=gate_s, now_s=now_s)
    deadline_s = gate_s + rules.seed_deadline_s
    gate = Gate(
        epoch=close_epoch(context, area.area),
        paused=[zone.id for zone in area.zones if zone.paused],
        zones=len(area.zones),
        locks=last_act(context),
        seeds=seed_members(context, area.area, arguments.slot),
        deadline_s=max(deadline_s, last_deadline_s(context, area, due)),
    )
    lane = get_lane(context, area.area)
    SLOTS.put(context, Slot(phase="CLOSED"), area.area, part)
    LANES.put(context, msgspec.structs.replace(lane, closed_slot=arguments.slot), area.area)
    GATES.put(context, gate, area.area, part)
    move_history(context, area, closed_slot=arguments.slot, now_s=now_s)
    closed = GateClosed(area.area, arguments.slot, gate.seeds, gate.deadline_s)
    context.emit("gate_closed", encode(closed))
    return SlotAnswer(area.area, arguments.slot, "CLOSED")


def due_slot(context: Context, area: Area) -> int:
    """The slot whose gate closes next; an area without rules is refused."""
    closed_slot = get_lane(context, area.area).closed_slot
    if closed_slot or get_slot(context, area.area, closed_slot) is not None:
        return closed_slot + area.slot_s
    return first_slot(context, area.area)


def last_deadline_s(context: Context, area: Area, due: int) -> int:
    """The latest deadline for seeds of the slots before `due`, 0 before the first slot.

    Gates close in the order of slots. If later rules close a gate earlier than the one before it,
    it can only close after that one, and its seed members need time to reveal from then on.
    """
    gate = GATES.get(context, area.area, slot_part(due - area.slot_s))
    if gate is not None:
        return gate.deadline_s
    empty = EMPTY_GATES.get(context, area.area)
    return 0 if empty is None else empty.deadline_s


def get_slot(context: Context, area: str, slot: int) -> Slot | None:
    """A slot whose gate has closed; one that closed empty and without a row is CLEARED."""
    row = SLOTS.get(context, area, slot_part(slot))
    if row is not None:
        return row
    empty = EMPTY_GATES.get(context, area)
    if empty is None or not empty.from_slot <= slot <= empty.until_slot:
        return None
    if not is_slot_start(slot, get_area(context, area).slot_s):
        return None
    return Slot(phase="CLEARED")


def get_gate(context: Context, area: str, slot: int) -> Gate:
    """The gate record of a slot that closed with a row of its own."""
    gate = GATES.get(context, area, slot_part(slot))
    if gate is None:
        raise Broken(f"the gate record of {area}, {slot} is gone")
    return gate


def area_at_gate(area: Area, gate: Gate) -> Area:
    """The area with the zones and the pauses that it had when a gate closed."""
    paused = frozenset(gate.paused)
    zones = [
        msgspec.structs.replace(zone, paused=zone.id in paused) for zone in area.zones[: gate.zones]
    ]
    return msgspec.structs.replace(area, zones=zones)


def move_history(context: Context, area: Area, *, closed_slot: int, now_s: int) -> None:
    """Move the area's earliest slot that is not final past slots that are final and settled."""
    history = HISTORIES.get(context, area.area)
    if history is None:
        return
    slot = history.needed_slot
    for _ in range(FINAL_MAX):
        if slot >= closed_slot:
            break
        if now_s < rules_at(context, area.area, slot).final_at_s(slot + area.slot_s):
            break
        row = get_slot(context, area.area, slot)
        if row is None or row.phase != "SETTLED":
            break
        slot += area.slot_s
    if slot != history.needed_slot:
        moved = msgspec.structs.replace(history, needed_slot=slot)
        HISTORIES.put(context, moved, area.area)
