"""Books drawn at random: what holds for every uniform clearing."""

from __future__ import annotations

from collections import defaultdict

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.auctions.book import AuctionRules, Book, Order, PriceRule, Side, Zone, priority
from chaincode.auctions.uniform import clear, clear_orders
from tests.chaincode.auctions.reference import clears, enumerated, merged
from tests.chaincode.auctions.table import BAND, ZONE, one_zone

SIDES = st.sampled_from(("buy", "sell"))
RULES = st.sampled_from(("seller", "buyer", "midpoint"))
PRICES = st.one_of(
    st.integers(-3, 3), st.integers(-1_000, 1_000), st.sampled_from((*BAND, 0)), st.integers(*BAND)
)
QUANTITIES = st.one_of(st.integers(1, 5), st.integers(1, 10**10))  # 200 of them fit the bound
STEPS = st.lists(st.tuples(PRICES, QUANTITIES), min_size=1, max_size=4)


def steps_of(number: int, side: Side, time: int, steps: list[tuple[int, int]]) -> list[Order]:
    return [
        Order(
            f"o{number}",
            step,
            plain=len(steps) == 1,
            zone=ZONE,
            side=side,
            price=price,
            quantity_wh=quantity_wh,
            time=time,
        )
        for step, (price, quantity_wh) in enumerate(steps, start=1)
    ]


@st.composite
def books(draw: st.DrawFn, *, orders_max: int = 30) -> list[Order]:
    """Orders of several steps with many ties in price and time."""
    drawn = draw(st.lists(st.tuples(SIDES, st.integers(-1, 2), STEPS), max_size=orders_max))
    return [
        step
        for number, (side, time, steps) in enumerate(drawn)
        for step in steps_of(number, side, time, steps)
    ]


@settings(max_examples=500)
@given(books())
def test_any_book_clears_like_the_reference(orders: list[Order]) -> None:
    crossing = clear_orders(orders, BAND)

    expected = merged(orders)
    assert tuple(crossing.fill_wh.tolist()) == expected.fill_wh
    assert crossing.price_range == expected.price_range


@given(
    st.lists(st.tuples(SIDES, st.integers(-2, 2), st.integers(1, 4), st.integers(0, 1)), max_size=6)
)
def test_small_book_clears_by_the_definition(drawn: list[tuple[Side, int, int, int]]) -> None:
    orders = [
        Order(
            f"o{number}",
            1,
            plain=True,
            zone=ZONE,
            side=side,
            price=price,
            quantity_wh=wh,
            time=time,
        )
        for number, (side, price, wh, time) in enumerate(drawn)
    ]

    crossing = clear_orders(orders, BAND)

    expected = enumerated(orders)
    assert tuple(crossing.fill_wh.tolist()) == expected.fill_wh
    assert crossing.price_range == expected.price_range


@given(books(), st.data())
def test_order_of_the_list_changes_nothing(orders: list[Order], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(orders))

    assert clear(one_zone(shuffled)) == clear(one_zone(orders))


@given(books(), RULES)
def test_price_clears_and_none_outside_the_range_does(
    orders: list[Order], price_rule: PriceRule
) -> None:
    book = one_zone(orders, price_rule)

    outcome = clear(book)

    price, ends = outcome.prices[ZONE], outcome.price_range[ZONE]
    if price is None or ends is None:
        assert price is ends is None
        assert outcome.volume == 0
        return
    fill_wh = clear_orders(orders, BAND).fill_wh.tolist()
    low, high = ends
    assert low <= price <= high
    assert all(clears(orders, fill_wh, each) for each in (low, price, high))
    assert not clears(orders, fill_wh, low - 1)
    assert not clears(orders, fill_wh, high + 1)


@given(books(), RULES)
def test_trades_fills_and_rests_add_up(orders: list[Order], price_rule: PriceRule) -> None:
    outcome = clear(one_zone(orders, price_rule))

    by_name = {order.name: order for order in orders}
    traded_wh: defaultdict[str, int] = defaultdict(int)
    for trade in outcome.trades:
        traded_wh[trade.buy] += trade.quantity
        traded_wh[trade.sell] += trade.quantity
        assert by_name[trade.buy].side == "buy"
        assert by_name[trade.sell].side == "sell"
        assert by_name[trade.sell].price <= trade.sell_price == trade.buy_price
        assert trade.buy_price <= by_name[trade.buy].price
    assert traded_wh == {fill.order: fill.quantity for fill in outcome.fills}
    assert outcome.volume == sum(trade.quantity for trade in outcome.trades)
    assert outcome.welfare == sum(
        trade.quantity * (by_name[trade.buy].price - by_name[trade.sell].price)
        for trade in outcome.trades
    )
    for left in outcome.unfilled:
        at_price = by_name[left.order].price == outcome.prices[ZONE]
        assert left.reason == ("PRIORITY" if at_price else "PRICE")
    rest_wh = {left.order: left.quantity for left in outcome.unfilled}
    for name, order in by_name.items():
        assert traded_wh[name] + rest_wh.get(name, 0) == order.quantity_wh


@given(books())
def test_trades_follow_priority_and_listings_follow_ids(orders: list[Order]) -> None:
    outcome = clear(one_zone(orders))

    by_name = {order.name: order for order in orders}
    for names in ([t.buy for t in outcome.trades], [t.sell for t in outcome.trades]):
        ranks = [priority(by_name[name]) for name in names]
        assert ranks == sorted(ranks)
    for listed in (outcome.fills, outcome.unfilled):
        keys = [(by_name[row.order].id, by_name[row.order].step) for row in listed]
        assert keys == sorted(set(keys))


@given(books(), st.integers(-(10**6), 10**6))
def test_moving_all_limits_moves_the_range_and_nothing_else(orders: list[Order], by: int) -> None:
    moved = [msgspec.structs.replace(order, price=order.price + by) for order in orders]

    there = clear_orders(moved, (BAND[0] + by, BAND[1] + by))

    here = clear_orders(orders, BAND)
    assert there.fill_wh.tolist() == here.fill_wh.tolist()
    if here.price_range is None:
        assert there.price_range is None
    else:
        assert there.price_range == tuple(end + by for end in here.price_range)


@given(
    st.integers(1, 2**20),
    st.lists(st.tuples(SIDES, st.integers(0, 2**20), st.integers(1, 2**12)), max_size=30),
)
def test_books_close_to_the_bound_clear_like_the_reference(
    width: int, drawn: list[tuple[Side, int, int]]
) -> None:
    """Quantities are scaled up until the next larger scale would exceed the bound."""
    total_wh = sum(quantity_wh for *_, quantity_wh in drawn)
    scale = (2**62 - 1) // (max(total_wh, 1) * width)
    orders = [
        Order(
            f"o{number}",
            1,
            plain=True,
            zone=ZONE,
            side=side,
            price=price % (width + 1),
            quantity_wh=quantity_wh * scale,
        )
        for number, (side, price, quantity_wh) in enumerate(drawn)
    ]
    book = Book("uniform", AuctionRules(price_band=(0, width)), [Zone(ZONE)], orders)

    outcome = clear(book)

    expected = merged(orders)
    fills = {fill.order: fill.quantity for fill in outcome.fills}
    assert [fills.get(order.name, 0) for order in orders] == list(expected.fill_wh)
    assert outcome.price_range[ZONE] == expected.price_range
    assert outcome.welfare == sum(
        (order.price if order.side == "buy" else -order.price) * fill_wh
        for order, fill_wh in zip(orders, expected.fill_wh, strict=True)
    )
