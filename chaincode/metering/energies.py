"""The energy of meters in a slot, from all that is measured when it is asked.

`registers` has the definition; this module finds the readings that it needs. Most meters are
measured at both ends of the slot, which takes two keys; for the others the index of measured
boundaries finds the readings around the gap.
"""

from __future__ import annotations

from collections.abc import Sequence

from chaincode.context import Context
from chaincode.errors import READING_PURGED
from chaincode.metering.exchanges import MeterExchanges
from chaincode.metering.measured import MeasuredBoundaries
from chaincode.metering.readings import COLLECTION, Reading, readings_at
from chaincode.metering.registers import Measured, Registers, Weights, energy_between


class SlotEnergies:
    """Computes the energy of meters in one slot; each meter is read once per transaction."""

    def __init__(self, context: Context, *, slot: int, slot_s: int, weights: Weights) -> None:
        self._context = context
        self._slot = slot
        self._end = slot + slot_s
        self._slot_s = slot_s
        self._weights = weights
        self._exchanges = MeterExchanges(context)
        self._index = MeasuredBoundaries(context, COLLECTION, slot_s=slot_s)

    def of(self, meters: Sequence[str]) -> list[Registers | None]:
        """The energy of each of `meters`, in the order asked.

        None means that the slot is not closed by measured boundaries on both sides: its energy is
        an estimate until a later boundary is measured. Raises `READING_PURGED`.
        """
        self._exchanges.load(meters)
        places = [(boundary, meter) for boundary in (self._slot, self._end) for meter in meters]
        readings = readings_at(self._context, places)
        starts, ends = readings[: len(meters)], readings[len(meters) :]
        found = dict(zip(places, readings, strict=True))
        open_ended = [
            meter
            for meter, start, end in zip(meters, starts, ends, strict=True)
            if start is None or end is None
        ]
        around = self._read_around(open_ended, found)
        energies: list[Registers | None] = []
        for meter, start, end in zip(meters, starts, ends, strict=True):
            if start is None or end is None:
                energies.append(self._energy(meter, around[meter], found))
            elif self._exchanges.between(meter, self._slot, self._end):
                energies.append(self._energy(meter, (self._slot, self._end), found))
            else:  # most meters: the slot is all that lies between the two boundaries
                energies.append(end.registers.since(start.registers))
        return energies

    def _read_around(
        self, meters: Sequence[str], found: dict[tuple[int, str], Reading | None]
    ) -> dict[str, tuple[int | None, int | None]]:
        """The measured boundaries around the slot; reads the readings at them into `found`."""
        self._index.load(meters, first=self._slot, last=self._end)
        around = {
            meter: (
                self._index.last_until(meter, self._slot),
                self._index.next_from(meter, self._end),
            )
            for meter in meters
        }
        places = [
            (boundary, meter)
            for meter, (before, after) in around.items()
            if before is not None and after is not None
            for boundary in (before, after)
            if (boundary, meter) not in found
        ]
        found.update(zip(places, readings_at(self._context, places), strict=True))
        return around

    def _energy(
        self,
        meter: str,
        around: tuple[int | None, int | None],
        found: dict[tuple[int, str], Reading | None],
    ) -> Registers | None:
        before, after = around
        if before is None or after is None:
            return None
        ends: list[Measured] = []
        for boundary in (before, after):
            reading = found[boundary, meter]
            if reading is None:
                raise READING_PURGED(meter=meter, boundary=boundary)
            ends.append(Measured(boundary, reading.registers))
        return energy_between(
            self._slot,
            ends[0],
            ends[1],
            self._exchanges.between(meter, before, after),
            self._weights,
            slot_s=self._slot_s,
        )
