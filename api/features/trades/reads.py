"""Reads trades, each with its state at a moment of market time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from api.read_model.database import Database
from api.read_model.paging import Columns, Where, count_of, key_of, rows_of
from api.read_model.records import Page
from api.read_model.sources import Made, Source, always, read_whole
from chaincode.queries.states import OrderState, trade_state

_PATH = msgspec.json.Decoder(list[str])


class TradeRecord(NamedTuple):
    """A trade; `settled_wh` is None until its slot has settled. Orders have their full names."""

    area: str
    slot: int
    number: int
    buyer: str
    seller: str
    buy_order: str
    sell_order: str
    buy_meter: str
    sell_meter: str
    zone_path: list[str]
    quantity_wh: int
    buy_price: int
    sell_price: int
    relation: str
    tariff: int
    settled_wh: int | None
    disputed: bool
    block: int
    state: OrderState

    @property
    def cursor(self) -> str:
        """The cursor behind this row."""
        return f"{self.slot}.{self.number}"


def _trade_state_at(now_s: int) -> Callable[..., OrderState]:
    @cache  # the trades of a page lie in few slots
    def state(phase: str, slot: int, disputed: int) -> OrderState:
        return trade_state(phase, slot=slot, disputed=bool(disputed), now_s=now_s)

    return state


_TRADES = Source(
    TradeRecord,
    TradeRecord._fields,
    "trade t JOIN slot s ON s.area = t.area AND s.slot = t.slot",
    "t",
    {
        "state": Made(("phase", "slot", "disputed"), _trade_state_at),
        "disputed": Made(("disputed",), always(bool)),
        "zone_path": Made(("zone_path",), always(_PATH.decode)),
    },
)


class TradeReads:
    """The part of the read model that holds trades."""

    database: Database

    async def trade(self, area: str, slot: int, number: int, *, now_s: int) -> TradeRecord | None:
        """One trade of a slot."""
        where = Where().add("t.area = ? AND t.slot = ? AND t.number = ?", area, slot, number)
        found = await read_whole(self.database, _TRADES, where, now_s=now_s)
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
        """Return the trades that a trader bought or sold in, newest first."""
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
        """Return some fields of the records that `trades_of` returns.

        Each side is read along its own index, up to the end of the page.
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
            # SQLite merges the sides while it reads, up to the end of the page; PostgreSQL would
            # read and sort all of both.
            newest = f"ORDER BY t.slot DESC, t.number DESC LIMIT {first + 1:d}"
            sides = [f"({side} {newest})" for side in sides]
        text = f"{' UNION ALL '.join(sides)} ORDER BY 1 DESC, 2 DESC LIMIT ?"  # slot and number
        values = [*own.values, *others.values]
        rows, more = await rows_of(self.database, text, values, first=first)
        return Columns(_TRADES.cut(rows, columns, fields, now_s=now_s), more)

    async def count_trades(self, area: str, did: str, *, slot: int | None = None) -> int:
        """Return how many `trades_of` a trader there are."""
        where = Where().add("area = ?", area).add("(buyer = ? OR seller = ?)", did, did)
        if slot is not None:
            where.add("slot = ?", slot)
        return await count_of(self.database, "trade", where)

    async def trades_of_slot(
        self, area: str, slot: int, *, now_s: int, first: int, after: str | None = None
    ) -> Page[TradeRecord]:
        """Return a slot's trades in match sequence."""
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
        """Return some fields of the records that `trades_of_slot` returns."""
        where = Where().add("t.area = ? AND t.slot = ?", area, slot)
        if after is not None:
            _, number = key_of(after, int, int)
            where.add("t.number > ?", number)
        columns = _TRADES.needs(fields, "number")
        text = f"{_TRADES.select(columns)} {where.text} ORDER BY t.number LIMIT ?"
        rows, more = await rows_of(self.database, text, where.values, first=first)
        return Columns(_TRADES.cut(rows, columns, fields, now_s=now_s), more)

    async def count_trades_of_slot(self, area: str, slot: int) -> int:
        """Return how many trades a slot has."""
        where = Where().add("area = ? AND slot = ?", area, slot)
        return await count_of(self.database, "trade", where)

    async def trades_of_orders(
        self, area: str, slot: int, orders: Sequence[str], *, now_s: int
    ) -> list[TradeRecord]:
        """Return a slot's trades that any of the orders takes part in, in match sequence."""
        found: dict[int, TradeRecord] = {}
        for name in orders:
            did = name.partition("/")[0]
            for mine, order in (("t.buyer", "t.buy_order"), ("t.seller", "t.sell_order")):
                where = Where().add(f"{mine} = ? AND t.slot = ? AND t.area = ?", did, slot, area)
                where.add(f"{order} = ?", name)
                for trade in await read_whole(self.database, _TRADES, where, now_s=now_s):
                    found[trade.number] = trade
        return [found[number] for number in sorted(found)]
