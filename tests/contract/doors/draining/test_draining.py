"""What was tried to make money from nothing, or from a retailer (doors 4, 5, 7, 19)."""

from __future__ import annotations

import pytest

from chaincode.errors import Refused
from tests.contract.stage.cast import (
    DSO,
    MILLION,
    R1,
    R2,
    SLOT,
    SLOT_S,
    market_rules,
)
from tests.contract.stage.market import Market, Opener

NEXT = SLOT + SLOT_S
THIRD = NEXT + SLOT_S


def settle_late(market: Market, slot: int) -> None:
    """Settle a slot on estimates."""
    market.pass_until(slot + SLOT_S)
    market.settle(slot)


def test_estimate_is_no_gift_when_the_true_reading_comes(open_market: Opener) -> None:
    """Door 4: the retailer carried 0.25, and the correction paid the client 0.25."""
    market = open_market(market_rules(report_deadline_s=0))
    market.trader("B", deposit_nano=0, daily_import_wh=96_000)  # 1,000 Wh a slot
    for slot in (SLOT, NEXT):
        market.clear(slot)
    market.report("meter import export\nB 1000 0", SLOT)
    market.settle(SLOT)
    settle_late(market, NEXT)
    assert market.claims(R1) == {"B": 500 * MILLION}

    market.report("meter import export\nB 0 0", NEXT, others=False)
    market.correct(NEXT)
    market.clear(THIRD)  # folds the correction, if that is not done

    assert market.account("B").account.balance_nano == 0
    assert market.claims(R1) == {"B": 250 * MILLION}
    assert market.account(R1).worth_nano == 0  # it has paid, and claims what it sold


def test_retailer_that_supplies_the_meter_answers_and_not_the_one_that_admitted_its_holder(
    market: Market,
) -> None:
    """Door 5: R1 admitted the trader and R2 supplies its meter."""
    market.trader("B", deposit_nano=0)
    market.meter("B-other", holder="B", retailer=R2)
    market.clear()
    market.report("meter import export\nB-other 1000 0")

    market.settle()

    assert market.claims(R1) == {}
    assert market.claims(R2) == {"B": 250 * MILLION}
    assert market.folded(kind="default") == {"B": 250 * MILLION, "R2": -250 * MILLION}


def test_order_of_settlements_changes_no_balance_and_no_claim(open_market: Opener) -> None:
    """Door 7: slot A takes 250 M, slot B gives 60 M; one order was dearer for the retailer."""
    ends: list[object] = []
    for order in ((SLOT, NEXT), (NEXT, SLOT)):
        market = open_market()
        market.trader("B", deposit_nano=0)
        for slot in (SLOT, NEXT):
            market.clear(slot)
        market.report("meter import export\nB 1000 0", SLOT)
        market.report("meter import export\nB 0 1000", NEXT)

        for slot in order:
            market.settle(slot)

        client, retailer = market.account("B").account, market.account(R1).account
        assert (client.balance_nano, client.claims_nano) == (0, 190 * MILLION)
        ends.append((client, retailer, market.claims(R1)))

    assert ends[0] == ends[1]


def test_slots_clear_in_their_order_whoever_hurries(market: Market) -> None:
    """Door 7: with cover for one order, whichever slot was cleared first traded."""
    market.trader("S")
    market.trader("B", deposit_nano=60 * MILLION)
    orders = """
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   100000  500
        """
    for slot in (SLOT, NEXT):
        market.place(orders, slot=slot)
        market.close_gate(slot)

    with pytest.raises(Refused, match="CLEARING_OUT_OF_ORDER"):
        market.clear_part(NEXT, member=R2)
    market.clear(SLOT)
    market.clear(NEXT)

    assert market.traded(SLOT) == ["B/b S/s 500 100000"]
    assert market.traded(NEXT) == []


def test_client_without_money_cancels_at_nobodys_cost(open_market: Opener) -> None:
    """Door 19: fifty orders of 1 kWh were cancelled at a fee of 0.5, and the retailer paid 25."""
    market = open_market(market_rules(cancel_fee=500_000))
    market.trader("B", deposit_nano=0, power_w=400_000)
    market.clear(SLOT)
    rows = "\n".join(f"B o{number} buy 100000 1000" for number in range(50))
    market.place(f"who id side price wh\n{rows}", slot=NEXT)

    for number in range(50):
        assert market.cancel("B", f"o{number}", slot=NEXT) == "CANCELLED"
    market.clear(NEXT)
    market.report("meter import export\nB 0 0", NEXT)
    market.settle(NEXT)

    assert market.posted(NEXT) == {}
    assert market.account(R1).worth_nano == 0
    orders = [view.order for view in market.orders("B", NEXT)]
    assert {(order.fee_nano, order.lapsed_nano) for order in orders} == {(0, 500 * MILLION)}


def test_rule_3_4_cancellation_fee_is_reserved_as_far_as_free_money_reaches(
    open_market: Opener,
) -> None:
    """Rule 3.4: the rest lapses, is recorded, and what is reserved cannot be paid out."""
    market = open_market(market_rules(cancel_fee=500_000))
    market.trader("B", deposit_nano=700 * MILLION)
    market.clear(SLOT)
    rows = "\n".join(f"B o{number} buy 100000 1000" for number in range(2))
    market.place(f"who id side price wh\n{rows}", slot=NEXT)

    for number in range(2):
        market.cancel("B", f"o{number}", slot=NEXT)
    assert market.account("B").available_nano == 0
    with pytest.raises(Refused, match="FUNDS_INSUFFICIENT"):
        market.debit("B", 1)
    market.clear(NEXT)
    market.report("meter import export\nB 0 0", NEXT)
    market.settle(NEXT)

    orders = [view.order for view in market.orders("B", NEXT)]
    assert [(order.fee_nano, order.lapsed_nano) for order in orders] == [
        (500 * MILLION, 0),
        (200 * MILLION, 300 * MILLION),
    ]
    assert market.posted(NEXT) == {"B": -700 * MILLION, DSO: 700 * MILLION}
    assert market.account("B").account.balance_nano == 0
    assert market.account(R1).worth_nano == -700 * MILLION


def test_money_is_not_paid_out_twice_around_a_gate(market: Market) -> None:
    """What an order may still take as cover stays, although the client's retailer would pay it."""
    market.trader("S", retailer=R2)
    market.trader("B", deposit_nano=50 * MILLION)
    market.clear(SLOT)
    orders = """
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   100000  500
        """
    market.place(orders, slot=NEXT)
    market.close_gate(NEXT)

    with pytest.raises(Refused, match="PAYOUT_WAITS"):
        market.debit("B", 50 * MILLION)

    market.clear(NEXT)
    with pytest.raises(Refused, match="FUNDS_INSUFFICIENT"):
        market.debit("B", 1)
