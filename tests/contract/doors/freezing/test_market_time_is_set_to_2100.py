"""Door 20: a clock in the year 2100, or rules dated 1970, make gates due by the million."""

from __future__ import annotations

import msgspec

from chaincode.area.clock import ClockArguments
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.zones import AreaArguments, AreaName
from chaincode.queries.market import AreaAnswer
from chaincode.slots.draw import SeedChainArguments
from tests.contract.stage.cast import AREA, SLOT, SLOT_S, seeds
from tests.contract.stage.ladders import refused
from tests.contract.stage.market import Market

YEAR_2100_S = 4_102_444_800
MONTH_S = 31 * 86_400


def set_clock(market: Market, market_s: int, *, area: str = AREA, rate: int = 1) -> str:
    """Anchor an area's clock at this second; the code of the refusal."""
    clock = ClockArguments(area, market.clock.now_s, market_s, rate)
    return refused(lambda: market.submit("set_clock", clock, admin=True))


def test_clock_of_a_market_does_not_jump_to_the_year_2100(market: Market) -> None:
    last_s = market.gate_s() + MONTH_S

    assert set_clock(market, YEAR_2100_S) == "CLOCK_AHEAD"
    assert set_clock(market, last_s + 1) == "CLOCK_AHEAD"
    assert set_clock(market, last_s) == ""
    assert set_clock(market, last_s + SLOT_S) == "CLOCK_AHEAD"


def test_clock_that_began_in_the_past_is_no_jump_to_the_year_2100(market: Market) -> None:
    clock = ClockArguments(AREA, 0, market.clock.now_s, 90)

    code = refused(lambda: market.submit("set_clock", clock, admin=True))

    assert code == "CLOCK_AHEAD"


def test_rules_are_not_dated_to_1970(market: Market) -> None:
    market.submit("register_area", AreaArguments("new", "new-root", 5), admin=True)
    market.submit("post_seed_chain", SeedChainArguments("new", SLOT_S, seeds(b"new")[0]))
    rules = msgspec.structs.replace(market.rules.market, opens_s=3_600)

    def set_rules(from_slot: int) -> str:
        arguments = RulesArguments("new", from_slot, rules)
        return refused(lambda: market.submit("set_market_rules", arguments, admin=True))

    assert set_rules(SLOT_S) == "TERMS_FROZEN"
    assert set_rules(market.clock.now_s + rules.opens_s) == "TERMS_FROZEN"
    assert set_rules(SLOT) == ""


def test_rule_4_5_a_real_area_has_real_time_and_no_clock(market: Market) -> None:
    market.submit("register_area", AreaArguments("real", "real-root", 5), admin=True)

    assert set_clock(market, market.clock.now_s, area="real") == "CLOCK_REAL"
    answer = market.ask("describe_area", AreaName("real"), AreaAnswer)
    assert (answer.area.demonstration, answer.clock, answer.market_s) == (
        False,
        None,
        market.clock.now_s,
    )
    shown = market.ask("describe_area", AreaName(AREA), AreaAnswer)
    assert shown.area.demonstration
