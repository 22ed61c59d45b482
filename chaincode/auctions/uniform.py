"""One price for all orders of a zone: `uniform`, and `coupled` where the tree is a single zone.

Definition. Among all fills with as much bought as sold, the mechanism chooses the greatest welfare
(accepted buy limits x quantity - accepted sell limits x quantity), then the greatest volume, then
the greatest fill of the step that is first by (time, order id, step number), then of the second
step, and so on. A price clears when no accepted step is worse than the price, no rejected step is
better, and the limit of every partly filled step equals the price.

Method. Let supply(p) be the Wh offered at limits <= p, demand(p) the Wh wanted at limits >= p, and
beyond(p) the Wh wanted at limits > p. The *crossing* is the least p with supply(p) >= beyond(p).
- The volume is the lesser of supply and demand at the crossing. A higher price trades at most
  beyond(p), which supply covers and which is part of demand. A lower price trades at most what is
  offered below the crossing, which is part of supply and less than demand, because the next lower
  price is not a crossing.
- Every step strictly better than the crossing is filled in full, and no worse step is filled. Two
  fills of the same welfare and volume can differ only among the steps *at* the crossing, and there
  only on one side, so only these steps are ranked by (time, id, step).
- Where anything trades, the crossing is also the least price that clears, because at the next
  lower price more is wanted than offered. Higher prices clear too, up to the next limit of either
  side, unless a step at the crossing has been bought or has Wh left for sale.
- supply(p) - beyond(p) is all Wh of both sides at limits <= p, less all Wh that are wanted. So the
  crossing is a quantile of the limits, and the two sides need not be told apart to find it.

Cost: linear in the number of orders. A sample narrows the limits between which the crossing must
lie, one pass confirms the range, and a bisection on the price finds the crossing in it. Where the
sample misleads, the bisection covers all rows, with at most one pass for each bit of the spread of
limits. One more pass computes the fills. The only sorting is that of the steps at the crossing,
and of the fills when they are paired into trades.

Bounds. Total quantity x width of the price band is below 2^62, where a band without width counts
as 1. So both factors are below 2^62: limits are held as distances from the band's lower end,
within [0, 2^62), and every sum of quantities, running sums included, is at most the total. A
difference of two such sums lies within +-2^62. Prices are compared and never added or multiplied
in int64; the bisection's midpoints, the range and the welfare are Python integers. So no
computation overflows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy
from numpy.typing import NDArray

from chaincode.auctions.book import Book, Order, PriceRule, priority
from chaincode.auctions.outcome import Fill, Outcome, Reason, Trade, Unfilled
from chaincode.units import INT64_SAFE

PART_ROWS = 2**16  # rows processed at a time, so that intermediate arrays stay in the cache
SAMPLE_ROWS = 2**12  # narrows to an eighth of the rows; the sampling error is far below that

Flags: TypeAlias = NDArray[numpy.bool_]
Integers: TypeAlias = NDArray[numpy.int64]
Rows: TypeAlias = NDArray[numpy.intp]


class Crossing(NamedTuple):
    """What a zone trades: Wh bought, the range [low, high] of clearing prices, Wh filled per row.

    The range is None when nothing trades.
    """

    volume_wh: int
    price_range: tuple[int, int] | None
    fill_wh: Integers


def clear(book: Book) -> Outcome:
    """Clear a book of one zone.

    Raises `ValueError` for several zones, for an order of another zone, and where `clear_orders`
    raises it.
    """
    if len(book.zones) != 1:
        raise ValueError(f"a uniform price is for one zone, the book has {len(book.zones)}")
    zone = book.zones[0]
    if any(order.zone != zone.id for order in book.orders):
        raise ValueError(f"an order is not of zone {zone.id!r}")
    if zone.state == "paused":
        return _outcome(book, zone.id, _nothing(len(book.orders)), "ZONE_PAUSED")
    return _outcome(book, zone.id, clear_orders(book.orders, book.rules.price_band), None)


def clear_orders(orders: Sequence[Order], price_band: tuple[int, int]) -> Crossing:
    """Price range and fills of the orders of one zone, one row for each order.

    Raises `ValueError` for a quantity below 1, a limit out of the band, and when total quantity x
    width of the band reaches 2^62.
    """
    floor, ceiling = price_band
    quantities_wh = [order.quantity_wh for order in orders]
    if quantities_wh and min(quantities_wh) < 1:
        raise ValueError("a quantity is below 1 Wh")
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
    """Do what `clear_orders` does, from columns of equal length with rows sorted by (id, step).

    The caller ensures the bounds: limits lie between -2^62 and 2^62, and quantities are at least 1
    with a sum below 2^62.
    """

    def ranked(rows: Rows) -> Rows:
        return rows[numpy.argsort(time[rows], kind="stable")]

    return _cross(buy, price, quantity_wh, ranked)


def price_at(price_range: tuple[int, int], rule: PriceRule) -> int:
    """The price that a price rule picks out of a range; the midpoint is rounded down."""
    low, high = price_range
    if rule == "seller":
        return low
    return high if rule == "buyer" else (low + high) // 2


def _nothing(rows: int) -> Crossing:
    return Crossing(0, None, numpy.zeros(rows, dtype=numpy.int64))


def _cross(
    buy: Flags, price: Integers, quantity_wh: Integers, ranked: Callable[[Rows], Rows]
) -> Crossing:
    """Find the crossing, fill the better steps, and ration the steps at the crossing."""
    if not len(price):
        return _nothing(0)
    crossing = _least_covering(buy, price, quantity_wh)
    fill_wh = numpy.empty(len(price), dtype=numpy.int64)
    beyond_wh = below_wh = 0
    found: list[Rows] = []
    for part in _parts(len(price)):
        bids, limits, filled_wh = buy[part], price[part], fill_wh[part]
        better = (limits > crossing) == bids
        here = numpy.flatnonzero(limits == crossing)
        better[here] = False
        found.append(here + part.start)
        numpy.multiply(quantity_wh[part], better, out=filled_wh)
        purchased_wh = int(numpy.dot(filled_wh, bids))
        beyond_wh += purchased_wh
        below_wh += int(filled_wh.sum()) - purchased_wh
    at = numpy.concatenate(found)
    bids_at, asks_at = at[buy[at]], at[~buy[at]]
    demand_wh = beyond_wh + int(quantity_wh[bids_at].sum())
    supply_wh = below_wh + int(quantity_wh[asks_at].sum())
    volume_wh = min(supply_wh, demand_wh)
    if not volume_wh:
        return _nothing(len(price))
    for rows, better_wh in ((bids_at, beyond_wh), (asks_at, below_wh)):
        _ration(fill_wh, rows, quantity_wh, volume_wh - better_wh, ranked)
    high = crossing
    if volume_wh == supply_wh and volume_wh == beyond_wh:
        # No step at the crossing has been bought or has Wh left for sale, so higher prices clear
        # too, up to the next limit of an accepted purchase or of an unsold offer.
        high = int(numpy.compress(price > crossing, price).min())
    return Crossing(volume_wh, (crossing, high), fill_wh)


def _least_covering(buy: Flags, price: Integers, quantity_wh: Integers) -> int:
    """The least limit at or below which the Wh of both sides add up to all Wh that are wanted."""
    bought_wh, below_wh, price, quantity_wh = _near(buy, price, quantity_wh)
    low, high = int(price.min()), int(price.max())
    while low < high:
        middle = (low + high) // 2
        kept = price <= middle
        cheap_wh = numpy.compress(kept, quantity_wh)
        up_to_wh = below_wh + int(cheap_wh.sum())
        if up_to_wh >= bought_wh:
            high, quantity_wh = middle, cheap_wh
        else:
            low, below_wh, kept = middle + 1, up_to_wh, ~kept
            quantity_wh = numpy.compress(kept, quantity_wh)
        price = numpy.compress(kept, price)
    return low


class _Near(NamedTuple):
    """Limits and quantities of the rows among which the crossing lies.

    It also holds the Wh wanted in the whole book, and the Wh of all rows with lower limits.
    """

    bought_wh: int
    below_wh: int
    price: Integers
    quantity_wh: Integers


def _near(buy: Flags, price: Integers, quantity_wh: Integers) -> _Near:
    """Leave out, in one pass, most rows that are far from the crossing.

    A sample gives two limits that probably enclose the crossing. Sums over all rows show whether
    they do; if they do not, no row is left out.
    """
    low, high = _guess(buy, price, quantity_wh)
    limits: list[Integers] = []
    limits_wh: list[Integers] = []
    bought_wh = below_wh = within_wh = 0
    for part in _parts(len(price)):
        part_wh = quantity_wh[part]
        lower = price[part] < low
        within = (price[part] <= high) ^ lower
        near_wh = numpy.compress(within, part_wh)
        limits.append(numpy.compress(within, price[part]))
        limits_wh.append(near_wh)
        bought_wh += int(numpy.dot(part_wh, buy[part]))
        below_wh += int(numpy.dot(part_wh, lower))
        within_wh += int(near_wh.sum())
    if below_wh < bought_wh <= below_wh + within_wh:
        return _Near(bought_wh, below_wh, numpy.concatenate(limits), numpy.concatenate(limits_wh))
    return _Near(bought_wh, 0, price, quantity_wh)


def _guess(buy: Flags, price: Integers, quantity_wh: Integers) -> tuple[int, int]:
    """Two limits that enclose the crossing by a sample of the rows, with room for its error."""
    rows = slice(None, None, 1 + len(price) // SAMPLE_ROWS)
    sample, sample_wh = price[rows], quantity_wh[rows]
    order = numpy.argsort(sample)
    up_to_wh = numpy.cumsum(sample_wh[order])
    place = int(numpy.searchsorted(up_to_wh, int(numpy.dot(sample_wh, buy[rows]))))
    margin = 1 + len(sample) // 16
    first, last = max(place - margin, 0), min(place + margin, len(sample) - 1)
    return int(sample[order[first]]), int(sample[order[last]])


def _parts(rows: int) -> Iterator[slice]:
    """Slices of `PART_ROWS` rows that together cover all rows."""
    for start in range(0, rows, PART_ROWS):
        yield slice(start, start + PART_ROWS)


def _ration(
    fill_wh: Integers,
    rows: Rows,
    quantity_wh: Integers,
    room_wh: int,
    ranked: Callable[[Rows], Rows],
) -> None:
    """Fill the rows at the crossing one by one, by rank, until no quantity is left to fill."""
    wanted_wh = quantity_wh[rows]
    if int(wanted_wh.sum()) > room_wh:
        rows = ranked(rows)
        wanted_wh = quantity_wh[rows]
        before_wh = numpy.cumsum(wanted_wh) - wanted_wh
        wanted_wh = numpy.clip(room_wh - before_wh, 0, wanted_wh)
    fill_wh[rows] = wanted_wh


def _outcome(book: Book, zone: str, crossing: Crossing, left: Reason | None) -> Outcome:
    """The outcome; `left` is why no step traded, or None where price and priority decide."""
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
    """Pair the steps of both sides in priority order, from the first."""
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
