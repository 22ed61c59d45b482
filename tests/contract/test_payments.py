"""Retailers pay their clients in and out: once each, and never out of what is reserved."""

from __future__ import annotations

import pytest

from chaincode.accounts.balances import Payment, PayoutArguments
from chaincode.errors import Refused
from tests.contract.stage.cast import AREA, MILLION, R1, R2, SLOT, SLOT_S, did_of
from tests.contract.stage.market import Market

NEXT = SLOT + SLOT_S
SALE_AND_PURCHASE = """
    who  id  side  price   wh
    S    s   sell  100000  500
    B    b   buy   100000  500
    """


def test_credit_counts_at_once_and_once(market: Market) -> None:
    market.trader("B", deposit_nano=0)

    market.credit("B", 5 * MILLION, reference="bank-1")
    before = market.state_hash()
    market.credit("B", 5 * MILLION, reference="bank-1")

    assert market.state_hash() == before
    assert market.account("B").available_nano == 5 * MILLION
    assert market.account("B").account.balance_nano == 0  # until a clearing folds it
    assert market.account(R1).available_nano == -5 * MILLION


def test_reference_is_the_retailers_own(market: Market) -> None:
    market.trader("B", deposit_nano=0)
    market.trader("C", retailer=R2, deposit_nano=0)

    market.credit("B", 5 * MILLION, reference="bank-1")
    market.credit("C", 7 * MILLION, reference="bank-1", retailer=R2)
    with pytest.raises(Refused, match="PAYMENT_EXISTS"):
        market.debit("B", 5 * MILLION, reference="bank-1")

    assert market.account("B").available_nano == 5 * MILLION
    assert market.account("C").available_nano == 7 * MILLION


def test_repeated_payment_answers_the_same(market: Market) -> None:
    market.trader("B")
    arguments = PayoutArguments(market.tokens.payout("B", MILLION, "out-1"))
    market.debit("B", MILLION, reference="out-1")

    answer = market.submit("debit_client", arguments, R1).read(Payment)

    assert answer == Payment(area=AREA, participant=did_of("B"), amount_nano=-MILLION)
    assert market.account("B").available_nano == 9_999 * MILLION


def test_payments_are_folded_by_the_next_clearing_whose_gate_came_after_them(
    market: Market,
) -> None:
    market.trader("B", deposit_nano=10 * MILLION)
    market.debit("B", 3 * MILLION)
    market.close_gate(SLOT)
    market.credit("B", 2 * MILLION)

    market.clear(SLOT)

    assert market.account("B").account.balance_nano == 7 * MILLION
    assert market.account("B").account.reserved_nano == 0
    market.clear(NEXT)
    assert market.account("B").account.balance_nano == 9 * MILLION


def test_debit_takes_no_more_than_is_free(market: Market) -> None:
    market.trader("B", deposit_nano=10 * MILLION)

    market.debit("B", 6 * MILLION)
    with pytest.raises(Refused, match="FUNDS_INSUFFICIENT"):
        market.debit("B", 4 * MILLION + 1)
    market.debit("B", 4 * MILLION)

    assert market.account("B").available_nano == 0


def test_debit_cannot_take_what_a_trade_has_reserved(market: Market) -> None:
    market.trader("S")
    market.trader("B", deposit_nano=60 * MILLION)
    market.place(SALE_AND_PURCHASE)
    market.clear()
    assert market.account("B").account.reserved_nano == 50 * MILLION

    with pytest.raises(Refused, match="FUNDS_INSUFFICIENT"):
        market.debit("B", 10 * MILLION + 1)
    market.debit("B", 10 * MILLION)

    market.report("meter import export\nS 0 500\nB 500 0")
    market.settle()
    assert market.account("B").available_nano == 0


def test_what_is_paid_out_after_the_gate_no_clearing_spends(market: Market) -> None:
    market.trader("S")
    market.trader("B", deposit_nano=50 * MILLION)
    market.place(SALE_AND_PURCHASE)
    market.close_gate()
    market.debit("B", 1)  # its entry is folded only after the next gate

    market.clear()

    assert market.traded() == []
    assert market.account("B").account.reserved_nano == 1
    assert market.account("B").available_nano == 50 * MILLION - 1


def test_client_pays_from_another_areas_account_never(market: Market) -> None:
    market.trader("B")

    token = market.tokens.payout("B", 1, "x", area="else")
    with pytest.raises(Refused, match="AREA_UNKNOWN"):
        market.submit("debit_client", PayoutArguments(token), R1)


def test_client_that_cannot_pay_is_carried_by_its_retailer(market: Market) -> None:
    market.trader("S")
    market.trader("B", deposit_nano=100 * MILLION)
    market.place(SALE_AND_PURCHASE)
    market.clear()
    market.report("meter import export\nS 0 500\nB 800 0")

    market.settle()

    # 50 M for the trade and 300 Wh x 250,000 of residual supply make 125 M of 100 M.
    assert market.posted(kind="default") == {"B": 25 * MILLION, "R1": -25 * MILLION}
    assert market.account("B").account.balance_nano == 0


def test_credit_given_after_the_gate_pays_for_the_settlement(market: Market) -> None:
    market.trader("B", deposit_nano=0)
    market.clear(SLOT)
    market.credit("B", 25 * MILLION)
    market.clear(NEXT)
    market.report("meter import export\nB 100 0", SLOT)

    market.settle(SLOT)

    assert market.posted(SLOT) == {"R1": 25 * MILLION, "B": -25 * MILLION}
    assert market.account("B").account.balance_nano == 0
