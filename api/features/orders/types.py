"""Orders in the schema, the depth of a book without names, and the mutations for tokens."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry
from strawberry import ID

from api.access.table import BOOK, SIGNED_IN, TRADERS, Viewer
from api.access.visible_rows import may_see
from api.faults import NOT_FOUND
from api.features.accounts.types import or_none
from api.features.orders.reads import DepthStep, OrderRecord
from api.features.orders.writes import Act, Carried, carry
from api.features.trades.types import OrderState, Side, Trade, trade_node, trades_of_order
from api.graphql.context import Info, require_viewer
from api.graphql.fields import Column, asked, changing, column, node_of, object_type, shown
from api.graphql.pages import Connection, Listing, connect, dotted
from api.graphql.scalars import Energy, Price, Time
from api.services import Services

CURSOR = Column(("slot", "client_id"), dotted)


@object_type("A limit price and a quantity.")
class BookStep:
    """A limit price and a quantity."""

    price: Price = shown(BOOK)
    quantity: Energy = shown(BOOK)


@object_type("Open orders of a zone for a slot, added up by price, without names.")
class Book:
    """Open orders of a zone for a slot, added up by price, best first."""

    slot: Time = shown(BOOK)
    zone: strawberry.ID = shown(BOOK)
    buys: list[BookStep] = shown(BOOK)
    sells: list[BookStep] = shown(BOOK)
    clearing_price: Price | None = shown(BOOK)
    block: int = shown(BOOK)


def order_id(slot: int, name: str) -> str:
    """Return the id of an order by its slot and its full name."""
    return f"{slot}/{name}"


def id_of_order(slot: int, trader: str, client_id: str) -> str:
    """Return the id of an order by its slot, its trader and the id that the trader gave it."""
    return order_id(slot, f"{trader}/{client_id}")


def read_order_id(text: str) -> tuple[int, str, str] | None:
    """Return slot, trader and client id from an order's id; None for an invalid id."""
    slot, _, name = text.partition("/")
    trader, _, client_id = name.partition("/")
    if not (slot.isdecimal() and len(slot) <= 11 and trader and client_id):
        return None
    return int(slot), trader, client_id


def book_steps(steps: Sequence[tuple[int, int] | DepthStep]) -> list[BookStep]:
    """Return pairs of price and Wh as the schema shows them."""
    return [BookStep(price=Price(price), quantity=Energy(wh)) for price, wh in steps]


@object_type("An order as it stands.")
class Order:
    """An order with its state. `limit` is the first step's price, `quantity` the sum of all."""

    id: strawberry.ID = column(SIGNED_IN, "slot", "trader", "client_id", by=id_of_order)
    client_id: str = column(SIGNED_IN, "client_id")
    slot: Time = column(SIGNED_IN, "slot")
    trader: strawberry.ID = column(SIGNED_IN, "trader")
    meter: strawberry.ID = column(SIGNED_IN, "meter")
    zone: strawberry.ID = column(SIGNED_IN, "zone")
    side: Side = column(SIGNED_IN, "side", by=str.upper)
    quantity: Energy = column(SIGNED_IN, "quantity_wh")
    limit: Price = column(SIGNED_IN, "limit_price")
    steps: list[BookStep] = column(SIGNED_IN, "steps", by=book_steps)
    state: OrderState = column(SIGNED_IN, "state")
    matched: Energy = column(SIGNED_IN, "matched_wh")
    settled: Energy = column(SIGNED_IN, "settled_wh")
    revision: int = column(SIGNED_IN, "revision")
    left_out: str | None = column(SIGNED_IN, "left_out", by=or_none)
    placed: Time = column(SIGNED_IN, "placed_s")
    expires: Time | None = column(SIGNED_IN, "expires_s")
    block: int = column(SIGNED_IN, "block")

    @asked(SIGNED_IN, description="The trades of this order.")
    async def trades(self, info: Info) -> list[Trade]:
        """Return the trades of this order."""
        name = f"{self.trader}/{self.client_id}"
        records = await trades_of_order(info, self.slot, name)
        return [trade_node(record, self.trader) for record in records]


def ids_of_orders(orders: Sequence[tuple[int, str]]) -> list[str]:
    """Return the ids of orders by their slots and full names."""
    return [order_id(slot, name) for slot, name in orders]


@object_type("What happened to one token.")
class TokenResult:
    """The answer for one token: PLACED, AMENDED, CANCELLED, EXISTS, or the code of a refusal.

    `remedy` says what to do about a refusal.
    """

    code: str = column(TRADERS, "code")
    sentence: str = column(TRADERS, "sentence")
    remedy: str | None = column(TRADERS, "remedy", by=or_none)
    orders: list[ID] = column(TRADERS, "orders", by=ids_of_orders)
    transaction: str | None = column(TRADERS, "transaction")
    block: int | None = column(TRADERS, "block")


async def own_orders(
    services: Services, viewer: Viewer, *, slot: int | None, open_only: bool
) -> Listing[OrderRecord]:
    """Return the viewer's own orders, newest slot first."""
    now_s = await services.freshness.market_s()
    return Listing(
        lambda first, after: services.read_model.orders_of(
            services.area,
            viewer.did,
            now_s=now_s,
            first=first,
            after=after,
            slot=slot,
            open_only=open_only,
        ),
        lambda: services.read_model.count_orders(
            services.area, viewer.did, slot=slot, open_only=open_only
        ),
        lambda fields, first, after: services.read_model.order_columns(
            services.area,
            viewer.did,
            fields,
            now_s=now_s,
            first=first,
            after=after,
            slot=slot,
            open_only=open_only,
        ),
    )


@strawberry.type
class OrderQuery:
    """Queries about orders."""

    @asked(BOOK, description="The depth of a zone for a slot, without names.")
    async def book(self, info: Info, slot: Time, zone: ID) -> Book:
        """Return the depth of a zone for a slot, without names."""
        return await book_of(info.context.services, slot=slot, zone=zone)

    @asked(
        SIGNED_IN,
        description="The viewer's orders, newest slot first.",
        listing=own_orders,
        cursor=CURSOR,
    )
    async def my_orders(
        self,
        info: Info,
        first: int | None = 50,
        after: str | None = None,
        slot: Time | None = None,
        open_only: bool = False,  # noqa: FBT001, FBT002 GraphQL passes arguments by name
    ) -> Connection[Order]:
        """Return the viewer's orders, newest slot first."""
        viewer = require_viewer(info)
        listing = await own_orders(info.context.services, viewer, slot=slot, open_only=open_only)
        return await connect(
            listing, lambda record: node_of(Order, record), first=first, after=after
        )

    @asked(SIGNED_IN, description="An order by its id.")
    async def order(self, info: Info, id: ID) -> Order | None:  # noqa: A002 the schema's name
        """Return an order; raise `NOT_FOUND` if it is unknown or the viewer may not see it."""
        services, viewer = info.context.services, require_viewer(info)
        named = read_order_id(id)
        if named is None or not await may_see(services, viewer, "orders", [named[1]]):
            raise NOT_FOUND(kind="order", id=id)
        now_s = await services.freshness.market_s()
        record = await services.read_model.order(services.area, *named, now_s=now_s)
        if record is None:
            raise NOT_FOUND(kind="order", id=id)
        return node_of(Order, record)


@strawberry.type
class OrderMutation:
    """Mutations that submit tokens which traders have signed.

    The signed token alone says what is to be done. A refusal by the contract is an answer with a
    code, not an error.
    """

    @changing(TRADERS, description="Place the orders of signed sheets, up to 500 and 1 MB.")
    async def place_orders(self, info: Info, tokens: list[str]) -> list[TokenResult]:
        """Place the orders of signed sheets."""
        return await _carried(info, "place_orders", tokens)

    @changing(TRADERS, description="Replace the steps of open orders.")
    async def amend_orders(self, info: Info, tokens: list[str]) -> list[TokenResult]:
        """Replace the steps of open orders."""
        return await _carried(info, "amend_orders", tokens)

    @changing(TRADERS, description="Withdraw open orders.")
    async def cancel_orders(self, info: Info, tokens: list[str]) -> list[TokenResult]:
        """Withdraw open orders."""
        return await _carried(info, "cancel_orders", tokens)


async def _carried(info: Info, act: Act, tokens: Sequence[str]) -> list[TokenResult]:
    carried: list[Carried] = await carry(info.context.services, require_viewer(info), act, tokens)
    return [node_of(TokenResult, each) for each in carried]


async def book_of(services: Services, *, slot: int, zone: str) -> Book:
    """Return the depth of a zone for a slot. Raises `NOT_FOUND` for an unknown zone."""
    if all(known.zone != zone for known in await services.read_model.zones(services.area)):
        raise NOT_FOUND(kind="zone", id=zone)
    now_s = await services.freshness.market_s()
    checkpoint = await services.freshness.checkpoint()
    depth = await services.read_model.depth(services.area, slot, zone, now_s=now_s)
    cleared = await services.read_model.prices(services.area, slot, slot + 1, zone=zone)
    price = cleared[0].price if cleared else None
    return Book(
        slot=Time(slot),
        zone=ID(zone),
        buys=book_steps(depth.buys),
        sells=book_steps(depth.sells),
        clearing_price=None if price is None else Price(price),
        block=checkpoint.block,
    )
