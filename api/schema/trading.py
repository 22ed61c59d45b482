"""Orders and trades in the schema, with the states they are in and the postings they led to."""

from __future__ import annotations

import strawberry
from strawberry import ID

from api.read_model.records import OrderRecord, TradeRecord
from api.schema import loading
from api.schema.accounts import Posting, posting_node
from api.schema.context import Info
from api.schema.enums import OrderState, Side
from api.schema.market import BookStep
from api.schema.scalars import Energy, Price, Time


@strawberry.type(description="A trade between two orders of one slot.")
class Trade:
    """A trade. `side` and `counterparty` are the viewer's own, null where it is neither."""

    id: strawberry.ID
    slot: Time
    number: int
    side: Side | None
    counterparty: strawberry.ID | None
    buyer: strawberry.ID
    seller: strawberry.ID
    buy_meter: strawberry.ID
    sell_meter: strawberry.ID
    quantity: Energy
    buy_price: Price
    sell_price: Price
    relation: str
    settled: Energy | None
    state: OrderState
    block: int

    @strawberry.field(description="What the trade led to on the viewer's account, or on all.")
    async def postings(self, info: Info) -> list[Posting]:
        """What the trade led to on the viewer's account; on all accounts for who may see all."""
        records = await loading.postings_of_trade(info, self.slot, self.number)
        return [posting_node(record) for record in records]


@strawberry.type(description="An order as it stands.")
class Order:
    """An order as it stands. `limit` is the first step's price, `quantity` the sum of all steps."""

    id: strawberry.ID
    client_id: str
    slot: Time
    trader: strawberry.ID
    meter: strawberry.ID
    zone: strawberry.ID
    side: Side
    quantity: Energy
    limit: Price
    steps: list[BookStep]
    state: OrderState
    matched: Energy
    settled: Energy
    revision: int
    left_out: str | None
    placed: Time
    expires: Time | None
    block: int

    @strawberry.field(description="The trades of this order.")
    async def trades(self, info: Info) -> list[Trade]:
        """The trades of this order."""
        name = f"{self.trader}/{self.client_id}"
        records = await loading.trades_of_order(info, self.slot, name)
        return [trade_node(record, self.trader) for record in records]


def order_id(slot: int, name: str) -> str:
    """The id of an order by its slot and its full name."""
    return f"{slot}/{name}"


def read_order_id(text: str) -> tuple[int, str, str] | None:
    """Slot, trader and client id of an order's id; None for a text that is none."""
    slot, _, name = text.partition("/")
    trader, _, client_id = name.partition("/")
    if not (slot.isdecimal() and len(slot) <= 11 and trader and client_id):
        return None
    return int(slot), trader, client_id


def order_node(record: OrderRecord) -> Order:
    """An order."""
    return Order(
        id=ID(order_id(record.slot, record.name)),
        client_id=record.client_id,
        slot=Time(record.slot),
        trader=ID(record.trader),
        meter=ID(record.meter),
        zone=ID(record.zone),
        side=Side(record.side.upper()),
        quantity=Energy(record.quantity_wh),
        limit=Price(record.limit_price),
        steps=[BookStep(price=Price(price), quantity=Energy(wh)) for price, wh in record.steps],
        state=OrderState(record.state),
        matched=Energy(record.matched_wh),
        settled=Energy(record.settled_wh),
        revision=record.revision,
        left_out=record.left_out or None,
        placed=Time(record.placed_s),
        expires=None if record.expires_s is None else Time(record.expires_s),
        block=record.block,
    )


def trade_node(record: TradeRecord, viewer: str) -> Trade:
    """A trade as `viewer` (a DID) sees it: own side, and who is on the other."""
    side = side_of(viewer, record.buyer, record.seller)
    counterparty = counterparty_of(viewer, record.buyer, record.seller)
    return Trade(
        id=ID(record.cursor),
        slot=Time(record.slot),
        number=record.number,
        side=None if side is None else Side(side),
        counterparty=None if counterparty is None else ID(counterparty),
        buyer=ID(record.buyer),
        seller=ID(record.seller),
        buy_meter=ID(record.buy_meter),
        sell_meter=ID(record.sell_meter),
        quantity=Energy(record.quantity_wh),
        buy_price=Price(record.buy_price),
        sell_price=Price(record.sell_price),
        relation=record.relation,
        settled=None if record.settled_wh is None else Energy(record.settled_wh),
        state=OrderState(record.state),
        block=record.block,
    )


def side_of(viewer: str, buyer: str, seller: str) -> str | None:
    """The viewer's own side of a trade; None for whoever is on neither."""
    return "BUY" if viewer == buyer else "SELL" if viewer == seller else None


def counterparty_of(viewer: str, buyer: str, seller: str) -> str | None:
    """The other party of a trade of the viewer's; None for whoever is on neither side."""
    return seller if viewer == buyer else buyer if viewer == seller else None
