"""Which boundaries of a meter are measured: an index beside the readings, in their collection.

Private values are read by exact key, so a run that meets a gap could not find the measured
boundaries around it. For each meter one value holds the days with a measured boundary, and for
each of these days one value holds the boundaries. Finding the last or the next measured boundary
takes at most five keys, however long the gap is. The index also tells a reading that was purged
from one that never came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import msgspec

from chaincode.context import Context
from chaincode.state import Count
from chaincode.units import SECONDS_PER_DAY, day_of, slot_of_day
from identity.canonical import encode

DAYS_KEPT = 402  # the longest final deadline, and the days at its two ends

Bits = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{1,128}\Z")]


class MeasuredDays(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The days on which a meter was measured: bit i stands for the day `newest` - i."""

    newest: Count
    days: Bits
    v: int = 1


class MeasuredDay(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The measured boundaries of a day: bit i stands for the start of its i-th slot."""

    boundaries: Bits
    v: int = 1


_days = msgspec.json.Decoder(MeasuredDays)
_day = msgspec.json.Decoder(MeasuredDay)


class MeasuredBoundaries:
    """The measured boundaries of some meters around a time, read once and written once."""

    def __init__(self, context: Context, collection: str, *, slot_s: int) -> None:
        self._collection = context.private(collection)
        self._slot_s = slot_s
        self._newest: dict[str, int] = {}
        self._days: dict[str, int] = {}
        self._boundaries: dict[tuple[str, int], int] = {}
        self._changed: dict[tuple[str, int], None] = {}

    def load(self, meters: Sequence[str], *, first: int, last: int) -> None:
        """Read what `last_until(first)` and `next_from(last)` need for `meters`."""
        missing = [meter for meter in meters if meter not in self._newest]
        values = self._collection.get_many([days_key(meter) for meter in missing])
        for meter, value in zip(missing, values, strict=True):
            row = MeasuredDays(0, "0") if value is None else _days.decode(value)
            self._newest[meter], self._days[meter] = row.newest, int(row.days, 16)
        wanted = [
            (meter, day)
            for meter in meters
            for day in dict.fromkeys(self._days_around(meter, first, last))
            if (meter, day) not in self._boundaries
        ]
        values = self._collection.get_many([day_key(meter, day) for meter, day in wanted])
        for place, value in zip(wanted, values, strict=True):
            self._boundaries[place] = 0 if value is None else int(_day.decode(value).boundaries, 16)

    def is_measured(self, meter: str, boundary: int) -> bool:
        """Whether the meter has a reading at `boundary`."""
        day = day_of(boundary)
        return bool(self._boundaries.get((meter, day), 0) & self._bit(boundary))

    def last_until(self, meter: str, boundary: int) -> int | None:
        """The last measured boundary at or before `boundary`; None if there is no such boundary."""
        day = day_of(boundary)
        at_most = 2 * self._bit(boundary) - 1
        bits = self._boundaries.get((meter, day), 0) & at_most
        if not bits:
            earlier = self._day_before(meter, day)
            if earlier is None:
                return None
            day, bits = earlier, self._boundaries[meter, earlier]
        return day * SECONDS_PER_DAY + (bits.bit_length() - 1) * self._slot_s

    def next_from(self, meter: str, boundary: int) -> int | None:
        """The first measured boundary at or after `boundary`; None if there is no such boundary."""
        day = day_of(boundary)
        bits = self._boundaries.get((meter, day), 0) & -self._bit(boundary)
        if not bits:
            later = self._day_after(meter, day)
            if later is None:
                return None
            day, bits = later, self._boundaries[meter, later]
        return day * SECONDS_PER_DAY + ((bits & -bits).bit_length() - 1) * self._slot_s

    def add(self, meter: str, boundary: int) -> None:
        """Note that the meter has a reading at `boundary`; the meter was loaded around it."""
        day, newest = day_of(boundary), self._newest[meter]
        place = (meter, day)
        self._boundaries[place] = self._boundaries.get(place, 0) | self._bit(boundary)
        self._changed[place] = None
        days = self._days[meter]
        if days and day <= newest:
            days |= 1 << (newest - day)
        else:
            days = (days << (day - newest) if days else 0) | 1
            self._newest[meter] = day
        self._days[meter] = days & ((1 << DAYS_KEPT) - 1)

    def write(self) -> None:
        """Write the days and boundaries that were added."""
        for meter, day in sorted(self._changed):
            bits = self._boundaries[meter, day]
            self._collection.put(day_key(meter, day), encode(MeasuredDay(f"{bits:x}")))
        for meter in sorted({meter for meter, _ in self._changed}):
            row = encode(MeasuredDays(self._newest[meter], f"{self._days[meter]:x}"))
            if self._collection.get(days_key(meter)) != row:
                self._collection.put(days_key(meter), row)

    def _bit(self, boundary: int) -> int:
        return 1 << slot_of_day(boundary, self._slot_s)

    def _days_around(self, meter: str, first: int, last: int) -> Iterator[int]:
        first_day, last_day = day_of(first), day_of(last)
        found: Iterable[int | None] = (
            self._day_before(meter, first_day),
            first_day,
            last_day,
            self._day_after(meter, last_day),
        )
        yield from (day for day in found if day is not None and self._has_day(meter, day))

    def _has_day(self, meter: str, day: int) -> bool:
        back = self._newest[meter] - day
        return back >= 0 and bool(self._days[meter] >> back & 1)

    def _day_before(self, meter: str, day: int) -> int | None:
        """The last measured day before `day`."""
        newest = self._newest[meter]
        older = self._days[meter] >> max(0, newest - day + 1)
        if not older:
            return None
        lowest = (older & -older).bit_length() - 1
        return newest - max(0, newest - day + 1) - lowest

    def _day_after(self, meter: str, day: int) -> int | None:
        """The first measured day after `day`."""
        newest = self._newest[meter]
        if day >= newest:
            return None
        newer = self._days[meter] & ((1 << (newest - day)) - 1)
        return newest - (newer.bit_length() - 1) if newer else None


def days_key(meter: str) -> str:
    """The key of the days on which a meter was measured."""
    return f"{meter}/measured"


def day_key(meter: str, day: int) -> str:
    """The key of the measured boundaries of a day, by its number since 1970."""
    return f"{meter}/{day:06d}"
