"""Door 17: one token that makes the whole batch fail, and many tokens on rows that are full.

Whatever is wrong with a token is the answer to that token. Tokens that do not fit are answered
`BATCH_FULL`, and a batch of those that were not answered always gets further.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chaincode.area.rule_changes import RulesArguments
from chaincode.orders.sheets import Step
from tests.contract.stage.cast import AREA, SLOT, SLOT_S
from tests.contract.stage.market import Market, Opener
from tests.contract.stage.tokens import order_of

GOOD: list[Step] = [(100_000, 1)]


def good(market: Market, name: str, order: str = "good") -> str:
    """A sheet of one small order."""
    return market.tokens.sheet(name, [order_of(order, "buy", GOOD, slot=SLOT)])


def test_sheet_of_2001_steps_refuses_no_other(market: Market) -> None:
    market.traders("A", "B", "C")
    one_order = market.tokens.sheet("C", [order_of("c", "buy", GOOD * 2_001, slot=SLOT)])
    orders = [order_of(f"o{n}", "buy", GOOD * 20, slot=SLOT) for n in range(101)]
    many_orders = market.tokens.sheet("C", orders)

    codes = market.codes([good(market, "A"), one_order, many_orders, good(market, "B")])

    assert codes == ["PLACED", "STEPS_TOO_MANY", "STEPS_TOO_MANY", "PLACED"]


def test_token_of_any_size_refuses_no_other(market: Market) -> None:
    market.traders("A", "B")
    long = ["x" * 8_193, "x" * 65_537, "x" * 1_500_000, "", "."]

    codes = market.codes([good(market, "A"), *long, good(market, "B")])

    assert codes == ["PLACED", *["SHEET_UNREADABLE"] * len(long), "PLACED"]


def test_rule_8_4_token_behind_five_hundred_others_is_answered_batch_full(market: Market) -> None:
    market.traders("A", "B")

    codes = market.codes([*[good(market, "A")] * 500, good(market, "B"), good(market, "A", "two")])

    assert codes == ["PLACED", *["EXISTS"] * 499, "BATCH_FULL", "BATCH_FULL"]
    assert market.orders("B", SLOT) == []
    assert market.codes([good(market, "B")]) == ["PLACED"]


DAY_S = 86_400
WIDE = SLOT + DAY_S  # from here on slots open a day before their start
SLOTS = [WIDE + number * SLOT_S for number in range(88)]  # all open, once the last one has opened
TRADERS = [f"{letter}{'x' * 60}" for letter in "ABC"]
STEPS: list[Step] = [(-400_000 - step, 1_000) for step in range(20)]


def fill_rows(market: Market) -> None:
    """Give each of three traders 49 orders in each of 88 slots; the first has more steps.

    Each order is cancelled, because open orders may not have so many steps; its row keeps it.
    """
    for name in TRADERS:
        market.trader(name, power_w=40_000_000, deposit_nano=0)
    rules = msgspec.structs.replace(market.rules.market, opens_s=DAY_S)
    market.submit("set_market_rules", RulesArguments(AREA, WIDE, rules), admin=True)
    market.pass_until(rules.opening_s(SLOTS[-1]))
    first, *others = TRADERS
    for number in range(49):
        name = f"{number:064d}"
        halves = [_sheet(market, first, name, STEPS, slots) for slots in (SLOTS[:44], SLOTS[44:])]
        assert market.codes(halves) == ["PLACED"] * 2
        whole = [_sheet(market, trader, name, STEPS[:11], SLOTS) for trader in others]
        assert market.codes(whole) == ["PLACED"] * 2
        cancels = [market.tokens.cancel(who, name, slot=slot) for who in TRADERS for slot in SLOTS]
        while cancels:
            codes = market.codes(cancels, name="cancel_orders")
            assert set(codes) <= {"CANCELLED", "BATCH_FULL"}
            cancels = [t for t, code in zip(cancels, codes, strict=True) if code == "BATCH_FULL"]


def _sheet(market: Market, trader: str, name: str, steps: list[Step], slots: Sequence[int]) -> str:
    """A sheet with one order for each of some slots."""
    orders = [
        order_of(name, "buy", steps, slot=slot, expires_s=market.gate_s(slot)) for slot in slots
    ]
    return market.tokens.sheet(trader, orders)


def test_small_tokens_on_full_rows_are_answered_as_far_as_they_fit(open_market: Opener) -> None:
    """Each of 264 tokens rewrites a row of 20 kB; together that is more than a transaction writes."""
    market = open_market(prepare=fill_rows)
    ask = market.tokens.sheet
    large = ask(TRADERS[0], [order_of("last", "buy", GOOD * 20, slot=slot) for slot in SLOTS])
    assert market.codes([large]) == ["ROWS_TOO_LARGE"]  # its trader's own orders fill these rows
    waiting = [
        ask(name, [order_of("last", "buy", GOOD, slot=slot)]) for name in TRADERS for slot in SLOTS
    ]
    left = [len(waiting)]
    while waiting:
        codes = market.codes(waiting)
        assert codes == sorted(codes, reverse=True)  # PLACED, then BATCH_FULL
        waiting = [t for t, code in zip(waiting, codes, strict=True) if code == "BATCH_FULL"]
        left.append(len(waiting))

    assert len(left) == 3
    assert left[0] - left[1] > 150
    one_more = [order_of("51", "buy", GOOD, slot=SLOTS[1])]
    assert market.codes([ask(TRADERS[0], one_more)]) == ["ORDERS_TOO_MANY"]
