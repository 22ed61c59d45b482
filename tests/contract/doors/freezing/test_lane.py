"""The lane: what appends entries and what folds them, and which act closes an epoch (part 2)."""

from __future__ import annotations

import pytest

from chaincode.area.zones import AreaName
from chaincode.errors import Refused
from chaincode.slots.gate import SlotAnswer, SlotArguments
from tests.contract.stage.cast import AREA, DEPOSIT_NANO, MILLION, R1, SLOT, SLOT_S
from tests.contract.stage.market import Market

NEXT = SLOT + SLOT_S
ORDERS = """
    who  id  side  price   wh
    S    s   sell  100000  500
    B    b   buy   100000  500
    """


def settle_and_fold_nothing(market: Market, slot: int = SLOT) -> None:
    """Settle a slot in one transaction, and leave its entries as they are."""
    answer = market.submit("settle_slot", SlotArguments(AREA, slot), R1).read(SlotAnswer)
    assert answer.phase == "SETTLED"


def test_rule_2_1_settlement_and_correction_change_no_balance(market: Market) -> None:
    """The buyer pays 50 M, and after the correction 15 M more: each time when that is folded."""
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    before = market.account("B").account
    assert before.balance_nano == DEPOSIT_NANO
    market.report("meter import export\nS 0 500\nB 500 0")

    settle_and_fold_nothing(market)
    settled = market.account("B")
    market.fold()
    folded = market.account("B")
    market.validate(market.leaf("S", export_wh=-100))
    market.submit("correct_slot", SlotArguments(AREA, SLOT), R1)
    corrected = market.account("B")
    market.fold()

    assert settled.account == before
    assert settled.unfolded_nano == -50 * MILLION
    assert folded.account.balance_nano == DEPOSIT_NANO - 50 * MILLION
    assert folded.account.reserved_nano == 0
    assert corrected.account == folded.account
    assert corrected.unfolded_nano == 10 * MILLION - 25 * MILLION  # 100 Wh come from its retailer


def test_rule_2_1_a_slot_that_nobody_settles_holds_up_no_later_slot(market: Market) -> None:
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()

    market.place(ORDERS, slot=NEXT)
    market.clear(NEXT)

    assert market.slot(SLOT).phase == "CLEARED"
    assert market.traded(NEXT) == ["B/b S/s 500 100000"]


def test_rule_2_3_end_of_a_settlement_closes_the_epoch_if_it_has_entries(market: Market) -> None:
    """Folding need not wait for the next gate; a settlement without entries closes nothing."""
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    market.clear(NEXT)
    market.report("meter import export\nS 0 500\nB 500 0")
    market.report("meter import export\nS 0 0\nB 0 0", NEXT)

    settle_and_fold_nothing(market, NEXT)
    with pytest.raises(Refused, match="NOTHING_TO_FOLD"):
        market.submit("fold_accounts", AreaName(AREA))
    settle_and_fold_nothing(market)

    assert market.fold() == 1
    assert market.account("S").account.balance_nano == DEPOSIT_NANO + 50 * MILLION


def test_rule_2_3_closing_a_gate_closes_the_epoch(market: Market) -> None:
    market.trader("B")
    market.clear()
    market.credit("B", MILLION)
    with pytest.raises(Refused, match="NOTHING_TO_FOLD"):
        market.submit("fold_accounts", AreaName(AREA))

    market.close_gate(NEXT)

    assert market.fold() == 1
    assert market.account("B").account.balance_nano == DEPOSIT_NANO + MILLION
