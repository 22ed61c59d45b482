"""When a new market begins, and what its folder remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from commonwatt.demonstration.cast import SLOT_S, market_rules
from commonwatt.demonstration.market_plan import (
    HOUSEHOLDS_DEFAULT,
    UpRefused,
    choose_plan,
    read_plan,
)

NIGHT_S = 1_797_735_721  # 2026-12-20 04:02:01 in Berlin


def test_real_time_begins_with_the_next_slot_whose_gate_is_ahead(tmp_path: Path) -> None:
    plan = choose_plan(tmp_path, None, 1, NIGHT_S)

    gate_s = market_rules(plan.first_slot).gate_s(plan.first_slot)
    assert plan.first_slot % SLOT_S == 0
    assert NIGHT_S < gate_s <= NIGHT_S + 2 * SLOT_S


def test_demonstration_begins_in_the_morning_of_the_same_day(tmp_path: Path) -> None:
    plan = choose_plan(tmp_path, None, 90, NIGHT_S)

    ten_in_berlin = 1_797_757_200
    assert plan.first_slot == ten_in_berlin + 2 * SLOT_S


def test_folder_remembers_its_market_whatever_is_asked_later(tmp_path: Path) -> None:
    plan = choose_plan(tmp_path, None, 90, NIGHT_S)

    assert plan.households == HOUSEHOLDS_DEFAULT
    assert choose_plan(tmp_path, None, 1, NIGHT_S + 86_400) == plan == read_plan(tmp_path)
    with pytest.raises(UpRefused, match="has 24 households, not 5"):
        choose_plan(tmp_path, 5, 90, NIGHT_S)


def test_damaged_plan_is_named_and_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "market.json"
    path.write_text('{"seed": "x"}', encoding="utf-8")

    with pytest.raises(UpRefused, match="is damaged"):
        choose_plan(tmp_path, None, 90, NIGHT_S)

    assert path.read_text(encoding="utf-8") == '{"seed": "x"}'
