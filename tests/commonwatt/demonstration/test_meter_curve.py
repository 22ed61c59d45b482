"""The curve of simulated meters against the slots that it is made of."""

from __future__ import annotations

from itertools import pairwise

from commonwatt.demonstration.meter_curve import NS_PER_SLOT, HouseholdCurve
from commonwatt.demonstration.profiles import (
    SLOT_S,
    draw_households,
    household_energy,
    simbench_week,
)

SECOND_NS = 1_000_000_000
BEFORE_AUTUMN = 1_792_800_000 // SLOT_S * SLOT_S  # 2026-10-24, a day before the clocks go back


def test_boundaries_are_the_sums_of_slots_over_a_change_of_the_clocks() -> None:
    homes = {f"m{number}": home for number, home in enumerate(draw_households(3, 4))}
    week = simbench_week()
    curve = HouseholdCurve(homes, week, BEFORE_AUTUMN)

    for name, home in homes.items():
        import_wh = export_wh = 0
        for slot in range(300):
            start = BEFORE_AUTUMN + slot * SLOT_S
            assert curve.registers(name, start * SECOND_NS) == (import_wh, export_wh)
            energy = household_energy(week, home, start)
            import_wh += energy.import_wh
            export_wh += energy.export_wh


def test_registers_never_fall_within_slots_and_are_nothing_before_the_first() -> None:
    curve = HouseholdCurve({"m": draw_households(3, 1)[0]}, simbench_week(), BEFORE_AUTUMN)
    begin_ns = BEFORE_AUTUMN * SECOND_NS
    looks = [curve.registers("m", begin_ns + step * NS_PER_SLOT // 7) for step in range(700)]

    assert curve.registers("m", begin_ns - 1) == (0, 0)
    for before, after in pairwise(looks):
        assert before[0] <= after[0]
        assert before[1] <= after[1]
    assert looks[-1][0] > 0
