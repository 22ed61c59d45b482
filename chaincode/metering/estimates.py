"""Estimates: the energy on which the contract settles a meter that has no reading.

If a meter has no reading when its slot settles after the report deadline, it is settled on what it
measured in the same slot one day before; else on the last earlier slot with a reading, at most a
day back; else on nothing. An estimate is limited to what the meter's certified power allows in a
slot. Every peer computes the same estimate. The estimate is stored before the first trade settles
and does not change until a reading of the slot replaces it (`correction`).

An estimate is public, as is all that a slot settled at a meter; the registers are private.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from chaincode.context import Context
from chaincode.metering.meters import METERS, meter_at
from chaincode.metering.readings import (
    READING_VERSIONS_MAX,
    VersionedReading,
    last_slots_read,
    newest_readings,
)
from chaincode.slots.runs import PAGE_ROWS
from chaincode.state import (
    Name,
    Row,
    Table,
    page_part,
    slot_part,
)
from chaincode.units import Power

DAY_S = 86_400
ABSENT_READS = 3 * READING_VERSIONS_MAX + 2  # rows for an estimate, besides the slots back


class Estimate(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The Wh estimated for a meter, and the slot whose reading they are from (None: no slot)."""

    meter: Name
    import_wh: int
    export_wh: int
    from_slot: int | None


class EstimatePage(Row, frozen=True):
    """Up to 500 estimates of a slot."""

    estimates: Annotated[list[Estimate], msgspec.Meta(max_length=PAGE_ROWS)]


ESTIMATES = Table(49, "estimate pages", EstimatePage, ("area", "slot", "page"))


class Estimates:
    """The estimates of a slot; they are read once, and the run adds to them in step READINGS."""

    def __init__(self, context: Context, area: str, slot: int, slot_s: int, *, pages: int) -> None:
        self._context = context
        self._area = area
        self._slot = slot
        self._slot_s = slot_s
        self.pages = pages
        self._new: list[Estimate] = []
        self._by_meter: dict[str, Estimate] = {}
        names = [self._names(page) for page in range(pages)]
        for page in ESTIMATES.get_many(context, names):
            if page is not None:
                self._by_meter.update((row.meter, row) for row in page.estimates)

    @property
    def slots_back(self) -> int:
        """The number of earlier slots in which a reading of a meter is looked for."""
        return len(self._slots_back())

    def get(self, meter: str) -> Estimate:
        """The estimate of a meter; zero if the slot was settled before estimates existed."""
        return self._by_meter.get(meter) or Estimate(meter, 0, 0, None)

    def add(self, meters: Sequence[str]) -> None:
        """Estimate what `meters` measured in the slot."""
        if not meters:
            return
        day_before = self._slot - DAY_S
        found = dict.fromkeys(meters, day_before)
        readings = dict(zip(meters, self._readings(day_before, meters), strict=True))
        silent = [meter for meter in meters if readings[meter] is None]
        last = last_slots_read(self._context, self._slots_back(), silent)
        for slot in sorted(set(last.values())):
            names = [meter for meter in silent if last.get(meter) == slot]
            found.update(dict.fromkeys(names, slot))
            readings.update(zip(names, self._readings(slot, names), strict=True))
        rows = METERS.get_many(self._context, [(meter,) for meter in meters])
        for meter, row in zip(meters, rows, strict=True):
            reading = readings[meter]
            if reading is None:
                estimate = Estimate(meter, 0, 0, None)
            else:
                version, leaf = (
                    meter_at(self._context, row, meter, self._slot),
                    reading.reading.leaf,
                )
                estimate = Estimate(
                    meter,
                    min(leaf.import_wh, Power(version.import_w).over(self._slot_s).wh),
                    min(leaf.export_wh, Power(version.export_w).over(self._slot_s).wh),
                    found[meter],
                )
            self._by_meter[meter] = estimate
            self._new.append(estimate)
        while len(self._new) >= PAGE_ROWS:
            self._put(self._new[:PAGE_ROWS])
            del self._new[:PAGE_ROWS]

    def write(self) -> None:
        """Write the remaining estimates, which do not fill a page."""
        if self._new:
            self._put(self._new)
            self._new = []

    def _put(self, estimates: list[Estimate]) -> None:
        ESTIMATES.put(self._context, EstimatePage(estimates=estimates), *self._names(self.pages))
        self.pages += 1

    def _readings(self, slot: int, meters: Sequence[str]) -> list[VersionedReading | None]:
        if slot < 0:
            return [None] * len(meters)
        return newest_readings(self._context, slot, meters)

    def _slots_back(self) -> range:
        """The slots before this one, newest first, back to the slot one day before."""
        first = max(0, self._slot - DAY_S + self._slot_s)
        return range(self._slot - self._slot_s, first - 1, -self._slot_s)

    def _names(self, page: int) -> tuple[str, str, str]:
        return self._area, slot_part(self._slot), page_part(page)
