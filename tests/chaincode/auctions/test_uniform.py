"""One zone, one price: books drawn as tables, and the edges of the definition."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.auctions.book import AuctionRules, Book, Order, PriceRule, Zone, ZoneState
from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.auctions.outcome import Outcome
from chaincode.auctions.uniform import clear, clear_orders, price_at
from tests.chaincode.auctions.table import ZONE, one_zone, read_orders


def clear_table(table: str, price_rule: PriceRule = "midpoint") -> Outcome:
    return clear(one_zone(read_orders(table), price_rule))


def fills_of(outcome: Outcome) -> str:
    return ", ".join(f"{fill.order} {fill.quantity}" for fill in outcome.fills)


def left_of(outcome: Outcome) -> str:
    return ", ".join(f"{left.order} {left.quantity} {left.reason}" for left in outcome.unfilled)


def trades_of(outcome: Outcome) -> str:
    return ", ".join(f"{trade.buy}-{trade.sell} {trade.quantity}" for trade in outcome.trades)


WHOLE = """
    buy      price   sell
    b1 500   150000
              60000  s1 500
"""
SELLER_HAS_MORE = """
    buy      price   sell
    b1 500   150000
              60000  s1 1600
"""
BUYER_WANTS_MORE = """
    buy      price   sell
    b1 900   150000
              60000  s1 300
"""
NO_GAIN = """
    buy      price   sell
    b1 5     100     s1 5
"""
MORE_WITHOUT_GAIN = """
    buy      price   sell
    b1 5     200
    b2 3     100     s1 9
"""
REJECTED_BETWEEN = """
    buy      price   sell
    b1 5     200
             180     s2 4
    b2 4     120
             100     s1 5
"""
FIRST_BY_TIME = """
    buy         price   sell
    b1 5        200
                100     s1 4 @3, s2 4 @1, s3 4 @2
"""
FIRST_BY_ID = """
    buy              price   sell
                     100     s1 7
    c 3, a 3, b 3    200
"""
FIRST_BY_STEP = """
    buy         price   sell
    b 9         200
                100     s 4, s 4, s 4
"""
BUYERS_RATIONED = """
    buy              price   sell
    b1 2             150
    b2 4 @9, b3 4    120
                     100     s1 7
"""
NEGATIVE = """
    buy      price   sell
    b1 5      -100
              -301   s1 5
"""
APART = """
    buy      price   sell
             100     s1 5
    b1 5      99
"""
BUYERS_ALONE = """
    buy            price   sell
    b1 5, b2 7     100
"""
SELLERS_ALONE = """
    buy      price   sell
             100     s1 5, s2 7
"""


@pytest.mark.parametrize(
    ("table", "price_range", "fills", "left"),
    [
        pytest.param(WHOLE, (60_000, 150_000), "b1 500, s1 500", "", id="whole"),
        pytest.param(
            SELLER_HAS_MORE,
            (60_000, 60_000),
            "b1 500, s1 500",
            "s1 1100 PRIORITY",
            id="seller-has-more",
        ),
        pytest.param(
            BUYER_WANTS_MORE,
            (150_000, 150_000),
            "b1 300, s1 300",
            "b1 600 PRIORITY",
            id="buyer-wants-more",
        ),
        pytest.param(NO_GAIN, (100, 100), "b1 5, s1 5", "", id="trade-without-gain-is-made"),
        pytest.param(
            MORE_WITHOUT_GAIN,
            (100, 100),
            "b1 5, b2 3, s1 8",
            "s1 1 PRIORITY",
            id="volume-grows-where-welfare-does-not",
        ),
        pytest.param(
            REJECTED_BETWEEN,
            (120, 180),
            "b1 5, s1 5",
            "b2 4 PRICE, s2 4 PRICE",
            id="rejected-limits-narrow-the-range",
        ),
        pytest.param(
            FIRST_BY_TIME,
            (100, 100),
            "b1 5, s2 4, s3 1",
            "s1 4 PRIORITY, s3 3 PRIORITY",
            id="equal-limits-stand-by-time",
        ),
        pytest.param(
            FIRST_BY_ID,
            (200, 200),
            "a 3, b 3, c 1, s1 7",
            "c 2 PRIORITY",
            id="equal-times-stand-by-id",
        ),
        pytest.param(
            FIRST_BY_STEP,
            (100, 100),
            "b 9, s#1 4, s#2 4, s#3 1",
            "s#3 3 PRIORITY",
            id="equal-ids-stand-by-step",
        ),
        pytest.param(
            BUYERS_RATIONED,
            (120, 120),
            "b1 2, b2 1, b3 4, s1 7",
            "b2 3 PRIORITY",
            id="better-limit-before-earlier-time",
        ),
        pytest.param(NEGATIVE, (-301, -100), "b1 5, s1 5", "", id="negative-limits"),
        pytest.param(APART, None, "", "b1 5 PRICE, s1 5 PRICE", id="sides-that-do-not-meet"),
        pytest.param(BUYERS_ALONE, None, "", "b1 5 PRICE, b2 7 PRICE", id="buyers-alone"),
        pytest.param(SELLERS_ALONE, None, "", "s1 5 PRICE, s2 7 PRICE", id="sellers-alone"),
    ],
)
def test_book_clears_as_drawn(
    table: str, price_range: tuple[int, int] | None, fills: str, left: str
) -> None:
    outcome = clear_table(table)

    assert outcome.price_range == {ZONE: price_range}
    assert fills_of(outcome) == fills
    assert left_of(outcome) == left
    assert outcome.volume == sum(trade.quantity for trade in outcome.trades)


def test_empty_book_has_no_price() -> None:
    outcome = clear(one_zone([]))

    assert outcome.prices == {ZONE: None}
    assert (outcome.volume, outcome.welfare, outcome.fills, outcome.unfilled) == (0, 0, [], [])


@pytest.mark.parametrize(
    ("price_rule", "price"), [("seller", -301), ("buyer", -100), ("midpoint", -201)]
)
def test_price_rule_picks_from_the_range_and_midpoint_rounds_down(
    price_rule: PriceRule, price: int
) -> None:
    outcome = clear_table(NEGATIVE, price_rule)

    assert outcome.prices == {ZONE: price}
    assert {fill.price for fill in outcome.fills} == {price}
    assert {(trade.buy_price, trade.sell_price) for trade in outcome.trades} == {(price, price)}


@pytest.mark.parametrize(
    ("price_range", "price"), [((-1, 0), -1), ((0, 1), 0), ((-3, -2), -3), ((5, 5), 5)]
)
def test_midpoint_rounds_towards_minus_infinity(price_range: tuple[int, int], price: int) -> None:
    assert price_at(price_range, "midpoint") == price


@pytest.mark.parametrize(
    ("price_rule", "left"),
    [
        ("seller", "b2 4 PRIORITY, s2 4 PRICE"),
        ("buyer", "b2 4 PRICE, s2 4 PRIORITY"),
        ("midpoint", "b2 4 PRICE, s2 4 PRICE"),
    ],
)
def test_reason_is_priority_where_the_limit_equals_the_price(
    price_rule: PriceRule, left: str
) -> None:
    assert left_of(clear_table(REJECTED_BETWEEN, price_rule)) == left


def test_sides_are_paired_in_priority_order() -> None:
    outcome = clear_table("""
        buy               price   sell
        b1 5              200
        b2 2 @5, b3 4     150
                           90     s2 3
                           80     s1 4, s3 9 @2
    """)

    assert trades_of(outcome) == "b1-s1 4, b1-s3 1, b3-s3 4, b2-s3 2"
    assert all(trade.path == [ZONE] for trade in outcome.trades)
    assert left_of(outcome) == "s2 3 PRICE, s3 2 PRIORITY"


def test_welfare_is_what_buyers_valued_less_what_sellers_asked() -> None:
    outcome = clear_table(MORE_WITHOUT_GAIN)

    assert outcome.welfare == 5 * 200 + 3 * 100 - 8 * 100


def test_root_alone_has_no_edge_to_tell_about() -> None:
    outcome = clear_table(WHOLE)

    edges = (outcome.flows, outcome.congestion_rent, outcome.edge_income, outcome.loss_account)
    assert edges == ({}, {}, {}, {})
    assert outcome.area_income == 0


def test_paused_zone_trades_nothing_and_says_so() -> None:
    outcome = clear(
        msgspec.structs.replace(
            one_zone(read_orders(WHOLE)), zones=[Zone(ZONE, "p", state="paused")]
        )
    )

    assert outcome.prices == outcome.price_range == {ZONE: None}
    assert left_of(outcome) == "b1 500 ZONE_PAUSED, s1 500 ZONE_PAUSED"
    assert (outcome.volume, outcome.fills, outcome.trades) == (0, [], [])


@pytest.mark.parametrize("state", ["open", "islanded"])
def test_islanded_zone_trades_inside(state: ZoneState) -> None:
    book = one_zone(read_orders(WHOLE))

    outcome = clear(msgspec.structs.replace(book, zones=[Zone(ZONE, "p", state=state)]))

    assert outcome == clear(book)


def test_coupled_tree_of_one_zone_is_uniform() -> None:
    book = one_zone(read_orders(REJECTED_BETWEEN))

    assert MECHANISMS["coupled"].clear(book) == MECHANISMS["uniform"].clear(book)


def test_two_zones_are_no_uniform_book() -> None:
    book = msgspec.structs.replace(one_zone([]), zones=[Zone("a"), Zone("b", "a")])

    with pytest.raises(ValueError, match="has 2"):
        clear(book)


def test_order_of_another_zone_is_refused() -> None:
    orders = [msgspec.structs.replace(order, zone="q") for order in read_orders(WHOLE)]

    with pytest.raises(ValueError, match="'z'"):
        clear(one_zone(orders))


def trade_of(quantity_wh: int, *, low: int, high: int) -> list[Order]:
    """A purchase at the upper and a sale at the lower end, of the same quantity."""
    return [
        Order("b", 1, plain=True, zone=ZONE, side="buy", price=high, quantity_wh=quantity_wh),
        Order("s", 1, plain=True, zone=ZONE, side="sell", price=low, quantity_wh=quantity_wh),
    ]


@pytest.mark.parametrize("width", [0, 1, 2, 3, 2**31, 2**60])
def test_book_next_below_the_bound_clears_exactly(width: int) -> None:
    quantity_wh = ((2**62 - 1) // max(width, 1)) // 2
    orders = trade_of(quantity_wh, low=-width, high=0)

    outcome = clear(Book("uniform", AuctionRules(price_band=(-width, 0)), [Zone(ZONE)], orders))

    assert outcome.volume == quantity_wh
    assert outcome.welfare == quantity_wh * width
    assert outcome.price_range == {ZONE: (-width, 0)}


@pytest.mark.parametrize("width", [0, 1, 2, 2**31, 2**61])
def test_book_at_the_bound_is_refused(width: int) -> None:
    orders = trade_of(2**62 // max(width, 1) // 2, low=0, high=width)

    with pytest.raises(ValueError, match=str(2**62)):
        clear_orders(orders, (0, width))


@pytest.mark.parametrize("quantity_wh", [0, -1])
def test_quantity_below_one_is_refused(quantity_wh: int) -> None:
    with pytest.raises(ValueError, match="below 1 Wh"):
        clear_orders(trade_of(quantity_wh, low=0, high=1), (0, 1))


@pytest.mark.parametrize("price", [-1, 11])
def test_limit_out_of_the_band_is_refused(price: int) -> None:
    order = Order("b", 1, plain=True, zone=ZONE, side="buy", price=price, quantity_wh=1)

    with pytest.raises(ValueError, match=r"\[0, 10\]"):
        clear_orders([order], (0, 10))


def test_band_beyond_64_bits_clears_as_the_same_book_near_zero() -> None:
    far = 10**30
    orders = trade_of(7, low=far, high=far + 9)

    crossing = clear_orders(orders, (far, far + 10))

    assert crossing.price_range == (far, far + 9)
    assert crossing.fill_wh.tolist() == [7, 7]
