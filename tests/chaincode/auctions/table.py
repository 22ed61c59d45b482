"""Books drawn as tables, and the small books of the exhaustive walk.

A row of a table has a purchase to the left of the price, or a sale to the right of it, or both:

    buy      price   sell
    b1 500    150
              120    s1 400, s2 100 @7

`@7` is the time of an order, 0 where it is not said. An order that stands in several rows has
steps, from the first row on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, product

from chaincode.auctions.book import AuctionRules, Book, Order, PriceRule, Side, Zone

ZONE = "z"
BAND = (-(10**6), 10**6)
SMALL_PRICES = (-2, 0, 1, 3)  # below zero, at it, next to each other, apart
SMALL_KINDS: list[tuple[Side, int, int]] = [
    (side, price, quantity_wh)
    for side, price, quantity_wh in product(("buy", "sell"), SMALL_PRICES, (1, 2, 3))
]


def read_orders(table: str) -> list[Order]:
    """The orders of a table, row by row, purchases first."""
    lines = [line for line in table.splitlines() if line.strip()]
    head = lines[0]
    price_at, sell_at = head.index("price"), head.index("sell")
    cells: list[tuple[str, Side, int, int, int]] = []
    for line in lines[1:]:
        price = int(line[price_at:sell_at])
        sides: list[tuple[Side, str]] = [("buy", line[:price_at]), ("sell", line[sell_at:])]
        for side, cell in sides:
            for entry in filter(None, (entry.strip() for entry in cell.split(","))):
                name, quantity_wh, *time = entry.replace("@", "").split()
                cells.append((name, side, price, int(quantity_wh), int(time[0]) if time else 0))
    rows = Counter(name for name, *_ in cells)
    seen: Counter[str] = Counter()
    orders: list[Order] = []
    for name, side, price, quantity_wh, time in cells:
        seen[name] += 1
        orders.append(
            Order(name, seen[name], rows[name] == 1, ZONE, side, price, quantity_wh, time)
        )
    return orders


def one_zone(orders: Sequence[Order], price_rule: PriceRule = "midpoint") -> Book:
    """A book of one open zone for a `uniform` clearing."""
    rules = AuctionRules(price_rule=price_rule, price_band=BAND)
    return Book(mechanism="uniform", rules=rules, zones=[Zone(ZONE)], orders=list(orders))


def small_books(orders: int) -> Iterator[list[Order]]:
    """Every multiset of so many orders of the small kinds.

    Ids and times fall into place by turns: in half of the books time ranks equal orders one way
    and their ids the other way.
    """
    for number, kinds in enumerate(combinations_with_replacement(SMALL_KINDS, orders)):
        yield [
            Order(
                id=f"o{index}",
                step=1,
                plain=True,
                zone=ZONE,
                side=side,
                price=price,
                quantity_wh=quantity_wh,
                time=-index * (number % 2),
            )
            for index, (side, price, quantity_wh) in enumerate(kinds)
        ]
