"""Every state of an order and of its trades, disputes among them."""

from __future__ import annotations

import pytest

from chaincode.errors import Refused
from tests.contract.stage.cast import MILLION, SLOT
from tests.contract.stage.market import Market

ORDERS = """
    who  id    side  price   wh   expires
    S    s     sell  100000  500  -
    S    late  sell  300000  500  60
    B    b     buy   100000  500  -
    B    low   buy    50000  500  -
    C    gone  buy   100000  500  -
    """


def cleared(market: Market) -> None:
    market.traders("S", "B", "C")
    market.place(ORDERS)
    market.cancel("C", "gone")
    market.clear()


def states(market: Market) -> str:
    """The states of all orders, in the order of the table."""
    return " ".join(state for name in "SBC" for state in market.states(name).values())


def test_orders_pass_through_their_states(market: Market) -> None:
    market.traders("S", "B", "C")
    market.place(ORDERS)
    assert states(market) == "LISTED LISTED LISTED LISTED LISTED"

    market.cancel("C", "gone")
    assert states(market) == "LISTED LISTED LISTED LISTED CANCELLED"
    market.pass_until(market.gate_s() - 60)
    assert states(market) == "LISTED EXPIRED LISTED LISTED CANCELLED"
    market.close_gate()
    assert states(market) == "LISTED EXPIRED LISTED LISTED CANCELLED"
    market.clear()
    assert states(market) == "MATCHED EXPIRED MATCHED EXPIRED CANCELLED"
    market.pass_until(SLOT)
    assert states(market) == "EXECUTING EXPIRED EXECUTING EXPIRED CANCELLED"
    market.dispute("raise", "B", 0)
    assert states(market) == "DISPUTED EXPIRED DISPUTED EXPIRED CANCELLED"
    market.dispute("withdraw", "B", 0)
    market.report("meter import export\nS 0 500\nB 500 0")
    market.settle()
    assert states(market) == "SETTLED EXPIRED SETTLED EXPIRED CANCELLED"


def test_dispute_marks_its_trade_and_moves_no_money(market: Market) -> None:
    cleared(market)
    market.report("meter import export\nS 0 500\nB 500 0")
    market.settle()
    before = market.account("B")

    assert market.dispute("raise", "S", 0, reason="meter at fault").open

    (view,) = market.trades()
    assert view.state == "DISPUTED"
    assert market.account("B") == before
    assert market.posted()["S"] == 50 * MILLION


def test_withdrawn_dispute_is_not_opened_by_its_old_token(market: Market) -> None:
    cleared(market)
    assert market.dispute("raise", "B", 0).open
    assert market.dispute("raise", "B", 0).open  # the same again says the same
    with pytest.raises(Refused, match="DISPUTE_EXISTS"):
        market.dispute("raise", "B", 0, reason="another")
    with pytest.raises(Refused, match="DISPUTE_NOT_OPEN"):
        market.dispute("withdraw", "S", 0)
    assert not market.dispute("withdraw", "B", 0).open
    before = market.state_hash()

    assert not market.dispute("withdraw", "B", 0).open
    assert not market.dispute("raise", "B", 0).open

    assert market.state_hash() == before
    assert market.trades()[0].state == "MATCHED"


def test_only_a_party_disputes_a_trade(market: Market) -> None:
    cleared(market)

    with pytest.raises(Refused, match="NOT_PARTY"):
        market.dispute("raise", "C", 0)
    with pytest.raises(Refused, match="TRADE_UNKNOWN"):
        market.dispute("raise", "B", 1)
