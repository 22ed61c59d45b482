"""Settlement of a slot: delivered against contracted, postings, certificates.

A run has four steps, which use `delivery` and `postings`. READINGS checks that every meter has a
reading; once the report deadline has passed, a meter without a reading is estimated. While it goes
on the slot stays CLEARED and takes reports. TRADES computes the settled Wh of each trade in match
sequence, its legs, fees and penalty, and the certificates retired. METERS computes residual supply, surplus
and minted certificates for every meter that takes part in the slot. FEES posts the cancellation fees
of the book. Covers are released with their trades.

All market money moves here, as entries that change no balance: what a client cannot pay is decided
when they are folded (`accounts/claims`). So any number of slots settle at once, in any order.
`correction` settles readings that arrive later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import msgspec

from chaincode.accounts.balances import is_client
from chaincode.accounts.entries import Entry
from chaincode.accounts.posting import Posting
from chaincode.area.clock import market_time_s
from chaincode.clearing.order_book import Withdrawal, book_page, trader_of
from chaincode.clearing.run import TRADES, MatchedTrade, TradePage
from chaincode.consortium.participants import PARTICIPANTS
from chaincode.context import Context
from chaincode.errors import READINGS_MISSING, SETTLEMENT_EARLY, Broken
from chaincode.metering.meters import AREA_METERS, expected_meters
from chaincode.metering.slot_meters import ENERGY_POINTS, energies_now
from chaincode.settlement.delivery import (
    Obligation,
    deliver_in_order,
    retire_in_order,
    undelivered_in_order,
)
from chaincode.settlement.postings import (
    SettledTrade,
    cancellation_postings,
    penalty_postings,
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
from chaincode.settlement.trade_uses import PageUses
from chaincode.slots.gate import Run, Slot, SlotAnswer, SlotArguments
from chaincode.slots.runs import (
    ENTRY_BYTES,
    POSTING_BYTES,
    Step,
    Taken,
    advance,
    begun,
    cost,
    slot_in,
)
from chaincode.state import encode

READ_ROWS = 250  # meters whose energies are looked for together
WITHDRAWAL_POINTS = cost(rows=4, keys=2, size=2 * POSTING_BYTES + 2 * ENTRY_BYTES)


class SlotSettled(msgspec.Struct, frozen=True):
    """The event of a settled slot."""

    area: str
    slot: int
    settlement: SlotSettlement


def settle_slot(context: Context, arguments: SlotArguments) -> SlotAnswer:
    """Settle a cleared slot, or continue its run, as far as one transaction allows."""
    slot = slot_in(
        context, area=arguments.area, slot=arguments.slot, phases=("CLEARED", "SETTLING")
    )
    return _Settling(context, arguments, slot, slot.run or begun("READINGS")).work()


def answering(at: SettledSlot, meters: Sequence[str]) -> Mapping[str, str]:
    """The retailer that answers for each client that holds one of `meters`, which must be loaded."""
    parties = [at.metered.parties[meter] for meter in meters]
    return {party.account: party.retailer for party in parties if is_client(party.account)}


def trade_lines(at: SettledSlot, trade: MatchedTrade) -> list[Posting]:
    """The postings of a settled trade, whose meters must be loaded."""
    name = str(trade.number)
    seller = at.metered.parties[trade.sell_meter]
    buyer = at.metered.parties[trade.buy_meter]
    lines = trade_postings(
        SettledTrade(
            id=name,
            settled_wh=settled_energy(at, trade),
            buy_price=trade.buy_price,
            sell_price=trade.sell_price,
            tariff=trade.tariff,
        ),
        seller=seller,
        buyer=buyer,
        fees=at.fees[trade.relation, buyer.grid_level],
        billing=at.billing,
    )
    if trade.undelivered_wh:
        lines += penalty_postings(
            name,
            seller=seller.account,
            buyer=buyer.account,
            undelivered_wh=trade.undelivered_wh,
            penalty=at.rules.shortfall_penalty,
        )
    return lines


def settled_energy(at: SettledSlot, trade: MatchedTrade) -> int:
    """The Wh of a trade that has settled; any other trade is `Broken`."""
    if trade.settled_wh is None:
        raise Broken(f"trade {trade.number} of slot {at.start} has not settled")
    return trade.settled_wh


def meter_lines(at: SettledSlot, meter: str, *, residual_wh: int, surplus_wh: int) -> list[Posting]:
    """The postings of what trades have left of a meter, which must be loaded."""
    party = at.metered.parties[meter]
    fees = at.fees["residual", party.grid_level]
    return [
        *residual_postings(party, residual_wh, fees=fees, billing=at.billing),
        *surplus_postings(party, surplus_wh),
    ]


def deliver(at: SettledSlot, trades: Sequence[MatchedTrade]) -> list[MatchedTrade]:
    """The slot's next trades as they settle now; their meters must be loaded.

    They hold the settled Wh, the certificates retired and, where the rules set a penalty, the Wh on
    which the seller pays it.
    """
    metered = at.metered
    owed = [Obligation(str(t.number), t.sell_meter, t.buy_meter, t.quantity_wh) for t in trades]
    settled_wh = deliver_in_order(owed, metered.export_wh, metered.import_wh)
    retired_wh = retire_in_order(owed, settled_wh, metered.live_wh)
    undelivered_wh = [0] * len(owed)
    if at.rules.shortfall_penalty:
        undelivered_wh = undelivered_in_order(owed, settled_wh, metered.import_wh)
    return [
        msgspec.structs.replace(
            trade, settled_wh=energy_wh, retired_wh=certificates_wh, undelivered_wh=lacking_wh
        )
        for trade, energy_wh, certificates_wh, lacking_wh in zip(
            trades, settled_wh, retired_wh, undelivered_wh, strict=True
        )
    ]


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
        self.at = SettledSlot(
            context, arguments.area, arguments.slot, slot=slot, run=run, corrects=False
        )

    def work(self) -> SlotAnswer:
        """Do as much of the run as a transaction has points for, and store it."""
        self._check_time()
        at = self.at
        steps = (
            Step("READINGS", self._await_readings),
            Step("TRADES", self._settle_trades),
            Step("METERS", self._settle_meters),
            Step("FEES", self._charge_withdrawals),
        )
        done = advance(at.progress, steps)
        at.write(finished=done)
        if done:
            self._context.emit("slot_settled", encode(SlotSettled(at.name, at.start, at.sums)))
            return at.store(phase="SETTLED", finished=True)
        waits = at.run.step == "READINGS"
        return at.store(phase="CLEARED" if waits else "SETTLING", finished=False)

    def _check_time(self) -> None:
        now_s = market_time_s(self._context, self.at.name)
        if now_s < self.at.end_s:
            raise SETTLEMENT_EARLY(slot=self.at.start, end_s=self.at.end_s, now_s=now_s)
        self._deadline_s = self.at.end_s + self.at.rules.report_deadline_s
        self._may_estimate = now_s >= self._deadline_s

    def _await_readings(self, points: int) -> Taken:
        """Fix the energies of all meters; meters that are not measured are estimated when it is time."""
        at, left = self.at, points
        while left >= READ_ROWS * ENERGY_POINTS:
            meters = self._next_meters(READ_ROWS)
            if meters is None:
                at.energies.write()
                return Taken(points - left, done=True)
            left -= max(1, len(meters)) * ENERGY_POINTS
            energies = energies_now(self._context, at.area, at.start, meters)
            absent = [energy.meter for energy in energies if energy.estimated]
            if absent and not self._may_estimate:
                raise READINGS_MISSING(
                    slot=at.start,
                    count=len(absent),
                    first=absent[0],
                    deadline_s=self._deadline_s,
                )
            at.energies.add(energies)
        return Taken(points - left, done=False)

    def _settle_trades(self, points: int) -> Taken:
        """Settle the next trades; a page is written when all of its trades are settled."""
        at, left = self.at, points - self.at.carried_points
        if left < 0:
            return Taken(0, done=not at.slot.trade_pages)
        for number in range(at.run.page, at.slot.trade_pages):
            at.progress.move(page=number)
            page = TRADES.get(self._context, *at.names(number))
            if page is None:
                raise Broken(f"trade page {at.names(number)} is gone")
            trades = page.trades
            uses = PageUses(self._context, *at.names(number))
            first = done = len(uses.settled_wh)
            while done < len(trades) and (units := at.units(left)):
                chunk = trades[done : done + units]
                self._settle_chunk(chunk, uses)
                done += len(chunk)
                left -= len(chunk) * at.unit_points
            if done == len(trades):
                self._finish_page(number, trades, uses)
            if done > first:
                uses.write()
            if done < len(trades):
                return Taken(points - left, done=False)
        return Taken(points - left, done=True)

    def _finish_page(self, number: int, trades: Sequence[MatchedTrade], uses: PageUses) -> None:
        settled = [
            msgspec.structs.replace(
                trade, settled_wh=energy_wh, retired_wh=certificates_wh, undelivered_wh=lacking_wh
            )
            for trade, energy_wh, certificates_wh, lacking_wh in zip(
                trades, uses.settled_wh, uses.retired_wh, uses.undelivered_wh, strict=True
            )
        ]
        TRADES.put(self._context, TradePage(trades=settled), *self.at.names(number))
        uses.settled_wh, uses.retired_wh, uses.undelivered_wh = [], [], []

    def _settle_chunk(self, trades: Sequence[MatchedTrade], uses: PageUses) -> None:
        at = self.at
        meters = dict.fromkeys(meter for t in trades for meter in (t.sell_meter, t.buy_meter))
        at.metered.load(meters)
        used = {meter: at.metered.used(meter) for meter in meters}
        settled = deliver(at, trades)
        uses.follow(settled, used)
        for trade in settled:
            retailers = answering(at, [trade.buy_meter, trade.sell_meter])
            at.post(trade_lines(at, trade), retailers)
            for name, meter, cover_nano, retired_wh in (
                (trade.buy, trade.buy_meter, trade.buy_cover_nano, trade.retired_wh),
                (trade.sell, trade.sell_meter, trade.sell_cover_nano, 0),
            ):
                retailer = at.metered.parties[meter].retailer
                at.entries.release(
                    trader_of(name), cover_nano, retired_wh=retired_wh, retailer=retailer
                )
        at.add(
            settled_wh=sum(settled_energy(at, trade) for trade in settled),
            retired_wh=sum(trade.retired_wh for trade in settled),
        )

    def _settle_meters(self, points: int) -> Taken:
        at, left = self.at, points
        while units := at.meters(left):
            meters = self._next_meters(units)
            if meters is None:
                return Taken(points - left, done=True)
            left -= max(1, len(meters)) * at.meter_points
            at.metered.load(meters)
            rows = [self._settle_meter(meter) for meter in meters]
            if rows:
                page = MeterPage(meters=rows)
                METER_PAGES.put(self._context, page, *at.names(at.sums.meter_pages))
                at.add(
                    meter_pages=1,
                    residual_wh=sum(row.residual_wh for row in rows),
                    surplus_wh=sum(row.surplus_wh for row in rows),
                    minted_wh=sum(row.minted_wh for row in rows),
                    estimated=sum(row.estimated for row in rows),
                )
        return Taken(points - left, done=False)

    def _settle_meter(self, name: str) -> MeterSettled:
        at, meter = self.at, settled_meter(self.at, name)
        residual_wh, surplus_wh, minted_wh = meter.residual_wh, meter.surplus_wh, meter.minted_wh
        lines = meter_lines(at, name, residual_wh=residual_wh, surplus_wh=surplus_wh)
        at.post(lines, answering(at, [name]))
        party = at.metered.parties[name]
        certificates = Entry(minted_wh=minted_wh, live_wh=minted_wh - meter.retired_wh)
        at.entries.add(party.account, certificates, retailer=party.retailer)
        return meter

    def _charge_withdrawals(self, points: int) -> Taken:
        at, left = self.at, points
        for number in range(at.run.page, at.slot.book_pages):
            page = book_page(self._context, at.name, at.start, number)
            spent = len(page.withdrawals) * WITHDRAWAL_POINTS
            if spent > left:
                at.progress.move(page=number)
                return Taken(points - left, done=False)
            left -= spent
            for withdrawal in page.withdrawals:
                self._charge(withdrawal)
        return Taken(points - left, done=True)

    def _charge(self, withdrawal: Withdrawal) -> None:
        """Post the fee that was reserved when the order was withdrawn, and release its reserve."""
        at, trader = self.at, trader_of(withdrawal.order)
        if not withdrawal.fee_nano:
            return
        retailer = at.metered.retailer_of(withdrawal.meter) or self._admitting(trader)
        lines = cancellation_postings(
            trader,
            dso=at.area.dso,
            cancelled_wh=withdrawal.withdrawn_wh,
            fee_nano=withdrawal.fee_nano,
        )
        at.post(lines, {trader: retailer})
        released = Entry(reserved_nano=-withdrawal.fee_nano)
        at.entries.add(trader, released, retailer=retailer)

    def _admitting(self, trader: str) -> str:
        """The retailer of a participant whose meter has no supplier in the slot."""
        row = PARTICIPANTS.get(self._context, trader)
        if row is None:
            raise Broken(f"trader {trader} is no participant")
        return row.retailer

    def _next_meters(self, rows_max: int) -> list[str] | None:
        """The next meters of the area that take part in this slot; None after the last one."""
        at = self.at
        rows = AREA_METERS.range(self._context, at.name, after=at.run.cursor)
        chunk = list(islice(rows, rows_max))
        if not chunk:
            return None
        at.progress.move(cursor=chunk[-1][0])
        certified = [name for name, row in chunk if row.from_slot <= at.start]
        return expected_meters(self._context, certified, at.start)
