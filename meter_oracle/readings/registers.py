"""What one look at a meter yields, how it fails, and whether a register may have moved like that.

A register is a counter in Wh since the meter was made; it never falls. Where one does, the track
tells a rollover (the counter is full and begins again) from a step back (an outage, an exchange, a
wrong scale): only a rollover is believed. A value that cannot be believed is a fault, never a
reading, and is not remembered either.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

NS_PER_S = 1_000_000_000
WS_PER_WH = 3600
POWER_MARGIN_PERCENT = 105  # fuses carry a little more than they say, and W are rounded
CLOCK_SLACK_S = 60  # two looks may lie this much further apart than the clock says
STRANGE_LOOKS = 3  # refused looks that follow from each other: the next is a new beginning

FaultCode = Literal[
    "METER_SILENT",
    "METER_LATE",
    "METER_EXCEPTION",
    "METER_GARBLED",
    "METER_VALUE",
    "METER_MISSING",
    "METER_UNIT",
    "METER_SERIAL",
    "METER_STEP_BACK",
    "METER_JUMP",
    "METER_CONTROL",
]
"""SILENT: no answer. LATE: an answer too late to be placed in time. EXCEPTION: the device refused.
GARBLED: no valid answer. VALUE: not a number, or all ones. MISSING: the device lacks a register.
UNIT: scale or unit is another. SERIAL: another meter. STEP_BACK: a register fell. JUMP: it rose by
more than the connection can carry. CONTROL: an instruction is impossible or was not taken."""


class MeterFault(Exception):
    """Why there is no reading: a code for machines and a sentence for people.

    All of them may be repeated later. `METER_SERIAL` and `METER_UNIT` last until the operator says
    what has happened to the meter.
    """

    def __init__(self, code: FaultCode, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code: FaultCode = code
        self.sentence = sentence


class RegisterRead(msgspec.Struct, frozen=True):
    """One look at a meter.

    Registers are in Wh and go on rising where the device's counter rolls over. `read_at_ns` lies in
    the middle of request and answer, in nanoseconds UTC of the reader's clock, and is off by at
    most `uncertainty_ns`. A register may be up to `resolution_wh` higher than it says.
    """

    meter: str
    serial: str
    import_wh: int
    export_wh: int
    read_at_ns: int
    resolution_wh: int
    uncertainty_ns: int


class Seen(NamedTuple):
    """What a device said, before it is believed.

    `rolls_at_wh` is what the counter holds before it begins again at 0, or 0 where that takes
    longer than a meter lives; `scale` is the power of ten that the device gave with the values.
    """

    import_wh: int
    export_wh: int
    resolution_wh: int
    rolls_at_wh: int
    scale: int


class _Counter(NamedTuple):
    """A register as it was last believed: its value, when it last moved, what its rollovers add."""

    value_wh: int
    moved_at_ns: int
    uncertainty_ns: int
    rolled_wh: int


class RegisterTrack:
    """The registers of one meter as they were last believed.

    `power_max_w` is what the connection can carry. `known` is a reading that was agreed before,
    for a reader that starts again: without it the first look is believed as it is.

    A register that stays where it fell or jumped to is a new beginning after `STRANGE_LOOKS` faults:
    looks agree from there on, and whoever takes the difference across it must not.
    """

    def __init__(self, *, power_max_w: int, known: RegisterRead | None = None) -> None:
        self._power_max_w = power_max_w
        self._counters: tuple[_Counter, _Counter] | None = None
        self._known = known
        self._scale: int | None = None
        self._strange: tuple[_Counter, _Counter] | None = None
        self._strange_looks = 0

    def accept(
        self, seen: Seen, *, meter: str, serial: str, read_at_ns: int, uncertainty_ns: int
    ) -> RegisterRead:
        """The reading, rollovers added, or `MeterFault` UNIT, STEP_BACK or JUMP."""
        when = (read_at_ns, uncertainty_ns)
        try:
            imported, exported = self._believe(
                self._counters or self._known_counters(seen), seen, when
            )
        except MeterFault as fault:
            if fault.code == "METER_UNIT" or not self._begins_anew(seen, when):
                raise
            imported, exported = self._begin(seen, when)
        self._counters, self._scale = (imported, exported), seen.scale
        self._strange, self._strange_looks = None, 0
        return RegisterRead(
            meter=meter,
            serial=serial,
            import_wh=imported.value_wh,
            export_wh=exported.value_wh,
            read_at_ns=read_at_ns,
            resolution_wh=seen.resolution_wh,
            uncertainty_ns=uncertainty_ns,
        )

    def _believe(
        self, before: tuple[_Counter, _Counter] | None, seen: Seen, when: tuple[int, int]
    ) -> tuple[_Counter, _Counter]:
        if before is None:
            return self._begin(seen, when)
        return (
            self._advance("import", before[0], seen.import_wh, seen, when),
            self._advance("export", before[1], seen.export_wh, seen, when),
        )

    @staticmethod
    def _begin(seen: Seen, when: tuple[int, int]) -> tuple[_Counter, _Counter]:
        return _Counter(seen.import_wh, *when, 0), _Counter(seen.export_wh, *when, 0)

    def _begins_anew(self, seen: Seen, when: tuple[int, int]) -> bool:
        """Whether enough looks were refused before this one, and all follow from each other."""
        try:
            self._strange = self._believe(self._strange, seen, when)
            self._strange_looks += 1
        except MeterFault:  # not even the strange looks agree: they begin again here
            self._strange, self._strange_looks = self._begin(seen, when), 1
        return self._strange_looks > STRANGE_LOOKS

    def _known_counters(self, seen: Seen) -> tuple[_Counter, _Counter] | None:
        known = self._known
        if known is None:
            return None
        rolls_at_wh = seen.rolls_at_wh
        imported, exported = (
            _Counter(
                value_wh,
                known.read_at_ns,
                known.uncertainty_ns,
                value_wh - value_wh % rolls_at_wh if rolls_at_wh else 0,
            )
            for value_wh in (known.import_wh, known.export_wh)
        )
        return imported, exported

    def _advance(
        self,
        name: str,
        before: _Counter,
        value_wh: int,
        seen: Seen,
        when: tuple[int, int],
    ) -> _Counter:
        read_at_ns, uncertainty_ns = when
        rolled_wh = before.rolled_wh
        rise_wh = rolled_wh + value_wh - before.value_wh
        elapsed_ns = read_at_ns - before.moved_at_ns + before.uncertainty_ns + uncertainty_ns
        rise_max_wh = self._energy_max_wh(elapsed_ns) + seen.resolution_wh
        if rise_wh < 0 and seen.rolls_at_wh and rise_wh + seen.rolls_at_wh <= rise_max_wh:
            rolled_wh += seen.rolls_at_wh
            rise_wh += seen.rolls_at_wh
        if not 0 <= rise_wh <= rise_max_wh:
            raise self._unbelieved(name, before, rolled_wh + value_wh, rise_max_wh, seen)
        if rise_wh == 0:
            return before
        return _Counter(before.value_wh + rise_wh, *when, rolled_wh)

    def _energy_max_wh(self, elapsed_ns: int) -> int:
        elapsed_s = max(0, elapsed_ns) // NS_PER_S + CLOCK_SLACK_S
        return self._power_max_w * elapsed_s * POWER_MARGIN_PERCENT // (100 * WS_PER_WH)

    def _unbelieved(
        self, name: str, before: _Counter, value_wh: int, rise_max_wh: int, seen: Seen
    ) -> MeterFault:
        moved = f"its {name} register went from {before.value_wh} to {value_wh} Wh"
        if self._scale is not None and seen.scale != self._scale:
            scales = f"from {self._scale} to {seen.scale}"
            return MeterFault("METER_UNIT", f"{moved} as its scale changed {scales}.")
        if value_wh < before.value_wh:
            return MeterFault("METER_STEP_BACK", f"{moved}, and that is no rollover.")
        return MeterFault(
            "METER_JUMP", f"{moved}; {self._power_max_w} W carry {rise_max_wh} Wh in that time."
        )
