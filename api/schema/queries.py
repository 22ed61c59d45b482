"""Every query: what is asked of the read model, and whose rows are shown.

Who may ask a field at all is decided before (`api.access.table`); here only rows are.
"""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import ID

from api.access.table import scope
from api.access.visible_rows import may_see, visible_owner
from api.faults import ARGUMENT_RANGE, NOT_FOUND
from api.schema import lists, loading
from api.schema.accounts import (
    Balance,
    Certificate,
    Posting,
    balance_node,
    certificate_node,
    posting_node,
)
from api.schema.context import Info, require_viewer
from api.schema.market import Book, Market, PricePoint, Slot, Zone, price_node, slot_node, zone_node
from api.schema.metering import (
    Meter,
    OfferProposal,
    OracleNode,
    Reading,
    meter_node,
    reading_node,
)
from api.schema.overview import book_of, market_of, oracle_nodes_of, proposal_of, viewer_of
from api.schema.pages import Connection, connect
from api.schema.people import Client, Viewer, client_node
from api.schema.scalars import Time
from api.schema.trading import Order, Trade, order_node, read_order_id, trade_node

From = Annotated[Time, strawberry.argument(name="from")]
To = Annotated[Time, strawberry.argument(name="to")]
FromOrNone = Annotated[Time | None, strawberry.argument(name="from")]
ToOrNone = Annotated[Time | None, strawberry.argument(name="to")]


@strawberry.type
class Query:
    """Everything that can be asked."""

    @strawberry.field(description="The market that this API is of, and how it is now.")
    async def market(self, info: Info) -> Market:
        """The market that this API is of, and how it is now."""
        return await market_of(info.context.services)

    @strawberry.field(description="Who is signed in; null for a stranger.")
    async def viewer(self, info: Info) -> Viewer | None:
        """Who is signed in; None for a stranger."""
        viewer = info.context.viewer
        return None if viewer is None else await viewer_of(info.context.services, viewer)

    @strawberry.field(description="The zones of the area, the root first.")
    async def zones(self, info: Info) -> list[Zone]:
        """The zones of the area, the root first."""
        services = info.context.services
        return [zone_node(record) for record in await services.read_model.zones(services.area)]

    @strawberry.field(
        description="Slots that somebody has ordered for or that closed, newest first."
    )
    async def slots(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = None,
        from_s: FromOrNone = None,
        to_s: ToOrNone = None,
    ) -> Connection[Slot]:
        """Slots that somebody has ordered for or that closed, newest first."""
        listing = lists.slots(info.context.services, from_s=from_s, to_s=to_s)
        return await connect(listing, slot_node, first=first, after=after)

    @strawberry.field(description="A slot; null for one that nothing is known of.")
    async def slot(self, info: Info, start: Time) -> Slot | None:
        """A slot; None for one that nothing is known of."""
        services = info.context.services
        record = await services.read_model.slot(services.area, start)
        return None if record is None else slot_node(record)

    @strawberry.field(description="The depth of a zone for a slot, without names.")
    async def book(self, info: Info, slot: Time, zone: ID) -> Book:
        """The depth of a zone for a slot, without names."""
        return await book_of(info.context.services, slot=slot, zone=zone)

    @strawberry.field(description="What a zone cleared at, slot by slot; 2,000 slots at most.")
    async def prices(self, info: Info, zone: ID, from_s: From, to_s: To) -> list[PricePoint]:
        """What a zone cleared at in the slots that start in [`from_s`, `to_s`)."""
        services = info.context.services
        records = await lists.prices(services, zone=zone, from_s=from_s, to_s=to_s)
        return [price_node(record) for record in records]

    @strawberry.field(description="The viewer's orders, newest slot first.")
    async def my_orders(
        self,
        info: Info,
        first: int | None = 50,
        after: str | None = None,
        slot: Time | None = None,
        open_only: bool = False,  # noqa: FBT001, FBT002 GraphQL passes arguments by name
    ) -> Connection[Order]:
        """The viewer's orders, newest slot first."""
        viewer = require_viewer(info)
        listing = await lists.orders(info.context.services, viewer, slot=slot, open_only=open_only)
        return await connect(listing, order_node, first=first, after=after)

    @strawberry.field(description="An order by its id.")
    async def order(self, info: Info, id: ID) -> Order | None:  # noqa: A002 the schema's name
        """An order by its id; `NOT_FOUND` for one that is not there or not the viewer's to see."""
        services, viewer = info.context.services, require_viewer(info)
        named = read_order_id(id)
        if named is None or not await may_see(services, viewer, "orders", [named[1]]):
            raise NOT_FOUND(kind="order", id=id)
        now_s = await services.freshness.market_s()
        record = await services.read_model.order(services.area, *named, now_s=now_s)
        if record is None:
            raise NOT_FOUND(kind="order", id=id)
        return order_node(record)

    @strawberry.field(description="The viewer's trades, newest slot first.")
    async def my_trades(
        self, info: Info, first: int | None = 50, after: str | None = None, slot: Time | None = None
    ) -> Connection[Trade]:
        """The viewer's trades, newest slot first."""
        viewer = require_viewer(info)
        listing = await lists.own_trades(info.context.services, viewer, slot=slot)
        return await connect(
            listing, lambda record: trade_node(record, viewer.did), first=first, after=after
        )

    @strawberry.field(description="All trades of a slot in match sequence.")
    async def trades(
        self, info: Info, slot: Time, first: int | None = 100, after: str | None = None
    ) -> Connection[Trade]:
        """All trades of a slot in match sequence."""
        viewer = require_viewer(info)
        listing = await lists.slot_trades(info.context.services, viewer, slot=slot)
        return await connect(
            listing, lambda record: trade_node(record, viewer.did), first=first, after=after
        )

    @strawberry.field(description="What an account holds; without an owner, the viewer's.")
    async def balance(self, info: Info, owner: ID | None = None) -> Balance:
        """What an account holds; without an owner, the viewer's."""
        services = info.context.services
        account = await visible_owner(services, require_viewer(info), "accounts", owner)
        return balance_node(await services.read_model.account(services.area, account))

    @strawberry.field(description="The lines of an account, newest first.")
    async def postings(
        self,
        info: Info,
        owner: ID | None = None,
        slot: Time | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[Posting]:
        """The lines of an account, newest first; without an owner, the viewer's."""
        viewer = require_viewer(info)
        listing = await lists.postings(info.context.services, viewer, owner=owner, slot=slot)
        return await connect(listing, posting_node, first=first, after=after)

    @strawberry.field(description="Energy certificates of an owner's plants, newest first.")
    async def certificates(
        self, info: Info, owner: ID | None = None, first: int | None = 50, after: str | None = None
    ) -> Connection[Certificate]:
        """Energy certificates of an owner's plants, newest first."""
        viewer = require_viewer(info)
        listing = await lists.certificates(info.context.services, viewer, owner=owner)
        return await connect(listing, certificate_node, first=first, after=after)

    @strawberry.field(description="The meters that the viewer may see, by name.")
    async def meters(
        self, info: Info, first: int | None = 100, after: str | None = None
    ) -> Connection[Meter]:
        """The meters that the viewer may see, by name."""
        listing = await lists.meters(info.context.services, require_viewer(info))
        return await connect(listing, meter_node, first=first, after=after)

    @strawberry.field(description="A meter's readings in slots from `from` to before `to`.")
    async def readings(self, info: Info, meter: ID, from_s: From, to_s: To) -> list[Reading]:
        """A meter's newest readings in slots that start in [`from_s`, `to_s`)."""
        services = info.context.services
        await lists.check_span(services, from_s, to_s)
        await loading.visible_meter(info, meter, "readings")
        records = await services.read_model.readings_of(meter, from_s, to_s)
        return [reading_node(record) for record in records]

    @strawberry.field(description="A retailer's clients by DID; the regulator names the retailer.")
    async def clients(
        self,
        info: Info,
        first: int | None = 100,
        after: str | None = None,
        retailer: str | None = None,
    ) -> Connection[Client]:
        """A retailer's clients by DID; only who may see everybody's names another retailer."""
        viewer = require_viewer(info)
        named = retailer if scope(viewer, "clients") == "all" else viewer.member
        if named is None or retailer not in (None, named):
            raise ARGUMENT_RANGE(name="retailer", value=retailer, bound="one that you may see")
        listing = lists.clients(info.context.services, named)
        return await connect(listing, client_node, first=first, after=after)

    @strawberry.field(description="The oracle's nodes and how they find the meters.")
    async def oracle_nodes(self, info: Info) -> list[OracleNode]:
        """The oracle's nodes and how they find the meters."""
        return await oracle_nodes_of(info.context.services, require_viewer(info))

    @strawberry.field(description="Measured surplus at that time of day, held to certified power.")
    async def offer_proposal(
        self, info: Info, slot: Time, meter: ID | None = None
    ) -> OfferProposal:
        """What the viewer's plant may offer; of several meters the largest, unless one is named."""
        services = info.context.services
        if meter is not None:
            meters = [await loading.visible_meter(info, meter, "meters")]
        else:
            did = require_viewer(info).did
            meters = await services.read_model.meters_of(services.area, [did])
        return await proposal_of(services, slot=slot, meters=meters)
