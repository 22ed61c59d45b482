"""Settlement of a slot: delivered against contracted, postings, certificates.

A run in five steps over what `delivery` and `postings` compute: READINGS (is there one for every
meter, or has their deadline passed), TRADES (settled Wh of each trade in match sequence, its legs
and fees, certificates retired), METERS (residual supply, surplus, certificates minted, for every
meter certified in the slot), FEES (cancellation fees of the book), DEFAULTS (what a client cannot
pay once all is posted goes to its retailer). Covers are released with their trades. All market
money moves here.

A missing reading holds the slot up until the report deadline of the rules; then the meter
settles on an estimate of nothing, and the record names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import msgspec

from chaincode.balances import Books
from chaincode.book import book_page, page_part, trader_of
from chaincode.clearing import TRADES, MatchedTrade, TradePage
from chaincode.clock import market_time_s
from chaincode.context import Context
from chaincode.defaults import default_postings
from chaincode.delivery import Contract, deliver_in_order, retire_in_order
from chaincode.errors import READINGS_MISSING, SETTLEMENT_EARLY, Broken
from chaincode.fees import fees_of_slot
from chaincode.market_rules import RULES, rules_at
from chaincode.metered import MeteredSlot, missing
from chaincode.meters import AREA_METERS
from chaincode.postings import (
    Billing,
    Posting,
    SettledTrade,
    cancellation_postings,
    residual_postings,
    surplus_postings,
    trade_postings,
)
from chaincode.runs import CHUNK_ROWS, PAGE_ROWS, chained, enter, has_room, leave
from chaincode.slots import Run, Slot, SlotAnswer, SlotArguments
from chaincode.state import Row, Table, encode, slot_part
from chaincode.tariffs import Tariffs
from chaincode.units import local_hour
from chaincode.zones import get_area

CHUNK_POSTINGS = 2_000  # of one chunk, at some 350 bytes with the longest names
LEG_POSTINGS = 14  # of a trade without its fees: three legs with VAT, and the spread
FEE_POSTINGS = 4  # of a fee row with its VAT


class PostingPage(Row, frozen=True):
    """Up to 500 postings of a slot."""

    postings: list[Posting]


class MeterSettled(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What a slot settled at a meter, Wh; the certificates name plant, source, zone and slot.

    `minted_wh` - `retired_wh` stays live with the holder.
    """

    meter: str
    zone: str
    source: str
    residual_wh: int
    surplus_wh: int
    minted_wh: int
    retired_wh: int
    estimated: bool


class MeterPage(Row, frozen=True):
    """Meters of a slot in the order of their names."""

    meters: list[MeterSettled]


class SlotSettlement(Row, frozen=True):
    """The sums of a slot, Wh; they grow while its run goes on."""

    settled_wh: int = 0
    residual_wh: int = 0
    surplus_wh: int = 0
    minted_wh: int = 0
    retired_wh: int = 0
    postings: int = 0
    estimated: int = 0
    meter_pages: int = 0


POSTINGS = Table(46, "posting pages", PostingPage, ("area", "slot", "page"))
METER_PAGES = Table(47, "metered pages", MeterPage, ("area", "slot", "page"))
SETTLEMENTS = Table(48, "settlements", SlotSettlement, ("area", "slot"))


class SlotSettled(msgspec.Struct, frozen=True):
    """The event of a settled slot."""

    area: str
    slot: int
    settlement: SlotSettlement


def settle_slot(context: Context, arguments: SlotArguments) -> SlotAnswer:
    """Settle a cleared slot, or go on settling it, as far as one transaction takes."""
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
        row=settling.slot,
        run=left,
        done="SETTLED",
        during="SETTLING",
    )


class _Settling:
    """One transaction's part of a settlement run."""

    def __init__(self, context: Context, arguments: SlotArguments, slot: Slot, run: Run) -> None:
        self._context = context
        self._area = get_area(context, arguments.area)
        self._name = arguments.area
        self._start = arguments.slot
        self._part = slot_part(arguments.slot)
        self._rules = rules_at(RULES.get(context, self._name), self._name, self._start)
        self._end_s = self._start + self._area.slot_s
        self._tariffs = Tariffs(context, self._name, self._start)
        hour = local_hour(self._start, self._rules.offset_s(self._start))
        self._fees = fees_of_slot(self._tariffs.fee_rows, local_hour=hour)
        most = LEG_POSTINGS + FEE_POSTINGS * max(map(len, self._fees.values()))
        self._chunk = max(1, CHUNK_POSTINGS // most)  # house: division, how many fit into a chunk
        self._books = Books(context, self._name)
        self._metered = MeteredSlot(context, self._name, self._start, self._tariffs)
        self._postings: list[Posting] = []
        sums = SETTLEMENTS.get(context, self._name, self._part)
        self._sums = sums or SlotSettlement()
        self._run = run
        self.slot = slot

    def work(self) -> Run | None:
        """Step by step until done (None) or out of room (where to go on)."""
        self._check_time()
        self._metered.read_carry(self.slot.carry_pages)
        steps = {
            "READINGS": (self._await_readings, "TRADES"),
            "TRADES": (self._settle_trades, "METERS"),
            "METERS": (self._settle_meters, "FEES"),
            "FEES": (self._charge_withdrawals, "DEFAULTS"),
            "DEFAULTS": (self._settle_defaults, ""),
        }
        while self._run.step:
            act, following = steps[self._run.step]
            if not act():
                self._store(finished=False)
                return self._run
            self._run = msgspec.structs.replace(self._run, step=following, cursor="", page=0)
        self._store(finished=True)
        self._context.emit("slot_settled", encode(SlotSettled(self._name, self._start, self._sums)))
        return None

    def _check_time(self) -> None:
        now_s = market_time_s(self._context, self._name)
        if now_s < self._end_s:
            raise SETTLEMENT_EARLY(slot=self._start, end_s=self._end_s, now_s=now_s)
        self._deadline_s = self._end_s + self._rules.report_deadline_s
        self._may_estimate = now_s >= self._deadline_s

    def _await_readings(self) -> bool:
        while not self._may_estimate:
            if not self._has_room():
                return False
            meters = self._next_meters(CHUNK_ROWS)
            if meters is None:
                return True
            absent = missing(self._context, self._start, meters)
            if absent:
                raise READINGS_MISSING(
                    slot=self._start,
                    count=len(absent),
                    first=absent[0],
                    deadline_s=self._deadline_s,
                )
        return True

    def _settle_trades(self) -> bool:
        for number in range(self._run.page, self.slot.trade_pages):
            self._run = msgspec.structs.replace(self._run, page=number)
            names = (self._name, self._part, page_part(number))
            page = TRADES.get(self._context, *names)
            if page is None:
                raise Broken(f"trade page {names} is gone")
            trades = list(page.trades)
            done = sum(1 for trade in trades if trade.settled_wh is not None)
            fits = True
            while done < len(trades) and (fits := self._has_room()):
                chunk = trades[done : done + self._chunk]
                trades[done : done + self._chunk] = self._settle_chunk(chunk)
                done += len(chunk)
            TRADES.put(self._context, TradePage(trades=trades), *names)
            if not fits:
                return False
        return True

    def _settle_chunk(self, trades: Sequence[MatchedTrade]) -> list[MatchedTrade]:
        metered = self._metered
        metered.load(meter for t in trades for meter in (t.sell_meter, t.buy_meter))
        self._books.load(name for t in trades for name in (trader_of(t.buy), trader_of(t.sell)))
        contracts = [
            Contract(str(t.number), t.sell_meter, t.buy_meter, t.quantity_wh) for t in trades
        ]
        settled_wh = deliver_in_order(contracts, metered.export_wh, metered.import_wh)
        retired_wh = retire_in_order(contracts, settled_wh, metered.live_wh)
        for trade, energy_wh, certificates_wh in zip(trades, settled_wh, retired_wh, strict=True):
            self._settle_trade(trade, energy_wh)
            self._books.change(
                trader_of(trade.buy),
                reserved_nano=-trade.buy_cover_nano,
                retired_wh=certificates_wh,
            )
            self._books.change(trader_of(trade.sell), reserved_nano=-trade.sell_cover_nano)
        self._add(settled_wh=sum(settled_wh), retired_wh=sum(retired_wh))
        return [
            msgspec.structs.replace(trade, settled_wh=energy_wh)
            for trade, energy_wh in zip(trades, settled_wh, strict=True)
        ]

    def _settle_trade(self, trade: MatchedTrade, settled_wh: int) -> None:
        seller = self._metered.parties[trade.sell_meter]
        buyer = self._metered.parties[trade.buy_meter]
        self._post(
            trade_postings(
                SettledTrade(
                    id=str(trade.number),
                    settled_wh=settled_wh,
                    buy_price=trade.buy_price,
                    sell_price=trade.sell_price,
                    tariff=trade.tariff,
                ),
                seller=seller,
                buyer=buyer,
                fees=self._fees[trade.relation, buyer.grid_level],
                billing=self._billing,
            )
        )

    def _settle_meters(self) -> bool:
        while self._has_room():
            meters = self._next_meters(min(CHUNK_ROWS, self._chunk))
            if meters is None:
                return True
            self._metered.load(meters)
            self._books.load(self._metered.parties[meter].account for meter in meters)
            rows = [self._settle_meter(meter) for meter in meters]
            number = self._sums.meter_pages
            names = (self._name, self._part, page_part(number))
            METER_PAGES.put(self._context, MeterPage(meters=rows), *names)
            self._sums = msgspec.structs.replace(self._sums, meter_pages=number + 1)
        return False

    def _settle_meter(self, meter: str) -> MeterSettled:
        metered = self._metered
        party = metered.parties[meter]
        residual_wh, surplus_wh = metered.import_wh[meter], metered.export_wh[meter]
        minted_wh, live_wh = metered.minted_wh[meter], metered.live_wh[meter]
        fees = self._fees["residual", party.grid_level]
        self._post(residual_postings(party, residual_wh, fees=fees, billing=self._billing))
        self._post(surplus_postings(party, surplus_wh, billing=self._billing))
        self._books.change(party.account, minted_wh=minted_wh, live_wh=live_wh)
        estimated = meter in metered.estimated
        self._add(
            residual_wh=residual_wh,
            surplus_wh=surplus_wh,
            minted_wh=minted_wh,
            estimated=int(estimated),
        )
        return MeterSettled(
            meter=meter,
            zone=metered.zones[meter],
            source=metered.source(meter),
            residual_wh=residual_wh,
            surplus_wh=surplus_wh,
            minted_wh=minted_wh,
            retired_wh=minted_wh - live_wh,
            estimated=estimated,
        )

    def _charge_withdrawals(self) -> bool:
        for number in range(self._run.page, self.slot.book_pages):
            if not self._has_room():
                self._run = msgspec.structs.replace(self._run, page=number)
                return False
            page = book_page(self._context, self._name, self._start, number)
            traders = [trader_of(withdrawal.order) for withdrawal in page.withdrawals]
            self._books.load(traders)
            for withdrawal in page.withdrawals:
                self._post(
                    cancellation_postings(
                        trader_of(withdrawal.order),
                        dso=self._area.dso,
                        cancelled_wh=withdrawal.withdrawn_wh,
                        fee_nano=withdrawal.fee_nano,
                    )
                )
            # All of a trader's withdrawals are on one page, and it may hold no meter any more.
            self._post(default_postings(self._context, self._books, traders))
        return True

    def _settle_defaults(self) -> bool:
        while self._has_room():
            meters = self._next_meters(CHUNK_ROWS)
            if meters is None:
                return True
            self._metered.load(meters)
            holders = [self._metered.parties[meter].account for meter in meters]
            self._post(default_postings(self._context, self._books, holders))
        return False

    def _has_room(self) -> bool:
        return has_room(self._context, self._books, bytes_later=self._metered.carry_bytes)

    @property
    def _billing(self) -> Billing:
        return Billing(vat=self._tariffs.vats, reverse_charge=self._rules.reverse_charge)

    def _next_meters(self, rows_max: int) -> list[str] | None:
        """Those of the area's next meters that are certified in this slot; None behind the last."""
        rows = AREA_METERS.range(self._context, self._name, after=self._run.cursor)
        chunk = list(islice(rows, rows_max))
        if not chunk:
            return None
        self._run = msgspec.structs.replace(self._run, cursor=chunk[-1][0])
        return [name for name, row in chunk if row.from_slot <= self._start]

    def _post(self, postings: Sequence[Posting]) -> None:
        self._books.post(postings)
        self._postings.extend(postings)
        while len(self._postings) >= PAGE_ROWS:
            self._put_postings(self._postings[:PAGE_ROWS])
            del self._postings[:PAGE_ROWS]

    def _put_postings(self, postings: list[Posting]) -> None:
        page = PostingPage(postings=postings)
        number = self.slot.posting_pages
        POSTINGS.put(self._context, page, self._name, self._part, page_part(number))
        digest = chained(self._run.digest, encode(page))
        self._run = msgspec.structs.replace(self._run, digest=digest)
        self.slot = msgspec.structs.replace(self.slot, posting_pages=number + 1)
        count = self._sums.postings + len(postings)
        self._sums = msgspec.structs.replace(self._sums, postings=count)

    def _add(
        self,
        *,
        settled_wh: int = 0,
        residual_wh: int = 0,
        surplus_wh: int = 0,
        minted_wh: int = 0,
        retired_wh: int = 0,
        estimated: int = 0,
    ) -> None:
        old = self._sums
        self._sums = msgspec.structs.replace(
            old,
            settled_wh=old.settled_wh + settled_wh,
            residual_wh=old.residual_wh + residual_wh,
            surplus_wh=old.surplus_wh + surplus_wh,
            minted_wh=old.minted_wh + minted_wh,
            retired_wh=old.retired_wh + retired_wh,
            estimated=old.estimated + estimated,
        )

    def _store(self, *, finished: bool) -> None:
        """Write accounts, postings and sums, and what the next transaction needs."""
        if self._postings:
            self._put_postings(self._postings)
        self._books.write()
        SETTLEMENTS.put(self._context, self._sums, self._name, self._part)
        if finished:
            self._metered.drop_carry(self.slot.carry_pages)
            carried = 0
        else:
            carried = self._metered.write_carry(self.slot.carry_pages)
        self.slot = msgspec.structs.replace(self.slot, carry_pages=carried)
