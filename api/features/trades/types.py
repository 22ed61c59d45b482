"""Trades in the schema, each as its viewer sees it, with the postings that result from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator
from enum import Enum

import strawberry

from api.access.table import SIGNED_IN, Reader, Viewer, scope
from api.faults import FORBIDDEN
from api.features.accounts.types import Posting, postings_of_trade
from api.features.trades.reads import TradeRecord
from api.graphql.context import Info, require_viewer
from api.graphql.fields import Column, asked, column, node_of, object_type, watched
from api.graphql.loaders import load_together
from api.graphql.pages import Connection, Listing, connect, dotted
from api.graphql.scalars import Energy, Price, Time
from api.live.subscriptions import Told, slots_of
from api.services import Services

SEE_ALL: frozenset[Reader] = frozenset({"DSO", "REGULATOR"})
CURSOR = Column(("slot", "number"), dotted)
TOLD_TRADES_MAX = 500  # trades of one trader in a slot that are read after one change


@strawberry.enum(description="Whether the order buys or sells energy.")
class Side(Enum):
    """The side of an order."""

    BUY = "BUY"
    SELL = "SELL"


@strawberry.enum(description="How far an order or a trade is.")
class OrderState(Enum):
    """The state of an order or a trade."""

    LISTED = "LISTED"
    MATCHED = "MATCHED"
    EXECUTING = "EXECUTING"
    SETTLED = "SETTLED"
    DISPUTED = "DISPUTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


def side_of(viewer: str, buyer: str, seller: str) -> str | None:
    """Return the viewer's own side of a trade; None for a viewer on neither side."""
    return "BUY" if viewer == buyer else "SELL" if viewer == seller else None


def counterparty_of(viewer: str, buyer: str, seller: str) -> str | None:
    """Return the other party of the viewer's trade; None for a viewer on neither side."""
    return seller if viewer == buyer else buyer if viewer == seller else None


@object_type("A trade between two orders of one slot.")
class Trade:
    """A trade. `side` and `counterparty` are the viewer's, null for a viewer on neither side."""

    id: strawberry.ID = column(SIGNED_IN, *CURSOR.needs, by=CURSOR.make)
    slot: Time = column(SIGNED_IN, "slot")
    number: int = column(SIGNED_IN, "number")
    side: Side | None = column(SIGNED_IN, "buyer", "seller", for_viewer=side_of)
    counterparty: strawberry.ID | None = column(
        SIGNED_IN, "buyer", "seller", for_viewer=counterparty_of
    )
    buyer: strawberry.ID = column(SIGNED_IN, "buyer")
    seller: strawberry.ID = column(SIGNED_IN, "seller")
    buy_meter: strawberry.ID = column(SIGNED_IN, "buy_meter")
    sell_meter: strawberry.ID = column(SIGNED_IN, "sell_meter")
    quantity: Energy = column(SIGNED_IN, "quantity_wh")
    buy_price: Price = column(SIGNED_IN, "buy_price")
    sell_price: Price = column(SIGNED_IN, "sell_price")
    relation: str = column(SIGNED_IN, "relation")
    settled: Energy | None = column(SIGNED_IN, "settled_wh")
    state: OrderState = column(SIGNED_IN, "state")
    block: int = column(SIGNED_IN, "block")

    @asked(SIGNED_IN, description="The trade's postings on the accounts that the viewer may see.")
    async def postings(self, info: Info) -> list[Posting]:
        """Return the trade's postings on the accounts that the viewer may see."""
        records = await postings_of_trade(info, self.slot, self.number)
        return [node_of(Posting, record) for record in records]


def trade_node(record: TradeRecord, viewer: str) -> Trade:
    """Return a trade as `viewer` (a DID) sees it: the viewer's own side, and the counterparty."""
    return node_of(Trade, record, viewer)


async def own_trades(
    services: Services, viewer: Viewer, *, slot: int | None
) -> Listing[TradeRecord]:
    """Return the trades in which the viewer buys or sells, newest slot first."""
    now_s = await services.freshness.market_s()
    return Listing(
        lambda first, after: services.read_model.trades_of(
            services.area, viewer.did, now_s=now_s, first=first, after=after, slot=slot
        ),
        lambda: services.read_model.count_trades(services.area, viewer.did, slot=slot),
        lambda fields, first, after: services.read_model.trade_columns(
            services.area, viewer.did, fields, now_s=now_s, first=first, after=after, slot=slot
        ),
    )


async def slot_trades(services: Services, viewer: Viewer, *, slot: int) -> Listing[TradeRecord]:
    """Return all trades of a slot in match sequence, for a viewer that may see all of them."""
    if scope(viewer, "trades") not in ("area", "all"):
        raise FORBIDDEN(what="Query.trades", role=viewer.role)
    now_s = await services.freshness.market_s()
    return Listing(
        lambda first, after: services.read_model.trades_of_slot(
            services.area, slot, now_s=now_s, first=first, after=after
        ),
        lambda: services.read_model.count_trades_of_slot(services.area, slot),
        lambda fields, first, after: services.read_model.slot_trade_columns(
            services.area, slot, fields, now_s=now_s, first=first, after=after
        ),
    )


@strawberry.type
class TradeQuery:
    """Queries about trades."""

    @asked(
        SIGNED_IN,
        description="The viewer's trades, newest slot first.",
        listing=own_trades,
        cursor=CURSOR,
    )
    async def my_trades(
        self, info: Info, first: int | None = 50, after: str | None = None, slot: Time | None = None
    ) -> Connection[Trade]:
        """Return the viewer's trades, newest slot first."""
        viewer = require_viewer(info)
        listing = await own_trades(info.context.services, viewer, slot=slot)
        return await connect(
            listing, lambda record: trade_node(record, viewer.did), first=first, after=after
        )

    @asked(
        SEE_ALL,
        description="All trades of a slot in match sequence.",
        listing=slot_trades,
        cursor=CURSOR,
    )
    async def trades(
        self, info: Info, slot: Time, first: int | None = 100, after: str | None = None
    ) -> Connection[Trade]:
        """Return all trades of a slot in match sequence."""
        viewer = require_viewer(info)
        listing = await slot_trades(info.context.services, viewer, slot=slot)
        return await connect(
            listing, lambda record: trade_node(record, viewer.did), first=first, after=after
        )


@strawberry.type
class TradeSubscription:
    """Subscriptions to trades."""

    @watched(SIGNED_IN, description="The viewer's trades as they come and change.")
    async def my_trades(self, info: Info) -> AsyncGenerator[Trade, None]:
        """Yield the viewer's trades as they appear and change, beginning with the newest.

        A change that only follows from the time (MATCHED to EXECUTING) is sent with the next one.
        """
        services, viewer, told = info.context.services, require_viewer(info), Told()
        with services.subscriptions.open() as changes:
            for record in await _own_trades(services, viewer, slot=None, first=1):
                if told.is_new(record.cursor, record):
                    yield trade_node(record, viewer.did)
            async for change in changes:
                if viewer.did not in change.traders:
                    continue
                for slot in slots_of(services.area, change):
                    trades = await _own_trades(services, viewer, slot=slot, first=TOLD_TRADES_MAX)
                    for record in trades:
                        if told.is_new(record.cursor, record):
                            yield trade_node(record, viewer.did)


async def _own_trades(
    services: Services, viewer: Viewer, *, slot: int | None, first: int
) -> list[TradeRecord]:
    listing = await own_trades(services, viewer, slot=slot)
    return (await listing.read(first, None)).rows


async def trades_of_order(info: Info, slot: int, name: str) -> list[TradeRecord]:
    """Return the trades of an order by its full name."""
    services = info.context.services

    async def load(orders: list[str]) -> list[list[TradeRecord]]:
        now_s = await services.freshness.market_s()
        found = await services.read_model.trades_of_orders(services.area, slot, orders, now_s=now_s)
        by_order: dict[str, list[TradeRecord]] = defaultdict(list)
        for record in found:
            for step in (record.buy_order, record.sell_order):
                by_order[step.partition("#")[0]].append(record)
        return [by_order[order] for order in orders]

    return await load_together(info, f"trades_of_order {slot}", load, name)
