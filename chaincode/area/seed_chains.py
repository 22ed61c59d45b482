"""Chains of tie seeds: which members of an area take part in its draw, and with which chain.

A seed member posts the end of a chain of SHA-256 pre-images and reveals one link for each slot
after the gate (contract.md, part 5). `slots/draw.py` has the transactions. This module says who
holds a chain for a slot, because market rules need a chain of the area's DSO.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from chaincode.area.zones import Area
from chaincode.context import Context
from chaincode.errors import SEED_MEMBERS_TOO_MANY
from chaincode.state import SLOT_PART_MAX, DatedTable, Hex32, Name, Row, Table

SEED_MEMBERS_MAX = 32  # members in one draw: closing a gate reads a row of each


class SeedChain(Row, frozen=True):
    """A version of a member's chain; an `anchor` of None ends the member's part in the draw.

    `tip` is the last link revealed, or the anchor. `revealed_slot` is the slot that it was
    revealed for, 0 before the first.
    """

    anchor: Hex32 | None
    tip: Hex32 | None
    revealed_slot: int = 0


class SeedMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member with a chain, and the slot from which its part has ended; None while it lasts."""

    member: Name
    until_slot: int | None


class SeedMembers(Row, frozen=True):
    """The members whose chains a gate to come may need, in order of their names."""

    members: Annotated[list[SeedMember], msgspec.Meta(max_length=SEED_MEMBERS_MAX)]


SEED_CHAINS = DatedTable(71, "seed chains", SeedChain, ("area", "member", "from_slot"))
SEED_MEMBERS = Table(72, "seed members", SeedMembers, ("area",))


def chain_at(context: Context, area: str, member: str, slot: int) -> SeedChain | None:
    """A member's chain for a slot; None where the member has no part in the draw."""
    chain = SEED_CHAINS.at(context, area, member, slot=slot)
    return None if chain is None or chain.anchor is None else chain


def seed_members(context: Context, area: str, slot: int) -> list[str]:
    """The members with a chain for a slot, in order of their names."""
    row = SEED_MEMBERS.get(context, area)
    return [
        one.member
        for one in ([] if row is None else row.members)
        if (one.until_slot is None or slot < one.until_slot)
        and chain_at(context, area, one.member, slot) is not None
    ]


def note_member(context: Context, area: Area, member: str, *, closed_slot: int) -> None:
    """Write the list of seed members after a chain of `member` was posted.

    Members whose part ended with a closed slot make room. One place is kept for the area's DSO.
    """
    row = SEED_MEMBERS.get(context, area.area)
    others = [
        one
        for one in ([] if row is None else row.members)
        if one.member != member and (one.until_slot is None or one.until_slot > closed_slot)
    ]
    if member != area.dso and _count_without(others, area.dso) >= SEED_MEMBERS_MAX - 1:
        raise SEED_MEMBERS_TOO_MANY(area=area.area, limit=SEED_MEMBERS_MAX)
    newest = SEED_CHAINS.version_at(context, area.area, member, slot=SLOT_PART_MAX)
    ended = newest is not None and newest[1].anchor is None
    own = SeedMember(member, newest[0] if newest is not None and ended else None)
    members = sorted([*others, own], key=lambda one: one.member)
    SEED_MEMBERS.put(context, SeedMembers(members=members), area.area)


def _count_without(members: Sequence[SeedMember], name: str) -> int:
    return sum(1 for one in members if one.member != name)
