"""Retailers pay their clients in and out: once each, and never out of what is reserved."""

from __future__ import annotations

import pytest

from chaincode.accounts.payments import Payment, PayoutArguments
from chaincode.errors import Refused
from tests.contract.stage.cast import AREA, MILLION, R1, R2, SLOT, SLOT_S, did_of
from tests.contract.stage.market import Market

NEXT = SLOT + SLOT_S
SALE_AND_PURCHASE = """
    who  id  side  price   wh
    S    s   sell  100000  500
    B    b   buy   100000  500
    """


def test_credit_is_booked_once_and_counts_when_it_is_folded(market: Market) -> None:
    market.trader("B", deposit_nano=0)

    market.credit("B", 5 * MILLION, reference="bank-1")
    before = market.state_hash()
    market.credit("B", 5 * MILLION, reference="bank-1")

    assert market.state_hash() == before
    answer = market.account("B")
    assert (answer.account.balance_nano, answer.available_nano) == (0, 0)
    assert (answer.unfolded_entries, answer.unfolded_nano) == (1, 5 * MILLION)
    assert market.account(R1).worth_nano == -5 * MILLION
    market.clear()
    assert market.account("B").available_nano == 5 * MILLION


def test_reference_is_the_retailers_own(market: Market) -> None:
    market.trader("B", deposit_nano=0)
    market.trader("C", retailer=R2, deposit_nano=0)

    market.credit("B", 5 * MILLION, reference="bank-1")
    market.credit("C", 7 * MILLION, reference="bank-1", retailer=R2)
    with pytest.raises(Refused, match="PAYMENT_EXISTS"):
        market.debit("B", 5 * MILLION, reference="bank-1")

    assert market.account("B").worth_nano == 5 * MILLION
    assert market.account("C").worth_nano == 7 * MILLION


def test_repeated_payment_answers_the_same(market: Market) -> None:
    market.trader("B")
    market.clear()
    arguments = PayoutArguments(market.tokens.payout("B", MILLION, "out-1"))
    market.debit("B", MILLION, reference="out-1")

    answer = market.submit("debit_client", arguments, R1).read(Payment)

    assert answer == Payment(area=AREA, participant=did_of("B"), amount_nano=-MILLION)
    assert market.account("B").available_nano == 9_999 * MILLION


def test_rule_2_2_payments_are_folded_by_the_next_clearing_whose_gate_came_after_them(
    market: Market,
) -> None:
    market.trader("B", deposit_nano=10 * MILLION)
    market.close_gate(SLOT)
    market.credit("B", 2 * MILLION)

    market.clear(SLOT)

    assert market.account("B").account.balance_nano == 10 * MILLION
    market.debit("B", 3 * MILLION)
    assert market.account("B").account.balance_nano == 10 * MILLION
    market.clear(NEXT)
    assert market.account("B").account.balance_nano == 9 * MILLION
    assert market.account("B").account.reserved_nano == 0


def test_debit_takes_no_more_than_is_free(market: Market) -> None:
    market.trader("B", deposit_nano=10 * MILLION)
    market.clear()

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


def test_money_in_a_closed_book_is_paid_out_only_once_the_book_has_cleared(
    market: Market,
) -> None:
    """Otherwise a retailer could pay out what the clearing reserves, at another's cost."""
    market.trader("S")
    market.trader("B", deposit_nano=60 * MILLION)
    market.trader("C", deposit_nano=60 * MILLION)
    market.clear(SLOT)
    market.place(SALE_AND_PURCHASE, slot=NEXT)
    market.close_gate(NEXT)

    with pytest.raises(Refused, match="PAYOUT_WAITS"):
        market.debit("B", 1)
    market.debit("C", 60 * MILLION)  # who has no orders in it does not wait
    market.clear(NEXT)

    with pytest.raises(Refused, match="FUNDS_INSUFFICIENT"):
        market.debit("B", 10 * MILLION + 1)
    market.debit("B", 10 * MILLION)


def test_rule_2_6_payout_counts_no_entry_that_gives_and_every_entry_that_takes(
    market: Market,
) -> None:
    """Rule 2.6."""
    market.trader("B", deposit_nano=10 * MILLION)
    market.clear()
    market.credit("B", 90 * MILLION)

    with pytest.raises(Refused, match="FUNDS_INSUFFICIENT"):
        market.debit("B", 10 * MILLION + 1)
    market.debit("B", 4 * MILLION)

    assert market.account("B").available_nano == 6 * MILLION
    entries = market.entries("B")
    assert sorted(entry.money_nano for entry in entries) == [-4 * MILLION, 90 * MILLION]


def test_client_pays_from_another_areas_account_never(market: Market) -> None:
    market.trader("B")

    token = market.tokens.payout("B", 1, "x", area="else")
    with pytest.raises(Refused, match="AREA_UNKNOWN"):
        market.submit("debit_client", PayoutArguments(token), R1)


def test_what_a_client_cannot_pay_its_retailer_pays_and_claims(market: Market) -> None:
    market.trader("S")
    market.trader("B", deposit_nano=100 * MILLION)
    market.place(SALE_AND_PURCHASE)
    market.clear()
    market.report("meter import export\nS 0 500\nB 800 0")

    market.settle()

    # 50 M for the trade and 300 Wh x 250,000 of residual supply make 125 M of 100 M.
    assert market.folded(kind="default") == {"B": 25 * MILLION, "R1": -25 * MILLION}
    assert market.account("B").account.balance_nano == 0
    assert market.account("B").account.claims_nano == 25 * MILLION
    assert market.claims(R1) == {"B": 25 * MILLION}
    assert market.claims(R2) == {}

    market.credit("B", 40 * MILLION)
    market.clear(NEXT)

    assert market.folded(kind="repayment") == {"B": -25 * MILLION, "R1": 25 * MILLION}
    assert market.account("B").account.balance_nano == 15 * MILLION
    assert market.claims(R1) == {}


def test_credit_given_after_the_gate_pays_for_the_settlement(market: Market) -> None:
    market.trader("B", deposit_nano=0)
    market.clear(SLOT)
    market.credit("B", 25 * MILLION)
    market.clear(NEXT)
    market.report("meter import export\nB 100 0", SLOT)

    market.settle(SLOT)

    assert market.posted(SLOT) == {"R1": 25 * MILLION, "B": -25 * MILLION}
    assert market.account("B").account.balance_nano == 0
