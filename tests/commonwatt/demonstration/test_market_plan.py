"""The one plan that all parts of a demonstration read."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from commonwatt.demonstration.cast import HOMES_EMPTY, SLOT_S, market_rules
from commonwatt.demonstration.market_plan import PlanUnreadable, make_plan, read_plan

NIGHT_S = 1_797_735_721  # 2026-12-20 04:02:01 in Berlin


def test_real_time_begins_with_the_next_slot_whose_gate_is_ahead() -> None:
    first_slot = make_plan(2, 1, NIGHT_S).first_slot(NIGHT_S)

    gate_s = market_rules(first_slot).gate_s(first_slot)
    assert first_slot % SLOT_S == 0
    assert NIGHT_S < gate_s <= NIGHT_S + 2 * SLOT_S


def test_accelerated_time_begins_in_the_morning_of_the_same_day() -> None:
    plan = make_plan(2, 90, NIGHT_S)

    ten_in_berlin = 1_797_757_200
    assert plan.clock.market_anchor_s == plan.counts_from == ten_in_berlin
    assert plan.first_slot(NIGHT_S) == ten_in_berlin + 2 * SLOT_S


def test_empty_homes_have_meters_and_nobody_in_the_cast() -> None:
    plan = make_plan(3, 90, NIGHT_S, empty=HOMES_EMPTY)

    empty = [home.meter for home in plan.empty_homes()]
    listed = [source.meter for source in plan.sources("meters", 15_020)]
    assert len(empty) == HOMES_EMPTY
    assert listed == [*(home.meter for home in plan.cast().homes), *empty]
    assert len(set(listed)) == len(listed)


def test_plan_of_a_file_is_the_plan_that_was_written(tmp_path: Path) -> None:
    plan = make_plan(3, 90, NIGHT_S)
    file = tmp_path / "plan.json"
    file.write_bytes(msgspec.json.encode(plan))

    assert read_plan(file) == plan


@pytest.mark.parametrize("text", [None, "", "{}", '{"seed": "x"}'])
def test_file_without_a_plan_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "plan.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")

    with pytest.raises(PlanUnreadable, match=str(file)):
        read_plan(file)
