"""The household profiles: the calendar of Berlin, the week as published, the draw from a seed."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.demonstration.profiles import (
    MILLION,
    SLOT_S,
    SLOTS_PER_WEEK,
    Household,
    draw_households,
    household_energy,
    parse_week,
    row_of,
    simbench_week,
)

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 6, 15, tzinfo=BERLIN)
MONDAY_S = int(MONDAY.timestamp())


def slots_of(day: date) -> range:
    """The starts (seconds UTC) of the slots of a local day."""
    start = datetime.combine(day, time(), BERLIN)
    end = datetime.combine(day + timedelta(days=1), time(), BERLIN)
    return range(int(start.timestamp()), int(end.timestamp()), SLOT_S)


def week_text(*, rows: int = SLOTS_PER_WEEK, value: str = "0.5", start: str = "13.06.2016") -> str:
    first = datetime.strptime(start, "%d.%m.%Y")  # noqa: DTZ007 wall clock, as in the file
    stamps = (first + timedelta(minutes=15 * row) for row in range(rows))
    return "time,A\n" + "".join(f"{stamp:%d.%m.%Y %H:%M},{value}\n" for stamp in stamps)


def test_week_begins_at_local_midnight_of_monday() -> None:
    assert row_of(MONDAY_S) == 0
    assert row_of(MONDAY_S - SLOT_S) == SLOTS_PER_WEEK - 1
    assert row_of(int(datetime(2016, 6, 12, 22, tzinfo=UTC).timestamp())) == 0


def test_values_are_those_of_the_file() -> None:
    week = simbench_week()

    # Line 3 of the file: 13.06.2016 00:15, H0-A 0.071629, G0-A 0.208175.
    assert week.millionths("H0-A_pload", MONDAY_S + SLOT_S) == 71_629
    assert week.millionths("G0-A_pload", MONDAY_S + SLOT_S) == 208_175
    assert week.millionths("PV1", MONDAY_S) == 0


def test_decimals_beyond_the_sixth_are_cut_off() -> None:
    week = parse_week(week_text(value="0.123456789"))

    assert week.millionths("A", MONDAY_S) == 123_456


def test_week_repeats() -> None:
    week = simbench_week()

    for slot_s in range(MONDAY_S, MONDAY_S + 7 * 86_400, SLOT_S):
        assert week.millionths("PV5", slot_s) == week.millionths("PV5", slot_s + 7 * 86_400)


def test_day_when_summer_time_begins_has_92_slots_and_leaves_out_an_hour() -> None:
    slots = slots_of(date(2026, 3, 29))
    sunday = 6 * 96

    assert len(slots) == 92
    assert [row_of(slot_s) - sunday for slot_s in slots] == [*range(8), *range(12, 96)]


def test_day_when_summer_time_ends_has_100_slots_and_repeats_an_hour() -> None:
    slots = slots_of(date(2026, 10, 25))
    sunday = 6 * 96

    assert len(slots) == 100
    assert [row_of(slot_s) - sunday for slot_s in slots] == [*range(12), *range(8, 96)]


def test_ordinary_day_has_96_slots_in_order() -> None:
    assert [row_of(slot_s) for slot_s in slots_of(date(2026, 6, 15))] == list(range(96))


@pytest.mark.parametrize("offset_s", [1, 899, 450])
def test_time_that_starts_no_slot_is_refused(offset_s: int) -> None:
    with pytest.raises(ValueError, match="is no slot"):
        row_of(MONDAY_S + offset_s)


def test_energy_is_netted_into_one_register() -> None:
    week = parse_week(week_text(value="0.5"))

    def energy(load_peak_w: int, pv_peak_w: int) -> tuple[int, int]:
        home = Household(
            load_column="A", load_peak_w=load_peak_w, pv_column="A", pv_peak_w=pv_peak_w
        )
        return household_energy(week, home, MONDAY_S)

    # Half of 4,000 W over a quarter of an hour is 500 Wh.
    assert energy(4_000, 0) == (500, 0)
    assert energy(4_000, 3_000) == (125, 0)
    assert energy(4_000, 4_000) == (0, 0)
    assert energy(4_000, 10_000) == (0, 750)
    assert energy(0, 15) == (0, 1)  # 1.875 Wh, rounded down


def test_household_without_photovoltaics_never_exports() -> None:
    week = simbench_week()
    home = Household(load_column="H0-A_pload", load_peak_w=5_000)

    assert all(
        household_energy(week, home, slot_s).export_wh == 0
        for slot_s in slots_of(date(2026, 6, 15))
    )


@given(
    load_peak_w=st.integers(0, 20_000),
    pv_peak_w=st.integers(0, 20_000),
    slot=st.integers(0, 2 * SLOTS_PER_WEEK),
)
def test_registers_differ_from_the_exact_net_by_less_than_one_wh(
    load_peak_w: int, pv_peak_w: int, slot: int
) -> None:
    week, slot_s = simbench_week(), MONDAY_S + slot * SLOT_S
    home = Household(
        load_column="H0-B_pload", load_peak_w=load_peak_w, pv_column="PV3", pv_peak_w=pv_peak_w
    )
    load = load_peak_w * Fraction(week.millionths("H0-B_pload", slot_s), 4 * MILLION)
    pv = pv_peak_w * Fraction(week.millionths("PV3", slot_s), 4 * MILLION)

    import_wh, export_wh = household_energy(week, home, slot_s)

    assert min(import_wh, export_wh) == 0
    assert abs((import_wh - export_wh) - (load - pv)) < 1


def test_energy_of_the_week_is_the_sum_of_its_slots_rounded_down() -> None:
    """The sum over a week stays within one Wh per slot below peak x sum of the column."""
    week = simbench_week()
    home = Household(load_column="G0-A_pload", load_peak_w=4_000)
    slots = range(MONDAY_S, MONDAY_S + 7 * 86_400, SLOT_S)

    total_wh = sum(household_energy(week, home, slot_s).import_wh for slot_s in slots)

    # 4,000 W x 1/4 h is 1,000 Wh per unit of the column.
    exact_wh = Fraction(sum(week.columns["G0-A_pload"]), 1_000)
    assert exact_wh - SLOTS_PER_WEEK < total_wh <= exact_wh


def test_same_seed_draws_the_same_households_under_any_hash_seed() -> None:
    script = (
        "import msgspec; from commonwatt.demonstration.profiles import draw_households;"
        "print(msgspec.json.encode(draw_households(7, 30)).decode())"
    )

    def drawn_under(hash_seed: str) -> str:
        environment = dict(
            os.environ, PYTHONHASHSEED=hash_seed, PYTHONPATH=os.pathsep.join(sys.path)
        )
        command = [sys.executable, "-c", script]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert drawn_under("1") == drawn_under("2")


def test_draw_is_the_one_that_was_published() -> None:
    """A change here changes every seeded simulation, so it is a change that users see."""
    assert draw_households(1, 3) == [
        Household(load_column="H0-G_pload", load_peak_w=5_600, pv_column="PV5", pv_peak_w=9_700),
        Household(load_column="G0-A_pload", load_peak_w=7_100, pv_column="PV1", pv_peak_w=9_900),
        Household(load_column="H0-G_pload", load_peak_w=4_100),
    ]


def test_longer_draw_begins_with_the_shorter_and_another_seed_differs() -> None:
    assert draw_households(7, 50)[:20] == draw_households(7, 20)
    assert draw_households(7, 20) != draw_households(8, 20)
    assert draw_households(7, 0) == []


def test_drawn_households_are_of_the_kinds_and_sizes_promised() -> None:
    homes = draw_households(42, 2_000)
    week = simbench_week()
    with_pv = [home for home in homes if home.pv_column is not None]
    h0 = [home for home in homes if home.load_column.startswith("H0")]

    assert all(2_000 <= home.load_peak_w <= 8_000 for home in homes)
    assert all(3_000 <= home.pv_peak_w <= 10_000 for home in with_pv)
    assert all(home.pv_peak_w == 0 for home in homes if home.pv_column is None)
    assert 1_100 <= len(with_pv) <= 1_300
    assert 1_680 <= len(h0) <= 1_840
    used = {home.load_column for home in homes} | {home.pv_column or "PV1" for home in homes}
    assert used == set(week.columns)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1"),
        ("stamp,A\n", "line 1"),
        ("time,A,A\n", "line 1"),
        (week_text(rows=671), "671 rows"),
        (week_text(start="14.06.2016"), "no Monday"),
        (week_text(value="1.1"), "line 2.*no fraction"),
        (week_text(value="-0.1"), "line 2.*no fraction"),
        (week_text(value="NaN"), "line 2.*no number"),
        (week_text(value="Infinity"), "line 2.*no number"),
        (week_text(value="half"), "line 2.*no number"),
        (week_text(value="0.1,0.2"), "line 2: 3 cells"),
        (week_text().replace("13.06.2016 00:15", "13.06.2016 00:16"), "line 3.*out of step"),
        (week_text().replace("13.06.2016 00:15", "yesterday"), "line 3.*no stamp"),
    ],
)
def test_unlawful_week_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_week(text)
