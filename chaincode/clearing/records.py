"""The records of a cleared book: one per zone and, for a tree, one of what its edges carried."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chaincode.area.zones import ZONES_MAX
from chaincode.auctions.book import Book
from chaincode.auctions.outcome import LossAccount, Outcome
from chaincode.clearing.auction_books import book_digest
from chaincode.state import (
    Name,
    Row,
    Table,
)
from chaincode.units import Energy, Money, Price


class ZoneClearing(Row, frozen=True):
    """The result of clearing a zone; in a tree, only the Wh bought in the zone and their trades.

    `book_digest` is the SHA-256 of the canonical JSON of the book as `commonwatt auction` reads it;
    `outcome_digest` is the `digest` that the auction of that book prints.
    """

    zone: Name
    price: int | None
    price_range: tuple[int, int] | None
    volume_wh: int
    welfare_nano: int
    orders: int
    trades: int
    book_digest: Name
    outcome_digest: Name


class EdgeClearing(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What the edge between a zone and its parent carried and earned.

    `flow_wh` is above zero for import into the zone. The fields on losses are the nano collected
    for losses, the Wh lost, and the nano that buying the lost Wh cost.
    """

    zone: Name
    flow_wh: int
    rent_nano: int
    income_nano: int
    loss_collected_nano: int
    loss_wh: int
    loss_spent_nano: int


class TreeClearing(Row, frozen=True):
    """The result of a tree that was cleared as one book, beside the records of its zones."""

    edges: Annotated[list[EdgeClearing], msgspec.Meta(max_length=ZONES_MAX)]
    income_nano: int


CLEARINGS = Table(43, "clearings", ZoneClearing, ("area", "slot", "zone"))
TREES = Table(52, "tree clearings", TreeClearing, ("area", "slot"))


def zone_records(book: Book, outcome: Outcome) -> list[ZoneClearing]:
    """A record for each zone of a book, in the book's order."""
    digests = book_digest(book), outcome.digest
    orders: dict[str, set[str]] = {zone.id: set() for zone in book.zones}
    homes: dict[str, str] = {}
    for order in book.orders:
        orders[order.zone].add(order.id)
        homes[order.id] = order.zone
    welfare = _welfare_of(book, outcome, homes)
    volume = dict.fromkeys(orders, 0)
    trades = dict.fromkeys(orders, 0)
    for trade in outcome.trades:
        buyers_zone = trade.path[-1]
        volume[buyers_zone] += trade.quantity
        trades[buyers_zone] += 1
    return [
        ZoneClearing(
            zone=name,
            price=outcome.prices[name],
            price_range=outcome.price_range[name],
            volume_wh=volume[name],
            welfare_nano=welfare[name].nano,
            orders=len(ids),
            trades=trades[name],
            book_digest=digests[0],
            outcome_digest=digests[1],
        )
        for name, ids in orders.items()
    ]


def tree_record(outcome: Outcome) -> TreeClearing | None:
    """The record of what a tree's edges carried; None for a single zone, which has no edge."""
    if not outcome.flows:
        return None
    no_loss = LossAccount(0, 0, 0)
    edges: list[EdgeClearing] = []
    for zone, flow_wh in outcome.flows.items():
        loss = outcome.loss_account.get(zone, no_loss)
        edges.append(
            EdgeClearing(
                zone=zone,
                flow_wh=flow_wh,
                rent_nano=outcome.congestion_rent.get(zone, 0),
                income_nano=outcome.edge_income.get(zone, 0),
                loss_collected_nano=loss.collected,
                loss_wh=loss.energy,
                loss_spent_nano=loss.spent,
            )
        )
    return TreeClearing(edges=edges, income_nano=outcome.area_income)


def _welfare_of(book: Book, outcome: Outcome, homes: dict[str, str]) -> dict[str, Money]:
    """The welfare of each zone: accepted purchases less accepted sales, each at its limit."""
    steps = {order.name: order for order in book.orders}
    sums = {zone.id: Money(0) for zone in book.zones}
    for fill in outcome.fills:
        step = steps[fill.order]
        value = Energy(fill.quantity) * Price(step.price)
        home = homes[step.id]
        sums[home] = sums[home] + (value if step.side == "buy" else -value)
    return sums
