"""Interpolation to the boundary, what it is worth, and what looks wrong over many slots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_oracle.readings.boundary import Bracket, Look, at_boundary
from meter_oracle.readings.plausibility import FROZEN_SLOTS, History
from meter_oracle.schedule import NS_PER_S, submit_order

BOUNDARY = 900 * NS_PER_S


def look(second: float, import_wh: int, export_wh: int = 0) -> Look:
    return Look(int(second * NS_PER_S), 0, import_wh, export_wh, 1)


def test_the_register_is_interpolated_between_the_looks() -> None:
    at = at_boundary(look(890, 100), look(930, 120), BOUNDARY, import_w=3_600, export_w=3_600)

    assert at.import_wh == 105
    assert at.export_wh == 0


@given(
    early=st.integers(0, 100),
    late=st.integers(0, 100),
    steps=st.lists(st.integers(0, 1), min_size=200, max_size=200),
)
def test_the_true_register_is_never_further_off_than_said(
    early: int, late: int, steps: list[int]
) -> None:
    """A meter that takes 0 or 3,600 W each second, looked at any seconds before and after."""
    register = [sum(steps[:second]) for second in range(201)]
    before, after = look(900 - early, register[100 - early]), look(900 + late, register[100 + late])

    at = at_boundary(before, after, BOUNDARY, import_w=3_600, export_w=3_600)

    assert abs(at.import_wh - register[100]) <= at.import_off_wh
    assert register[100 - early] <= at.import_wh <= register[100 + late]


def test_a_late_look_is_worth_what_little_was_used() -> None:
    little = at_boundary(look(899, 100), look(2_000, 103), BOUNDARY, import_w=3_600, export_w=0)
    much = at_boundary(look(899, 100), look(2_000, 900), BOUNDARY, import_w=3_600, export_w=0)

    assert little.import_off_wh <= 1  # the second before the boundary can hold no more
    assert much.import_off_wh <= 1
    missed = at_boundary(look(0, 100), look(2_000, 900), BOUNDARY, import_w=3_600, export_w=0)
    assert missed.import_off_wh > 300


def test_looks_that_do_not_enclose_the_boundary_give_nothing() -> None:
    with pytest.raises(ValueError, match="enclose"):
        at_boundary(look(901, 1), look(902, 1), BOUNDARY, import_w=1, export_w=1)


def test_a_bracket_keeps_the_nearest_looks() -> None:
    bracket = Bracket(BOUNDARY)
    for second in (100, 880, 905, 990, 890, 1_000):
        bracket.add(look(second, second))

    assert bracket.is_closed
    assert bracket.before == look(890, 890)
    assert bracket.after == look(905, 905)


def test_a_meter_that_stands_still_after_it_has_counted_is_frozen() -> None:
    history = History()
    for _ in range(FROZEN_SLOTS):
        history.add(100, 0)
    for _ in range(FROZEN_SLOTS - 1):
        assert history.doubt(0, 0) is None
        history.add(0, 0)

    doubt = history.doubt(0, 0)

    assert doubt is not None
    assert doubt.code == "METER_FROZEN"
    assert not doubt.row.counts
    assert history.doubt(0, 1) is None


@pytest.mark.parametrize("day", [[], [(0, 300)] * 30, [(20, 0), (0, 0)] * 20])
def test_a_meter_that_rests_at_times_is_not_frozen(day: list[tuple[int, int]]) -> None:
    """One that has never counted, a generator at night, a pump that runs now and then."""
    history = History()
    for energies in day:
        history.add(*energies)
    for _ in range(3 * FROZEN_SLOTS):
        assert history.doubt(0, 0) is None
        history.add(0, 0)


def test_a_spike_within_the_certified_power_is_said_and_counts() -> None:
    history = History()
    for _ in range(10):
        history.add(100, 0)

    doubt = history.doubt(700, 0)

    assert doubt is not None
    assert doubt.code == "METER_SPIKE"
    assert doubt.row.counts
    assert history.doubt(600, 0) is None


def test_turns_go_round_with_slots_and_attempts() -> None:
    nodes = ["a", "b", "c", "d"]

    assert submit_order(nodes, 900 * 4, slot_s=900) == ["a", "b", "c", "d"]
    assert submit_order(nodes, 900 * 5, slot_s=900) == ["b", "c", "d", "a"]
    assert submit_order(nodes, 900 * 5, slot_s=900, attempt=1)[0] == "c"
    firsts = [submit_order(nodes, 900 * slot, slot_s=900)[0] for slot in range(8)]
    assert sorted(firsts) == sorted(nodes * 2)
