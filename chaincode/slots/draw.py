"""The draw of a slot: seed chains, what is revealed after the gate, and the gate seed.

`contract.md`, part 5. DSOs and retailers post chains. When the gate has closed, nobody can place an
order any more, and each seed member reveals the next link of its chain. The gate seed is a hash
over all that was revealed, so no member chooses it alone. A member that withholds its link has two
outcomes to choose from, and the slot shows that it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from chaincode.area.clock import market_time_s
from chaincode.area.opening import require_unopened
from chaincode.area.seed_chains import (
    SEED_CHAINS,
    SeedChain,
    chain_at,
    note_member,
)
from chaincode.area.zones import get_area, get_lane, require_slot_start
from chaincode.context import Accepted, Context
from chaincode.errors import (
    NO_SEED_CHAIN,
    SEED_CHAIN_NEEDED,
    SEED_LATE,
    SEED_OUT_OF_ORDER,
    SEED_REVEALED,
    SEED_WRONG,
    SEEDS_AWAITED,
    SLOT_PHASE,
    Broken,
)
from chaincode.slots.gate import GATES, Gate, Slot, get_gate, get_slot
from chaincode.state import Hex32, Id, Row, Second, Table, encode, slot_part

NEEDED_S = 31 * 86_400  # no seed is revealed later than a slot's end; a gate leads by 30 days
NOTHING = bytes(32)  # what stands in the gate seed for a member that revealed nothing


class RevealedSeed(Row, frozen=True):
    """The link that a seed member revealed for a slot."""

    seed: Hex32


REVEALED = Table(73, "revealed seeds", RevealedSeed, ("area", "slot", "member"))


class SeedChainArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The end of the caller's hash chain for slots from `from_slot` on; null ends its part."""

    area: Id
    from_slot: Second
    anchor: Hex32 | None


class SeedArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next link of the caller's chain, for a slot whose gate has closed."""

    area: Id
    slot: Second
    seed: Hex32


class SeedChainPosted(msgspec.Struct, frozen=True):
    """The event of a seed chain that was posted or ended."""

    area: str
    member: str
    from_slot: int
    anchor: str | None


class SeedShown(msgspec.Struct, frozen=True):
    """The event of a revealed seed."""

    area: str
    slot: int
    member: str
    seed: str


class SeedState(msgspec.Struct, frozen=True):
    """A seed member of a slot and what it revealed; None where it revealed nothing so far."""

    member: str
    seed: str | None


def post_seed_chain(context: Context, arguments: SeedChainArguments) -> Accepted:
    """Take part in an area's draw from a slot on, with a new chain, or end one's part.

    Any DSO or retailer may take part. The area's own DSO always does.
    """
    area = get_area(context, arguments.area)
    member = context.caller.member
    require_unopened(context, area, arguments.from_slot)
    anchor = arguments.anchor
    if anchor is None and member == area.dso:
        raise SEED_CHAIN_NEEDED(area=area.area, dso=member)
    if anchor is None and chain_at(context, area.area, member, arguments.from_slot) is None:
        raise NO_SEED_CHAIN(member=member, area=area.area, slot=arguments.from_slot)
    chain = SeedChain(anchor=anchor, tip=anchor)
    SEED_CHAINS.put_from(context, chain, area.area, member, from_slot=arguments.from_slot)
    lane = get_lane(context, area.area)
    note_member(context, area, member, closed_slot=lane.closed_slot)
    needed_slot = max(0, lane.closed_slot - NEEDED_S)
    SEED_CHAINS.prune(context, area.area, member, needed_slot=needed_slot)
    posted = SeedChainPosted(area.area, member, arguments.from_slot, anchor)
    context.emit("seed_chain_posted", encode(posted))
    return Accepted(area.area)


def reveal_seed(context: Context, arguments: SeedArguments) -> Accepted:
    """Reveal the next link of the caller's chain for a slot whose gate has closed.

    A member reveals for its slots in their order, so that it cannot choose which slot gets which
    link. The deadline is counted from the gate.
    """
    area = get_area(context, arguments.area)
    require_slot_start(area, arguments.slot)
    member, part = context.caller.member, slot_part(arguments.slot)
    slot = get_slot(context, area.area, arguments.slot)
    gate = GATES.get(context, area.area, part)
    if slot is None or gate is None:
        phase = "OPEN" if slot is None else slot.phase
        raise SLOT_PHASE(slot=arguments.slot, area=area.area, phase=phase, wanted="CLOSED")
    if member not in gate.seeds:
        raise NO_SEED_CHAIN(member=member, area=area.area, slot=arguments.slot)
    if REVEALED.get(context, area.area, part, member) is not None:
        raise SEED_REVEALED(member=member, slot=arguments.slot)
    now_s = market_time_s(context, area.area)
    if slot.phase != "CLOSED" or now_s >= gate.deadline_s:
        raise SEED_LATE(slot=arguments.slot, deadline_s=gate.deadline_s, now_s=now_s)
    _require_order(context, area.area, arguments.slot, before=arguments.slot - area.slot_s)
    found = SEED_CHAINS.version_at(context, area.area, member, slot=arguments.slot)
    if found is None:
        raise Broken(f"the seed chain of {member} for {area.area}, {arguments.slot} is gone")
    from_slot, chain = found
    if sha256(bytes.fromhex(arguments.seed)).hexdigest() != chain.tip:
        raise SEED_WRONG(slot=arguments.slot, tip=chain.tip)
    moved = SeedChain(anchor=chain.anchor, tip=arguments.seed, revealed_slot=arguments.slot)
    SEED_CHAINS.put_from(context, moved, area.area, member, from_slot=from_slot)
    REVEALED.put(context, RevealedSeed(seed=arguments.seed), area.area, part, member)
    shown = SeedShown(area.area, arguments.slot, member, arguments.seed)
    context.emit("seed_revealed", encode(shown))
    return Accepted(member)


def draw(context: Context, area: str, start: int, slot: Slot) -> Slot:
    """The slot with its gate seed, with which clearing begins.

    Refused as long as a seed member may still reveal.
    """
    gate = get_gate(context, area, start)
    states = seed_states(context, area, start, gate)
    withheld = [state.member for state in states if state.seed is None]
    now_s = market_time_s(context, area)
    if withheld and now_s < gate.deadline_s:
        raise SEEDS_AWAITED(
            slot=start, count=len(withheld), first=withheld[0], deadline_s=gate.deadline_s
        )
    return msgspec.structs.replace(slot, seed=gate_seed(states), withheld=withheld)


def drawn_seed(slot: Slot) -> str:
    """The gate seed of a slot whose clearing has begun."""
    if slot.seed is None:
        raise Broken("a slot is cleared before its seed was drawn")
    return slot.seed


def seed_states(context: Context, area: str, slot: int, gate: Gate) -> list[SeedState]:
    """What each seed member of a slot has revealed, in order of their names."""
    part = slot_part(slot)
    rows = REVEALED.get_many(context, [(area, part, member) for member in gate.seeds])
    return [
        SeedState(member, None if row is None else row.seed)
        for member, row in zip(gate.seeds, rows, strict=True)
    ]


def gate_seed(states: Sequence[SeedState]) -> str:
    """SHA-256 over each seed member's name, preceded by its length, and its 32 bytes."""
    digest = sha256()
    for state in sorted(states, key=lambda one: one.member):
        name = state.member.encode()
        digest.update(len(name).to_bytes(4, "big") + name)
        digest.update(NOTHING if state.seed is None else bytes.fromhex(state.seed))
    return digest.hexdigest()


def _require_order(context: Context, area: str, slot: int, *, before: int) -> None:
    """Refuse while the caller may still reveal for the slot before.

    That slot is enough: deadlines never fall from slot to slot, and it was held to this itself.
    """
    member, part = context.caller.member, slot_part(before)
    gate = GATES.get(context, area, part)
    if gate is None or member not in gate.seeds:
        return
    if market_time_s(context, area) >= gate.deadline_s:
        return
    if REVEALED.get(context, area, part, member) is None:
        raise SEED_OUT_OF_ORDER(slot=slot, due=before, deadline_s=gate.deadline_s)
