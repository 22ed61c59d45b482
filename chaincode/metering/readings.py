"""Stored readings: leaves by meter, slot and version in the collection `readings`.

A version is written once and never changed. Before a slot has settled a meter has at most a first
version; a reading that arrives later (see `reports`) is the next version. Private values are read
by exact key, so the newest version is found by asking for the versions one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from chaincode.context import Context
from chaincode.state import Count, Hex32, Id, slot_part

COLLECTION = "readings"
READING_VERSIONS_MAX = 5  # a report also reads both neighbouring slots and stays below READS_MAX
SLOTS_AT_ONCE = 8

Quality = Literal["measured", "estimated", "substituted", "edited"]


class Leaf(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One meter's registers at both ends of the slot, Wh; the salt hides them in the root."""

    export_from_wh: Count
    export_to_wh: Count
    import_from_wh: Count
    import_to_wh: Count
    meter: Id
    quality: Quality
    resolution_wh: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    salt: Hex32

    @property
    def import_wh(self) -> int:
        """The Wh that the meter imported in this slot."""
        return self.import_to_wh - self.import_from_wh

    @property
    def export_wh(self) -> int:
        """The Wh that the meter exported in this slot."""
        return self.export_to_wh - self.export_from_wh


class Reading(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A stored reading: the leaf, the root that contains it, and the source of the reading."""

    leaf: Leaf
    rank: Literal["oracle"]
    root: Hex32
    v: int = 1


class VersionedReading(msgspec.Struct, frozen=True, gc=False):
    """A stored reading and its version, counted from 1."""

    version: int
    reading: Reading


_reading = msgspec.json.Decoder(Reading)


def reading_key(slot: int, meter: str, *, version: int = 1) -> str:
    """The key of a version of a reading in its collection."""
    return f"{slot_part(slot)}/{meter}/{version}"


def first_readings(
    context: Context, slot: int, meters: Sequence[str]
) -> list[VersionedReading | None]:
    """The first readings of `meters` in the order asked; None where no reading was reported."""
    keys = [reading_key(slot, meter) for meter in meters]
    values = context.private(COLLECTION).get_many(keys)
    return [
        None if value is None else VersionedReading(1, _reading.decode(value)) for value in values
    ]


def newest_readings(
    context: Context, slot: int, meters: Sequence[str]
) -> list[VersionedReading | None]:
    """The newest readings of `meters` in the order asked; None where no reading was reported."""
    return [
        VersionedReading(len(versions), _reading.decode(versions[-1])) if versions else None
        for versions in stored_versions(context, slot, meters)
    ]


def stored_versions(context: Context, slot: int, meters: Sequence[str]) -> list[list[bytes]]:
    """All stored versions of the readings of `meters`, oldest first."""
    collection = context.private(COLLECTION)
    found: list[list[bytes]] = [[] for _ in meters]
    asked = list(range(len(meters)))
    for version in range(1, READING_VERSIONS_MAX + 1):
        keys = [reading_key(slot, meters[place], version=version) for place in asked]
        held = list(zip(asked, collection.get_many(keys), strict=True))
        for place, value in held:
            if value is not None:
                found[place].append(value)
        asked = [place for place, value in held if value is not None]
        if not asked:
            break
    return found


def last_slots_read(
    context: Context, slots: Sequence[int], meters: Sequence[str]
) -> dict[str, int]:
    """The first of `slots` in which each of `meters` has a reading.

    A meter without a reading in any of the slots is left out. The function asks for a few slots at
    a time, because most meters without a reading now were read in one of the slots just before.
    """
    collection = context.private(COLLECTION)
    found: dict[str, int] = {}
    for start in range(0, len(slots), SLOTS_AT_ONCE):
        places = [
            (meter, slot)
            for meter in meters
            if meter not in found
            for slot in slots[start : start + SLOTS_AT_ONCE]
        ]
        if not places:
            break
        keys = [reading_key(slot, meter) for meter, slot in places]
        for (meter, slot), value in zip(places, collection.get_many(keys), strict=True):
            if value is not None:
                found.setdefault(meter, slot)
    return found
