"""Clearing of one zone as the definition says it, slowly.

Two references, independent of each other and of the product:

`enumerated` tries every fill of every step and every price. It is the definition itself, and fit
for books of a few small steps. `merged` matches the dearest purchase with the cheapest sale until
they no longer meet. It is fit for any book.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import NamedTuple, TypeAlias

from chaincode.auctions.book import Order


class Cleared(NamedTuple):
    """Fill of each order in Wh, and [low, high] of the clearing prices, None if nothing trades."""

    fill_wh: tuple[int, ...]
    price_range: tuple[int, int] | None


class Step(NamedTuple):
    """What the definition looks at, first to last by (time, id, step)."""

    time: int
    id: str
    step: int
    price: int
    quantity_wh: int


Fills: TypeAlias = dict[Step, int]


def step_of(order: Order) -> Step:
    return Step(order.time, order.id, order.step, order.price, order.quantity_wh)


def steps_of(orders: Sequence[Order], side: str) -> tuple[Step, ...]:
    return tuple(step_of(order) for order in orders if order.side == side)


def enumerated(orders: Sequence[Order]) -> Cleared:
    """The objective by trying all fills; the range by trying all prices."""
    bought = best_fills(steps_of(orders, "buy"), dear=True)
    sold = best_fills(steps_of(orders, "sell"), dear=False)

    def objective(volume_wh: int) -> tuple[int, int]:
        return bought[volume_wh][0] - sold[volume_wh][0], volume_wh

    volume_wh = max(bought.keys() & sold.keys(), key=objective)
    ranked = sorted(step_of(order) for order in orders)
    fills = max(
        (purchases | sales for purchases in bought[volume_wh][1] for sales in sold[volume_wh][1]),
        key=lambda fills: [fills[step] for step in ranked],
    )
    fill_wh = tuple(fills[step_of(order)] for order in orders)
    if not volume_wh:
        return Cleared(fill_wh, None)
    limits = [order.price for order in orders]
    tried = range(min(limits) - 1, max(limits) + 2)
    clearing = [price for price in tried if clears(orders, fill_wh, price)]
    return Cleared(fill_wh, (clearing[0], clearing[-1]))


@cache
def best_fills(steps: tuple[Step, ...], *, dear: bool) -> dict[int, tuple[int, list[Fills]]]:
    """For each volume the greatest (least) worth of a side's fills, and the fills of that worth."""
    best: dict[int, tuple[int, list[Fills]]] = {}
    for amounts in product(*(range(step.quantity_wh + 1) for step in steps)):
        fills = dict(zip(steps, amounts, strict=True))
        volume_wh = sum(amounts)
        worth = sum(step.price * amount for step, amount in fills.items())
        known = best.get(volume_wh)
        if known is None or (worth > known[0] if dear else worth < known[0]):
            best[volume_wh] = (worth, [fills])
        elif worth == known[0]:
            known[1].append(fills)
    return best


def clears(orders: Sequence[Order], fill_wh: Sequence[int], price: int) -> bool:
    """Accepted steps are not worse than the price, rejected ones not better, others are at it."""
    for order, filled_wh in zip(orders, fill_wh, strict=True):
        gain = order.price - price if order.side == "buy" else price - order.price
        if (filled_wh and gain < 0) or (filled_wh < order.quantity_wh and gain > 0):
            return False
    return True


def merged(orders: Sequence[Order]) -> Cleared:
    """Match the dearest purchase with the cheapest sale as long as it gains, or costs nothing.

    The next to match are at the end of their lists; equal limits stand by (time, id, step).
    """
    buys = sorted(steps_of(orders, "buy"), key=lambda step: (-step.price, step), reverse=True)
    sells = sorted(steps_of(orders, "sell"), key=lambda step: (step.price, step), reverse=True)
    fills = dict.fromkeys((*buys, *sells), 0)
    traded = False
    while buys and sells and buys[-1].price >= sells[-1].price:
        buy, sell = buys[-1], sells[-1]
        matched_wh = min(buy.quantity_wh - fills[buy], sell.quantity_wh - fills[sell])
        fills[buy] += matched_wh
        fills[sell] += matched_wh
        if fills[buy] == buy.quantity_wh:
            buys.pop()
        if fills[sell] == sell.quantity_wh:
            sells.pop()
        traded = True
    fill_wh = tuple(fills[step_of(order)] for order in orders)
    if not traded:
        return Cleared(fill_wh, None)
    floors = [s.price for s in steps_of(orders, "sell") if fills[s]] + [s.price for s in buys]
    ceilings = [s.price for s in steps_of(orders, "buy") if fills[s]] + [s.price for s in sells]
    return Cleared(fill_wh, (max(floors), min(ceilings)))
