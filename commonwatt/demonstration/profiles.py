"""Households of a demonstration: the import and export of each one, slot by slot.

The profiles are one week of SimBench (see `data/simbench/README.md`): columns of fractions of a
peak, which are means over the quarter hour from the stamp, in local time of Berlin. The week
repeats. The row of a slot follows from its weekday and local time, so a local day has 92, 96 or 100
slots, as in the calendar.

All numbers are integers: fractions in millionths, power in W, energy in Wh rounded down per source.
Weather, seasons and holidays other than those of that week are left out, and households do not
react to prices.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources
from io import StringIO
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

SLOT_S = 900
SLOTS_PER_DAY = 96
SLOTS_PER_WEEK = 7 * SLOTS_PER_DAY
MILLION = 1_000_000
SECONDS_PER_HOUR = 3600

_BERLIN = ZoneInfo("Europe/Berlin")  # time zones of the system, else of the package tzdata
_STAMP = "%d.%m.%Y %H:%M"
_WEEK_FILE = "data/simbench/simbench-week-2016-06-13.csv"

# How many of a hundred draws take each column: mostly homes, a few shops and farms.
_LOAD_COLUMNS: Mapping[str, int] = {
    "H0-A_pload": 22,
    "H0-B_pload": 22,
    "H0-C_pload": 22,
    "H0-G_pload": 22,
    "G0-A_pload": 7,
    "L0-A_pload": 5,
}
_PV_COLUMNS = ("PV1", "PV3", "PV5", "PV8")
_WITH_PV_PERCENT = 60
_LOAD_PEAK_MIN_W, _LOAD_PEAK_MAX_W = 2_000, 8_000
_PV_PEAK_MIN_W, _PV_PEAK_MAX_W = 3_000, 10_000
_PEAK_STEP_W = 100
_DRAWN_SPACE = 2**64


class Week(NamedTuple):
    """A week of quarter hours from Monday 00:00; each column has 672 millionths of its peak."""

    columns: Mapping[str, tuple[int, ...]]

    def millionths(self, column: str, slot_s: int) -> int:
        """Return the value of `column` in the slot that starts at `slot_s` (seconds UTC).

        Raises `KeyError` for an unknown column, `ValueError` for a time at which no slot starts.
        """
        return self.columns[column][row_of(slot_s)]


class Household(msgspec.Struct, frozen=True, kw_only=True):
    """A connection point: one load, with or without photovoltaics on the roof."""

    load_column: str
    load_peak_w: int
    pv_column: str | None = None
    pv_peak_w: int = 0


class SlotEnergy(NamedTuple):
    """The import and export of a household in one slot; at least one of them is 0."""

    import_wh: int
    export_wh: int


def row_of(slot_s: int) -> int:
    """Return the row (0 is Monday 00:00) of the slot that starts at `slot_s` (seconds UTC).

    Raises `ValueError` for a time at which no slot starts.
    """
    if slot_s % SLOT_S:
        raise ValueError(
            f"{slot_s} is not the start of a slot: a slot starts at a multiple of {SLOT_S} s"
        )
    local = datetime.fromtimestamp(slot_s, UTC).astimezone(_BERLIN)
    return local.weekday() * SLOTS_PER_DAY + (local.hour * 60 + local.minute) // 15


@cache
def simbench_week() -> Week:
    """Return the week that is part of the package."""
    file = resources.files("commonwatt").joinpath(_WEEK_FILE)
    return parse_week(file.read_text(encoding="utf-8"))


def parse_week(text: str) -> Week:
    """Read a week from CSV: a column `time`, then fractions of a peak, cut to six decimals.

    Raises `ValueError`, which names the line, unless there is one row per quarter hour from a
    Monday 00:00 on and every value is a fraction from 0 to 1.
    """
    lines = list(csv.reader(StringIO(text)))
    if not lines or lines[0][:1] != ["time"] or len(set(lines[0])) != len(lines[0]):
        raise ValueError("line 1: expected the column time, then columns of different names")
    names = lines[0][1:]
    rows = [_row(line, cells, width=len(names)) for line, cells in enumerate(lines[1:], start=2)]
    _check_stamps([stamp for stamp, _ in rows])
    values = zip(*(row for _, row in rows), strict=True)
    return Week(columns=dict(zip(names, values, strict=True)))


def _row(line: int, cells: Sequence[str], *, width: int) -> tuple[datetime, tuple[int, ...]]:
    if len(cells) != width + 1:
        raise ValueError(f"line {line}: {len(cells)} cells, expected {width + 1}")
    try:
        # The stamps are local times without a zone.
        stamp = datetime.strptime(cells[0], _STAMP)  # noqa: DTZ007 wall clock by definition
    except ValueError as error:
        raise ValueError(f"line {line}: {cells[0]!r} is not a date and time") from error
    return stamp, tuple(_millionths(line, cell) for cell in cells[1:])


def _millionths(line: int, cell: str) -> int:
    try:
        value = int(Decimal(cell) * MILLION)  # further decimals are cut off
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise ValueError(f"line {line}: {cell!r} is not a number") from error
    if not 0 <= value <= MILLION:
        raise ValueError(f"line {line}: {cell!r} is not a fraction from 0 to 1")
    return value


def _check_stamps(stamps: Sequence[datetime]) -> None:
    if len(stamps) != SLOTS_PER_WEEK:
        raise ValueError(f"{len(stamps)} rows, expected {SLOTS_PER_WEEK}")
    first = stamps[0]
    if (first.weekday(), first.hour, first.minute) != (0, 0, 0):
        raise ValueError(f"line 2: {first} is not a Monday 00:00")
    for index, stamp in enumerate(stamps):
        if stamp != first + index * timedelta(seconds=SLOT_S):
            raise ValueError(f"line {index + 2}: {stamp} is out of step")


def household_energy(week: Week, household: Household, slot_s: int) -> SlotEnergy:
    """Return the energy of `household` in the slot that starts at `slot_s` (seconds UTC), in Wh.

    Load and photovoltaics are each rounded down to whole Wh, then netted behind the meter: the
    difference is either import or export.
    """
    load_wh = _energy_wh(household.load_peak_w, week.millionths(household.load_column, slot_s))
    pv_wh = 0
    if household.pv_column is not None:
        pv_wh = _energy_wh(household.pv_peak_w, week.millionths(household.pv_column, slot_s))
    return SlotEnergy(import_wh=max(load_wh - pv_wh, 0), export_wh=max(pv_wh - load_wh, 0))


def _energy_wh(peak_w: int, millionths: int) -> int:
    return peak_w * millionths * SLOT_S // (SECONDS_PER_HOUR * MILLION)


def draw_households(seed: int, count: int) -> list[Household]:
    """Draw `count` households from `seed`; a longer list begins with the same households.

    Each draw is SHA-256 over seed, position and name of the draw, not a number from `random`. So
    the result is the same on every Python and machine, and a new draw does not change others.
    """
    return [_draw_household(seed, index) for index in range(count)]


def _draw_household(seed: int, index: int) -> Household:
    load_column = _draw_column(_drawn(seed, index, "load column", 100))
    load_peak_w = _draw_peak_w(seed, index, "load peak", _LOAD_PEAK_MIN_W, _LOAD_PEAK_MAX_W)
    if _drawn(seed, index, "pv", 100) >= _WITH_PV_PERCENT:
        return Household(load_column=load_column, load_peak_w=load_peak_w)
    return Household(
        load_column=load_column,
        load_peak_w=load_peak_w,
        pv_column=_PV_COLUMNS[_drawn(seed, index, "pv column", len(_PV_COLUMNS))],
        pv_peak_w=_draw_peak_w(seed, index, "pv peak", _PV_PEAK_MIN_W, _PV_PEAK_MAX_W),
    )


def _draw_column(percent: int) -> str:
    for column, share in _LOAD_COLUMNS.items():
        if percent < share:
            return column
        percent -= share
    raise AssertionError("the shares of the load columns sum to 100")


def _draw_peak_w(seed: int, index: int, name: str, peak_min_w: int, peak_max_w: int) -> int:
    steps = (peak_max_w - peak_min_w) // _PEAK_STEP_W + 1
    return peak_min_w + _PEAK_STEP_W * _drawn(seed, index, name, steps)


def _drawn(seed: int, index: int, name: str, size: int) -> int:
    """Return a number from 0 to size - 1; scaling 64 bits has a bias of at most size / 2^64."""
    digest = hashlib.sha256(f"commonwatt household/{seed}/{index}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * size // _DRAWN_SPACE
