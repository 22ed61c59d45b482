"""Reads a book from JSON, for `commonwatt auction` and `commonwatt.market`.

A book that does not follow the format, or that breaks a rule on which every mechanism relies, is
refused before anything is cleared; the refusal names the field. The whole tree of zones is checked,
although books of several zones are then refused, because their mechanism is not available yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, get_args

from chaincode.auctions.book import (
    PRICE_BAND_DEFAULT,
    STEPS_MAX,
    AuctionRules,
    Book,
    Order,
    PriceRule,
    Side,
    Zone,
    ZoneState,
)
from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.units import INT64_SAFE
from commonwatt.commands.auction_json import (
    AuctionInputError,
    read_amount,
    read_amount_or_none,
    read_document,
    read_integer,
    read_list,
    read_object,
    read_pair,
    read_text,
    read_word,
    shown,
)

ONE_ZONE = ("continuous", "uniform", "vickrey")  # the format names all; the table has some
TREES = ("coupled", "pay_as_bid")

_EDGE_AMOUNTS = ("import_tariff", "export_tariff", "import_loss_ppm", "export_loss_ppm")
_EDGE = ("import_wh", "export_wh", *_EDGE_AMOUNTS)


def read_book(text: bytes) -> Book:
    """Return the book in a JSON text, after checking everything that mechanisms rely on."""
    members = read_object(
        read_document(text),
        "book",
        required=("mechanism", "zones", "orders"),
        optional=("rules",),
    )
    mechanism = read_word(
        members["mechanism"], "mechanism", tuple(dict.fromkeys((*TREES, *ONE_ZONE, *MECHANISMS)))
    )
    rules = _rules(members.get("rules", {}))
    zones = _zones(read_list(members["zones"], "zones"), rules)
    if mechanism in ONE_ZONE and len(zones) > 1:
        raise AuctionInputError("zones", f"{mechanism} clears one zone, the book has {len(zones)}")
    orders = _orders(read_list(members["orders"], "orders"), {zone.id for zone in zones}, rules)
    _check_bound(orders, rules)
    if mechanism not in MECHANISMS:
        raise AuctionInputError("mechanism", f"{mechanism} is not available yet")
    if len(zones) > 1 and MECHANISMS[mechanism].scope == "zone":
        raise AuctionInputError("zones", f"{mechanism} of several zones is not available yet")
    return Book(mechanism=mechanism, rules=rules, zones=zones, orders=orders)


def _rules(value: object) -> AuctionRules:
    members = read_object(
        value, "rules", required=(), optional=("price_rule", "price_band", "loss_price", "lots")
    )
    low, high = PRICE_BAND_DEFAULT
    if "price_band" in members:
        ends = read_pair(members["price_band"], "rules.price_band", "[lowest, highest]")
        low, high = (read_integer(end, f"rules.price_band[{i}]") for i, end in enumerate(ends))
        if low > high:
            raise AuctionInputError(
                "rules.price_band", f"is [lowest, highest], not [{low}, {high}]"
            )
    lots = members.get("lots", False)
    if not isinstance(lots, bool):
        raise AuctionInputError("rules.lots", f"is true or false, not {shown(lots)}")
    return AuctionRules(
        price_rule=read_word(
            members.get("price_rule", "midpoint"), "rules.price_rule", get_args(PriceRule)
        ),
        price_band=(low, high),
        loss_price=read_amount_or_none(members.get("loss_price"), "rules.loss_price"),
        lots=lots,
    )


def _zones(values: Sequence[object], rules: AuctionRules) -> list[Zone]:
    zones: list[Zone] = []
    places: dict[str, int] = {}
    for index, value in enumerate(values):
        zone = _zone(value, f"zones[{index}]", rules)
        if zone.id in places:
            raise AuctionInputError(f"zones[{index}].id", f"{shown(zone.id)} is repeated")
        places[zone.id] = index
        zones.append(zone)
    _check_tree(zones, places)
    return zones


def _zone(value: object, field: str, rules: AuctionRules) -> Zone:
    members = read_object(value, field, required=("id", "parent"), optional=(*_EDGE, "state"))
    name = read_text(members["id"], f"{field}.id")
    state = read_word(members.get("state", "open"), f"{field}.state", get_args(ZoneState))
    if members["parent"] is None:
        for member in _EDGE:
            if member in members:
                raise AuctionInputError(f"{field}.{member}", "the root has no edge")
        if state != "open":
            raise AuctionInputError(f"{field}.state", f"the root is open, not {state}")
        return Zone(name)
    capacities = {
        member: read_amount_or_none(members.get(member), f"{field}.{member}")
        for member in ("import_wh", "export_wh")
    }
    amounts = {
        member: read_amount(members.get(member, 0), f"{field}.{member}") for member in _EDGE_AMOUNTS
    }
    for member, amount in amounts.items():
        if member.endswith("_tariff") and amount > rules.price_band[1]:
            raise AuctionInputError(
                f"{field}.{member}",
                f"{amount} is above the upper end {rules.price_band[1]} of the price band",
            )
        if member.endswith("_loss_ppm") and amount and rules.loss_price is None:
            raise AuctionInputError(f"{field}.{member}", "a loss needs rules.loss_price")
    return Zone(
        name,
        read_text(members["parent"], f"{field}.parent"),
        import_wh=capacities["import_wh"],
        export_wh=capacities["export_wh"],
        import_tariff=amounts["import_tariff"],
        export_tariff=amounts["export_tariff"],
        import_loss_ppm=amounts["import_loss_ppm"],
        export_loss_ppm=amounts["export_loss_ppm"],
        state=state,
    )


def _check_tree(zones: Sequence[Zone], places: dict[str, int]) -> None:
    """Check that there is one root with all other zones below it."""
    parents = {zone.id: zone.parent for zone in zones}
    roots = [zone.id for zone in zones if zone.parent is None]
    for zone in zones:
        if zone.parent is not None and zone.parent not in parents:
            field = f"zones[{places[zone.id]}].parent"
            raise AuctionInputError(field, f"{shown(zone.parent)} is an unknown zone")
    if len(roots) > 1:
        field = f"zones[{places[roots[1]]}].parent"
        raise AuctionInputError(
            field, f"{shown(roots[1])} is a second root beside {shown(roots[0])}"
        )
    rooted = dict.fromkeys(roots, True)
    for zone in zones:
        path: dict[str, bool] = {}
        here = zone.id
        while here not in rooted:
            if here in path:
                raise AuctionInputError(
                    f"zones[{places[here]}].parent", f"{shown(here)} lies in a cycle"
                )
            path[here] = True
            # Only a root has no parent, and roots are in `rooted` already.
            here = cast("str", parents[here])
        rooted.update(path)
    if not roots:
        raise AuctionInputError("zones", "there is no root")


def _orders(values: Sequence[object], zones: set[str], rules: AuctionRules) -> list[Order]:
    orders: list[Order] = []
    places: dict[str, int] = {}
    for index, value in enumerate(values):
        field = f"orders[{index}]"
        members = read_object(
            value,
            field,
            required=("id", "zone", "side"),
            optional=("price", "quantity", "steps", "participant", "time"),
        )
        name = read_text(members["id"], f"{field}.id")
        if name in places:
            raise AuctionInputError(f"{field}.id", f"{shown(name)} is repeated")
        places[name] = index
        zone = read_text(members["zone"], f"{field}.zone")
        if zone not in zones:
            raise AuctionInputError(f"{field}.zone", f"{shown(zone)} is an unknown zone")
        side: Side = read_word(members["side"], f"{field}.side", get_args(Side))
        participant = ""
        if members.get("participant", "") != "":
            participant = read_text(members["participant"], f"{field}.participant")
        time = read_integer(members.get("time", 0), f"{field}.time")
        plain = "steps" not in members
        for step, (price, quantity_wh) in enumerate(_steps(members, field, rules), start=1):
            orders.append(
                Order(name, step, plain, zone, side, price, quantity_wh, time, participant)
            )
    for order in orders:
        if not order.plain and order.name in places:
            field = f"orders[{places[order.name]}].id"
            raise AuctionInputError(
                field, f"{shown(order.name)} is a step of {shown(order.id)} already"
            )
    return orders


def _steps(members: dict[str, object], field: str, rules: AuctionRules) -> list[tuple[int, int]]:
    """Return the limits and quantities of an order, given as one pair or as steps."""
    single = [member for member in ("price", "quantity") if member in members]
    if "steps" not in members:
        for member in ("price", "quantity"):
            if member not in single:
                raise AuctionInputError(
                    f"{field}.{member}", "is missing, and the order has no steps"
                )
        step = members["price"], members["quantity"]
        return [_step(step, (f"{field}.price", f"{field}.quantity"), rules)]
    if single:
        raise AuctionInputError(
            f"{field}.{single[0]}", "an order has price and quantity, or steps, not both"
        )
    steps = read_list(members["steps"], f"{field}.steps")
    if not 1 <= len(steps) <= STEPS_MAX:
        raise AuctionInputError(
            f"{field}.steps", f"an order has 1 to {STEPS_MAX} steps, not {len(steps)}"
        )
    read: list[tuple[int, int]] = []
    for index, step in enumerate(steps):
        here = f"{field}.steps[{index}]"
        read.append(
            _step(read_pair(step, here, "[price, quantity]"), (f"{here}[0]", f"{here}[1]"), rules)
        )
    return read


def _step(
    step: tuple[object, object], fields: tuple[str, str], rules: AuctionRules
) -> tuple[int, int]:
    price, quantity_wh = (
        read_integer(number, field) for number, field in zip(step, fields, strict=True)
    )
    low, high = rules.price_band
    if not low <= price <= high:
        raise AuctionInputError(fields[0], f"{price} is out of the price band [{low}, {high}]")
    if quantity_wh < 1:
        raise AuctionInputError(fields[1], f"is at least 1 Wh, not {quantity_wh}")
    return price, quantity_wh


def _check_bound(orders: Sequence[Order], rules: AuctionRules) -> None:
    total_wh = sum(order.quantity_wh for order in orders)
    low, high = rules.price_band
    width = max(high - low, 1)
    if total_wh * width >= INT64_SAFE:
        sentence = f"total quantity {total_wh} x width {width} of the price band is not below 2^62"
        raise AuctionInputError("orders", sentence)
