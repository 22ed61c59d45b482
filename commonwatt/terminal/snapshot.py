"""Reads what the terminal shows from the ledger: time, prices, book, trades, balances."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chaincode.accounts.statements import AccountAnswer, OwnerArguments, Totals
from chaincode.area.zones import AreaName
from chaincode.queries.market import AreaAnswer, OpenOrdersAnswer, SlotView, TradesAnswer, TradeView
from chaincode.slots.gate import SlotArguments
from commonwatt.demonstration.cast import AREA, DSO, Cast, Home
from commonwatt.demonstration.conservation import area_totals
from ledger_network.port import Ledger, Member

HOMES_SHOWN = 14
TRADES_SHOWN = 14


class Holder(msgspec.Struct, frozen=True):
    """A household's account as the terminal shows it."""

    home: Home
    answer: AccountAnswer


class Snapshot(msgspec.Struct, frozen=True):
    """The state of the market at one moment."""

    area: AreaAnswer
    open_slot: int
    book: OpenOrdersAnswer
    history: Sequence[SlotView]
    trades: Sequence[TradeView]
    holders: Sequence[Holder]
    totals: Totals
    height: int
    orders: int
    slots: int


async def take_snapshot(
    ledger: Ledger,
    cast: Cast,
    *,
    open_slot: int,
    history: Sequence[SlotView],
    orders: int,
    slots: int,
) -> Snapshot:
    """Take a snapshot, which only reads the ledger."""
    reader = Member(DSO)

    async def ask(name: str, arguments: msgspec.Struct) -> bytes:
        return await ledger.evaluate(name, arguments, member=reader)

    book = await ask("list_open_orders", SlotArguments(AREA, open_slot))
    trades: list[TradeView] = []
    if history:
        answer = await ask("list_trades", SlotArguments(AREA, history[-1].slot))
        trades = msgspec.json.decode(answer, type=TradesAnswer).trades[:TRADES_SHOWN]
    holders: list[Holder] = []
    for home in cast.homes[:HOMES_SHOWN]:
        answer = await ask("describe_account", OwnerArguments(AREA, home.did))
        holders.append(Holder(home, msgspec.json.decode(answer, type=AccountAnswer)))
    return Snapshot(
        area=msgspec.json.decode(await ask("describe_area", AreaName(AREA)), type=AreaAnswer),
        open_slot=open_slot,
        book=msgspec.json.decode(book, type=OpenOrdersAnswer),
        history=history,
        trades=trades,
        holders=holders,
        totals=await area_totals(ledger),
        height=(await ledger.health()).height,
        orders=orders,
        slots=slots,
    )
