"""Long books: a sample narrows the search, rows are worked on in parts, columns say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy
import pytest
from numpy.typing import NDArray

from chaincode.auctions.book import Order
from chaincode.auctions.uniform import PART_ROWS, SAMPLE_ROWS, clear_columns, clear_orders
from tests.chaincode.auctions.reference import merged
from tests.chaincode.auctions.table import BAND, ZONE

Integers = NDArray[numpy.int64]


class Columns(NamedTuple):
    buy: NDArray[numpy.bool_]
    price: Integers
    quantity_wh: Integers
    time: Integers


def draw(rows: int, *, prices: int, seed: int) -> Columns:
    generator = numpy.random.default_rng(seed)
    return Columns(
        buy=generator.integers(0, 2, rows) == 1,
        price=generator.integers(-prices, prices, rows),
        quantity_wh=generator.integers(1, 50, rows),
        time=generator.integers(0, 3, rows),
    )


def orders_of(columns: Columns) -> list[Order]:
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        Order(
            id=f"o{number:06}",
            step=1,
            plain=True,
            zone=ZONE,
            side="buy" if buy else "sell",
            price=price,
            quantity_wh=quantity_wh,
            time=time,
        )
        for number, (buy, price, quantity_wh, time) in enumerate(rows)
    ]


def as_drawn(columns: Columns) -> Columns:
    return columns


def sorted_by_price(columns: Columns) -> Columns:
    order = numpy.argsort(columns.price)
    buy, price, quantity_wh, time = columns
    return Columns(buy[order], price[order], quantity_wh[order], time[order])


def sampled_rows_are_dear(columns: Columns) -> Columns:
    """Rows at the sample's stride lie far above all others, so its guess is wrong."""
    stride = 1 + len(columns.price) // SAMPLE_ROWS
    price = columns.price.copy()
    price[::stride] = 900_000
    return columns._replace(price=price)


def sampled_rows_are_cheap(columns: Columns) -> Columns:
    """The same with rows far below."""
    stride = 1 + len(columns.price) // SAMPLE_ROWS
    price = columns.price.copy()
    price[::stride] = -900_000
    return columns._replace(price=price)


def one_order_outweighs_all(columns: Columns) -> Columns:
    """One purchase, off the sample, wants more than everybody offers."""
    buy, quantity_wh = columns.buy.copy(), columns.quantity_wh.copy()
    buy[1], quantity_wh[1] = True, 10**9
    return columns._replace(buy=buy, quantity_wh=quantity_wh)


def one_price_for_all(columns: Columns) -> Columns:
    return columns._replace(price=numpy.full_like(columns.price, 42))


def all_buy(columns: Columns) -> Columns:
    return columns._replace(buy=numpy.ones_like(columns.buy))


def all_sell(columns: Columns) -> Columns:
    return columns._replace(buy=numpy.zeros_like(columns.buy))


@pytest.mark.parametrize("rows", [1, SAMPLE_ROWS - 1, SAMPLE_ROWS, 5 * SAMPLE_ROWS + 3])
@pytest.mark.parametrize("prices", [2, 900_000])
@pytest.mark.parametrize(
    "arranged",
    [
        as_drawn,
        sorted_by_price,
        sampled_rows_are_dear,
        sampled_rows_are_cheap,
        one_price_for_all,
        all_buy,
        all_sell,
    ],
)
def test_long_book_clears_like_the_reference(
    rows: int, prices: int, arranged: Callable[[Columns], Columns]
) -> None:
    columns = arranged(draw(rows, prices=prices, seed=rows))
    orders = orders_of(columns)

    by_orders, by_columns = clear_orders(orders, BAND), clear_columns(*columns)

    expected = merged(orders)
    for crossing in (by_orders, by_columns):
        assert tuple(crossing.fill_wh.tolist()) == expected.fill_wh
        assert crossing.price_range == expected.price_range
        assert crossing.volume_wh * 2 == sum(expected.fill_wh)


@pytest.mark.parametrize("arranged", [as_drawn, one_order_outweighs_all])
def test_book_of_several_parts_clears_like_the_reference(
    arranged: Callable[[Columns], Columns],
) -> None:
    columns = arranged(draw(2 * PART_ROWS + 9, prices=20, seed=7))

    crossing = clear_columns(*columns)

    expected = merged(orders_of(columns))
    assert tuple(crossing.fill_wh.tolist()) == expected.fill_wh
    assert crossing.price_range == expected.price_range


def test_sample_that_sees_nothing_but_dear_limits_hides_no_crossing() -> None:
    """Every second row is sampled, all at 500; what lies below covers all demand to the Wh."""
    sampled = numpy.arange(SAMPLE_ROWS) % 2 == 0
    buy = numpy.arange(SAMPLE_ROWS) % 4 == 0
    columns = Columns(
        buy=buy,
        price=numpy.where(sampled, 500, 100),
        quantity_wh=numpy.where(buy, 2, 1),
        time=numpy.zeros(SAMPLE_ROWS, dtype=numpy.int64),
    )

    crossing = clear_columns(*columns)

    assert crossing.price_range == (100, 500)
    assert tuple(crossing.fill_wh.tolist()) == merged(orders_of(columns)).fill_wh


def test_columns_are_left_as_they_were() -> None:
    columns = draw(2 * SAMPLE_ROWS, prices=9, seed=1)
    before = [column.copy() for column in columns]

    clear_columns(*columns)

    assert all(map(numpy.array_equal, columns, before))
