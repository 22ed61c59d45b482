"""Door 20: a slip of an administrator lets millions of gates be due, in their order."""

from __future__ import annotations

import pytest

from chaincode.area.clock import RATE_MAX, ClockArguments
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.zones import AreaArguments, AreaName
from chaincode.clearing.empty_slots import EmptyGatesArguments
from chaincode.errors import Refused
from chaincode.orders.clock_changes import JUMP_S_MAX
from chaincode.orders.sheets import TokensArguments
from chaincode.queries.market import AreaAnswer, SlotView
from chaincode.slots.draw import SeedChainArguments
from chaincode.slots.gate import SlotAnswer, SlotArguments
from ledger_network.port import Conflict
from tests.contract.stage.cast import AREA, DSO, ORACLE, R1, SLOT, SLOT_S, START_S, Call
from tests.contract.stage.ladders import refused
from tests.contract.stage.market import Market, Opener
from tests.contract.stage.tokens import order_of

NEXT = SLOT + SLOT_S
YEAR_2100 = 4_102_444_800
OLD = "old"  # an area whose clock once ran too fast


def close_empty(market: Market, until_slot: int, *, area: str = AREA) -> SlotAnswer:
    """Close all empty slots up to one, by any member."""
    arguments = EmptyGatesArguments(area, until_slot)
    return market.submit("close_empty_gates", arguments, ORACLE).read(SlotAnswer)


def slots(market: Market, area: str, *names: int) -> list[str]:
    """The phases of some slots."""
    return [
        market.ask("describe_slot", SlotArguments(area, slot), SlotView).phase for slot in names
    ]


def two_sheets(market: Market, slot: int) -> list[str]:
    """An order of S and one of B that match."""
    return [
        market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)], slot=slot)]),
        market.tokens.sheet("B", [order_of("b", "buy", [(100_000, 500)], slot=slot)]),
    ]


def test_door_20_clock_that_runs_too_fast_for_five_hours_leaves_two_million_gates_due(
    market: Market,
) -> None:
    area = AreaArguments(OLD, f"{OLD}-root", 5, demonstration=True)
    market.submit("register_area", area, admin=True)
    market.submit("set_clock", ClockArguments(OLD, START_S, START_S, 1), admin=True)
    market.submit("post_seed_chain", SeedChainArguments(OLD, SLOT_S, market.seeds[0]))

    def set_rules(from_slot: int) -> str:
        rules = RulesArguments(OLD, from_slot, market.rules.market)
        return refused(lambda: market.submit("set_market_rules", rules, admin=True))

    assert set_rules(SLOT_S) == "TERMS_FROZEN"  # dated 1970
    assert set_rules(SLOT) == ""
    fast = ClockArguments(OLD, START_S, START_S, RATE_MAX)
    market.submit("set_clock", fast, admin=True)
    market.clock.now_s = START_S + 5 * 3_600
    last = START_S + 5 * 3_600 * RATE_MAX
    assert (last - SLOT) // SLOT_S > 1_900_000

    assert close_empty(market, last, area=OLD).phase == "CLEARED"

    assert slots(market, OLD, SLOT, last, last + SLOT_S) == ["CLEARED", "CLEARED", "OPEN"]
    lane = market.ask("describe_area", AreaName(OLD), AreaAnswer).lane
    assert lane.closed_slot == last
    slow = ClockArguments(OLD, market.clock.now_s, last, 1)
    market.submit("set_clock", slow, admin=True)
    market.clock.now_s += SLOT_S
    market.submit("close_gate", SlotArguments(OLD, last + SLOT_S), R1)


def test_door_20_clock_set_a_month_ahead_stops_no_trade(market: Market) -> None:
    """The year 2100 is refused; the farthest jump still makes three thousand gates due."""
    market.traders("S", "B")
    assert market.codes(two_sheets(market, SLOT)) == ["PLACED", "PLACED"]
    last = SLOT + JUMP_S_MAX

    def set_clock(market_s: int) -> str:
        clock = ClockArguments(AREA, market.clock.now_s, market_s, 1)
        return refused(lambda: market.submit("set_clock", clock, admin=True))

    assert set_clock(YEAR_2100) == "CLOCK_AHEAD"
    assert set_clock(market.gate_s(last)) == ""
    future = last + SLOT_S

    with pytest.raises(Refused, match=f"GATE_NOT_EMPTY.*{SLOT}"):
        close_empty(market, last)
    market.submit("close_gate", SlotArguments(AREA, SLOT))
    with pytest.raises(Refused, match="SLOT_PHASE"):
        close_empty(market, last)  # what closed before has to be cleared first
    market.clear(SLOT)
    close_empty(market, last)
    assert market.codes(two_sheets(market, future)) == ["PLACED", "PLACED"]
    market.clock.now_s += SLOT_S
    market.submit("close_gate", SlotArguments(AREA, future))
    market.clock.now_s += market.rules.market.seed_deadline_s
    market.clear(future)

    assert market.traded(SLOT) == ["B/b S/s 500 100000"]
    assert market.traded(future) == ["B/b S/s 500 100000"]


def test_rule_4_6_empty_slots_close_together_and_settle_one_by_one(market: Market) -> None:
    market.traders("B")
    last = NEXT + 6 * SLOT_S
    market.pass_until(last)
    blocks = market.run(market.ledger.health()).height

    close_empty(market, last)

    assert market.run(market.ledger.health()).height == blocks + 1
    assert slots(market, AREA, SLOT, NEXT, last) == ["CLEARED"] * 3
    market.report("meter import export\nB 100 0", SLOT)
    market.settle(SLOT)
    settlement = market.slot(SLOT).settlement
    assert settlement is not None
    assert settlement.residual_wh == 100
    assert slots(market, AREA, SLOT, NEXT) == ["SETTLED", "CLEARED"]
    for call in ("close_gate", "clear_slot"):
        with pytest.raises(Refused, match="SLOT_PHASE"):
            market.submit(call, SlotArguments(AREA, NEXT), R1)


def test_rule_4_6_a_slot_with_a_cancelled_order_is_no_empty_slot(market: Market) -> None:
    market.trader("S")
    market.place("who id side price wh\nS s sell 100000 500", slot=NEXT)
    market.cancel("S", "s", slot=NEXT)
    market.pass_until(NEXT + SLOT_S)

    with pytest.raises(Refused, match=f"GATE_NOT_EMPTY.*{NEXT}"):
        close_empty(market, NEXT)
    close_empty(market, SLOT)
    market.clear(NEXT)

    assert slots(market, AREA, SLOT, NEXT) == ["CLEARED", "CLEARED"]


def test_rule_4_6_a_gate_that_has_not_come_is_no_part_of_it(market: Market) -> None:
    market.pass_until(market.gate_s(NEXT) - 1)

    with pytest.raises(Refused, match=f"GATE_NOT_DUE.*{NEXT}"):
        close_empty(market, NEXT)
    close_empty(market, SLOT)

    assert slots(market, AREA, SLOT, NEXT) == ["CLEARED", "OPEN"]


def test_rule_4_6_an_order_in_flight_meets_the_closing_of_empty_slots(
    open_market: Opener,
) -> None:
    market = open_market()
    market.trader("S")
    batch = TokensArguments([market.tokens.sheet("S", [order_of("s", "sell", [(1, 1)])])])
    order = Call("place_orders", batch, R1, market.gate_s() - 1)
    empty = Call("close_empty_gates", EmptyGatesArguments(AREA, SLOT), DSO, market.gate_s())

    with pytest.raises(Conflict):
        market.run(market.ledger.overtake(market.clock, order, empty))

    market.clock.now_s = market.gate_s() - 1
    assert market.codes(batch.tokens) == ["GATE_CLOSED"]


def test_rule_4_6_the_closing_of_empty_slots_in_flight_meets_an_order(open_market: Opener) -> None:
    market = open_market()
    market.trader("S")
    batch = TokensArguments([market.tokens.sheet("S", [order_of("s", "sell", [(1, 1)])])])
    order = Call("place_orders", batch, R1, market.gate_s() - 1)
    empty = Call("close_empty_gates", EmptyGatesArguments(AREA, SLOT), DSO, market.gate_s())

    with pytest.raises(Conflict):
        market.run(market.ledger.overtake(market.clock, empty, order))

    assert market.slot().phase == "OPEN"
