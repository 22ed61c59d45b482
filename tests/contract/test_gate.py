"""The gate: orders in flight, gates in their order, clocks, dated changes."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.accounts.payments import PaymentArguments
from chaincode.area.clock import ClockArguments
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.rules import MarketRules
from chaincode.area.tariffs import ResidualArguments, ResidualPrices
from chaincode.area.zones import AreaName
from chaincode.errors import Refused
from chaincode.orders.handlers import TokensAnswer
from chaincode.orders.sheets import TokensArguments
from chaincode.queries.market import AreaAnswer
from chaincode.slots.gate import SlotArguments
from ledger_network.port import Conflict
from tests.contract.stage.cast import (
    AREA,
    DSO,
    MILLION,
    OPENS_S,
    R1,
    R2,
    SLOT,
    SLOT_S,
    START_S,
    WEST,
    Call,
    did_of,
    market_rules,
)
from tests.contract.stage.market import Market, Opener
from tests.contract.stage.tokens import order_of

NEXT = SLOT + SLOT_S


def test_order_in_flight_meets_closing_gate(open_market: Opener) -> None:
    market = open_market()
    market.trader("S")
    sheet = market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)])])
    batch = TokensArguments([sheet])
    gate_s = market.gate_s()
    order = Call("place_orders", batch, R1, gate_s - 1)
    gate = Call("close_gate", SlotArguments(AREA, SLOT), DSO, gate_s)

    with pytest.raises(Conflict):
        market.run(market.ledger.overtake(market.clock, order, gate))

    market.clock.now_s = gate_s - 1  # a client's clock may say so still; the gate is closed
    receipt = market.submit("place_orders", batch, R1)
    assert [a.code for a in receipt.read(TokensAnswer).answers] == ["GATE_CLOSED"]
    assert market.orders("S") == []


def test_orders_of_two_traders_in_flight_do_not_disturb_each_other(open_market: Opener) -> None:
    market = open_market()
    market.traders("S", "B")
    first = market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)])])
    second = market.tokens.sheet("B", [order_of("b", "buy", [(100_000, 500)])])

    market.run(
        market.ledger.overtake(
            market.clock,
            Call("place_orders", TokensArguments([first]), R1, SLOT - OPENS_S),
            Call("place_orders", TokensArguments([second]), R2, SLOT - OPENS_S),
        )
    )

    market.clear()
    assert market.traded() == ["B/b S/s 500 100000"]


def test_credit_in_flight_meets_the_closing_epoch(open_market: Opener) -> None:
    market = open_market()
    market.trader("B", deposit_nano=0)
    payment = PaymentArguments(AREA, did_of("B"), MILLION, "once")
    credit = Call("credit_client", payment, R1, START_S)
    gate = Call("close_gate", SlotArguments(AREA, SLOT), DSO, market.gate_s())

    with pytest.raises(Conflict):
        market.run(market.ledger.overtake(market.clock, credit, gate))

    market.credit("B", MILLION, reference="once")
    market.credit("B", MILLION, reference="once")
    assert market.account("B").worth_nano == MILLION


def test_order_at_the_gate_is_refused_before_anybody_has_closed_it(market: Market) -> None:
    market.trader("S")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        """)
    late = market.tokens.sheet("S", [order_of("t", "sell", [(100_000, 500)])])
    market.clock.now_s = market.gate_s()

    assert market.codes([late]) == ["GATE_CLOSED"]
    assert market.amend("S", "s", 1, [(100_000, 400)]) == "GATE_CLOSED"
    assert market.cancel("S", "s") == "GATE_CLOSED"
    assert market.slot().phase == "OPEN"


def test_gates_close_slot_after_slot_and_none_is_passed_over(market: Market) -> None:
    market.clock.now_s = market.gate_s(NEXT)

    with pytest.raises(Refused, match=f"GATE_OUT_OF_ORDER.*{SLOT}"):
        market.close_gate(NEXT)
    market.submit("close_gate", SlotArguments(AREA, SLOT))
    market.submit("close_gate", SlotArguments(AREA, NEXT))

    assert market.slot(NEXT).phase == "CLOSED"


def test_slot_takes_no_orders_before_it_opens(open_market: Opener) -> None:
    market = open_market(market_rules(opens_s=3600))
    market.trader("S")
    sheet = market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)], slot=NEXT)])

    market.clock.now_s = NEXT - 3601
    assert market.codes([sheet]) == ["SLOT_NOT_OPEN"]
    market.clock.now_s = NEXT - 3600
    assert market.codes([sheet]) == ["PLACED"]


def test_clock_runs_at_its_rate_and_a_new_anchor_holds_time_still(market: Market) -> None:
    def market_s() -> int | None:
        return market.ask("describe_area", AreaName(AREA), AreaAnswer).market_s

    hash_before = market.state_hash()
    market.submit("set_clock", ClockArguments(AREA, START_S, START_S, 90), admin=True)
    market.clock.now_s = START_S + 10
    assert market_s() == START_S + 900

    later = START_S + 1_000_000  # the market was off in between
    market.submit("set_clock", ClockArguments(AREA, later, START_S + 900, 90), admin=True)
    market.clock.now_s = later
    assert market_s() == START_S + 900
    market.clock.now_s = later + 1
    assert market_s() == START_S + 990
    assert market.state_hash() == hash_before  # a clock is no part of what members agree on


def test_rules_hold_from_their_slot_on(open_market: Opener) -> None:
    market = open_market()
    market.traders("S", "B")
    changed = msgspec.structs.replace(market.rules.market, price_rule="buyer", cancel_fee=7)
    market.submit("set_market_rules", RulesArguments(AREA, NEXT, changed), admin=True)
    table = """
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   200000  500
        """
    for slot in (SLOT, NEXT):
        market.place(table, slot=slot)

    market.clear(SLOT)
    market.clear(NEXT)

    assert market.traded(SLOT) == ["B/b S/s 500 150000"]
    assert market.traded(NEXT) == ["B/b S/s 500 200000"]
    rules = market.ask("get_market_rules", SlotArguments(AREA, NEXT), MarketRules)
    assert rules.cancel_fee == 7


def test_retailers_prices_hold_from_their_slot_on(market: Market) -> None:
    market.trader("B")
    prices = ResidualArguments(AREA, NEXT, [ResidualPrices(import_price=400_000, export_price=1)])
    market.submit("set_residual_prices", prices, R1, admin=True)
    for slot in (SLOT, NEXT):
        market.clear(slot)
        market.report("meter import export\n B 100 0", slot)
        market.settle(slot)

    assert market.posted(SLOT) == {"R1": 25 * MILLION, "B": -25 * MILLION}
    assert market.posted(NEXT) == {"R1": 40 * MILLION, "B": -40 * MILLION}


def test_meter_moves_to_another_zone_from_a_slot_on(market: Market) -> None:
    market.traders("S", "B")
    market.meter("S", zone=WEST, from_slot=NEXT)
    here, there = (
        [
            market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)], slot=slot)], zone=z)
            for slot in (SLOT, NEXT)
        ]
        for z in ("east", WEST)
    )

    market.open(NEXT)
    assert market.codes([here[1], there[0]]) == ["ZONE_WRONG", "ZONE_WRONG"]
    assert market.codes([here[0], there[1]]) == ["PLACED", "PLACED"]
    market.place(
        """
        who  id  side  price   wh
        B    b   buy   200000  500
        """,
    )
    market.clear(SLOT)
    market.clear(NEXT)

    assert market.traded(SLOT) == ["B/b S/s 500 150000"]
    assert market.traded(NEXT) == []


def test_slot_settles_although_a_meter_is_certified_from_a_later_slot(market: Market) -> None:
    market.traders("S", "B")
    market.meter("new", holder="S", from_slot=NEXT)
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   100000  500
        """)
    market.clear()
    market.report(
        """
        meter  import  export
        S      0       500
        B      500     0
        """,
        others=False,
    )

    market.settle()

    settlement = market.slot().settlement
    assert settlement is not None
    assert (settlement.settled_wh, settlement.estimated) == (500, 0)
