"""A slot's phase and its gate.

Placing an order reads the slot's row; while the row is absent the slot takes orders. Closing the
gate writes the row, so that orders in flight conflict, as they should, and clearing then scans
without phantoms.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import msgspec

from chaincode.accounts.entries import close_epoch
from chaincode.area.clock import market_time_s
from chaincode.area.rules import RULES, SEEDS, SeedChain, SeedChains, rules_at
from chaincode.area.zones import (
    LANES,
    VERSIONS_MAX,
    get_area,
    get_lane,
    own_area,
    require_open,
    require_slot_start,
)
from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.errors import (
    GATE_NOT_DUE,
    GATE_OUT_OF_ORDER,
    NO_SEED_CHAIN,
    SEED_CHAIN_LATE,
    SEED_NOT_DUE,
    SEED_WRONG,
    SLOT_PHASE,
    VERSIONS_TOO_MANY,
)
from chaincode.state import (
    Count,
    Hex32,
    Id,
    Row,
    Second,
    Table,
    at_slot,
    encode,
    slot_part,
    with_version,
)

Phase = Literal["CLOSED", "CLEARING", "CLEARED", "SETTLING", "SETTLED", "CORRECTING"]
"""Open slots have no row; in CLEARING, SETTLING and CORRECTING any member continues the run.

While a run only looks for readings the slot stays CLEARED or SETTLED, and takes reports."""


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The progress of a run: its step, where the step continues, and a digest of what it wrote."""

    step: str
    cursor: str
    page: int
    digest: Hex32


class Slot(Row, frozen=True):
    """A slot whose gate is closed.

    `seed` orders ties; `revealed` is False where the DSO failed to reveal the seed and the chain's
    anchor replaces it. `run` is set while a run is in progress. The page numbers count what
    clearing and settlement have stored; `quantity_wh` is the quantity in the book per zone.
    """

    phase: Phase
    seed: Hex32
    revealed: bool
    run: Run | None = None
    book_pages: int = 0
    trade_pages: int = 0
    posting_pages: int = 0
    quantity_wh: dict[str, int] = msgspec.field(default_factory=dict[str, int])


class Gate(Row, frozen=True):
    """What was frozen when a slot's gate closed: `epoch` is the epoch of entries that it closed."""

    epoch: int


SLOTS = Table(40, "slots", Slot, ("area", "slot"))
GATES = Table(70, "gates", Gate, ("area", "slot"))


class SeedArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The anchor of a hash chain of tie seeds, for slots from `from_slot` on."""

    area: Id
    from_slot: Second
    anchor: Hex32


class GateArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The slot to close, and the seed, which may be absent once the seed's deadline has passed."""

    area: Id
    slot: Second
    seed: Hex32 | None = None


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


def post_seed_anchor(context: Context, arguments: SeedArguments) -> Accepted:
    """Post the anchor of a seed chain before the chain's first slot opens."""
    area = own_area(context, arguments.area)
    require_open(context, area.area, arguments.from_slot)
    rules_row = RULES.get(context, area.area)
    if rules_row is not None:
        rules = rules_at(rules_row, area.area, arguments.from_slot)
        opening_s = rules.opening_s(arguments.from_slot)
        if market_time_s(context, area.area) >= opening_s:
            raise SEED_CHAIN_LATE(slot=arguments.from_slot, opening_s=opening_s)
    row = SEEDS.get(context, area.area)
    versions = row.versions if row is not None else []
    if len(versions) >= VERSIONS_MAX:
        raise VERSIONS_TOO_MANY(limit=VERSIONS_MAX)
    chain = SeedChain(anchor=arguments.anchor, tip=arguments.anchor)
    dated = with_version(versions, arguments.from_slot, chain)
    SEEDS.put(context, SeedChains(versions=dated), area.area)
    context.emit("seed_anchor_posted", encode(arguments))
    return Accepted(area.area)


def close_gate(context: Context, arguments: GateArguments) -> SlotAnswer:
    """Close a slot's gate with the next pre-image of the seed chain.

    Any member may close a gate. Without the seed this is possible only after the seed's deadline;
    then the anchor replaces the seed and the DSO's failure is recorded. Gates close in the order of
    slots, so that no slot can be skipped and its orders left without a clearing.
    """
    area = get_area(context, arguments.area)
    require_slot_start(area, arguments.slot)
    part = slot_part(arguments.slot)
    row = SLOTS.get(context, area.area, part)
    if row is not None:
        raise SLOT_PHASE(slot=arguments.slot, area=area.area, phase=row.phase, wanted="OPEN")
    lane = get_lane(context, area.area)
    rules_row = RULES.get(context, area.area)
    rules = rules_at(rules_row, area.area, arguments.slot)
    due = lane.closed_slot + area.slot_s
    if rules_row is not None and not lane.closed_slot:
        due = rules_row.versions[0].from_slot
    if arguments.slot != due:
        raise GATE_OUT_OF_ORDER(slot=arguments.slot, due=due)
    now_s = market_time_s(context, area.area)
    gate_s = rules.gate_s(arguments.slot)
    if now_s < gate_s:
        raise GATE_NOT_DUE(slot=arguments.slot, gate_s=gate_s, now_s=now_s)
    seed = _reveal(context, arguments, deadline_s=gate_s + rules.seed_deadline_s, now_s=now_s)
    revealed = arguments.seed is not None
    SLOTS.put(context, Slot(phase="CLOSED", seed=seed, revealed=revealed), area.area, part)
    LANES.put(context, msgspec.structs.replace(lane, closed_slot=arguments.slot), area.area)
    GATES.put(context, Gate(epoch=close_epoch(context, area.area)), area.area, part)
    context.emit("gate_closed", encode(arguments))
    return SlotAnswer(area.area, arguments.slot, "CLOSED")


def _reveal(context: Context, arguments: GateArguments, *, deadline_s: int, now_s: int) -> str:
    row = SEEDS.get(context, arguments.area)
    chain = None if row is None else at_slot(row.versions, arguments.slot)
    if row is None or chain is None:
        raise NO_SEED_CHAIN(area=arguments.area, slot=arguments.slot)
    if arguments.seed is None:
        if now_s < deadline_s:
            raise SEED_NOT_DUE(slot=arguments.slot, deadline_s=deadline_s, now_s=now_s)
        return chain.anchor
    if sha256(bytes.fromhex(arguments.seed)).hexdigest() != chain.tip:
        raise SEED_WRONG(slot=arguments.slot, tip=chain.tip)
    moved = [
        msgspec.structs.replace(version, value=SeedChain(anchor=chain.anchor, tip=arguments.seed))
        if version.value is chain
        else version
        for version in row.versions
    ]
    SEEDS.put(context, SeedChains(versions=moved), arguments.area)
    return arguments.seed
