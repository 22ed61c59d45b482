"""The hot lists: which fields of which lists have a short way, and where each value comes from.

One row per list: the arguments it takes, the type of its nodes, how its pages are read, and a
column for each plain field of a node. A column is a field of the record, or made of some;
`api.graphql.fast_path.list_plan` reads what a selection needs and puts the columns together to answers. What a resolver
of the same field says (`*_node` beside each type) and what the column says is the same, which a
test holds over all fields.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from api.access.table import Viewer
from api.graphql.fast_path.selection import NotPlain
from api.read_model.records import Page
from api.schema import lists
from api.schema.accounts import rule_of
from api.schema.pages import Listing
from api.schema.scalars import SAFE_INTEGER_MAX
from api.schema.trading import counterparty_of, order_id, side_of
from api.services import Services

INT_MAX = 2**31 - 1  # of GraphQL's own Int

Value: TypeAlias = int | str | bool | None
Values: TypeAlias = Mapping[str, Any]


class Argument(NamedTuple):
    """An argument: what its value is, how large an integer may be, whether it may be null."""

    kind: type[int] | type[str] | type[bool]
    integer_max: int = INT_MAX
    is_required: bool = False
    default: Value = None


class Column(NamedTuple):
    """A plain field: the fields of the record that it is of, and what it makes of those.

    `make` gives that for a viewer's DID; without it the one field stands as it is.
    """

    needs: tuple[str, ...]
    make: Callable[[str], Callable[..., object]] | None = None


class HotList(NamedTuple):
    """A root field with a short way, by its columns.

    `read` gives the listing for the values of the arguments; a list without pages has one page,
    and its rows have no `cursor`.
    """

    arguments: Mapping[str, Argument]
    node: str
    connection: str | None
    columns: Mapping[str, Column]
    cursor: Column | None
    read: Callable[[Services, Viewer | None, Values], Awaitable[Listing[Any]]]


def _read(names: Mapping[str, str]) -> dict[str, Column]:
    """Columns of values as they stand in the record: field -> name in the record."""
    return {field: Column((name,)) for field, name in names.items()}


def _made(*needs: str, by: Callable[..., object]) -> Column:
    """A column that is the same for every viewer."""

    def make(did: str) -> Callable[..., object]:
        del did
        return by

    return Column(needs, make)


def _for_viewer(by: Callable[..., object]) -> Callable[[str], Callable[..., object]]:
    """What is made of the viewer's DID and the fields of a record."""
    return lambda did: partial(by, did)


def _dotted(slot: int, name: object) -> str:
    return f"{slot}.{name}"


def _order_id(slot: int, trader: str, client_id: str) -> str:
    return order_id(slot, f"{trader}/{client_id}")


def _or_none(text: str) -> str | None:
    return text or None


TRADE_CURSOR = _made("slot", "number", by=_dotted)
ORDER_CURSOR = _made("slot", "client_id", by=_dotted)
POSTING_CURSOR = _made("sequence", by=str)

TRADE: Mapping[str, Column] = {
    "id": TRADE_CURSOR,
    "side": Column(("buyer", "seller"), _for_viewer(side_of)),
    "counterparty": Column(("buyer", "seller"), _for_viewer(counterparty_of)),
    **_read(
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
        }
    ),
}
ORDER: Mapping[str, Column] = {
    "id": _made("slot", "trader", "client_id", by=_order_id),
    "side": _made("side", by=str.upper),
    "leftOut": _made("left_out", by=_or_none),
    **_read(
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
        }
    ),
}
POSTING: Mapping[str, Column] = {
    "id": POSTING_CURSOR,
    "amount": _made("amount_nano", by=str),
    "rule": _made("kind", by=rule_of),
    **_read(
        {
            "slot": "slot",
            "account": "account",
            "kind": "kind",
            "trade": "trade",
            "explain": "explain",
            "cause": "cause",
            "block": "block",
        }
    ),
}
PRICE: Mapping[str, Column] = _read(
    {
        "slot": "slot",
        "zone": "zone",
        "price": "price",
        "volume": "volume_wh",
        "orders": "orders",
        "trades": "trades",
    }
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


_TIME = Argument(int, SAFE_INTEGER_MAX)
_TIME_REQUIRED = Argument(int, SAFE_INTEGER_MAX, is_required=True)
_AFTER = Argument(str)

HOT_LISTS: Mapping[str, HotList] = {
    "myTrades": HotList(
        {"first": Argument(int, default=50), "after": _AFTER, "slot": _TIME},
        "Trade",
        "TradeConnection",
        TRADE,
        TRADE_CURSOR,
        _own_trades,
    ),
    "trades": HotList(
        {"slot": _TIME_REQUIRED, "first": Argument(int, default=100), "after": _AFTER},
        "Trade",
        "TradeConnection",
        TRADE,
        TRADE_CURSOR,
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
        ORDER_CURSOR,
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
        POSTING_CURSOR,
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
        None,
        _prices,
    ),
}
