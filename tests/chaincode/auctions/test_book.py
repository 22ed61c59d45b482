"""The form in which a book is stored, digested and cleared again."""

from __future__ import annotations

import pytest

from chaincode.auctions.book import AuctionRules, Book, Order, Zone, book_json, priority
from identity.canonical import canonical_json
from tests.chaincode.auctions.table import one_zone, read_orders


def test_book_is_written_as_the_auction_reads_it() -> None:
    book = Book(
        mechanism="coupled",
        rules=AuctionRules(price_rule="seller", price_band=(-5, 9), loss_price=7),
        zones=[
            Zone("p"),
            Zone("c", "p", export_wh=1_000, export_tariff=4, import_loss_ppm=30, state="islanded"),
        ],
        orders=[
            Order(
                id="b1",
                step=1,
                plain=True,
                zone="c",
                side="buy",
                price=3,
                quantity_wh=500,
                time=2,
                participant="x",
            )
        ],
    )

    assert book_json(book) == {
        "mechanism": "coupled",
        "rules": {"price_rule": "seller", "price_band": [-5, 9], "loss_price": 7},
        "zones": [
            {"id": "p", "parent": None, "state": "open"},
            {
                "id": "c",
                "parent": "p",
                "import_wh": None,
                "export_wh": 1_000,
                "import_tariff": 0,
                "export_tariff": 4,
                "import_loss_ppm": 30,
                "export_loss_ppm": 0,
                "state": "islanded",
            },
        ],
        "orders": [
            {
                "id": "b1",
                "zone": "c",
                "side": "buy",
                "participant": "x",
                "time": 2,
                "price": 3,
                "quantity": 500,
            }
        ],
    }


def test_steps_of_an_order_are_gathered_where_its_first_one_stands() -> None:
    orders = read_orders("""
        buy      price   sell
        b 3       30
        c 4       20
        b 5       10
    """)

    written = book_json(one_zone([orders[2], orders[1], orders[0]]))

    assert written["orders"] == [
        {"id": "b", "zone": "z", "side": "buy", "time": 0, "steps": [[30, 3], [10, 5]]},
        {"id": "c", "zone": "z", "side": "buy", "time": 0, "price": 20, "quantity": 4},
    ]


def test_lots_are_written_only_where_they_are_asked_for() -> None:
    lots = Book("vickrey", AuctionRules(lots=True), [Zone("z")], [])

    assert b'"lots":true' in canonical_json(book_json(lots))
    assert b"lots" not in canonical_json(book_json(one_zone([])))


@pytest.mark.parametrize(
    ("table", "ranking"),
    [
        pytest.param(
            """
            buy      price   sell
            a 1       10
            b 1       30
            c 1       20
            """,
            "b c a",
            id="the-dearest-purchase-first",
        ),
        pytest.param(
            """
            buy      price   sell
                      10     a 1
                     -30     b 1
                      20     c 1
            """,
            "b a c",
            id="the-cheapest-sale-first",
        ),
        pytest.param(
            """
            buy              price   sell
            a 1 @3, b 1 @2   10
            c 1 @2, d 1 @-1  10
            """,
            "d b c a",
            id="then-time-then-id",
        ),
        pytest.param(
            """
            buy              price   sell
            é 1, a 1, Z 1    10
            """,
            "Z a é",
            id="ids-by-code-point",
        ),
    ],
)
def test_priority_is_price_time_id_and_step(table: str, ranking: str) -> None:
    orders = sorted(read_orders(table), key=priority)

    assert " ".join(order.name for order in orders) == ranking
