"""What a node finds in a meter's registers before it vouches for them.

The rules of validation that registers alone can decide: a counter that runs back is told apart
(rolled over, or stepped back after an outage or an exchange), energy has to fit the certified
power, a meter that stands still after it has run is suspect, and so is a peak far above the
recent ones. Sums with other meters (feeder balance) and estimates are not a node's to make.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, NamedTuple

from meter_oracle.readings.boundary import Look, most_wh

PLAUSIBLE_PPM = 50_000  # the contract's own default: what the certified power may be exceeded by
PPM = 1_000_000
RECENT_SLOTS = 96  # a day of quarter hours
FROZEN_SLOTS = 8  # two hours without a Wh either way, after two in which it took something
SPIKE_FACTOR = 6  # above the recent peak; within the certified power it is only said
SPIKE_MIN_WH = 500  # below this a kettle is a spike

Code = Literal[
    "METER_SERIAL",
    "METER_STEPPED_BACK",
    "METER_IMPLAUSIBLE",
    "METER_FROZEN",
    "METER_SPIKE",
]


class Doubt(NamedTuple):
    """What is wrong with a meter's registers; `is_fatal`: nobody may vouch for them."""

    code: Code
    sentence: str
    is_fatal: bool


class Limits(NamedTuple):
    """What a meter is certified for, and where its counter starts again (0: nowhere)."""

    import_w: int
    export_w: int
    rollover_wh: int = 0


def allowed_wh(power_w: int, span_ns: int, resolution_wh: int) -> int:
    """The most that a register may move in a span: certified energy, tolerance and one step."""
    return -(-most_wh(power_w, span_ns) * (PPM + PLAUSIBLE_PPM) // PPM) + resolution_wh


def unrolled(raw_wh: int, earlier_wh: int, *, rollover_wh: int) -> int:
    """The count behind a register that starts again at `rollover_wh`: not below `earlier_wh`.

    A register one turn behind has rolled over. Whether the energy that this gives is plausible is
    checked like any other: a step back in the middle of the range gives nearly a whole turn.
    """
    if rollover_wh == 0 or raw_wh >= earlier_wh:
        return raw_wh
    turns = -(-(earlier_wh - raw_wh) // rollover_wh)
    return raw_wh + turns * rollover_wh


def unroll(look: Look, earlier: Look | None, limits: Limits) -> Look:
    """A look with both counters unrolled, where that gives a plausible energy."""
    if earlier is None or limits.rollover_wh == 0:
        return look
    span_ns = look.at_ns - earlier.at_ns + look.uncertainty_ns + earlier.uncertainty_ns
    counts: list[int] = []
    for raw_wh, earlier_wh, power_w in (
        (look.import_wh, earlier.import_wh, limits.import_w),
        (look.export_wh, earlier.export_wh, limits.export_w),
    ):
        count_wh = unrolled(raw_wh, earlier_wh, rollover_wh=limits.rollover_wh)
        is_plausible = count_wh - earlier_wh <= allowed_wh(power_w, span_ns, look.resolution_wh)
        counts.append(count_wh if is_plausible else raw_wh)
    return look._replace(import_wh=counts[0], export_wh=counts[1])


def doubt_between(earlier: Look, later: Look, limits: Limits) -> Doubt | None:
    """What is wrong between two looks in order, both unrolled."""
    span_ns = later.at_ns - earlier.at_ns + later.uncertainty_ns + earlier.uncertainty_ns
    for name, from_wh, to_wh, power_w in (
        ("import", earlier.import_wh, later.import_wh, limits.import_w),
        ("export", earlier.export_wh, later.export_wh, limits.export_w),
    ):
        if to_wh < from_wh:
            return Doubt(
                "METER_STEPPED_BACK",
                f"Its {name} register went back from {from_wh} to {to_wh} Wh: after an outage or "
                "an exchange somebody has to look at it.",
                is_fatal=True,
            )
        most = allowed_wh(power_w, span_ns, later.resolution_wh)
        if to_wh - from_wh > most:
            return Doubt(
                "METER_IMPLAUSIBLE",
                f"Its {name} register moved by {to_wh - from_wh} Wh where its certified power "
                f"allows {most} Wh.",
                is_fatal=True,
            )
    return None


class History:
    """A meter's energies of recent slots, Wh, for what only shows over time."""

    def __init__(self) -> None:
        self._energies: deque[tuple[int, int]] = deque(maxlen=RECENT_SLOTS)

    def add(self, import_wh: int, export_wh: int) -> None:
        """A slot is over."""
        self._energies.append((import_wh, export_wh))

    def doubt(self, import_wh: int, export_wh: int) -> Doubt | None:
        """What is odd about one more slot with these energies."""
        still = 1 + self._still_slots() if import_wh == export_wh == 0 else 0
        if still >= FROZEN_SLOTS and self._never_rests(still - 1):
            return Doubt(
                "METER_FROZEN",
                f"Neither register has moved for {still} slots, and before one moved in every "
                "slot: it may be frozen.",
                is_fatal=True,
            )
        for name, energy_wh, place in (("import", import_wh, 0), ("export", export_wh, 1)):
            peak_wh = max((energies[place] for energies in self._energies), default=0)
            if peak_wh and energy_wh > max(SPIKE_MIN_WH, SPIKE_FACTOR * peak_wh):
                return Doubt(
                    "METER_SPIKE",
                    f"Its {name} of {energy_wh} Wh is more than {SPIKE_FACTOR} times the peak of "
                    f"{peak_wh} Wh of its recent slots; the certified power allows it.",
                    is_fatal=False,
                )
        return None

    def _never_rests(self, still: int) -> bool:
        """Whether something moved in every slot before the last `still`, as a base load does.

        A generator stands still each night and imports nothing by day: it is not frozen.
        """
        before = list(self._energies)[: len(self._energies) - still]
        imports = sum(import_wh > 0 for import_wh, _ in before)
        return imports >= FROZEN_SLOTS and (0, 0) not in before

    def _still_slots(self) -> int:
        """How many of the last slots brought nothing either way."""
        count = 0
        for energies in reversed(self._energies):
            if energies != (0, 0):
                return count
            count += 1
        return count
