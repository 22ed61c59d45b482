"""A slot out of its events: gate, clearing, readings, settlement, corrections, disputes.

These events name a slot; its rows come from questions to the ledger, and what the tables held
before is subtracted, so that a slot may be told again. Nothing else is in a batch with such an
event: what came before it is in the tables already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from api.read_model.batch import Batch, Gain
from api.read_model.database import Database
from api.read_model.questions import Questions
from api.read_model.registry import Registry
from api.read_model.statements import (
    ADD_POSTING,
    DISPUTE_ORDER,
    DISPUTE_TRADE,
    DROP_CERTIFICATES,
    LEAVE_OUT_ORDER,
    MATCH_ORDER,
    PUT_CERTIFICATE,
    PUT_PHASE,
    PUT_PRICE,
    PUT_READING,
    PUT_SLOT,
    PUT_TRADE,
    SETTLE_TRADE,
)
from chaincode.accounts.posting import (
    Posting,
)
from chaincode.clearing.order_book import trader_of
from chaincode.clearing.run import MatchedTrade, SlotCleared
from chaincode.metering.reports import Report
from chaincode.settlement.correction import SlotCorrected
from chaincode.settlement.delivery import Contract, retire_in_order
from chaincode.settlement.disputes import DisputeAct
from chaincode.settlement.run import SlotSettled
from chaincode.settlement.settled_slot import MeterSettled
from chaincode.slots.gate import GateArguments
from chaincode.state import encode
from ledger_network.port import CommittedEvents


class Place(NamedTuple):
    """What a handler works with: the slot, its event, what is known, and where changes go."""

    happened: CommittedEvents
    questions: Questions
    database: Database
    registry: Registry
    batch: Batch

    @property
    def block(self) -> int:
        """The block of the event."""
        return self.happened.position.block


Handler = Callable[[msgspec.Raw, Place], Awaitable[None]]


async def _gate_closed(data: msgspec.Raw, at: Place) -> None:
    gate = msgspec.json.decode(data, type=GateArguments)
    gate_s = at.registry.gate_s(gate.area, gate.slot)
    sums = (0, 0, 0, 0, 0, 0)
    at.batch.put(PUT_PHASE, (gate.area, gate.slot, "CLOSED", gate_s, *sums, at.block))
    at.batch.slots.add((gate.area, gate.slot))


async def _slot_cleared(data: msgspec.Raw, at: Place) -> None:
    event = msgspec.json.decode(data, type=SlotCleared)
    area, slot, block = event.area, event.slot, at.block
    trades = await at.questions.trades(area, slot, count=event.trades)
    sums = (0, 0, 0, 0, 0, 0)
    gate_s = at.registry.gate_s(area, slot)
    at.batch.put(PUT_PHASE, (area, slot, "CLEARED", gate_s, *sums, block))
    at.batch.slots.add((area, slot))
    for zone in event.zones:
        figures = (zone.price, zone.volume_wh, zone.orders, zone.trades, block)
        at.batch.put(PUT_PRICE, (area, zone.zone, slot, *figures))
    rows = at.batch.rows(PUT_TRADE)
    for trade in trades:
        buyer, seller = trader_of(trade.buy), trader_of(trade.sell)
        rows.append(
            (
                area, slot, trade.number, buyer, seller, _order_of(trade.buy),
                _order_of(trade.sell), trade.buy_meter, trade.sell_meter,
                encode(trade.path).decode(), trade.quantity_wh, trade.buy_price,
                trade.sell_price, trade.relation, trade.tariff, trade.buy_cover_nano,
                trade.sell_cover_nano, None, 0, False, block,
            )
        )  # fmt: skip
        at.batch.gain(area, buyer, Gain(reserved_nano=trade.buy_cover_nano), block=block)
        at.batch.gain(area, seller, Gain(reserved_nano=trade.sell_cover_nano), block=block)
    _match_orders(at, area, slot, trades, settled=False)
    await _leave_out(at, event)


async def _leave_out(at: Place, event: SlotCleared) -> None:
    """Find open orders that are not in a book, and ask their traders' rows for the reasons."""
    area, slot = event.area, event.slot
    in_books = {zone.zone: zone.orders for zone in event.zones}
    placed: dict[str, list[tuple[str, str]]] = {}
    for zone, trader, client_id in await at.database.rows(
        "SELECT zone, trader, client_id FROM order_row WHERE slot = ? AND area = ? AND open",
        slot,
        area,
    ):
        placed.setdefault(zone, []).append((trader, client_id))
    traders: set[str] = set()
    for zone, orders in placed.items():
        if len(orders) == in_books.get(zone, 0):
            continue
        names: set[str] = set()
        if zone in in_books:
            names = await at.questions.orders_in_book(area, slot, zone)
        traders.update(did for did, client_id in orders if f"{did}/{client_id}" not in names)
    for did in sorted(traders):
        reasons = await at.questions.reasons(area, slot, did)
        for client_id, reason in sorted(reasons.items()):
            at.batch.put(LEAVE_OUT_ORDER, (reason, at.block, did, slot, client_id, area))
        at.batch.traders.add(did)


async def _readings_recorded(data: msgspec.Raw, at: Place) -> None:
    report = msgspec.json.decode(data, type=Report)
    rows = at.batch.rows(PUT_READING)
    for found in await at.questions.readings(
        report.area, report.slot, root=report.root, count=report.count
    ):
        leaf = found.reading.leaf
        rows.append(
            (
                leaf.meter, report.slot, found.version, leaf.import_from_wh, leaf.import_to_wh,
                leaf.export_from_wh, leaf.export_to_wh, leaf.quality, leaf.resolution_wh, at.block,
            )
        )  # fmt: skip
    at.batch.slots.add((report.area, report.slot))


async def _slot_settled(data: msgspec.Raw, at: Place) -> None:
    await _settled(at, msgspec.json.decode(data, type=SlotSettled))


async def _slot_corrected(data: msgspec.Raw, at: Place) -> None:
    await _settled(at, msgspec.json.decode(data, type=SlotCorrected))


async def _settled(at: Place, event: SlotSettled | SlotCorrected) -> None:
    """Trades, postings and certificates as they are after a settlement or a correction."""
    area, slot, sums, block = event.area, event.slot, event.settlement, at.block
    held = await at.database.rows(
        "SELECT number, buyer, seller, buy_cover_nano, sell_cover_nano, settled_wh, retired_wh "
        "FROM trade WHERE area = ? AND slot = ?",
        area,
        slot,
    )
    trades = await at.questions.trades(area, slot, count=len(held))
    metered = await at.questions.metered(area, slot, pages=sums.meter_pages)
    postings = await at.questions.postings(area, slot, count=sums.postings)
    figures = (
        sums.settled_wh, sums.residual_wh, sums.surplus_wh, sums.minted_wh, sums.retired_wh,
        sums.estimated,
    )  # fmt: skip
    gate_s = at.registry.gate_s(area, slot)
    at.batch.put(PUT_SLOT, (area, slot, "SETTLED", gate_s, *figures, block))
    at.batch.slots.add((area, slot))
    retired = _retired(trades, metered)
    for number, buyer, seller, buy_cover, sell_cover, settled_wh, retired_wh in held:
        gain = Gain(retired_wh=retired[number] - retired_wh)
        if settled_wh is None:
            gain = gain.minus(Gain(reserved_nano=buy_cover))
            at.batch.gain(area, seller, Gain(reserved_nano=-sell_cover), block=block)
        at.batch.gain(area, buyer, gain, block=block)
    rows = at.batch.rows(SETTLE_TRADE)
    for trade in trades:
        row = (trade.settled_wh, retired[trade.number], block, area, slot, trade.number)
        rows.append(row)
    _match_orders(at, area, slot, trades, settled=True)
    await _certify(at, area, slot, metered)
    await _post(at, area, slot, postings)


async def _certify(at: Place, area: str, slot: int, metered: Iterable[MeterSettled]) -> None:
    """Certificates of the slot; what its plants' owners had of it before is taken back."""
    for owner, minted_wh, retired_wh in await at.database.rows(
        "SELECT owner, minted_wh, retired_wh FROM certificate WHERE area = ? AND slot = ?",
        area,
        slot,
    ):
        gain = Gain(minted_wh=-minted_wh, live_wh=retired_wh - minted_wh)
        at.batch.gain(area, owner, gain, block=at.block)
    at.batch.put(DROP_CERTIFICATES, (area, slot))
    for meter in metered:
        holding = at.registry.holding(meter.meter, slot)
        if holding is None or not meter.minted_wh:
            continue
        live_wh = meter.minted_wh - meter.retired_wh
        gain = Gain(minted_wh=meter.minted_wh, live_wh=live_wh)
        at.batch.gain(area, holding.holder, gain, block=at.block)
        row = (
            holding.holder, slot, meter.meter, area, meter.zone, meter.source, meter.minted_wh,
            meter.retired_wh, at.block,
        )  # fmt: skip
        at.batch.put(PUT_CERTIFICATE, row)


async def _post(at: Place, area: str, slot: int, postings: Sequence[Posting]) -> None:
    """Add the lines of the books that are not in the tables yet: they are only ever appended."""
    ((known,),) = await at.database.rows(
        "SELECT COUNT(*) FROM posting WHERE area = ? AND slot = ?", area, slot
    )
    happened = at.happened
    for number, posting in enumerate(postings[known:], start=known):
        row = (
            at.batch.next_posting(), area, slot, number, posting.account, posting.amount_nano,
            posting.kind, int(posting.trade) if posting.trade else None, posting.explain,
            posting.cause or happened.name, happened.transaction, at.block,
        )  # fmt: skip
        at.batch.put(ADD_POSTING, row)
        gain = Gain(balance_nano=posting.amount_nano)
        at.batch.gain(area, posting.account, gain, block=at.block)


async def _trade_disputed(data: msgspec.Raw, at: Place) -> None:
    await _dispute(at, msgspec.json.decode(data, type=DisputeAct), disputed=True)


async def _dispute_withdrawn(data: msgspec.Raw, at: Place) -> None:
    await _dispute(at, msgspec.json.decode(data, type=DisputeAct), disputed=False)


async def _dispute(at: Place, act: DisputeAct, *, disputed: bool) -> None:
    at.batch.put(DISPUTE_TRADE, (disputed, at.block, act.area, act.slot, act.trade))
    at.batch.slots.add((act.area, act.slot))
    for orders in await at.database.rows(
        "SELECT buy_order, sell_order FROM trade WHERE area = ? AND slot = ? AND number = ?",
        act.area,
        act.slot,
        act.trade,
    ):
        for name in orders:
            did, _, client_id = name.partition("/")
            key = (did, act.slot, client_id, act.area)
            at.batch.put(DISPUTE_ORDER, (name, name, at.block, *key))
            at.batch.traders.add(did)


def _match_orders(
    at: Place, area: str, slot: int, trades: Iterable[MatchedTrade], *, settled: bool
) -> None:
    """What each order has matched and settled, over all its trades."""
    sums: dict[str, tuple[int, int]] = {}
    for trade in trades:
        settled_wh = (trade.settled_wh or 0) if settled else 0
        for step in (trade.buy, trade.sell):
            matched_before_wh, settled_before_wh = sums.get(_order_of(step), (0, 0))
            sums[_order_of(step)] = (
                matched_before_wh + trade.quantity_wh,
                settled_before_wh + settled_wh,
            )
    rows = at.batch.rows(MATCH_ORDER)
    for name, (matched_wh, settled_wh) in sums.items():
        did, _, client_id = name.partition("/")
        rows.append((matched_wh, settled_wh, at.block, did, slot, client_id, area))
        at.batch.traders.add(did)


def _retired(trades: Sequence[MatchedTrade], metered: Iterable[MeterSettled]) -> dict[int, int]:
    """Wh of certificates that each trade's buyer retires, by the contract's own rule."""
    contracts = [
        Contract(str(trade.number), trade.sell_meter, trade.buy_meter, trade.quantity_wh)
        for trade in trades
    ]
    settled_wh = [trade.settled_wh or 0 for trade in trades]
    live_wh = {meter.meter: meter.minted_wh for meter in metered}
    retired = retire_in_order(contracts, settled_wh, live_wh)
    return {trade.number: wh for trade, wh in zip(trades, retired, strict=True)}


def _order_of(step: str) -> str:
    """The order's full name out of the name of one of its steps."""
    return step.partition("#")[0]


SLOT_EVENTS: Mapping[str, Handler] = {
    "gate_closed": _gate_closed,
    "slot_cleared": _slot_cleared,
    "readings_recorded": _readings_recorded,
    "slot_settled": _slot_settled,
    "slot_corrected": _slot_corrected,
    "trade_disputed": _trade_disputed,
    "dispute_withdrawn": _dispute_withdrawn,
}
"""What the read model makes of each event by its name."""
