"""Every seed member has time to reveal, however wrong the clocks of others are (contract.md, 5.1)."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.area.rule_changes import RulesArguments
from chaincode.area.rules import (
    CLOCK_WINDOW_S,
    REVEAL_S,
    SEED_DEADLINE_S_MAX,
    SEED_DEADLINE_S_MIN,
    MarketRules,
)
from chaincode.area.zones import SLOT_S_ALLOWED
from chaincode.slots.draw import SeedArguments
from chaincode.slots.gate import SlotArguments
from ledger_network.fabric.consortium.definition import Limits
from tests.chaincode.town import AREA, DSO, RETAILERS, SLOT, SLOT_S, Town

SHORTEST = MarketRules(
    time_zone="UTC", offsets=[(0, 0)], opens_s=6_600, seed_deadline_s=SEED_DEADLINE_S_MIN
)


def test_the_bound_knows_the_time_window_of_a_network() -> None:
    assert Limits().time_window_s == CLOCK_WINDOW_S
    assert SEED_DEADLINE_S_MIN - 2 * CLOCK_WINDOW_S >= REVEAL_S > 0


def test_the_default_and_the_bound_fit_into_every_slot() -> None:
    default = MarketRules(time_zone="UTC", offsets=[(0, 0)]).seed_deadline_s

    assert SEED_DEADLINE_S_MIN <= default <= min(SLOT_S_ALLOWED)
    assert max(SLOT_S_ALLOWED) == SEED_DEADLINE_S_MAX


@pytest.mark.parametrize(
    ("seed_deadline_s", "code"),
    [
        (0, "ARGUMENTS_INVALID"),
        (60, "ARGUMENTS_INVALID"),
        (SEED_DEADLINE_S_MIN - 1, "ARGUMENTS_INVALID"),
        (SLOT_S + 1, "RULE_OUT_OF_BOUNDS"),
    ],
)
def test_a_deadline_that_leaves_no_time_or_more_than_a_slot_is_refused(
    seed_deadline_s: int, code: str
) -> None:
    town = Town(0, slots=1)
    rules = msgspec.structs.replace(SHORTEST, seed_deadline_s=seed_deadline_s)
    arguments = RulesArguments(AREA, town.unopened(), rules)

    assert town.refused("set_market_rules", arguments, DSO, admin=True) == code


@pytest.mark.parametrize("waited_s", [0, REVEAL_S - 1])
def test_rule_5_1_member_whose_clock_is_ahead_cannot_clear_before_others_had_time(
    waited_s: int,
) -> None:
    """The gate is closed by a clock that is a minute behind, and cleared by one that is a minute ahead.

    `waited_s` true seconds after the gate was closed the clearing is refused all the same, and the
    seed that is revealed then, by a right clock, counts.
    """
    town = Town(0, rules=SHORTEST, slots=2)
    true_s = SHORTEST.gate_s(SLOT) + CLOCK_WINDOW_S
    town.engine.now_s = true_s - CLOCK_WINDOW_S
    town.submit("close_gate", SlotArguments(AREA, SLOT), RETAILERS[0])
    true_s += waited_s

    town.engine.now_s = true_s + CLOCK_WINDOW_S
    code = town.refused("clear_slot", SlotArguments(AREA, SLOT), RETAILERS[1])
    assert code == "SEEDS_AWAITED"

    town.engine.now_s = true_s
    town.submit("reveal_seed", SeedArguments(AREA, SLOT, town.next_seed()), DSO)
    assert town.step("clear_slot", SLOT).phase == "CLEARED"
