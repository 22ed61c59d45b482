"""One price for all in one zone: `uniform`, and `coupled` where the tree is a single zone.

Definition. Among all fills with as much bought as sold, first the welfare (accepted buy limits x
quantity - accepted sell limits x quantity) is greatest, then the volume, then the fill of the step
that is first by (time, order id, step number), then of the second, and so on. A price clears when
accepted steps are not worse than it, rejected ones not better, and a partly filled one is at it.

Method. Let supply(p) be the Wh offered at limits <= p, and beyond(p) the Wh wanted at limits > p.
The *crossing* is the least p with supply(p) >= beyond(p). With demand(p) the Wh wanted at limits
>= p, the volume is min(supply, demand) at the crossing:
- a price above the crossing trades at most beyond(crossing), which supply covers and which is part
  of demand; a price below trades at most the supply below, which is part of supply and, as the
  price next below is no crossing, less than demand. So no volume is greater;
- every step strictly better than the crossing is filled whole, every worse one not at all. Another
  fill with the same welfare and volume differs from it among steps *at* the crossing alone, so
  these alone are ranked by (time, id, step).
Where anything trades, the crossing is also the least price that clears: just below it less is
offered than wanted. The greatest is the least limit among accepted purchases and sales left over.

Cost: the crossing is found by bisection, and each round keeps only the limits that are still
between the bounds, so that it takes few passes over the orders however many there are (at most one
pass for each bit of the distance between the dearest purchase and the cheapest sale); nothing is
sorted but the steps at the crossing, and the fills when they are paired into trades.

Bounds. Total quantity x width of the price band is below 2^62, a band without width counting as 1.
So both factors are below 2^62: limits are held as distances from the band's lower end, within
[0, 2^62), and every sum of quantities, the running ones too, is at most the total. A difference of
two such sums lies within +-2^62. Prices are compared and never added or multiplied in int64; the
bisection's midpoints, the range and the welfare are Python integers. Nothing overflows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy
from numpy.typing import NDArray

from chaincode.auctions.book import Book, Order, PriceRule, priority
from chaincode.auctions.outcome import Fill, Outcome, Reason, Trade, Unfilled
from chaincode.units import INT64_SAFE

Flags: TypeAlias = NDArray[numpy.bool_]
Integers: TypeAlias = NDArray[numpy.int64]
Rows: TypeAlias = NDArray[numpy.intp]


class Crossing(NamedTuple):
    """What a zone trades: Wh bought, [low, high] of the prices that clear, Wh filled per row.

    The range is None when nothing trades.
    """

    volume_wh: int
    price_range: tuple[int, int] | None
    fill_wh: Integers


def clear(book: Book) -> Outcome:
    """Clear a book of one zone. Raises `ValueError` for more zones or a bound exceeded."""
    if len(book.zones) != 1:
        raise ValueError(f"a uniform price is for one zone, the book has {len(book.zones)}")
    zone = book.zones[0]
    if zone.state == "paused":
        return _outcome(book, zone.id, _nothing(len(book.orders)), "ZONE_PAUSED")
    return _outcome(book, zone.id, clear_orders(book.orders, book.rules.price_band), None)


def clear_orders(orders: Sequence[Order], price_band: tuple[int, int]) -> Crossing:
    """Price range and fills of the orders of one zone, one row for each order.

    Raises `ValueError` when total quantity x band width reaches 2^62, or a limit is out of the
    band.
    """
    floor, ceiling = price_band
    quantities_wh = [order.quantity_wh for order in orders]
    if sum(quantities_wh) * max(ceiling - floor, 1) >= INT64_SAFE:
        raise ValueError(f"total quantity x width of the price band reaches {INT64_SAFE}")
    limits = [order.price - floor for order in orders]
    if limits and (min(limits) < 0 or max(limits) > ceiling - floor):
        raise ValueError(f"a limit is out of the price band [{floor}, {ceiling}]")

    def ranked(rows: Rows) -> Rows:
        def rank(row: int) -> tuple[int, str, int]:
            return orders[row].time, orders[row].id, orders[row].step

        places: list[int] = rows.tolist()
        return numpy.array(sorted(places, key=rank), dtype=numpy.intp)

    crossing = _cross(
        numpy.array([order.side == "buy" for order in orders], dtype=numpy.bool_),
        numpy.array(limits, dtype=numpy.int64),
        numpy.array(quantities_wh, dtype=numpy.int64),
        ranked,
    )
    if crossing.price_range is None:
        return crossing
    low, high = crossing.price_range
    return crossing._replace(price_range=(low + floor, high + floor))


def clear_columns(buy: Flags, price: Integers, quantity_wh: Integers, time: Integers) -> Crossing:
    """The same from columns of equal length, whose rows stand in the order of (id, step).

    The caller answers for the bounds: limits between -2^62 and 2^62, quantities from 1 on with a
    sum below 2^62.
    """

    def ranked(rows: Rows) -> Rows:
        return rows[numpy.argsort(time[rows], kind="stable")]

    return _cross(buy, price, quantity_wh, ranked)


def price_at(price_range: tuple[int, int], rule: PriceRule) -> int:
    """The price that a rule picks out of a range; the midpoint is rounded down."""
    low, high = price_range
    if rule == "seller":
        return low
    return high if rule == "buyer" else (low + high) // 2


def _nothing(rows: int) -> Crossing:
    return Crossing(0, None, numpy.zeros(rows, dtype=numpy.int64))


def _cross(
    buy: Flags, price: Integers, quantity_wh: Integers, ranked: Callable[[Rows], Rows]
) -> Crossing:
    """Find the crossing, fill what is better, ration what is at it."""
    sell = ~buy
    bids, asks = price[buy], price[sell]
    if not len(bids) or not len(asks) or int(bids.max()) < int(asks.min()):
        return _nothing(len(price))
    level = _bisect(bids, quantity_wh[buy], asks, quantity_wh[sell])
    volume_wh = min(level.supply_wh, level.demand_wh)
    fill_wh = quantity_wh * ((price > level.price) == buy)
    at = numpy.flatnonzero(price == level.price)
    for rows, better_wh in ((at[buy[at]], level.beyond_wh), (at[sell[at]], level.below_wh)):
        fill_wh[rows] = _rationed(rows, quantity_wh, volume_wh - better_wh, ranked)
    return Crossing(volume_wh, (level.price, _high(level, bids, asks)), fill_wh)


class _Level(NamedTuple):
    """The crossing, and the Wh on both sides of it, with and without the steps at it."""

    price: int
    below_wh: int
    supply_wh: int
    beyond_wh: int
    demand_wh: int


def _bisect(bids: Integers, bids_wh: Integers, asks: Integers, asks_wh: Integers) -> _Level:
    """The least price p with supply(p) >= beyond(p), given that the sides meet.

    It lies between the cheapest sale (below it nothing is offered, and the dearest purchase is
    wanted) and the dearest purchase (beyond it nothing is wanted).
    """
    low, high = int(asks.min()), int(bids.max())
    below_wh = beyond_wh = 0
    kept = bids >= low
    bids, bids_wh = bids[kept], bids_wh[kept]
    kept = asks <= high
    asks, asks_wh = asks[kept], asks_wh[kept]
    while low < high:
        middle = (low + high) // 2
        cheap, dear = asks <= middle, bids > middle
        cheap_wh, dear_wh = asks_wh[cheap], bids_wh[dear]
        supply_wh = below_wh + int(cheap_wh.sum())
        wanted_wh = beyond_wh + int(dear_wh.sum())
        if supply_wh >= wanted_wh:
            high, beyond_wh = middle, wanted_wh
            asks, asks_wh = asks[cheap], cheap_wh
            bids, bids_wh = bids[~dear], bids_wh[~dear]
        else:
            low, below_wh = middle + 1, supply_wh
            asks, asks_wh = asks[~cheap], asks_wh[~cheap]
            bids, bids_wh = bids[dear], dear_wh
    return _Level(
        price=low,
        below_wh=below_wh,
        supply_wh=below_wh + int(asks_wh.sum()),
        beyond_wh=beyond_wh,
        demand_wh=beyond_wh + int(bids_wh.sum()),
    )


def _rationed(
    rows: Rows, quantity_wh: Integers, room_wh: int, ranked: Callable[[Rows], Rows]
) -> Integers:
    """What each of the rows at the crossing gets of the room, first come by rank."""
    wanted_wh = quantity_wh[rows]
    if int(wanted_wh.sum()) <= room_wh:
        return wanted_wh
    order = ranked(rows)
    sorted_wh = quantity_wh[order]
    before_wh = numpy.cumsum(sorted_wh) - sorted_wh
    given_wh = numpy.clip(room_wh - before_wh, 0, sorted_wh)
    # `rows` ascend, so a row's place in them is found by bisection.
    wanted_wh[numpy.searchsorted(rows, order)] = given_wh
    return wanted_wh


def _high(level: _Level, bids: Integers, asks: Integers) -> int:
    """The greatest price that clears, given the least."""
    volume_wh = min(level.supply_wh, level.demand_wh)
    if level.supply_wh > volume_wh:
        return level.price  # a sale at the crossing is left over
    if level.beyond_wh < volume_wh:
        return level.price  # a purchase at the crossing is accepted
    accepted, left = int(bids[bids > level.price].min()), asks[asks > level.price]
    return min(accepted, int(left.min())) if len(left) else accepted


def _outcome(book: Book, zone: str, crossing: Crossing, left: Reason | None) -> Outcome:
    """The whole answer; `left` is why all of it was left, None where price and priority decide."""
    clears = crossing.price_range
    price = None if clears is None else price_at(clears, book.rules.price_rule)
    fills_wh: list[int] = crossing.fill_wh.tolist()
    filled = list(zip(book.orders, fills_wh, strict=True))
    filled.sort(key=lambda row: (row[0].id, row[0].step))
    fills: list[Fill] = []
    unfilled: list[Unfilled] = []
    welfare_nano = 0
    for order, fill_wh in filled:
        if fill_wh and price is not None:
            fills.append(Fill(order.name, fill_wh, price))
            worth_nano = order.price * fill_wh
            welfare_nano += worth_nano if order.side == "buy" else -worth_nano
        if order.quantity_wh > fill_wh:
            reason = left or ("PRIORITY" if order.price == price else "PRICE")
            unfilled.append(Unfilled(order.name, order.quantity_wh - fill_wh, reason))
    return Outcome(
        volume=crossing.volume_wh,
        welfare=welfare_nano,
        prices={zone: price},
        price_range={zone: clears},
        flows={},
        congestion_rent={},
        edge_income={},
        loss_account={},
        area_income=0,
        fills=fills,
        trades=[] if price is None else _pair(filled, zone, price),
        unfilled=unfilled,
    )


def _pair(filled: Sequence[tuple[Order, int]], zone: str, price: int) -> list[Trade]:
    """Both sides in priority order, paired from the front."""
    buys, sells = (
        sorted(
            ((order, fill_wh) for order, fill_wh in filled if fill_wh and order.side == side),
            key=lambda row: priority(row[0]),
        )
        for side in ("buy", "sell")
    )
    trades: list[Trade] = []
    path = [zone]
    sales = iter(sells)
    sale, offered_wh = next(sales)
    for purchase, wanted_wh in buys:
        open_wh = wanted_wh
        while open_wh:
            if not offered_wh:
                sale, offered_wh = next(sales)
            traded_wh = min(open_wh, offered_wh)
            trades.append(Trade(purchase.name, sale.name, traded_wh, price, price, path))
            open_wh -= traded_wh
            offered_wh -= traded_wh
    return trades
