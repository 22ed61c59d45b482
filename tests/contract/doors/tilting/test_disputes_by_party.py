"""Door 12: one party raises a dispute and withdraws it, and the other's is refused for ever."""

from __future__ import annotations

import pytest

from chaincode.errors import Refused
from chaincode.settlement.disputes import DISPUTE_WINDOW_S, DisputeArguments
from tests.contract.stage.cast import R1, SLOT, SLOT_S
from tests.contract.stage.market import Market


def traded(market: Market) -> None:
    """One trade of S and B."""
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   100000  500
        """)
    market.clear()


def state(market: Market) -> str:
    """The state of the trade."""
    return market.trades()[0].state


def test_seller_that_withdraws_its_dispute_does_not_block_the_buyers(market: Market) -> None:
    traded(market)

    market.dispute("raise", "S", 0)
    market.dispute("withdraw", "S", 0)
    assert state(market) == "MATCHED"

    assert market.dispute("raise", "B", 0).open
    assert state(market) == "DISPUTED"


def test_rule_9_each_party_withdraws_its_own_dispute_only(market: Market) -> None:
    traded(market)
    market.dispute("raise", "S", 0, reason="meter at fault")
    with pytest.raises(Refused, match="DISPUTE_NOT_OPEN"):
        market.dispute("withdraw", "B", 0)
    market.dispute("raise", "B", 0, reason="not what I bought")

    market.dispute("withdraw", "S", 0)
    assert state(market) == "DISPUTED"

    market.dispute("withdraw", "B", 0)
    assert state(market) == "MATCHED"


def test_rule_9_dispute_is_raised_within_its_window(market: Market) -> None:
    traded(market)
    end_s = SLOT + SLOT_S + DISPUTE_WINDOW_S

    def dispute(name: str, act: str = "raise") -> None:
        until_s = market.clock.now_s + 60
        token = market.tokens.dispute(act, name, 0, valid_until_s=until_s)
        market.submit("dispute_trade", DisputeArguments(token), R1)

    market.pass_until(end_s - 1)
    dispute("S")
    market.pass_until(end_s)
    with pytest.raises(Refused, match="DISPUTE_LATE"):
        dispute("B")
    dispute("S", "withdraw")
    assert state(market) == "EXECUTING"
