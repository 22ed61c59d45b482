"""Reads orders, each with its state at a moment of market time, and the depth of a book."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from api.read_model.database import Database, Value
from api.read_model.paging import Columns, Where, count_of, key_of, rows_of, whole
from api.read_model.records import Page
from api.read_model.sources import Made, Source, always, read_whole
from chaincode.orders.sheets import Step
from chaincode.queries.states import OrderState, order_state

_STEPS = msgspec.json.Decoder(list[Step])
_OPEN = (
    "FROM order_row WHERE slot = ? AND zone = ? AND area = ? AND open AND left_out = '' "
    "AND (expires_s IS NULL OR expires_s > ?)"
)


class OrderRecord(NamedTuple):
    """An order; `limit_price` is the limit of its best step, `steps` are (price, Wh)."""

    area: str
    slot: int
    trader: str
    client_id: str
    meter: str
    zone: str
    side: str
    quantity_wh: int
    limit_price: int
    steps: list[tuple[int, int]]
    expires_s: int | None
    revision: int
    open: bool
    matched_wh: int
    settled_wh: int
    left_out: str
    placed_s: int
    block: int
    state: OrderState

    @property
    def name(self) -> str:
        """The order's full name, as in books and trades."""
        return f"{self.trader}/{self.client_id}"

    @property
    def cursor(self) -> str:
        """The cursor behind this row."""
        return f"{self.slot}.{self.client_id}"


class DepthStep(NamedTuple):
    """The Wh of all open orders of one side at one limit."""

    price: int
    quantity_wh: int


class Depth(NamedTuple):
    """A zone's open orders of a slot by limit: buys from the highest, sells from the lowest."""

    buys: list[DepthStep]
    sells: list[DepthStep]


def _order_state_at(now_s: int) -> Callable[..., OrderState]:
    def state(*columns: Any) -> OrderState:
        phase, slot, is_open, matched_wh, disputed, expires_s = columns
        return order_state(
            phase,
            slot=slot,
            is_open=bool(is_open),
            is_matched=matched_wh > 0,
            disputed=bool(disputed),
            expires_s=expires_s,
            now_s=now_s,
        )

    return state


def _steps(steps: str | None, price: int, quantity_wh: int) -> list[Step]:
    """Return the steps of an order; the table stores them only if there are several."""
    return _STEPS.decode(steps) if steps else [(price, quantity_wh)]


_ORDERS = Source(
    OrderRecord,
    OrderRecord._fields,
    "order_row o LEFT JOIN slot s ON s.area = o.area AND s.slot = o.slot",
    "o",
    {
        "state": Made(
            ("phase", "slot", "open", "matched_wh", "disputed", "expires_s"), _order_state_at
        ),
        "open": Made(("open",), always(bool)),
        "steps": Made(("steps", "limit_price", "quantity_wh"), always(_steps)),
    },
)


class OrderReads:
    """The part of the read model that holds orders."""

    database: Database

    async def order(
        self, area: str, slot: int, trader: str, client_id: str, *, now_s: int
    ) -> OrderRecord | None:
        """Return an order by slot, trader and the id that the trader gave it."""
        where = Where().add("o.trader = ? AND o.slot = ?", trader, slot)
        where.add("o.client_id = ? AND o.area = ?", client_id, area)
        found = await read_whole(self.database, _ORDERS, where, now_s=now_s)
        return found[0] if found else None

    async def orders_of(
        self,
        area: str,
        trader: str,
        *,
        now_s: int,
        first: int,
        after: str | None = None,
        slot: int | None = None,
        open_only: bool = False,
    ) -> Page[OrderRecord]:
        """Return a trader's orders, the newest slot first."""
        page = await self.order_columns(
            area,
            trader,
            _ORDERS.fields,
            now_s=now_s,
            first=first,
            after=after,
            slot=slot,
            open_only=open_only,
        )
        return Page(list(map(OrderRecord, *page.of.values())), page.more)

    async def order_columns(
        self,
        area: str,
        trader: str,
        fields: Sequence[str],
        *,
        now_s: int,
        first: int,
        after: str | None = None,
        slot: int | None = None,
        open_only: bool = False,
    ) -> Columns:
        """Return some fields of the records that `orders_of` returns."""
        where = _orders_where(area, trader, slot, open_only=open_only)
        if after is not None:
            where.add("(o.slot, o.client_id) < (?, ?)", *key_of(after, int, str))
        columns = _ORDERS.needs(fields, "slot", "client_id")
        text = (
            f"{_ORDERS.select(columns)} {where.text} ORDER BY o.slot DESC, o.client_id DESC LIMIT ?"
        )
        rows, more = await rows_of(self.database, text, where.values, first=first)
        return Columns(_ORDERS.cut(rows, columns, fields, now_s=now_s), more)

    async def count_orders(
        self, area: str, trader: str, *, slot: int | None = None, open_only: bool = False
    ) -> int:
        """Return how many `orders_of` a trader there are."""
        where = _orders_where(area, trader, slot, open_only=open_only)
        return await count_of(self.database, "order_row o", where)

    async def depth(self, area: str, slot: int, zone: str, *, now_s: int) -> Depth:
        """Return the open orders of a zone, added up by limit, without their traders."""
        values: list[Value] = [slot, zone, area, now_s]
        sides: dict[str, dict[int, int]] = {"buy": {}, "sell": {}}
        for side, price, quantity_wh in await self.database.rows(
            f"SELECT side, limit_price, SUM(quantity_wh) {_OPEN} AND steps = '' "
            "GROUP BY side, limit_price",
            *values,
        ):
            sides[side][price] = whole(quantity_wh)
        for side, steps in await self.database.rows(
            f"SELECT side, steps {_OPEN} AND steps <> ''",
            *values,
        ):
            for price, quantity_wh in _STEPS.decode(steps):
                sides[side][price] = sides[side].get(price, 0) + quantity_wh
        buys = [DepthStep(*step) for step in sorted(sides["buy"].items(), reverse=True)]
        return Depth(buys, [DepthStep(*step) for step in sorted(sides["sell"].items())])


def _orders_where(area: str, trader: str, slot: int | None, *, open_only: bool) -> Where:
    where = Where().add("o.trader = ? AND o.area = ?", trader, area)
    if slot is not None:
        where.add("o.slot = ?", slot)
    if open_only:
        where.add("o.open")
    return where
