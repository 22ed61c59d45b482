"""A market whose book is too large to be cleared in one transaction."""

from __future__ import annotations

from chaincode.orders.sheets import TokensArguments
from tests.contract.stage.cast import MILLION, R1
from tests.contract.stage.market import Market, Submission
from tests.contract.stage.tokens import order_of


def place_large_book(market: Market) -> None:
    """Place the most orders with the longest names.

    110 participants with 50 orders each are more of a book than one transaction takes; the seller S
    trades with some of them.
    """
    names = [f"B{number:03d}" for number in range(110)]
    tokens: list[str] = []
    market.traders(*names, deposit_nano=MILLION)
    for name in names:
        orders = [order_of(f"{number:02d}{'x' * 62}", "buy", [(1000, 1)]) for number in range(50)]
        tokens.append(market.tokens.sheet(name, orders))
    batches = [TokensArguments(tokens[start : start + 20]) for start in range(0, len(tokens), 20)]
    market.traders("S")
    market.open()
    market.submit_together([Submission("place_orders", batch, R1) for batch in batches])
    market.place("who id side price wh\nS s sell 1000 2500")
