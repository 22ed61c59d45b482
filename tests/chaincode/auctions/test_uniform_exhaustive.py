"""Every small book of one zone, against the definition tried out fill by fill and price by price."""

from __future__ import annotations

from itertools import islice

import pytest

from chaincode.auctions.uniform import clear_orders
from tests.chaincode.auctions.reference import enumerated, merged
from tests.chaincode.auctions.table import BAND, small_books

SHARES = 8  # of a large walk, so that workers take turns


def walk(orders: int, *, share: int = 0, shares: int = 1) -> int:
    """Compare a share of the books of so many orders; how many there were."""
    walked = 0
    for book in islice(small_books(orders), share, None, shares):
        crossing = clear_orders(book, BAND)
        expected = enumerated(book)
        assert tuple(crossing.fill_wh.tolist()) == expected.fill_wh, book
        assert crossing.price_range == expected.price_range, book
        assert merged(book) == expected, book
        walked += 1
    return walked


@pytest.mark.parametrize(("orders", "books"), [(0, 1), (1, 24), (2, 300), (3, 2_600), (4, 17_550)])
def test_every_book_of_few_orders_clears_by_the_definition(orders: int, books: int) -> None:
    assert walk(orders) == books


@pytest.mark.parametrize("share", range(SHARES))
def test_every_book_of_five_orders_clears_by_the_definition(share: int) -> None:
    assert walk(5, share=share, shares=SHARES) == 98_280 // SHARES


@pytest.mark.exhaustive
@pytest.mark.parametrize("share", range(20))
def test_every_book_of_six_orders_clears_by_the_definition(share: int) -> None:
    assert walk(6, share=share, shares=20) == 475_020 // 20
