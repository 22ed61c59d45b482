"""Settlement of a slot: delivered against contracted, postings, certificates.

A run has five steps, which use `delivery` and `postings`. READINGS checks that every meter has a
reading; once the report deadline has passed, a meter without a reading is estimated. TRADES
computes the settled Wh of each trade in match sequence, its legs and fees, and the certificates
retired. METERS computes residual supply, surplus and minted certificates for every meter certified
in the slot. FEES posts the cancellation fees of the book. Once all else is posted, DEFAULTS posts
what a client cannot pay to the client's retailer. Covers are released with their trades. All market
money moves here.

`correction` settles readings that arrive later.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import msgspec

from chaincode.accounts.posting import Posting
from chaincode.area.clock import market_time_s
from chaincode.clearing.order_book import book_page, trader_of
from chaincode.clearing.run import TRADES, MatchedTrade, TradePage
from chaincode.context import Context
from chaincode.errors import READINGS_MISSING, SETTLEMENT_EARLY, Broken
from chaincode.metering.meters import AREA_METERS
from chaincode.metering.slot_meters import Supplied, energies_now
from chaincode.settlement.defaults import default_postings
from chaincode.settlement.delivery import Obligation, deliver_in_order, retire_in_order
from chaincode.settlement.postings import (
    SettledTrade,
    cancellation_postings,
    residual_postings,
    surplus_postings,
    trade_postings,
)
from chaincode.settlement.settled_slot import (
    METER_PAGES,
    MeterPage,
    MeterSettled,
    SettledSlot,
    SlotSettlement,
)
from chaincode.slots.gate import Run, Slot, SlotAnswer, SlotArguments
from chaincode.slots.runs import CHUNK_ROWS, enter, leave
from chaincode.state import encode


class SlotSettled(msgspec.Struct, frozen=True):
    """The event of a settled slot."""

    area: str
    slot: int
    settlement: SlotSettlement


def settle_slot(context: Context, arguments: SlotArguments) -> SlotAnswer:
    """Settle a cleared slot, or continue its run, as far as one transaction allows."""
    slot, run = enter(
        context,
        area=arguments.area,
        slot=arguments.slot,
        phases=("CLEARED", "SETTLING"),
        first_step="READINGS",
    )
    settling = _Settling(context, arguments, slot, run)
    left = settling.work()
    return leave(
        context,
        area=arguments.area,
        slot=arguments.slot,
        row=settling.at.slot,
        run=left,
        done="SETTLED",
        during="SETTLING",
    )


def trade_lines(at: SettledSlot, trade: MatchedTrade, settled_wh: int) -> list[Posting]:
    """The postings of a trade with the given settled Wh; the trade's meters must be loaded."""
    seller = at.metered.parties[trade.sell_meter]
    buyer = at.metered.parties[trade.buy_meter]
    return trade_postings(
        SettledTrade(
            id=str(trade.number),
            settled_wh=settled_wh,
            buy_price=trade.buy_price,
            sell_price=trade.sell_price,
            tariff=trade.tariff,
        ),
        seller=seller,
        buyer=buyer,
        fees=at.fees[trade.relation, buyer.grid_level],
        billing=at.billing,
    )


def meter_lines(at: SettledSlot, meter: str, *, residual_wh: int, surplus_wh: int) -> list[Posting]:
    """The postings of what trades have left of a meter, which must be loaded."""
    party = at.metered.parties[meter]
    fees = at.fees["residual", party.grid_level]
    return [
        *residual_postings(party, residual_wh, fees=fees, billing=at.billing),
        *surplus_postings(party, surplus_wh, billing=at.billing),
    ]


def deliver(at: SettledSlot, trades: Sequence[MatchedTrade]) -> tuple[list[int], list[int]]:
    """The settled Wh and retired certificates of the slot's next trades."""
    metered = at.metered
    metered.load(meter for t in trades for meter in (t.sell_meter, t.buy_meter))
    at.books.load(name for t in trades for name in (trader_of(t.buy), trader_of(t.sell)))
    owed = [Obligation(str(t.number), t.sell_meter, t.buy_meter, t.quantity_wh) for t in trades]
    settled_wh = deliver_in_order(owed, metered.export_wh, metered.import_wh)
    return settled_wh, retire_in_order(owed, settled_wh, metered.live_wh)


def settled_meter(at: SettledSlot, meter: str) -> MeterSettled:
    """What the slot settles at a meter once all of the meter's trades are settled."""
    metered = at.metered
    minted_wh = metered.minted_wh[meter]
    return MeterSettled(
        meter=meter,
        zone=metered.zones[meter],
        source=metered.source(meter),
        residual_wh=metered.import_wh[meter],
        surplus_wh=metered.export_wh[meter],
        minted_wh=minted_wh,
        retired_wh=minted_wh - metered.live_wh[meter],
        estimated=meter in metered.estimated,
    )


class _Settling:
    """One transaction's part of a settlement run."""

    def __init__(self, context: Context, arguments: SlotArguments, slot: Slot, run: Run) -> None:
        self._context = context
        self.at = SettledSlot(context, arguments.area, arguments.slot, slot=slot, run=run)

    def work(self) -> Run | None:
        """Work step by step; return None when done, else the run to continue from."""
        self._check_time()
        at = self.at
        steps = {
            "READINGS": (self._await_readings, "TRADES"),
            "TRADES": (self._settle_trades, "METERS"),
            "METERS": (self._settle_meters, "FEES"),
            "FEES": (self._charge_withdrawals, "DEFAULTS"),
            "DEFAULTS": (self._settle_defaults, ""),
        }
        while at.run.step:
            act, following = steps[at.run.step]
            if not act():
                at.store(finished=False)
                return at.run
            at.move(step=following, cursor="", page=0)
        at.store(finished=True)
        self._context.emit("slot_settled", encode(SlotSettled(at.name, at.start, at.sums)))
        return None

    def _check_time(self) -> None:
        now_s = market_time_s(self._context, self.at.name)
        if now_s < self.at.end_s:
            raise SETTLEMENT_EARLY(slot=self.at.start, end_s=self.at.end_s, now_s=now_s)
        self._deadline_s = self.at.end_s + self.at.rules.report_deadline_s
        self._may_estimate = now_s >= self._deadline_s

    def _await_readings(self) -> bool:
        at = self.at
        while at.has_room():
            meters = self._next_meters(CHUNK_ROWS)
            if meters is None:
                return True
            supplied = [Supplied(meter, 0) for meter in meters]
            energies = energies_now(self._context, at.area, at.start, supplied)
            absent = [energy.meter for energy in energies if energy.estimated]
            if absent and not self._may_estimate:
                raise READINGS_MISSING(
                    slot=at.start,
                    count=len(absent),
                    first=absent[0],
                    deadline_s=self._deadline_s,
                )
            at.energies.add(energies)
        return False

    def _settle_trades(self) -> bool:
        at = self.at
        for number in range(at.run.page, at.slot.trade_pages):
            at.move(page=number)
            page = TRADES.get(self._context, *at.names(number))
            if page is None:
                raise Broken(f"trade page {at.names(number)} is gone")
            trades = list(page.trades)
            done = sum(1 for trade in trades if trade.settled_wh is not None)
            fits = True
            while done < len(trades) and (fits := at.has_room()):
                chunk = trades[done : done + at.chunk]
                trades[done : done + at.chunk] = self._settle_chunk(chunk)
                done += len(chunk)
            TRADES.put(self._context, TradePage(trades=trades), *at.names(number))
            if not fits:
                return False
        return True

    def _settle_chunk(self, trades: Sequence[MatchedTrade]) -> list[MatchedTrade]:
        at = self.at
        settled_wh, retired_wh = deliver(at, trades)
        for trade, energy_wh, certificates_wh in zip(trades, settled_wh, retired_wh, strict=True):
            at.post(trade_lines(at, trade, energy_wh))
            at.books.change(
                trader_of(trade.buy),
                reserved_nano=-trade.buy_cover_nano,
                retired_wh=certificates_wh,
            )
            at.books.change(trader_of(trade.sell), reserved_nano=-trade.sell_cover_nano)
        at.add(settled_wh=sum(settled_wh), retired_wh=sum(retired_wh))
        return [
            msgspec.structs.replace(trade, settled_wh=energy_wh, retired_wh=certificates_wh)
            for trade, energy_wh, certificates_wh in zip(
                trades, settled_wh, retired_wh, strict=True
            )
        ]

    def _settle_meters(self) -> bool:
        at = self.at
        while at.has_room():
            meters = self._next_meters(min(CHUNK_ROWS, at.chunk))
            if meters is None:
                return True
            at.metered.load(meters)
            at.books.load(at.metered.parties[meter].account for meter in meters)
            rows = [self._settle_meter(meter) for meter in meters]
            METER_PAGES.put(self._context, MeterPage(meters=rows), *at.names(at.sums.meter_pages))
            at.add(meter_pages=1)
        return False

    def _settle_meter(self, name: str) -> MeterSettled:
        at, meter = self.at, settled_meter(self.at, name)
        residual_wh, surplus_wh, minted_wh = meter.residual_wh, meter.surplus_wh, meter.minted_wh
        at.post(meter_lines(at, name, residual_wh=residual_wh, surplus_wh=surplus_wh))
        at.books.change(
            at.metered.parties[name].account,
            minted_wh=minted_wh,
            live_wh=minted_wh - meter.retired_wh,
        )
        at.add(
            residual_wh=residual_wh,
            surplus_wh=surplus_wh,
            minted_wh=minted_wh,
            estimated=int(meter.estimated),
        )
        return meter

    def _charge_withdrawals(self) -> bool:
        at = self.at
        for number in range(at.run.page, at.slot.book_pages):
            if not at.has_room():
                at.move(page=number)
                return False
            page = book_page(self._context, at.name, at.start, number)
            traders = [trader_of(withdrawal.order) for withdrawal in page.withdrawals]
            at.books.load(traders)
            for withdrawal in page.withdrawals:
                at.post(
                    cancellation_postings(
                        trader_of(withdrawal.order),
                        dso=at.area.dso,
                        cancelled_wh=withdrawal.withdrawn_wh,
                        fee_nano=withdrawal.fee_nano,
                    )
                )
            # All withdrawals of a trader are on one page. Defaults are posted here too, because
            # `_settle_defaults` goes through meters and the trader may no longer hold a meter.
            at.post(default_postings(self._context, at.books, traders))
        return True

    def _settle_defaults(self) -> bool:
        at = self.at
        while at.has_room():
            meters = self._next_meters(CHUNK_ROWS)
            if meters is None:
                return True
            at.metered.load(meters)
            holders = [at.metered.parties[meter].account for meter in meters]
            at.post(default_postings(self._context, at.books, holders))
        return False

    def _next_meters(self, rows_max: int) -> list[str] | None:
        """The next meters of the area that are certified in this slot; None after the last one."""
        at = self.at
        rows = AREA_METERS.range(self._context, at.name, after=at.run.cursor)
        chunk = list(islice(rows, rows_max))
        if not chunk:
            return None
        at.move(cursor=chunk[-1][0])
        return [name for name, row in chunk if row.from_slot <= at.start]
