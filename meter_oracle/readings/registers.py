"""Judges whether a meter's registers can be right; no other module judges what drivers read.

A register is a counter in Wh since the meter was made, and it never falls. If one does fall, the track
tells a rollover (the counter is full and begins again) from a step back (an outage, an exchange, a wrong
scale); only a rollover is believed. A register also never rises by more than the connection can carry. A
reading that is not believed is a fault and is not remembered.

What is visible only over many slots is in `plausibility.py`.
"""

from __future__ import annotations

from typing import NamedTuple

from meter_oracle.drivers.driver import RegisterRead
from meter_oracle.faults import MeterFault
from meter_oracle.readings.boundary import Look
from meter_oracle.readings.plausibility import Limits, most_plausible_wh

STRANGE_LOOKS = 3  # refused looks that follow from each other; the next look is a new beginning


class Believed(NamedTuple):
    """A look with rollovers added. Nothing may be vouched for across a new beginning."""

    look: Look
    is_new_beginning: bool


class _Counter(NamedTuple):
    """A register as it was last believed: its value, when it last moved, what its rollovers add."""

    value_wh: int
    moved_at_ns: int
    uncertainty_ns: int
    rolled_wh: int


class _Counters(NamedTuple):
    imported: _Counter
    exported: _Counter


class RegisterTrack:
    """The registers of one meter as they were last believed.

    `serial` is the number that the meter must report; if it is empty, the first reading sets it.
    `power_max_w` is what the connection can carry; it also stands in for the certified powers until
    `certify` sets them.

    Registers that stay where they fell or jumped to are a new beginning after `STRANGE_LOOKS` faults. A
    wrong serial number or scale is never a new beginning.
    """

    def __init__(self, *, power_max_w: int, serial: str = "") -> None:
        self.limits = Limits(power_max_w, power_max_w)
        self._power_max_w = power_max_w
        self._serial = serial
        self._counters: _Counters | None = None
        self._at_ns = 0
        self._scale = 0
        self._strange: _Counters | None = None
        self._strange_looks = 0

    def certify(self, import_w: int, export_w: int) -> None:
        """Set the powers that the meter is certified for."""
        self.limits = Limits(import_w, export_w)

    def believe(self, read: RegisterRead) -> Believed | None:
        """Return the reading if it can be right, or None if it is older than the last one believed.

        Raises `MeterFault` METER_SERIAL, METER_UNIT, METER_STEP_BACK or METER_JUMP.
        """
        if self._serial and read.serial != self._serial:
            found = read.serial or "without a serial number"
            raise MeterFault("METER_SERIAL", f"The meter is {found}, not {self._serial}.")
        if self._counters is not None and read.read_at_ns < self._at_ns:
            return None
        is_new_beginning = False
        try:
            counters = self._follow(self._counters, read)
        except MeterFault as fault:
            if fault.code == "METER_UNIT" or not self._is_new_beginning(read):
                raise
            counters, is_new_beginning = _begin(read), True
        self._counters, self._at_ns, self._scale = counters, read.read_at_ns, read.scale
        self._serial = self._serial or read.serial
        self._strange, self._strange_looks = None, 0
        look = Look(
            at_ns=read.read_at_ns,
            uncertainty_ns=read.uncertainty_ns,
            import_wh=counters.imported.value_wh,
            export_wh=counters.exported.value_wh,
            resolution_wh=read.resolution_wh,
        )
        return Believed(look, is_new_beginning)

    def _is_new_beginning(self, read: RegisterRead) -> bool:
        """Return whether enough looks were refused before this one and all follow from each other."""
        try:
            self._strange = self._follow(self._strange, read)
            self._strange_looks += 1
        except MeterFault:  # this look contradicts the strange ones: counting starts again with it
            self._strange, self._strange_looks = _begin(read), 1
        return self._strange_looks > STRANGE_LOOKS

    def _follow(self, before: _Counters | None, read: RegisterRead) -> _Counters:
        """Return both counters after `read`; raises `MeterFault` if they cannot have moved like that."""
        if before is None:
            return _begin(read)
        limits = self.limits
        return _Counters(
            self._advance("import", before.imported, read.import_wh, read, limits.import_w),
            self._advance("export", before.exported, read.export_wh, read, limits.export_w),
        )

    def _advance(
        self, name: str, before: _Counter, raw_wh: int, read: RegisterRead, certified_w: int
    ) -> _Counter:
        rolled_wh = before.rolled_wh
        rise_wh = rolled_wh + raw_wh - before.value_wh
        span_ns = read.read_at_ns - before.moved_at_ns + before.uncertainty_ns + read.uncertainty_ns
        power_w = min(certified_w, self._power_max_w)
        rise_max_wh = most_plausible_wh(power_w, span_ns, read.resolution_wh)
        if rise_wh < 0 and read.rolls_at_wh and rise_wh + read.rolls_at_wh <= rise_max_wh:
            rolled_wh += read.rolls_at_wh
            rise_wh += read.rolls_at_wh
        if not 0 <= rise_wh <= rise_max_wh:
            moved = f"Its {name} register went from {before.value_wh} to {rolled_wh + raw_wh} Wh"
            if self._scale != read.scale:
                raise MeterFault(
                    "METER_UNIT",
                    f"{moved} as its scale changed from {self._scale} to {read.scale}.",
                )
            if rise_wh < 0:
                raise MeterFault("METER_STEP_BACK", f"{moved}, and this is no rollover.")
            raise MeterFault(
                "METER_JUMP", f"{moved}; {power_w} W make at most {rise_max_wh} Wh in that time."
            )
        if rise_wh == 0:
            return before
        return _Counter(before.value_wh + rise_wh, read.read_at_ns, read.uncertainty_ns, rolled_wh)


def _begin(read: RegisterRead) -> _Counters:
    at = read.read_at_ns, read.uncertainty_ns, 0
    return _Counters(_Counter(read.import_wh, *at), _Counter(read.export_wh, *at))
