"""Reading orders and trades, each with its state at a moment of market time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from api.read_model.database import Database, Row
from api.read_model.paging import Where, count_of, key_of, page_of
from api.read_model.records import OrderRecord, Page, TradeRecord
from api.read_model.states import order_state, trade_state
from chaincode.sheets import Step

_ORDER = (
    "SELECT o.area, o.slot, o.trader, o.client_id, o.meter, o.zone, o.side, o.quantity_wh, "
    "o.limit_price, o.steps, o.expires_s, o.revision, o.open, o.matched_wh, o.settled_wh, "
    "o.left_out, o.placed_s, o.block, o.disputed, s.phase "
    "FROM order_row o LEFT JOIN slot s ON s.area = o.area AND s.slot = o.slot"
)
_TRADE_COLUMNS = (
    "t.area, t.slot, t.number, t.buyer, t.seller, t.buy_order, t.sell_order, t.buy_meter, "
    "t.sell_meter, t.zone_path, t.quantity_wh, t.buy_price, t.sell_price, t.relation, t.tariff, "
    "t.settled_wh, t.disputed, t.block"
)
_TRADE = (
    f"SELECT {_TRADE_COLUMNS}, s.phase FROM trade t "  # noqa: S608 names are ours
    "JOIN slot s ON s.area = t.area AND s.slot = t.slot"
)
_STEPS = msgspec.json.Decoder(list[Step])
_PATH = msgspec.json.Decoder(list[str])


class OrderReads:
    """The part of the read model that holds orders and trades."""

    database: Database

    async def order(
        self, area: str, slot: int, trader: str, client_id: str, *, now_s: int
    ) -> OrderRecord | None:
        """One order by the key that its trader knows it by."""
        rows = await self.database.rows(
            f"{_ORDER} WHERE o.trader = ? AND o.slot = ? AND o.client_id = ? AND o.area = ?",
            trader,
            slot,
            client_id,
            area,
        )
        return _order_at(now_s)(rows[0]) if rows else None

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
        where = _orders_where(area, trader, slot, open_only=open_only)
        if after is not None:
            where.add("(o.slot, o.client_id) < (?, ?)", *key_of(after, int, str))
        text = f"{_ORDER} {where.text} ORDER BY o.slot DESC, o.client_id DESC"
        make = _order_at(now_s)
        return await page_of(self.database, text, where.values, first=first, make=make)

    async def count_orders(
        self, area: str, trader: str, *, slot: int | None = None, open_only: bool = False
    ) -> int:
        """How many `orders_of` a trader there are."""
        where = _orders_where(area, trader, slot, open_only=open_only)
        return await count_of(self.database, "order_row o", where)

    async def trade(self, area: str, slot: int, number: int, *, now_s: int) -> TradeRecord | None:
        """One trade of a slot."""
        rows = await self.database.rows(
            f"{_TRADE} WHERE t.area = ? AND t.slot = ? AND t.number = ?", area, slot, number
        )
        return _trade_at(now_s)(rows[0]) if rows else None

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
        """The trades that a trader bought or sold in, newest first.

        Each side is read along its own index, as far as the page can reach.
        """
        own, others = (
            Where().add("buyer = ?", did),
            Where().add("seller = ? AND buyer <> ?", did, did),
        )
        for where in (own, others):
            where.add("area = ?", area)
            if slot is not None:
                where.add("slot = ?", slot)
            if after is not None:
                where.add("(slot, number) < (?, ?)", *key_of(after, int, int))
        text = _both_sides(own.text, others.text, limit=first + 1)
        values = [*own.values, *others.values]
        return await page_of(self.database, text, values, first=first, make=_trade_at(now_s))

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
        where = Where().add("t.area = ? AND t.slot = ?", area, slot)
        if after is not None:
            _, number = key_of(after, int, int)
            where.add("t.number > ?", number)
        text = f"{_TRADE} {where.text} ORDER BY t.number"
        return await page_of(self.database, text, where.values, first=first, make=_trade_at(now_s))

    async def count_trades_of_slot(self, area: str, slot: int) -> int:
        """How many trades a slot has."""
        where = Where().add("area = ? AND slot = ?", area, slot)
        return await count_of(self.database, "trade", where)

    async def trades_of_orders(
        self, area: str, slot: int, orders: Sequence[str], *, now_s: int
    ) -> list[TradeRecord]:
        """The trades of a slot that orders, by their full names, are part of, in match sequence."""
        make = _trade_at(now_s)
        found: dict[int, TradeRecord] = {}
        for name in orders:
            did = name.partition("/")[0]
            for mine, order in (("t.buyer", "t.buy_order"), ("t.seller", "t.sell_order")):
                where = Where().add(f"{mine} = ? AND t.slot = ? AND t.area = ?", did, slot, area)
                where.add(f"{order} = ?", name)
                for row in await self.database.rows(f"{_TRADE} {where.text}", *where.values):
                    trade = make(row)
                    found[trade.number] = trade
        return [found[number] for number in sorted(found)]


def _both_sides(own: str, others: str, *, limit: int) -> str:
    """Trades of either side, newest first."""
    newest = f"ORDER BY slot DESC, number DESC LIMIT {limit:d}"
    return (
        f"SELECT {_TRADE_COLUMNS}, s.phase FROM ("  # noqa: S608 conditions are ours, values have places
        f"SELECT * FROM (SELECT * FROM trade {own} {newest}) AS b UNION ALL "
        f"SELECT * FROM (SELECT * FROM trade {others} {newest}) AS c"
        ") AS t JOIN slot s ON s.area = t.area AND s.slot = t.slot "
        "ORDER BY t.slot DESC, t.number DESC"
    )


def _orders_where(area: str, trader: str, slot: int | None, *, open_only: bool) -> Where:
    where = Where().add("o.trader = ? AND o.area = ?", trader, area)
    if slot is not None:
        where.add("o.slot = ?", slot)
    if open_only:
        where.add("o.open")
    return where


def _order_at(now_s: int) -> Callable[[Row], OrderRecord]:
    def make(row: Row) -> OrderRecord:
        *columns, disputed, phase = row
        steps, is_open = row[9], bool(row[12])
        columns[9] = _STEPS.decode(steps) if steps else [(row[8], row[7])]
        columns[12] = is_open
        state = order_state(
            phase,
            slot=row[1],
            is_open=is_open,
            is_matched=row[13] > 0,
            disputed=bool(disputed),
            expires_s=row[10],
            now_s=now_s,
        )
        return OrderRecord._make((*columns, state))

    return make


def _trade_at(now_s: int) -> Callable[[Row], TradeRecord]:
    def make(row: Row) -> TradeRecord:
        *columns, phase = row
        columns[9] = _PATH.decode(row[9])
        columns[16] = bool(row[16])
        state = trade_state(phase, slot=row[1], disputed=columns[16], now_s=now_s)
        return TradeRecord._make((*columns, state))

    return make
