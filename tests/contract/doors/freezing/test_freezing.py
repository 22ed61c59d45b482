"""What one member tried so that the market stands still (doors 1 and 2)."""

from __future__ import annotations

import itertools

import pytest

from chaincode.area.fees import FeeRow
from chaincode.area.tariffs import FeesArguments
from chaincode.area.zones import AreaName
from chaincode.errors import Refused
from chaincode.slots.gate import SlotArguments
from tests.contract.stage.cast import AREA, DSO, MILLION, ORACLE, R1, R2, SLOT, SLOT_S, did_of
from tests.contract.stage.market import Market

NEXT = SLOT + SLOT_S
THIRD = NEXT + SLOT_S
PADDING = {"nobody-reads-this": b"x" * 2_800_000}
ORDERS = """
    who  id  side  price   wh
    S    s   sell  100000  500
    B    b   buy   100000  500
    """


def test_settle_slot_padded_with_transient_data_is_refused_and_changes_nothing(
    market: Market,
) -> None:
    """Door 1: it put the slot in SETTLING and held the lane; reports were late then."""
    market.traders("S", "B")
    market.place(ORDERS)
    market.clear()
    market.pass_until(SLOT + SLOT_S)
    before = market.state_hash()

    for name in ("settle_slot", "correct_slot", "clear_slot"):
        with pytest.raises(Refused, match="TRANSIENT_UNEXPECTED"):
            market.submit(name, SlotArguments(AREA, SLOT), R2, transient=PADDING)

    assert market.state_hash() == before
    market.report("meter import export\nS 0 500\nB 500 0")
    market.settle()
    assert market.posted()["S"] == 50 * MILLION


def test_settle_slot_without_readings_is_refused_and_the_report_still_comes(
    market: Market,
) -> None:
    """Door 1: a call that finds nothing to do leaves the phase as it is."""
    market.traders("S", "B")
    market.clear()
    market.pass_until(SLOT + SLOT_S)
    before = market.state_hash()

    for _ in range(3):
        with pytest.raises(Refused, match="READINGS_MISSING"):
            market.submit("settle_slot", SlotArguments(AREA, SLOT), R2)

    assert market.slot().phase == "CLEARED"
    assert market.state_hash() == before
    market.report("meter import export\nS 0 0\nB 0 0")
    market.settle()


def test_slots_go_on_while_a_settled_slot_is_called_for_correction_again_and_again(
    market: Market,
) -> None:
    """Door 1: `correct_slot` on any settled slot at any time took the lane."""
    market.traders("S", "B")
    market.clear(SLOT)
    market.report("meter import export\nS 0 0\nB 0 0")
    market.settle(SLOT)
    market.place(ORDERS, slot=THIRD)

    for act, slot in itertools.product((market.close_gate, market.clear), (NEXT, THIRD)):
        with pytest.raises(Refused, match="NOTHING_TO_CORRECT"):
            market.submit("correct_slot", SlotArguments(AREA, SLOT), R2)
        act(slot)

    assert market.traded(THIRD) == ["B/b S/s 500 100000"]


def test_rule_1_1_calls_out_of_turn_change_nothing(market: Market) -> None:
    """Rule 1.1, for every run: nothing to do, or not yet."""
    market.traders("S", "B")
    market.clear(SLOT)
    market.close_gate(NEXT)
    before = market.state_hash()

    for name, arguments, code in (
        ("fold_accounts", AreaName(AREA), "NOTHING_TO_FOLD"),
        ("clear_slot", SlotArguments(AREA, SLOT), "SLOT_PHASE"),
        ("clear_slot", SlotArguments(AREA, NEXT + SLOT_S), "SLOT_PHASE"),
        ("settle_slot", SlotArguments(AREA, NEXT), "SLOT_PHASE"),
        ("settle_slot", SlotArguments(AREA, SLOT), "SETTLEMENT_EARLY"),
        ("correct_slot", SlotArguments(AREA, SLOT), "SLOT_PHASE"),
    ):
        for member in (DSO, R1, ORACLE):
            with pytest.raises(Refused, match=code):
                market.submit(name, arguments, member)

    assert market.state_hash() == before


def test_fee_for_a_client_is_refused_because_no_slot_with_it_could_settle(market: Market) -> None:
    """No retailer answers for a payee that has no meter in the trade, so settling broke down."""
    market.traders("S", "B")
    fees = FeesArguments(AREA, SLOT, [FeeRow("grid", did_of("S"), 10_000)])

    with pytest.raises(Refused, match="FEE_ROW"):
        market.submit("set_fees", fees, admin=True)
