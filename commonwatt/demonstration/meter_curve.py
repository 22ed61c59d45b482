"""Registers of simulated households at any moment: the energies of the SimBench week, added up.

At the boundaries of slots the registers are whole Wh, the same as in
`commonwatt.demonstration.simulated_reports`; within a slot they rise evenly. Before the first slot
all registers are 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from commonwatt.demonstration.profiles import (
    SLOT_S,
    SLOTS_PER_WEEK,
    Household,
    SlotEnergy,
    Week,
    row_of,
)
from commonwatt.demonstration.profiles import household_energy as energy_in
from meter_oracle.simulated.device import SimulatedMeter

NS_PER_SLOT = SLOT_S * 1_000_000_000
SLOTS_MAX = 100 * 366 * 96  # a century; a clock beyond that is wrong


class HouseholdCurve:
    """The registers of `homes`, counted from `first_slot` (seconds UTC) on."""

    def __init__(self, homes: Mapping[str, Household], week: Week, first_slot: int) -> None:
        row_of(first_slot)  # raises for a time at which no slot starts
        self._homes = dict(homes)
        self._week = week
        self._first_slot = first_slot
        self._rows: list[int] = []
        self._by_row: dict[str, list[SlotEnergy]] = {}
        self._sums: dict[str, list[tuple[int, int]]] = {name: [(0, 0)] for name in homes}

    def registers(self, meter: str, market_ns: int) -> tuple[int, int]:
        """Return import and export at `market_ns`, in Wh; raise `KeyError` for an unknown meter."""
        since_ns = market_ns - self._first_slot * 1_000_000_000
        if since_ns <= 0:
            return (0, 0)
        slot, into_ns = divmod(since_ns, NS_PER_SLOT)
        if slot >= SLOTS_MAX:
            raise ValueError(f"{market_ns} is a century after the first slot")
        sums = self._summed(meter, slot + 1)
        import_wh, export_wh = sums[slot]
        import_to_wh, export_to_wh = sums[slot + 1]
        return (
            import_wh + (import_to_wh - import_wh) * into_ns // NS_PER_SLOT,
            export_wh + (export_to_wh - export_wh) * into_ns // NS_PER_SLOT,
        )

    def _summed(self, meter: str, slots: int) -> list[tuple[int, int]]:
        """Return the registers at each boundary, up to at least `slots` slots after the first."""
        sums = self._sums[meter]
        if len(sums) <= slots:
            week = self._week_of(meter)
            import_wh, export_wh = sums[-1]
            for number in range(len(sums) - 1, slots):
                energy = week[self._row(number)]
                import_wh += energy.import_wh
                export_wh += energy.export_wh
                sums.append((import_wh, export_wh))
        return sums

    def _row(self, number: int) -> int:
        while len(self._rows) <= number:
            self._rows.append(row_of(self._first_slot + len(self._rows) * SLOT_S))
        return self._rows[number]

    def _week_of(self, meter: str) -> list[SlotEnergy]:
        if meter not in self._by_row:
            home = self._homes[meter]
            monday_s = self._monday_s()
            self._by_row[meter] = [
                energy_in(self._week, home, monday_s + row * SLOT_S)
                for row in range(SLOTS_PER_WEEK)
            ]
        return self._by_row[meter]

    @staticmethod
    def _monday_s() -> int:
        """Return a Monday 00:00 in Berlin, in a week without a change of the clocks."""
        return 1_780_869_600  # 2026-06-08


def simulated_meter(meter: str, household: Household) -> SimulatedMeter:
    """Return the device of a household: an inverter if it has a roof, else a meter."""
    return SimulatedMeter(meter=meter, serial=f"CW-{meter}"[:32], inverter_w=household.pv_peak_w)
