"""Door 1: a transaction padded with data that nobody reads."""

from __future__ import annotations

import pytest

from chaincode.area.zones import PauseArguments
from chaincode.errors import Refused
from chaincode.orders.sheets import TokensArguments
from chaincode.slots.gate import SlotArguments
from tests.contract.stage.cast import AREA, EAST, R1, SLOT, SLOT_S
from tests.contract.stage.market import Market

PADDING = {"padding": b"x" * 2_800_000}


def settled(market: Market) -> None:
    """A slot with one trade, settled; in the next slot nothing has happened."""
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   100000  500
        """)
    market.clear()
    market.report("meter import export\nS 0 500\nB 500 0")


def test_padded_settlement_is_refused_and_the_lane_stays_free(market: Market) -> None:
    settled(market)
    before = market.state_hash()

    with pytest.raises(Refused, match="TRANSIENT_UNEXPECTED"):
        market.submit("settle_slot", SlotArguments(AREA, SLOT), R1, transient=PADDING)

    assert market.state_hash() == before
    assert market.slot().phase == "CLEARED"
    market.settle()
    with pytest.raises(Refused, match="TRANSIENT_UNEXPECTED"):
        market.submit("correct_slot", SlotArguments(AREA, SLOT), R1, transient=PADDING)
    assert market.slot().phase == "SETTLED"


def test_rule_1_2_no_transaction_takes_transient_data_that_it_does_not_read(market: Market) -> None:
    settled(market)
    token = market.tokens.cancel("S", "x", slot=SLOT + SLOT_S)
    one = {"x": b"x"}
    for name, arguments in (
        ("close_gate", SlotArguments(AREA, SLOT + SLOT_S)),
        ("clear_slot", SlotArguments(AREA, SLOT)),
        ("cancel_orders", TokensArguments([token])),
        ("pause_zone", PauseArguments(EAST, "works")),
    ):
        with pytest.raises(Refused, match="TRANSIENT_UNEXPECTED"):
            market.submit(name, arguments, transient=one)


def test_report_takes_its_leaves_and_nothing_beside_them(market: Market) -> None:
    market.trader("S")
    market.pass_until(SLOT + SLOT_S)
    signed = market.signed_report([market.leaf("S")])

    with pytest.raises(Refused, match="TRANSIENT_UNEXPECTED"):
        market.submit(
            "record_readings", signed.arguments, "Oracle", transient=signed.transient | PADDING
        )
    market.send_report(signed)
