"""Rule 1.5: what bounds a slot for one trader cannot be passed, nor used up by others."""

from __future__ import annotations

import msgspec

from chaincode.area.fees import ROWS_MAX, FeeRow
from chaincode.orders.order_batch import ORDERS_PER_ROW_MAX, STEPS_PER_ROW_MAX
from tests.contract.stage.cast import DSO, SLOT, market_rules
from tests.contract.stage.market import Market, Opener
from tests.contract.stage.tokens import order_of

LONG = "x" * 62


def full_book(market: Market, name: str, *, sells: bool) -> list[str]:
    """As many orders as a trader may have in a slot; the first one is matched."""
    side, away = ("sell", 1) if sells else ("buy", -1)
    orders = [
        order_of(f"{number:02d}{LONG}", side, [(100_000 + away * 1_000 * number, 1)])
        for number in range(ORDERS_PER_ROW_MAX)
    ]
    return [market.tokens.sheet(name, orders)]


def test_rule_1_5_trader_has_so_many_open_steps_and_takes_nobody_elses_place(
    market: Market,
) -> None:
    market.traders("A", "B")
    ten = [(100_000 + step, 1) for step in range(10)]
    for number in range(STEPS_PER_ROW_MAX // 10):
        assert market.codes([market.tokens.sheet("A", [order_of(f"a{number}", "buy", ten)])]) == [
            "PLACED"
        ]
    before = market.state_hash()

    one = market.tokens.sheet("A", [order_of("one", "buy", [(100_000, 1)])])
    assert market.codes([one]) == ["SLOT_STEPS_TOO_MANY"]
    assert market.amend("A", "a0", 1, [*ten, (100_000, 1)]) == "SLOT_STEPS_TOO_MANY"
    assert market.state_hash() == before

    assert market.codes([market.tokens.sheet("B", [order_of("b", "buy", ten)])]) == ["PLACED"]
    assert market.amend("A", "a0", 1, ten[:9]) == "AMENDED"
    assert market.codes([one]) == ["PLACED"]
    assert market.cancel("A", "a1") == "CANCELLED"
    again = market.tokens.sheet("A", [order_of("again", "buy", ten)])
    assert market.codes([again]) == ["PLACED"]


def test_rule_1_5_slot_of_the_fullest_rows_and_all_fee_rows_is_cleared_settled_and_corrected(
    open_market: Opener,
) -> None:
    """Two traders with every order that they may have, and every fee row there may be on each Wh."""
    rows = [
        FeeRow(f"{number:03d}".rjust(32, "k"), f"{number:03d}".rjust(100, "p"), 10, 190_000)
        for number in range(ROWS_MAX)
    ]
    rules = msgspec.structs.replace(market_rules(shortfall_penalty=80_000), fees=rows)
    market = open_market(rules)
    market.traders("S", "B")
    tokens = [*full_book(market, "S", sells=True), *full_book(market, "B", sells=False)]
    assert market.codes(tokens) == ["PLACED"] * 2
    more = [market.tokens.sheet(name, [order_of("more", "buy", [(1, 1)])]) for name in "SB"]
    assert market.codes(more) == ["ORDERS_TOO_MANY"] * 2

    market.clear()
    assert market.traded() == [f"B/00{LONG} S/00{LONG} 1 100000"]
    market.report("meter import export\nS 0 1\nB 3 0")
    market.settle()
    settlement = market.slot().settlement
    assert settlement is not None
    assert settlement.settled_wh == 1
    # The trade's leg between retailer and each party, and 400 fees with VAT on it and on the rest.
    assert settlement.postings == 4 + 2 * ROWS_MAX * 4 + 2

    market.validate(market.leaf("S", export_wh=-1), member=DSO)
    market.correct()

    assert market.posted(kind="penalty") == {"S": -80_000, "B": 80_000}
    assert [view.trade.settled_wh for view in market.trades(SLOT)] == [0]
