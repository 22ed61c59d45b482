"""The books that a mechanism gets, by its scope, and the cost of a path through the tree.

A mechanism of scope `zone` gets one book for each zone with orders; the zone's edge carries
nothing. A mechanism of scope `tree` gets one book with all zones, the capacities of their edges in
the slot, and all orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from chaincode.area.capacities import capacity_at
from chaincode.area.rules import MarketRules
from chaincode.area.zones import Area, paused_zones
from chaincode.auctions.book import AuctionRules, Book, Order, Zone, book_json
from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.clearing.order_book import BookEntry
from chaincode.context import Context
from chaincode.state import encode
from chaincode.units import Power


class AuctionBook(NamedTuple):
    """One book to clear; `name` is its zone, or the root zone if the book is the whole tree."""

    name: str
    book: Book
    entries: Sequence[BookEntry]


def auction_books(
    context: Context, area: Area, slot: int, rules: MarketRules, entries: Sequence[BookEntry]
) -> list[AuctionBook]:
    """The books of a slot, in the order in which the run clears them."""
    if MECHANISMS[rules.mechanism].scope == "tree":
        root = area.zones[0].id
        return [AuctionBook(root, _book(rules, _tree(context, area, slot), entries), entries)]
    zones: dict[str, list[BookEntry]] = {}
    for entry in entries:
        zones.setdefault(entry.zone, []).append(entry)
    return [
        AuctionBook(name, _book(rules, [Zone(id=name)], zones[name]), zones[name])
        for name in sorted(zones)
    ]


def book_of_zone(
    context: Context,
    area: Area,
    slot: int,
    rules: MarketRules,
    entries: Sequence[BookEntry],
    *,
    zone: str,
) -> Book:
    """The book in which a zone's orders were cleared; without orders, an empty book."""
    if MECHANISMS[rules.mechanism].scope == "tree":
        (tree,) = auction_books(context, area, slot, rules, entries)
        return tree.book
    return _book(rules, [Zone(id=zone)], [entry for entry in entries if entry.zone == zone])


def book_digest(book: Book) -> str:
    """The SHA-256 of the canonical JSON of a book as `commonwatt auction` reads it."""
    return sha256(encode(book_json(book))).hexdigest()


def top_of(path: Sequence[str], zones: Sequence[Zone]) -> str:
    """The lowest zone that contains both ends of a path; the parent of that zone is not on it."""
    parents = {zone.id: zone.parent for zone in zones}
    return next(name for name in path if parents[name] not in path)


def path_tariff(path: Sequence[str], zones: Sequence[Zone]) -> int:
    """The sum of the edge tariffs from seller to buyer, in micro/kWh."""
    edges = {zone.id: zone for zone in zones}
    top = path.index(top_of(path, zones))
    up = sum(edges[name].export_tariff for name in path[:top])
    return up + sum(edges[name].import_tariff for name in path[top + 1 :])


def _tree(context: Context, area: Area, slot: int) -> list[Zone]:
    paused = paused_zones(area)
    zones: list[Zone] = []
    for zone in area.zones:
        edge = capacity_at(context, zone.id, slot)
        zones.append(
            Zone(
                id=zone.id,
                parent=zone.parent,
                import_wh=_wh(edge.import_w, area.slot_s),
                export_wh=_wh(edge.export_w, area.slot_s),
                state="paused" if zone.parent is not None and zone.id in paused else "open",
            )
        )
    return zones


def _wh(power_w: int | None, slot_s: int) -> int | None:
    return None if power_w is None else Power(power_w).over(slot_s).wh


def _book(rules: MarketRules, zones: list[Zone], entries: Sequence[BookEntry]) -> Book:
    orders = [
        Order(
            id=entry.order,
            step=number,
            plain=len(entry.steps) == 1,
            zone=entry.zone,
            side=entry.side,
            price=step.price,
            quantity_wh=step.quantity_wh,
            time=entry.time,
            participant=entry.trader,
        )
        for entry in entries
        for number, step in enumerate(entry.steps, start=1)
    ]
    auction_rules = AuctionRules(
        price_rule=rules.price_rule, price_band=rules.price_band, loss_price=rules.loss_price
    )
    return Book(mechanism=rules.mechanism, rules=auction_rules, zones=zones, orders=orders)
