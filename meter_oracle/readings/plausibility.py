"""How much a register may move, and what looks wrong over many slots.

A meter that stands still although it never rested before is suspect, and so is a peak far above the
recent ones. Whether a single reading can follow the one before it is decided in `registers.py`. Sums
with other meters (feeder balance) and estimates are left to the contract.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from meter_oracle.faults import MeterFault
from meter_oracle.readings.boundary import most_wh

PLAUSIBLE_PPM = 50_000  # by which the certified power may be exceeded: the contract's default
PPM = 1_000_000
RECENT_SLOTS = 96  # a day of quarter hours
FROZEN_SLOTS = 8  # two hours without a Wh either way, after two in which it took something
SPIKE_FACTOR = 6  # above the recent peak; within the certified power the reading still counts
SPIKE_MIN_WH = 500  # a smaller peak may be a kettle


class Limits(NamedTuple):
    """The powers that a meter is certified for, W."""

    import_w: int
    export_w: int


def most_plausible_wh(power_w: int, span_ns: int, resolution_wh: int) -> int:
    """Return the most that a register may move in a span: certified energy, tolerance and one step."""
    return -(-most_wh(power_w, span_ns) * (PPM + PLAUSIBLE_PPM) // PPM) + resolution_wh


class History:
    """A meter's energies of recent slots, Wh, for what is visible only over time."""

    def __init__(self) -> None:
        self._energies: deque[tuple[int, int]] = deque(maxlen=RECENT_SLOTS)

    def add(self, import_wh: int, export_wh: int) -> None:
        """Add the energies of a slot that has ended."""
        self._energies.append((import_wh, export_wh))

    def doubt(self, import_wh: int, export_wh: int) -> MeterFault | None:
        """Return METER_FROZEN or METER_SPIKE if one more slot with these energies would look wrong."""
        still = 1 + self._still_slots() if import_wh == export_wh == 0 else 0
        if still >= FROZEN_SLOTS and self._never_rests(still - 1):
            return MeterFault(
                "METER_FROZEN",
                f"Neither register has moved for {still} slots, although one moved in every slot "
                "before: the meter may be frozen.",
            )
        for name, energy_wh, place in (("import", import_wh, 0), ("export", export_wh, 1)):
            peak_wh = max((energies[place] for energies in self._energies), default=0)
            if peak_wh and energy_wh > max(SPIKE_MIN_WH, SPIKE_FACTOR * peak_wh):
                return MeterFault(
                    "METER_SPIKE",
                    f"Its {name} of {energy_wh} Wh is more than {SPIKE_FACTOR} times the peak of "
                    f"{peak_wh} Wh in recent slots; the certified power allows it.",
                )
        return None

    def _never_rests(self, still: int) -> bool:
        """Return whether something moved in every slot before the last `still`, as a base load does.

        A generator stands still each night and imports nothing by day, so it is not frozen.
        """
        before = list(self._energies)[: len(self._energies) - still]
        imports = sum(import_wh > 0 for import_wh, _ in before)
        return imports >= FROZEN_SLOTS and (0, 0) not in before

    def _still_slots(self) -> int:
        """Count the last slots in which no register moved."""
        count = 0
        for energies in reversed(self._energies):
            if energies != (0, 0):
                return count
            count += 1
        return count
