"""Reading orders and trades, each with its state at a moment of market time.

A page comes as records, or by columns for who wants few fields of many rows: only those are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from api.read_model.database import Database, Row
from api.read_model.paging import Columns, Where, count_of, key_of, rows_of
from api.read_model.records import OrderRecord, Page, TradeRecord
from api.read_model.states import order_state, trade_state
from chaincode.orders.sheets import Step
from chaincode.queries.market import OrderState

_STEPS = msgspec.json.Decoder(list[Step])
_PATH = msgspec.json.Decoder(list[str])

R = TypeVar("R")


class _Made(NamedTuple):
    """A field that is not read as it stands: the columns it is of, and how, at a market time."""

    needs: tuple[str, ...]
    at: Callable[[int], Callable[..., object]]


@dataclass(frozen=True)
class _Source(Generic[R]):
    """Where records come from; every column but `phase`, which is the slot's, is the table's."""

    record: Callable[..., R]
    fields: tuple[str, ...]
    tables: str
    alias: str
    made: dict[str, _Made]

    def needs(self, fields: Sequence[str], *keys: str) -> tuple[str, ...]:
        """The columns to select for `fields`, the keys that pages are ordered by first."""
        needed = [
            name
            for field in fields
            for name in (self.made[field].needs if field in self.made else (field,))
        ]
        return tuple(dict.fromkeys((*keys, *needed)))

    def select(self, columns: Sequence[str]) -> str:
        """A SELECT of columns, to which conditions may be added."""
        selected = [
            "s.phase" if column == "phase" else f"{self.alias}.{column}" for column in columns
        ]
        return f"SELECT {', '.join(selected)} FROM {self.tables}"

    def cut(
        self, rows: Sequence[Row], columns: Sequence[str], fields: Sequence[str], *, now_s: int
    ) -> dict[str, Sequence[Any]]:
        """The values of `fields`, by field, from rows of `columns`."""
        values = zip(*rows, strict=True) if rows else ((),) * len(columns)
        read = dict(zip(columns, values, strict=True))
        cut: dict[str, Sequence[Any]] = {}
        for field in fields:
            made = self.made.get(field)
            cut[field] = (
                read[field]
                if made is None
                else list(map(made.at(now_s), *(read[name] for name in made.needs)))
            )
        return cut

    def records(self, rows: Sequence[Row], *, now_s: int) -> list[R]:
        """Whole records, from rows of all that they need."""
        cut = self.cut(rows, self.needs(self.fields), self.fields, now_s=now_s)
        return list(map(self.record, *cut.values()))


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


def _trade_state_at(now_s: int) -> Callable[..., OrderState]:
    @cache  # the trades of a page lie in few slots
    def state(phase: str, slot: int, disputed: int) -> OrderState:
        return trade_state(phase, slot=slot, disputed=bool(disputed), now_s=now_s)

    return state


def _always(make: Callable[..., object]) -> Callable[[int], Callable[..., object]]:
    """What is made alike at any time."""

    def at(now_s: int) -> Callable[..., object]:
        del now_s
        return make

    return at


def _steps(steps: str | None, price: int, quantity_wh: int) -> list[Step]:
    """The steps of an order; one with a single step has none of its own in the table."""
    return _STEPS.decode(steps) if steps else [(price, quantity_wh)]


_ORDERS = _Source(
    OrderRecord,
    OrderRecord._fields,
    "order_row o LEFT JOIN slot s ON s.area = o.area AND s.slot = o.slot",
    "o",
    {
        "state": _Made(
            ("phase", "slot", "open", "matched_wh", "disputed", "expires_s"), _order_state_at
        ),
        "open": _Made(("open",), _always(bool)),
        "steps": _Made(("steps", "limit_price", "quantity_wh"), _always(_steps)),
    },
)
_TRADES = _Source(
    TradeRecord,
    TradeRecord._fields,
    "trade t JOIN slot s ON s.area = t.area AND s.slot = t.slot",
    "t",
    {
        "state": _Made(("phase", "slot", "disputed"), _trade_state_at),
        "disputed": _Made(("disputed",), _always(bool)),
        "zone_path": _Made(("zone_path",), _always(_PATH.decode)),
    },
)


class OrderReads:
    """The part of the read model that holds orders and trades."""

    database: Database

    async def order(
        self, area: str, slot: int, trader: str, client_id: str, *, now_s: int
    ) -> OrderRecord | None:
        """One order by the key that its trader knows it by."""
        where = Where().add("o.trader = ? AND o.slot = ?", trader, slot)
        where.add("o.client_id = ? AND o.area = ?", client_id, area)
        found = await self._whole(_ORDERS, where, now_s=now_s)
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
        """A trader's orders, the newest slot first."""
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
        """Some fields of the records of the page that `orders_of` gives."""
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
        """How many `orders_of` a trader there are."""
        where = _orders_where(area, trader, slot, open_only=open_only)
        return await count_of(self.database, "order_row o", where)

    async def trade(self, area: str, slot: int, number: int, *, now_s: int) -> TradeRecord | None:
        """One trade of a slot."""
        where = Where().add("t.area = ? AND t.slot = ? AND t.number = ?", area, slot, number)
        found = await self._whole(_TRADES, where, now_s=now_s)
        return found[0] if found else None

    async def trades_of(
        self,
        area: str,
        did: str,
        *,
        now_s: int,
        first: int,
        after: str | None = None,
        slot: int | None = None,
    ) -> Page[TradeRecord]:
        """The trades that a trader bought or sold in, newest first."""
        page = await self.trade_columns(
            area, did, _TRADES.fields, now_s=now_s, first=first, after=after, slot=slot
        )
        return Page(list(map(TradeRecord, *page.of.values())), page.more)

    async def trade_columns(
        self,
        area: str,
        did: str,
        fields: Sequence[str],
        *,
        now_s: int,
        first: int,
        after: str | None = None,
        slot: int | None = None,
    ) -> Columns:
        """Some fields of the records of the page that `trades_of` gives.

        Each side is read along its own index, as far as the page reaches.
        """
        own, others = (
            Where().add("t.buyer = ?", did),
            Where().add("t.seller = ? AND t.buyer <> ?", did, did),
        )
        for where in (own, others):
            where.add("t.area = ?", area)
            if slot is not None:
                where.add("t.slot = ?", slot)
            if after is not None:
                where.add("(t.slot, t.number) < (?, ?)", *key_of(after, int, int))
        columns = _TRADES.needs(fields, "slot", "number")
        sides = [f"{_TRADES.select(columns)} {where.text}" for where in (own, others)]
        if self.database.dialect == "postgres":
            # SQLite merges the sides as it reads them, to the end of the page; PostgreSQL would
            # read and sort all of both.
            newest = f"ORDER BY t.slot DESC, t.number DESC LIMIT {first + 1:d}"
            sides = [f"({side} {newest})" for side in sides]
        text = f"{' UNION ALL '.join(sides)} ORDER BY 1 DESC, 2 DESC LIMIT ?"  # slot and number
        values = [*own.values, *others.values]
        rows, more = await rows_of(self.database, text, values, first=first)
        return Columns(_TRADES.cut(rows, columns, fields, now_s=now_s), more)

    async def count_trades(self, area: str, did: str, *, slot: int | None = None) -> int:
        """How many `trades_of` a trader there are."""
        where = Where().add("area = ?", area).add("(buyer = ? OR seller = ?)", did, did)
        if slot is not None:
            where.add("slot = ?", slot)
        return await count_of(self.database, "trade", where)

    async def trades_of_slot(
        self, area: str, slot: int, *, now_s: int, first: int, after: str | None = None
    ) -> Page[TradeRecord]:
        """A slot's trades in match sequence."""
        page = await self.slot_trade_columns(
            area, slot, _TRADES.fields, now_s=now_s, first=first, after=after
        )
        return Page(list(map(TradeRecord, *page.of.values())), page.more)

    async def slot_trade_columns(
        self,
        area: str,
        slot: int,
        fields: Sequence[str],
        *,
        now_s: int,
        first: int,
        after: str | None = None,
    ) -> Columns:
        """Some fields of the records of the page that `trades_of_slot` gives."""
        where = Where().add("t.area = ? AND t.slot = ?", area, slot)
        if after is not None:
            _, number = key_of(after, int, int)
            where.add("t.number > ?", number)
        columns = _TRADES.needs(fields, "number")
        text = f"{_TRADES.select(columns)} {where.text} ORDER BY t.number LIMIT ?"
        rows, more = await rows_of(self.database, text, where.values, first=first)
        return Columns(_TRADES.cut(rows, columns, fields, now_s=now_s), more)

    async def count_trades_of_slot(self, area: str, slot: int) -> int:
        """How many trades a slot has."""
        where = Where().add("area = ? AND slot = ?", area, slot)
        return await count_of(self.database, "trade", where)

    async def trades_of_orders(
        self, area: str, slot: int, orders: Sequence[str], *, now_s: int
    ) -> list[TradeRecord]:
        """The trades of a slot that orders, by their full names, are part of, in match sequence."""
        found: dict[int, TradeRecord] = {}
        for name in orders:
            did = name.partition("/")[0]
            for mine, order in (("t.buyer", "t.buy_order"), ("t.seller", "t.sell_order")):
                where = Where().add(f"{mine} = ? AND t.slot = ? AND t.area = ?", did, slot, area)
                where.add(f"{order} = ?", name)
                for trade in await self._whole(_TRADES, where, now_s=now_s):
                    found[trade.number] = trade
        return [found[number] for number in sorted(found)]

    async def retailers_of(self, traders: Sequence[str]) -> dict[str, str]:
        """The retailer of each of some traders that is a participant."""
        where = Where().is_in("did", traders)
        text = f"SELECT did, retailer FROM participant {where.text}"
        return {row[0]: row[1] for row in await self.database.rows(text, *where.values)}

    async def _whole(self, source: _Source[R], where: Where, *, now_s: int) -> list[R]:
        """All records for which `where` holds."""
        text = f"{source.select(source.needs(source.fields))} {where.text}"
        return source.records(await self.database.rows(text, *where.values), now_s=now_s)


def _orders_where(area: str, trader: str, slot: int | None, *, open_only: bool) -> Where:
    where = Where().add("o.trader = ? AND o.area = ?", trader, area)
    if slot is not None:
        where.add("o.slot = ?", slot)
    if open_only:
        where.add("o.open")
    return where
