"""Writes trades from clearing, settlement and disputes, and the covers that they reserve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from api.features.batch import Gain
from api.features.event_context import EventContext
from api.features.orders import projection as orders
from api.read_model.statements import upsert
from chaincode.clearing.order_book import trader_of
from chaincode.clearing.run import MatchedTrade
from chaincode.settlement.disputes import DisputeChanged
from chaincode.state import encode

PUT_TRADE = upsert(
    "trade",
    ["area", "slot", "number"],
    [
        "buyer", "seller", "buy_order", "sell_order", "buy_meter", "sell_meter", "zone_path",
        "quantity_wh", "buy_price", "sell_price", "relation", "tariff", "buy_cover_nano",
        "sell_cover_nano", "settled_wh", "retired_wh", "disputed", "buyer_disputes",
        "seller_disputes", "block",
    ],
)  # fmt: skip
SETTLE_TRADE = (
    "UPDATE trade SET settled_wh = ?, retired_wh = ?, block = ? "
    "WHERE area = ? AND slot = ? AND number = ?"
)
DISPUTE_TRADE = {
    "buyer": "UPDATE trade SET buyer_disputes = ?, disputed = seller_disputes OR ?, block = ? "
    "WHERE area = ? AND slot = ? AND number = ?",
    "seller": "UPDATE trade SET seller_disputes = ?, disputed = buyer_disputes OR ?, block = ? "
    "WHERE area = ? AND slot = ? AND number = ?",
}


class HeldTrade(NamedTuple):
    """The columns of a trade before its slot is settled or corrected."""

    number: int
    buyer: str
    seller: str
    buy_cover_nano: int
    sell_cover_nano: int
    settled_wh: int | None
    retired_wh: int


def match(at: EventContext, area: str, slot: int, trades: Iterable[MatchedTrade]) -> None:
    """Add the trades of a slot that cleared, and reserve their covers."""
    block = at.block
    rows = at.batch.rows(PUT_TRADE)
    for trade in trades:
        buyer, seller = trader_of(trade.buy), trader_of(trade.sell)
        rows.append(
            (
                area, slot, trade.number, buyer, seller, orders.order_of(trade.buy),
                orders.order_of(trade.sell), trade.buy_meter, trade.sell_meter,
                encode(trade.path).decode(), trade.quantity_wh, trade.buy_price,
                trade.sell_price, trade.relation, trade.tariff, trade.buy_cover_nano,
                trade.sell_cover_nano, None, 0, False, False, False, block,
            )
        )  # fmt: skip
        at.batch.gain(area, buyer, Gain(reserved_nano=trade.buy_cover_nano), block=block)
        at.batch.gain(area, seller, Gain(reserved_nano=trade.sell_cover_nano), block=block)


async def held(at: EventContext, area: str, slot: int) -> list[HeldTrade]:
    """Return the trades of a slot from the tables."""
    rows = await at.database.rows(
        "SELECT number, buyer, seller, buy_cover_nano, sell_cover_nano, settled_wh, retired_wh "
        "FROM trade WHERE area = ? AND slot = ?",
        area,
        slot,
    )
    return [HeldTrade(*row) for row in rows]


def settle(
    at: EventContext,
    area: str,
    slot: int,
    *,
    held: Sequence[HeldTrade],
    trades: Sequence[MatchedTrade],
) -> None:
    """Write what each trade settled and retired; release its covers the first time it settles."""
    block = at.block
    retired = {trade.number: trade.retired_wh for trade in trades}
    for before in held:
        gain = Gain(retired_wh=retired[before.number] - before.retired_wh)
        if before.settled_wh is None:
            gain = gain.minus(Gain(reserved_nano=before.buy_cover_nano))
            cover = Gain(reserved_nano=-before.sell_cover_nano)
            at.batch.gain(area, before.seller, cover, block=block)
        at.batch.gain(area, before.buyer, gain, block=block)
    rows = at.batch.rows(SETTLE_TRADE)
    for trade in trades:
        row = (trade.settled_wh, trade.retired_wh, block, area, slot, trade.number)
        rows.append(row)


async def trade_disputed(data: msgspec.Raw, at: EventContext) -> None:
    """Note that a party disputes a trade."""
    await _dispute(at, msgspec.json.decode(data, type=DisputeChanged), disputed=True)


async def dispute_withdrawn(data: msgspec.Raw, at: EventContext) -> None:
    """Note that a party has withdrawn its dispute."""
    await _dispute(at, msgspec.json.decode(data, type=DisputeChanged), disputed=False)


async def _dispute(at: EventContext, changed: DisputeChanged, *, disputed: bool) -> None:
    act = changed.act
    key = (act.area, act.slot, act.trade)
    at.batch.slots.add((act.area, act.slot))
    for buyer, seller, *names in await at.database.rows(
        "SELECT buyer, seller, buy_order, sell_order FROM trade "
        "WHERE area = ? AND slot = ? AND number = ?",
        *key,
    ):
        for side, party in (("buyer", buyer), ("seller", seller)):
            if party == changed.by:
                at.batch.put(DISPUTE_TRADE[side], (disputed, disputed, at.block, *key))
        for name in names:
            did, _, client_id = name.partition("/")
            order = (did, act.slot, client_id, act.area)
            at.batch.put(orders.DISPUTE_ORDER, (name, name, at.block, *order))
            at.batch.traders.add(did)
