"""The book: the input of a market mechanism, and the form in which anybody can clear it again.

A mechanism is a pure function from a `Book` to an `Outcome`. A book contains the steps of orders,
the tree of zones with the capacities and costs of their edges, and the rules of the area; it
contains no meters, accounts, funds or ledger state. The contract checks who may trade what before
it builds the book.

Units: prices and tariffs in micro-currency per kWh, quantities and capacities in Wh, losses in
parts per million of the energy.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# house: auction imports, the bound of plain integers is the one of canonical JSON
from identity.canonical import INTEGER_MAX

Side = Literal["buy", "sell"]
PriceRule = Literal["seller", "buyer", "midpoint"]
ZoneState = Literal["open", "paused", "islanded"]

STEPS_MAX = 20  # steps of one order; a longer curve needs another order
PRICE_BAND_DEFAULT = (-(10**9), 10**9)  # from -1,000 to 1,000 currency units per kWh


class Order(msgspec.Struct, frozen=True, gc=False):
    """One step of an order; a mechanism treats every step as a separate order.

    `id` is the id of the order; `step` counts from 1. `plain` says that the order was given as one
    price and quantity, so that it is listed by its id alone. `time` breaks ties, and the smaller
    time comes first; a rule of the area defines what the time means. `participant` is the owner of
    the order; it is empty if the caller does not need the owner.
    """

    id: str
    step: int
    plain: bool
    zone: str
    side: Side
    price: int
    quantity_wh: int
    time: int = 0
    participant: str = ""

    @property
    def name(self) -> str:
        """The step's name in answers: the order's id, with `#` and the step unless `plain`."""
        return self.id if self.plain else f"{self.id}#{self.step}"


class Zone(msgspec.Struct, frozen=True):
    """A zone and the edge that joins it to its parent; the root has no parent and no edge.

    Import flows from the parent into the zone. A capacity of None is unlimited.
    """

    id: str
    parent: str | None = None
    import_wh: int | None = None
    export_wh: int | None = None
    import_tariff: int = 0
    export_tariff: int = 0
    import_loss_ppm: int = 0
    export_loss_ppm: int = 0
    state: ZoneState = "open"


class AuctionRules(msgspec.Struct, frozen=True):
    """The rules of an area that a mechanism reads.

    `price_rule` picks a price out of the range that clears. `price_band` is the [lowest, highest]
    limit. `loss_price` is the price of a kWh of losses. `lots` makes a sealed auction sell in lots.
    """

    price_rule: PriceRule = "midpoint"
    price_band: tuple[int, int] = PRICE_BAND_DEFAULT
    loss_price: int | None = None
    lots: bool = False


class Book(msgspec.Struct, frozen=True):
    """All the data that one clearing of one slot depends on."""

    mechanism: str
    rules: AuctionRules
    zones: list[Zone]
    orders: list[Order]


def priority(order: Order) -> tuple[int, int, str, int]:
    """The sort key among orders of one side: price, time, id and step; the smaller key is first."""
    price = -order.price if order.side == "buy" else order.price
    return price, order.time, order.id, order.step


def plain_integer(number: int) -> int | str:
    """An integer in JSON that every reader can hold: beyond 2^53 - 1, a string of digits."""
    return number if -INTEGER_MAX <= number <= INTEGER_MAX else str(number)


def book_json(book: Book) -> dict[str, object]:
    """The book as `commonwatt auction` reads it: plain lists and dicts of str, int, bool, None.

    Integers beyond 2^53 - 1 are strings already, and every key is ASCII, so any writer that sorts
    keys writes canonical JSON.

    The digest of the book is the SHA-256 of that canonical JSON. Orders keep the order of the book;
    all steps of one id are listed at the place of the first of them.
    """
    rules: dict[str, object] = {
        "price_rule": book.rules.price_rule,
        "price_band": [plain_integer(limit) for limit in book.rules.price_band],
        "loss_price": _plain_or_none(book.rules.loss_price),
    }
    if book.rules.lots:
        rules["lots"] = True
    return {
        "mechanism": book.mechanism,
        "rules": rules,
        "zones": [_zone_json(zone) for zone in book.zones],
        "orders": _orders_json(book.orders),
    }


def _zone_json(zone: Zone) -> dict[str, object]:
    members: dict[str, object] = {"id": zone.id, "parent": zone.parent}
    if zone.parent is not None:
        members |= {
            "import_wh": _plain_or_none(zone.import_wh),
            "export_wh": _plain_or_none(zone.export_wh),
            "import_tariff": plain_integer(zone.import_tariff),
            "export_tariff": plain_integer(zone.export_tariff),
            "import_loss_ppm": plain_integer(zone.import_loss_ppm),
            "export_loss_ppm": plain_integer(zone.export_loss_ppm),
        }
    members["state"] = zone.state
    return members


def _orders_json(orders: list[Order]) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = []
    gathered: dict[str, list[Order]] = {}
    for order in orders:
        if order.plain:
            head = _head(order)
            head["price"] = plain_integer(order.price)
            head["quantity"] = plain_integer(order.quantity_wh)
            listed.append(head)
        elif order.id in gathered:
            gathered[order.id].append(order)
        else:
            gathered[order.id] = [order]
            listed.append(_head(order))
    for members in listed:
        if "price" not in members:
            steps = sorted(gathered[str(members["id"])], key=lambda order: order.step)
            members["steps"] = [
                [plain_integer(step.price), plain_integer(step.quantity_wh)] for step in steps
            ]
    return listed


def _head(order: Order) -> dict[str, object]:
    head: dict[str, object] = {"id": order.id, "zone": order.zone, "side": order.side}
    if order.participant:
        head["participant"] = order.participant
    head["time"] = plain_integer(order.time)
    return head


def _plain_or_none(number: int | None) -> int | str | None:
    return None if number is None else plain_integer(number)
