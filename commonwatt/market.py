"""The package's interface for programs: clear a book, simulate a market.

`clear` calls the mechanism that the contract calls, after the checks of `commonwatt auction`.
`simulate` runs the contract with signed orders on an embedded ledger, as `commonwatt simulate`
does. Both return structs, so `msgspec.to_builtins` makes rows for pandas from their lists.

Quantities are integers in Wh, prices integers in micro-currency per kWh (100_000 is 0.10 per kWh),
money integers in nano-currency, times seconds UTC. Books of several zones are not supported.

Importing this module loads neither the ledger nor the API; `simulate` loads the ledger when it is
called.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from operator import index
from typing import SupportsIndex

import msgspec

from chaincode.auctions.book import PRICE_BAND_DEFAULT, PriceRule, Side, plain_integer
from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.auctions.outcome import Outcome, Reason
from chaincode.queries.market import SlotView
from commonwatt.commands.auction_book import read_book
from commonwatt.commands.auction_json import AuctionInputError

LOT_WH_MAX = 1_000  # most households have less than a larger lot in a quarter of an hour
ZONE = "zone"  # the name of a book's only zone

# The names in the command's JSON of fields that have their unit in their name here.
_FIELDS = (
    (re.compile(r"\.price$"), ".steps[0].price_micro_per_kwh"),
    (re.compile(r"\.quantity$"), ".steps[0].quantity_wh"),
    (re.compile(r"(\.steps\[\d+\])\[0\]$"), r"\1.price_micro_per_kwh"),
    (re.compile(r"(\.steps\[\d+\])\[1\]$"), r"\1.quantity_wh"),
    (re.compile(r"^rules\.price_band"), "price_band_micro_per_kwh"),
    (re.compile(r"^rules\."), ""),
)


class BookRefused(ValueError):
    """The book breaks a rule: `field` says where, `sentence` says what is wrong there."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field
        self.sentence = sentence


class Step(msgspec.Struct, frozen=True):
    """A limit and a quantity: the worst price that is accepted, and the largest quantity traded."""

    price_micro_per_kwh: int
    quantity_wh: int


class Order(msgspec.Struct, frozen=True):
    """An order of 1 to 20 steps, which add up.

    `id` is unique in the book. Orders at the same price are ranked by `time`, smallest first, then
    by id.
    """

    id: str
    side: Side
    steps: Sequence[Step]
    time: int = 0


class Book(msgspec.Struct, frozen=True):
    """The orders of one zone, and the rules that they are cleared by.

    `price_rule` chooses one of several clearing prices: the lowest (`seller`), the highest
    (`buyer`) or the `midpoint`. The band is [lowest, highest] limit.
    """

    orders: Sequence[Order]
    mechanism: str = "uniform"
    price_rule: PriceRule = "midpoint"
    price_band_micro_per_kwh: tuple[int, int] = PRICE_BAND_DEFAULT


class Fill(msgspec.Struct, frozen=True):
    """The quantity that an order's step traded.

    `order` is the order's id, with `#` and the number of the step if the order has several steps.
    """

    order: str
    quantity_wh: int
    price_micro_per_kwh: int


class Trade(msgspec.Struct, frozen=True):
    """A purchase and a sale that were paired; the orders are named as in `Fill`."""

    buy: str
    sell: str
    quantity_wh: int
    buy_price_micro_per_kwh: int
    sell_price_micro_per_kwh: int


class Unfilled(msgspec.Struct, frozen=True):
    """The quantity that an order's step did not trade, because of its `PRICE` or its `PRIORITY`."""

    order: str
    quantity_wh: int
    reason: Reason


class Clearing(msgspec.Struct, frozen=True):
    """The outcome of a book.

    The price and its range are None if nothing trades. Welfare is the most that the accepted buyers
    would have paid, less the least that the accepted sellers asked for. `digest` is the digest that
    `commonwatt auction` prints for the same book in its one zone, `ZONE`.
    """

    price_micro_per_kwh: int | None
    price_range_micro_per_kwh: tuple[int, int] | None
    volume_wh: int
    welfare_nano: int
    fills: list[Fill]
    trades: list[Trade]
    unfilled: list[Unfilled]
    digest: str


class ZoneSlot(msgspec.Struct, frozen=True):
    """The outcome of a zone in one slot; price and range are None if nothing was traded."""

    slot_s: int
    zone: str
    price_micro_per_kwh: int | None
    price_range_micro_per_kwh: tuple[int, int] | None
    volume_wh: int
    welfare_nano: int
    orders: int
    trades: int


class SlotEnergy(msgspec.Struct, frozen=True):
    """The energy of one settled slot.

    `settled_wh` was traded and delivered, `residual_wh` came from retailers, `surplus_wh` went to
    retailers.
    """

    slot_s: int
    settled_wh: int
    residual_wh: int
    surplus_wh: int


class Simulation(msgspec.Struct, frozen=True):
    """The result of a simulated market: each zone in each slot, each slot, and the sums.

    The same arguments lead to the same `state_hash` on every machine.
    """

    zones: list[ZoneSlot]
    slots: list[SlotEnergy]
    orders: int
    trades: int
    volume_wh: int
    settled_wh: int
    state_hash: str


def clear(book: Book) -> Clearing:
    """Clear a book of one zone. Raises `BookRefused` for a book that breaks a rule."""
    members = {
        "mechanism": book.mechanism,
        "rules": {
            "price_rule": book.price_rule,
            "price_band": [_integer(limit) for limit in book.price_band_micro_per_kwh],
        },
        "zones": [{"id": ZONE, "parent": None}],
        "orders": [_order_json(order) for order in book.orders],
    }
    try:
        checked = read_book(json.dumps(members).encode())
    except AuctionInputError as refused:
        raise BookRefused(_field(refused.field), refused.sentence) from None
    return _clearing(MECHANISMS[checked.mechanism].clear(checked))


def simulate(
    *,
    days: int = 1,
    households: int = 20,
    seed: int = 1,
    price_rule: PriceRule = "midpoint",
    lot_wh: int = 1,
) -> Simulation:
    """Trade `days` of 96 slots among `households` drawn from `seed`, and settle every slot.

    Households order in whole lots of `lot_wh`. With larger lots there are more often several
    clearing prices, of which `price_rule` chooses one. A day of 20 households takes some 10
    seconds. In a notebook, which already runs an event loop, call
    `await asyncio.to_thread(simulate, days=1)`. Raises `ValueError` for a number out of bounds:
    days from 1 to 3650, households from 2 to 1000, lots from 1 Wh to 1 kWh, a seed from 0.
    """
    # Imported here, so that programs that only clear books need not load the ledger.
    from commonwatt.demonstration import simulation  # noqa: PLC0415 see the line above

    for name, value, least, most in (
        ("days", days, 1, simulation.DAYS_MAX),
        ("households", households, 2, simulation.HOUSEHOLDS_MAX),
        ("lot_wh", lot_wh, 1, LOT_WH_MAX),
    ):
        if not least <= value <= most:
            raise ValueError(f"{name} is from {least} to {most}, not {value}")
    if seed < 0:
        raise ValueError(f"seed is 0 or more, not {seed}")
    views: list[SlotView] = []
    totals = asyncio.run(
        simulation.simulate(
            days=days,
            households=households,
            seed=seed,
            price_rule=price_rule,
            lot_wh=lot_wh,
            settled=views.append,
        )
    )
    return Simulation(
        zones=[zone for view in views for zone in _zone_slots(view)],
        slots=[
            SlotEnergy(view.slot, sums.settled_wh, sums.residual_wh, sums.surplus_wh)
            for view in views
            if (sums := view.settlement) is not None
        ],
        orders=totals.orders,
        trades=totals.trades,
        volume_wh=totals.volume_wh,
        settled_wh=totals.settled_wh,
        state_hash=totals.state_hash,
    )


def _zone_slots(view: SlotView) -> list[ZoneSlot]:
    return [
        ZoneSlot(
            slot_s=view.slot,
            zone=zone.zone,
            price_micro_per_kwh=zone.price,
            price_range_micro_per_kwh=zone.price_range,
            volume_wh=zone.volume_wh,
            welfare_nano=zone.welfare_nano,
            orders=zone.orders,
            trades=zone.trades,
        )
        for zone in view.zones
    ]


def _order_json(order: Order) -> dict[str, object]:
    steps = [
        [_integer(step.price_micro_per_kwh), _integer(step.quantity_wh)] for step in order.steps
    ]
    head = {"id": order.id, "zone": ZONE, "side": order.side, "time": _integer(order.time)}
    if len(steps) == 1:
        return {**head, "price": steps[0][0], "quantity": steps[0][1]}
    return {**head, "steps": steps}


def _integer(value: SupportsIndex) -> object:
    """Return an integer in the form of the command's JSON, also for integers of data frames.

    Any other value is returned unchanged, and the command refuses it by the name of its field.
    """
    try:
        return plain_integer(index(value))
    except TypeError:
        return value


def _field(field: str) -> str:
    """Return the name in this module of a field of the command's JSON."""
    for pattern, name in _FIELDS:
        field = pattern.sub(name, field)
    return field


def _clearing(outcome: Outcome) -> Clearing:
    return Clearing(
        price_micro_per_kwh=outcome.prices[ZONE],
        price_range_micro_per_kwh=outcome.price_range[ZONE],
        volume_wh=outcome.volume,
        welfare_nano=outcome.welfare,
        fills=[Fill(fill.order, fill.quantity, fill.price) for fill in outcome.fills],
        trades=[
            Trade(trade.buy, trade.sell, trade.quantity, trade.buy_price, trade.sell_price)
            for trade in outcome.trades
        ],
        unfilled=[Unfilled(left.order, left.quantity, left.reason) for left in outcome.unfilled],
        digest=outcome.digest,
    )
