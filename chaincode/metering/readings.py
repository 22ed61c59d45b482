"""Stored readings: a meter's registers at a slot boundary, in the collection `readings`.

Rules of the contract: "Registers, not differences", 1 and 2. A reading is stored once per (meter,
boundary) and rank. A reading of a higher rank takes the place of a lower one and keeps it inside,
so that nothing is overwritten. Oracle nodes sign measured registers only; estimates are the
contract's own and are never stored here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from chaincode.context import Context
from chaincode.errors import READING_PURGED, READING_REPEATED
from chaincode.metering.registers import Registers
from chaincode.state import Count, Hex32, Id, Second, slot_part

COLLECTION = "readings"
RESOLUTION_WH_MAX = 10_000

Rank = Literal["oracle", "dso"]
RANKS: tuple[Rank, ...] = ("oracle", "dso")
"""From low to high: agreed by the oracle nodes, validated by the DSO (rules of settlement)."""


class Leaf(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A meter's registers at a boundary, Wh; the salt hides them in the report's root."""

    boundary: Second
    export_wh: Count
    import_wh: Count
    meter: Id
    resolution_wh: Annotated[int, msgspec.Meta(ge=1, le=RESOLUTION_WH_MAX)]
    salt: Hex32
    generation_wh: Count | None = None

    @property
    def registers(self) -> Registers:
        """What the registers show."""
        return Registers(self.import_wh, self.export_wh, self.generation_wh)


class Ranked(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A leaf, the root of the report that contains it, and the rank of who vouches for it."""

    leaf: Leaf
    rank: Rank
    root: Hex32


class Reading(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A stored reading, and the readings of lower ranks whose place it took, the oldest first."""

    leaf: Leaf
    rank: Rank
    root: Hex32
    replaced: Annotated[list[Ranked], msgspec.Meta(max_length=len(RANKS) - 1)]
    v: int = 1

    @property
    def registers(self) -> Registers:
        """What the registers show."""
        return self.leaf.registers

    @property
    def roots(self) -> list[str]:
        """The roots of the reports that this reading and those it replaced came with."""
        return [one.root for one in (*self.replaced, self)]

    def of_rank(self, rank: Rank) -> Leaf | None:
        """The leaf that somebody of `rank` has vouched for."""
        for one in (*self.replaced, self):
            if one.rank == rank:
                return one.leaf
        return None


_reading = msgspec.json.Decoder(Reading)


def reading_key(boundary: int, meter: str) -> str:
    """The key of a reading in its collection."""
    return f"{slot_part(boundary)}/{meter}"


def readings_at(context: Context, places: Sequence[tuple[int, str]]) -> list[Reading | None]:
    """The readings at (boundary, meter) in the order asked; None where there is no reading.

    A reading that was purged is None too; the index of measured boundaries tells the two apart.
    """
    keys = [reading_key(boundary, meter) for boundary, meter in places]
    values = context.private(COLLECTION).get_many(keys)
    return [None if value is None else _reading.decode(value) for value in values]


def ranked(leaf: Leaf, *, rank: Rank, root: str, before: Reading | None) -> Reading:
    """The reading to store for a leaf; `before` is the reading of a lower rank at its place."""
    replaced: list[Ranked] = []
    if before is not None:
        replaced = [*before.replaced, Ranked(before.leaf, before.rank, before.root)]
    return Reading(leaf=leaf, rank=rank, root=root, replaced=replaced)


def is_same(one: Leaf, other: Leaf) -> bool:
    """Whether two leaves of a meter and boundary say the same; salts may differ."""
    return msgspec.structs.replace(one, salt=other.salt) == other


def is_new(leaf: Leaf, stored: Mapping[str, Reading | None], rank: Rank) -> bool:
    """Whether a leaf is to be stored: nothing of its rank or of a higher rank is stored yet.

    A leaf that contradicts the stored one of its rank is refused.
    """
    if leaf.meter not in stored:
        return True
    reading = stored[leaf.meter]
    if reading is None:
        raise READING_PURGED(meter=leaf.meter, boundary=leaf.boundary)
    earlier = reading.of_rank(rank)
    if earlier is not None:
        if is_same(leaf, earlier):
            return False
        raise READING_REPEATED(meter=leaf.meter, boundary=leaf.boundary)
    return RANKS.index(rank) > RANKS.index(reading.rank)
