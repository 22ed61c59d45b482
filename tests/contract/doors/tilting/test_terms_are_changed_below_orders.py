"""Door 6: terms of a slot are changed after it has opened, by its DSO, a retailer, or the clock."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.area.capacities import CapacityArguments
from chaincode.area.clock import ClockArguments
from chaincode.area.fees import FeeRow
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.tariffs import FeesArguments, ResidualArguments, ResidualPrices, VatArguments
from chaincode.errors import Refused
from chaincode.metering.supply import ClientVatArguments
from tests.contract.stage.cast import AREA, DSO, EAST, OPENS_S, R1, SLOT, SLOT_S
from tests.contract.stage.ladders import refused
from tests.contract.stage.market import Market, Opener

NEXT = SLOT + SLOT_S
DEAR = FeeRow("grid", DSO, 10_000_000)  # 10 per kWh
TRADE = """
    who  id  side  price   wh
    S    s   sell  100000  500
    B    b   buy   100000  500
    """


def set_rules(market: Market, from_slot: int, **changed: object) -> str:
    """Post rules with some changed; the code of the refusal."""
    rules = msgspec.structs.replace(market.rules.market, **changed)
    arguments = RulesArguments(AREA, from_slot, rules)
    return refused(lambda: market.submit("set_market_rules", arguments, admin=True))


def set_fees(market: Market, from_slot: int) -> str:
    """Post a fee of 10 per kWh; the code of the refusal."""
    arguments = FeesArguments(AREA, from_slot, [DEAR])
    return refused(lambda: market.submit("set_fees", arguments, admin=True))


def first_unopened(market: Market) -> int:
    """The first slot that has not opened."""
    reach_s = market.clock.now_s + OPENS_S
    return reach_s - reach_s % SLOT_S + SLOT_S


@pytest.fixture
def traded(market: Market) -> Market:
    """A market in which B has bought from S in the open slot."""
    market.traders("S", "B")
    market.place(TRADE)
    return market


def as_agreed(market: Market) -> None:
    """The slot clears as if nothing had been tried."""
    market.clear()
    assert market.traded() == ["B/b S/s 500 100000"]
    assert market.posted() == {}


def test_dso_dates_an_opening_just_before_the_gate_to_an_open_slot(traded: Market) -> None:
    lead_s = traded.rules.market.gate_lead_s
    traded.open(NEXT)

    assert set_rules(traded, SLOT, opens_s=lead_s + 1) == "TERMS_FROZEN"
    assert set_rules(traded, NEXT, opens_s=lead_s + 1) == "TERMS_FROZEN"
    as_agreed(traded)


def test_dso_opens_the_gate_again_five_seconds_after_it_passed(traded: Market) -> None:
    traded.clock.now_s = traded.gate_s() + 5

    assert set_rules(traded, SLOT, gate_lead_s=0) == "TERMS_FROZEN"
    traded.close_gate()
    assert set_rules(traded, SLOT, gate_lead_s=0) == "TERMS_FROZEN"
    as_agreed(traded)


def test_dso_posts_a_fee_of_ten_per_kwh_once_orders_are_in_and_after_the_gate(
    traded: Market,
) -> None:
    assert set_fees(traded, SLOT) == "TERMS_FROZEN"
    traded.close_gate()
    assert set_fees(traded, SLOT) == "TERMS_FROZEN"
    assert set_fees(traded, NEXT) == "TERMS_FROZEN"
    as_agreed(traded)


def test_a_fee_dated_to_before_the_market_reaches_no_open_slot(traded: Market) -> None:
    assert set_fees(traded, SLOT - SLOT_S) == "TERMS_FROZEN"
    assert set_rules(traded, SLOT - SLOT_S, opens_s=301) == "TERMS_FROZEN"
    as_agreed(traded)


def test_retailer_changes_prices_and_vat_of_an_open_slot(traded: Market) -> None:
    prices = ResidualArguments(AREA, SLOT, [ResidualPrices(import_price=10**9, export_price=0)])
    vat = VatArguments(AREA, SLOT, "taxable", 1_000_000)
    client_vat = ClientVatArguments("S", SLOT, "taxable", 1_000_000)

    assert refused(lambda: traded.submit("set_residual_prices", prices, R1, admin=True)) == (
        "TERMS_FROZEN"
    )
    assert refused(lambda: traded.submit("set_vat", vat, R1)) == "TERMS_FROZEN"
    assert refused(lambda: traded.submit("set_client_vat", client_vat, R1)) == "TERMS_FROZEN"
    as_agreed(traded)


def test_new_rules_open_a_slot_at_once_that_the_old_rules_had_not_opened(traded: Market) -> None:
    unopened = first_unopened(traded)

    assert set_rules(traded, unopened, opens_s=30 * 86_400) == "TERMS_FROZEN"
    assert set_rules(traded, unopened, opens_s=OPENS_S - SLOT_S) == ""
    traded.clear()


def test_a_later_slot_that_opened_earlier_freezes_what_is_dated_before_it(market: Market) -> None:
    far = SLOT + 40 * SLOT_S
    assert set_rules(market, far, opens_s=far - SLOT + OPENS_S) == ""
    market.open()

    assert set_fees(market, far - SLOT_S) == "TERMS_FROZEN"
    assert set_fees(market, far + SLOT_S * 2) == ""


def test_a_gate_is_moved_before_the_gate_of_the_slot_before_it(market: Market) -> None:
    far = SLOT + 40 * SLOT_S

    assert set_rules(market, far, gate_lead_s=300 + SLOT_S + 1) == "RULE_OUT_OF_BOUNDS"
    assert set_rules(market, far, gate_lead_s=300 + SLOT_S) == ""
    assert set_rules(market, far - SLOT_S, gate_lead_s=0) == "RULE_OUT_OF_BOUNDS"
    assert set_rules(market, far - SLOT_S, gate_lead_s=300) == ""


def test_clock_set_back_opens_no_slot_again_that_has_orders(open_market: Opener) -> None:
    market = open_market()
    market.traders("S", "B")
    market.place(TRADE)
    opened_s = SLOT - OPENS_S
    now_s = market.clock.now_s

    def set_back(market_s: int) -> None:
        market.submit("set_clock", ClockArguments(AREA, now_s, market_s, 1), admin=True)

    with pytest.raises(Refused, match=f"CLOCK_BACKWARDS.*{opened_s}"):
        set_back(opened_s - 1)
    set_back(opened_s)
    assert set_fees(market, SLOT) == "TERMS_FROZEN"
    market.clear()
    assert market.traded() == ["B/b S/s 500 100000"]


def test_rule_4_2_a_lower_capacity_binds_at_once_and_no_later_act_raises_it(traded: Market) -> None:
    def set_capacity(from_slot: int, import_w: int | None, export_w: int | None) -> str:
        edge = CapacityArguments(EAST, import_w, export_w, from_slot, "cable fault")
        return refused(lambda: traded.submit("set_zone_capacity", edge))

    traded.open(NEXT)
    assert set_capacity(SLOT, 4_000, None) == ""
    assert set_capacity(SLOT, 4_000, 2_000) == ""
    assert set_capacity(SLOT, 4_001, 2_000) == "TERMS_FROZEN"
    assert set_capacity(NEXT, None, 1_000) == "TERMS_FROZEN"
    assert set_capacity(NEXT, 3_000, 2_000) == ""
    assert set_capacity(first_unopened(traded), None, None) == ""
    assert set_capacity(NEXT, 3_000, 2_001) == "TERMS_FROZEN"
    traded.close_gate()
    assert set_capacity(SLOT, 0, 0) == "DATED_BEFORE_GATE"
    traded.clear()
