"""Door 16: an endorser sees the seed and places an order whose id wins the tie."""

from __future__ import annotations

import pytest

from chaincode.errors import Refused
from chaincode.orders.sheets import TokensArguments
from chaincode.slots.draw import SeedArguments
from chaincode.slots.gate import SlotArguments
from ledger_network.port import Conflict
from tests.contract.stage.cast import AREA, DSO, R1, SLOT, Call
from tests.contract.stage.market import Market, Opener
from tests.contract.stage.tokens import order_of


def sheet(market: Market) -> TokensArguments:
    """An order with an id that somebody has chosen."""
    token = market.tokens.sheet("S", [order_of("chosen", "sell", [(100_000, 500)])])
    return TokensArguments([token])


def test_door_16_order_dated_back_after_a_seed_was_seen_is_refused(market: Market) -> None:
    market.trader("S")
    market.close_gate()

    market.clock.now_s = market.gate_s() - 60  # a client's clock may say so still

    assert market.codes(sheet(market).tokens) == ["GATE_CLOSED"]


def test_door_16_nobody_can_reveal_before_the_book_is_frozen(market: Market) -> None:
    market.pass_until(market.gate_s())

    with pytest.raises(Refused, match="SLOT_PHASE"):
        market.submit("reveal_seed", SeedArguments(AREA, SLOT, market.seeds[1]), DSO)


def test_door_16_order_in_flight_meets_the_gate_that_closes_before_any_reveal(
    open_market: Opener,
) -> None:
    market = open_market()
    market.trader("S")
    order = Call("place_orders", sheet(market), R1, market.gate_s() - 1)
    gate = Call("close_gate", SlotArguments(AREA, SLOT), R1, market.gate_s())
    seed = Call("reveal_seed", SeedArguments(AREA, SLOT, market.seeds[1]), DSO, market.gate_s())

    with pytest.raises(Conflict):
        market.run(market.ledger.overtake(market.clock, order, gate, seed))

    assert market.orders("S") == []
