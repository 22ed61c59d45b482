"""Benches of uniform clearing: compared with sorting the orders, and for ten times as many.

Books are drawn from a fixed seed: both sides are equally likely, limits are spread evenly over a
number of distinct prices, quantities are 1 to 5,000 Wh, and times come from a hash. The orders are
the structs that the contract clears.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy
from numpy.typing import NDArray

from chaincode.auctions.book import Order, priority
from chaincode.auctions.uniform import clear_columns, clear_orders
from commonwatt.bench.figure import Figure, ratio

ORDERS = 200_000
PRICES = (1_000, 100_000)
BAND = (-500_000, 4_000_000)
WIDTH = 1_000_000  # micro/kWh over which the limits of a book are spread
PAIRS = 7
GROWTH_PAIRS = 25  # these rounds are short, so a steady median needs more of them


Measured: TypeAlias = tuple[float, tuple[float, float]]  # a median and its spread


class Columns(NamedTuple):
    """A book as columns, rows in the order of (id, step)."""

    buy: NDArray[numpy.bool_]
    price: NDArray[numpy.int64]
    quantity_wh: NDArray[numpy.int64]
    time: NDArray[numpy.int64]


def draw_columns(rows: int, *, prices: int) -> Columns:
    """Return a book of `rows` orders at `prices` distinct limits."""
    draw = numpy.random.default_rng(20160613)
    return Columns(
        buy=draw.integers(0, 2, rows) == 1,
        price=draw.integers(0, prices, rows) * (WIDTH // prices),
        quantity_wh=draw.integers(1, 5_001, rows),
        time=draw.integers(0, 2**63 - 1, rows),
    )


def orders_of(columns: Columns) -> list[Order]:
    """Return the same book as order structs."""
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        Order(
            id=f"did:key:z6Mk{number:08d}/o{number}",
            step=1,
            plain=True,
            zone="z",
            side="buy" if buy else "sell",
            price=price,
            quantity_wh=quantity_wh,
            time=time,
            participant=f"did:key:z6Mk{number:08d}",
        )
        for number, (buy, price, quantity_wh, time) in enumerate(rows)
    ]


def clearing() -> list[Figure]:
    """Compare clearing, from order structs to fills, with one `sorted` of them by priority."""
    measured: list[Measured] = []
    for prices in PRICES:
        orders = orders_of(draw_columns(ORDERS, prices=prices))
        measured.append(
            ratio(partial(clear_orders, orders, BAND), partial(_sort, orders), pairs=PAIRS)
        )
    against = f"sorting {ORDERS:,} order structs by priority"
    return [_worse("clearing", measured, against=against, reach_max=1.0)]


def clearing_columns() -> list[Figure]:
    """Compare clearing, from integer columns to prices and fills, with the same `sorted`."""
    measured: list[Measured] = []
    for prices in PRICES:
        columns = draw_columns(ORDERS, prices=prices)
        orders = orders_of(columns)
        measured.append(
            ratio(partial(clear_columns, *columns), partial(_sort, orders), pairs=PAIRS)
        )
    against = f"sorting {ORDERS:,} order structs by priority"
    return [_worse("clearing-columns", measured, against=against, reach_max=0.2)]


def clearing_growth() -> list[Figure]:
    """Compare clearing ten times as many orders, in columns, with clearing the orders once."""
    measured: list[Measured] = []
    for prices in PRICES:
        large = draw_columns(10 * ORDERS, prices=prices)
        small = draw_columns(ORDERS, prices=prices)
        measured.append(
            ratio(
                partial(clear_columns, *large), partial(clear_columns, *small), pairs=GROWTH_PAIRS
            )
        )
    against = f"{ORDERS:,} orders in columns, for {10 * ORDERS:,}"
    return [_worse("clearing-growth", measured, against=against, reach_max=11.0)]


def _sort(orders: list[Order]) -> list[Order]:
    return sorted(orders, key=priority)


def _worse(name: str, measured: Sequence[Measured], *, against: str, reach_max: float) -> Figure:
    """Return the greatest ratio over the numbers of distinct prices; `against` lists all ratios."""
    value, spread = max(measured)
    each = ", ".join(
        f"{median:.3g} at {prices:,} prices"
        for prices, (median, _) in zip(PRICES, measured, strict=True)
    )
    return Figure(
        name=name,
        value=value,
        unit="x",
        spread=spread,
        against=f"{against} ({each})",
        reach=f"at most {reach_max:g} x",
        met=value <= reach_max,
    )
