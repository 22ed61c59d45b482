"""A market whose book is too large to be cleared in one transaction."""

from __future__ import annotations

from chaincode.orders.sheets import TokensArguments
from tests.contract.stage.cast import MILLION, R1
from tests.contract.stage.market import Market, Submission
from tests.contract.stage.tokens import order_of


def place_large_book(market: Market) -> None:
    """Place the most orders of the most steps with the longest names.

    110 participants with 50 orders of 20 steps are some 5 MB of book, more than one transaction
    may write; the seller S trades with some of them.
    """
    names = [f"B{number:03d}" for number in range(110)]
    tokens: list[str] = []
    market.leap(lambda quick: quick.traders(*names, deposit_nano=MILLION))
    for name in names:
        orders = [
            order_of(f"{number:02d}{'x' * 62}", "buy", [(1000, 1)] * 20) for number in range(50)
        ]
        tokens.append(market.tokens.sheet(name, orders))
    market.traders("S")
    market.open()
    batches = [TokensArguments(tokens[start : start + 2]) for start in range(0, len(tokens), 2)]
    market.submit_together([Submission("place_orders", batch, R1) for batch in batches])
    market.place("who id side price wh\nS s sell 1000 2500")
