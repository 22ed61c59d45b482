"""The hot lists: which fields of which lists have a short way, and where each value comes from.

One row per list: the arguments it takes, the type of its nodes, how its pages are read, and a
column for each plain field of a node. A column is the place of a value in the record, or a
function of the record; `api.plan` puts columns together to answers. What a resolver of the same
field says (`*_node` beside each type) and what the column says is the same, which a test holds
over all fields.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from api.access import Viewer
from api.read_model.records import OrderRecord, Page, PostingRecord, PriceRecord, TradeRecord
from api.schema import lists
from api.schema.accounts import rule_of
from api.schema.pages import Listing
from api.schema.scalars import SAFE_INTEGER_MAX
from api.schema.trading import order_id, side_of
from api.services import Services

INT_MAX = 2**31 - 1  # of GraphQL's own Int

Value: TypeAlias = int | str | bool | None
Values: TypeAlias = Mapping[str, Any]
Column: TypeAlias = Callable[[Any], object]


class Argument(NamedTuple):
    """An argument: what its value is, how large an integer may be, whether it may be null."""

    kind: type[int] | type[str] | type[bool]
    integer_max: int = INT_MAX
    is_required: bool = False
    default: Value = None


class HotList(NamedTuple):
    """A root field with a short way. `columns` makes a column for a viewer's DID.

    `read` gives the listing for the values of the arguments; a list without pages has one page.
    """

    arguments: Mapping[str, Argument]
    node: str
    connection: str | None
    columns: Mapping[str, Callable[[str], Column]]
    read: Callable[[Services, Viewer | None, Values], Awaitable[Listing[Any]]]


def _at(record: type[NamedTuple], names: Mapping[str, str]) -> dict[str, Callable[[str], Column]]:
    """Columns of values as they stand in the record: field -> name in the record."""
    fields = record._fields
    return {field: _same(itemgetter(fields.index(name))) for field, name in names.items()}


def _same(column: Column) -> Callable[[str], Column]:
    """A column that is the same for every viewer."""
    return lambda _: column


def _trade_side(did: str) -> Column:
    return lambda record: side_of(record, did)[0]


def _trade_counterparty(did: str) -> Column:
    return lambda record: side_of(record, did)[1]


TRADE: Mapping[str, Callable[[str], Column]] = {
    "id": _same(lambda record: record.cursor),
    "side": _trade_side,
    "counterparty": _trade_counterparty,
    **_at(
        TradeRecord,
        {
            "slot": "slot",
            "number": "number",
            "buyer": "buyer",
            "seller": "seller",
            "buyMeter": "buy_meter",
            "sellMeter": "sell_meter",
            "quantity": "quantity_wh",
            "buyPrice": "buy_price",
            "sellPrice": "sell_price",
            "relation": "relation",
            "settled": "settled_wh",
            "state": "state",
            "block": "block",
        },
    ),
}
ORDER: Mapping[str, Callable[[str], Column]] = {
    "id": _same(lambda record: order_id(record.slot, record.name)),
    "side": _same(lambda record: record.side.upper()),
    "leftOut": _same(lambda record: record.left_out or None),
    **_at(
        OrderRecord,
        {
            "clientId": "client_id",
            "slot": "slot",
            "trader": "trader",
            "meter": "meter",
            "zone": "zone",
            "quantity": "quantity_wh",
            "limit": "limit_price",
            "state": "state",
            "matched": "matched_wh",
            "settled": "settled_wh",
            "revision": "revision",
            "placed": "placed_s",
            "expires": "expires_s",
            "block": "block",
        },
    ),
}
POSTING: Mapping[str, Callable[[str], Column]] = {
    "id": _same(lambda record: record.cursor),
    "amount": _same(lambda record: str(record.amount_nano)),
    "rule": _same(lambda record: rule_of(record.kind)),
    **_at(
        PostingRecord,
        {
            "slot": "slot",
            "account": "account",
            "kind": "kind",
            "trade": "trade",
            "explain": "explain",
            "cause": "cause",
            "block": "block",
        },
    ),
}
PRICE: Mapping[str, Callable[[str], Column]] = _at(
    PriceRecord,
    {
        "slot": "slot",
        "zone": "zone",
        "price": "price",
        "volume": "volume_wh",
        "orders": "orders",
        "trades": "trades",
    },
)


async def _own_trades(services: Services, viewer: Viewer | None, values: Values) -> Listing[Any]:
    return await lists.own_trades(services, _signed_in(viewer), slot=values["slot"])


async def _slot_trades(services: Services, viewer: Viewer | None, values: Values) -> Listing[Any]:
    return await lists.slot_trades(services, _signed_in(viewer), slot=values["slot"])


async def _orders(services: Services, viewer: Viewer | None, values: Values) -> Listing[Any]:
    return await lists.orders(
        services,
        _signed_in(viewer),
        slot=values["slot"],
        open_only=bool(values["openOnly"]),
    )


async def _postings(services: Services, viewer: Viewer | None, values: Values) -> Listing[Any]:
    return await lists.postings(
        services, _signed_in(viewer), owner=values["owner"], slot=values["slot"]
    )


async def _prices(services: Services, viewer: Viewer | None, values: Values) -> Listing[Any]:
    del viewer
    records = await lists.prices(
        services, zone=values["zone"], from_s=values["from"], to_s=values["to"]
    )

    async def read(first: int, after: str | None) -> Page[Any]:
        del first, after
        return Page(records, more=False)

    async def count() -> int:
        return len(records)

    return Listing(read, count)


def _signed_in(viewer: Viewer | None) -> Viewer:
    """The guard lets no stranger come here; whoever does is answered by the standard execution."""
    if viewer is None:
        raise NotPlain
    return viewer


class NotPlain(Exception):
    """The standard execution is to answer this."""


_TIME = Argument(int, SAFE_INTEGER_MAX)
_TIME_REQUIRED = Argument(int, SAFE_INTEGER_MAX, is_required=True)
_AFTER = Argument(str)

HOT_LISTS: Mapping[str, HotList] = {
    "myTrades": HotList(
        {"first": Argument(int, default=50), "after": _AFTER, "slot": _TIME},
        "Trade",
        "TradeConnection",
        TRADE,
        _own_trades,
    ),
    "trades": HotList(
        {"slot": _TIME_REQUIRED, "first": Argument(int, default=100), "after": _AFTER},
        "Trade",
        "TradeConnection",
        TRADE,
        _slot_trades,
    ),
    "myOrders": HotList(
        {
            "first": Argument(int, default=50),
            "after": _AFTER,
            "slot": _TIME,
            "openOnly": Argument(bool, default=False),
        },
        "Order",
        "OrderConnection",
        ORDER,
        _orders,
    ),
    "postings": HotList(
        {
            "owner": Argument(str),
            "slot": _TIME,
            "first": Argument(int, default=50),
            "after": _AFTER,
        },
        "Posting",
        "PostingConnection",
        POSTING,
        _postings,
    ),
    "prices": HotList(
        {
            "zone": Argument(str, is_required=True),
            "from": _TIME_REQUIRED,
            "to": _TIME_REQUIRED,
        },
        "PricePoint",
        None,
        PRICE,
        _prices,
    ),
}
