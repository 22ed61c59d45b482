"""Correction of a settled slot: settle it again on the newest readings, post the differences.

A run has three steps, and any member can continue it. READINGS looks for a meter whose energy
has changed since it was settled; without one the run is refused, and while it looks the slot stays
SETTLED and takes reports. These meters are the causes and are due. TRADES computes settled Wh and
retired certificates again, in match sequence, for the trades of meters that are due; where the
settled Wh of a trade changes, its other meter becomes due too. METERS computes residual supply,
surplus and minted certificates of the due meters again. What is not due stays as it is and costs
little. The run posts differences of
rounded amounts per (account, kind, trade), in further pages; each line names its correction.
Earlier postings stay.

Trades, meters and sums then show what a first settlement on the newest readings would show: the
same newest readings lead to the same books in whatever order readings and corrections arrive. For
that reason nothing here depends on what an account holds: covers were released when the slot
settled, and what a client cannot pay is decided when entries are folded, where claims that an
earlier settlement left are repaid first.

A plant that fed in less than it was settled on first loses live certificates; certificates that its
buyers retired are reversed only as far as their trades settle less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from chaincode.accounts.entries import Entry
from chaincode.accounts.posting import Posting
from chaincode.area.finality import require_not_final
from chaincode.area.zones import get_area
from chaincode.clearing.order_book import (
    trader_of,
)
from chaincode.clearing.run import PATH_BYTES, TRADES, MatchedTrade, TradePage
from chaincode.context import Context
from chaincode.errors import NOTHING_TO_CORRECT, PAGE_UNKNOWN, Broken
from chaincode.metering.slot_meters import ENERGY_POINTS, energies_now
from chaincode.settlement.postings import (
    differences,
)
from chaincode.settlement.run import (
    answering,
    deliver,
    meter_lines,
    settled_energy,
    settled_meter,
    trade_lines,
)
from chaincode.settlement.settled_slot import (
    METER_BYTES,
    METER_PAGES,
    SETTLEMENTS,
    TRADE_BYTES,
    MeterPage,
    MeterSettled,
    SettledSlot,
    SlotSettlement,
)
from chaincode.settlement.trade_uses import PageUses
from chaincode.slots.gate import (
    PageArguments,
    Run,
    Slot,
    SlotAnswer,
    SlotArguments,
)
from chaincode.slots.runs import PAGE_ROWS, Step, Taken, advance, begun, cost, slot_in
from chaincode.state import (
    Name,
    Row,
    Table,
    encode,
    page_part,
    slot_part,
)

KEPT_POINTS = cost(size=METER_BYTES)  # a meter that stays as it is, in a page that is rewritten
READ_POINTS = cost(rows=1)  # a page in which nothing is due


class Cause(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A meter whose energy in the slot has changed: the Wh now and the Wh before."""

    meter: Name
    import_wh: int
    export_wh: int
    import_before_wh: int
    export_before_wh: int


class CausePage(Row, frozen=True):
    """Up to 500 causes of one correction of a slot; corrections are counted from 1."""

    correction: int
    causes: Annotated[list[Cause], msgspec.Meta(max_length=PAGE_ROWS)]


CAUSES = Table(51, "cause pages", CausePage, ("area", "slot", "page"))


class SlotCorrected(msgspec.Struct, frozen=True):
    """The event of a corrected slot: the number of the correction, and the slot's new sums."""

    area: str
    slot: int
    correction: int
    settlement: SlotSettlement


class CausesAnswer(msgspec.Struct, frozen=True):
    """A page of causes, their correction (0 if there is no correction), and the number of pages."""

    correction: int
    causes: list[Cause]
    pages: int


def correct_slot(context: Context, arguments: SlotArguments) -> SlotAnswer:
    """Settle a settled slot again on what is measured now and post the differences.

    Refused when no meter's energy in the slot has changed (`NOTHING_TO_CORRECT`), and once the slot is
    final (`SLOT_FINAL`) unless a correction that has found a change goes on. A run that only looks
    for one cannot be kept open beyond that time.
    """
    slot = slot_in(
        context, area=arguments.area, slot=arguments.slot, phases=("SETTLED", "CORRECTING")
    )
    if slot.phase == "SETTLED":
        require_not_final(context, get_area(context, arguments.area), arguments.slot)
    return _Correcting(context, arguments, slot, slot.run or begun("READINGS")).work()


def list_causes(context: Context, arguments: PageArguments) -> CausesAnswer:
    """A page of the causes of a slot's corrections: the meters that had a newer reading."""
    part = slot_part(arguments.slot)
    sums = SETTLEMENTS.get(context, arguments.area, part)
    pages = 0 if sums is None else sums.cause_pages
    if arguments.page >= max(1, pages):
        raise PAGE_UNKNOWN(page=arguments.page, pages=pages)
    page = CAUSES.get(context, arguments.area, part, page_part(arguments.page))
    if page is None:
        return CausesAnswer(0, [], pages)
    return CausesAnswer(page.correction, page.causes, pages)


def cause_name(correction: int) -> str:
    """The name by which a posting refers to its correction."""
    return f"correction-{correction}"


def page_points(trades: Sequence[MatchedTrade]) -> int:
    """The points of a page of trades that is read and rewritten, with what its trades found used."""
    paths = sum(len(trade.path) for trade in trades)
    size = len(trades) * TRADE_BYTES + paths * PATH_BYTES
    return cost(rows=2, keys=2, size=size)


class _Correcting:
    """One transaction's part of a correction run."""

    def __init__(self, context: Context, arguments: SlotArguments, slot: Slot, run: Run) -> None:
        self._context = context
        self.at = SettledSlot(
            context, arguments.area, arguments.slot, slot=slot, run=run, corrects=True
        )
        self._begins = slot.run is None
        self._number = self.at.sums.corrections + 1
        stored = self._stored_causes()
        self.at.metered.load_due(stored)
        self._has_cause = bool(stored)
        self._causes: list[Cause] = []

    def work(self) -> SlotAnswer:
        """Do as much of the run as a transaction has points for, and store it."""
        at = self.at
        steps = (
            Step("READINGS", self._find_causes),
            Step("TRADES", self._correct_trades),
            Step("METERS", self._correct_meters),
        )
        done = advance(at.progress, steps)
        if not self._has_cause and done:
            if self._begins:
                raise NOTHING_TO_CORRECT(slot=at.start)
            return at.store(phase="SETTLED", finished=True)
        self._put_causes()
        if done:
            at.add(corrections=1)
        at.write(finished=done)
        if done:
            event = SlotCorrected(at.name, at.start, self._number, at.sums)
            self._context.emit("slot_corrected", encode(event))
            return at.store(phase="SETTLED", finished=True)
        return at.store(phase="CORRECTING" if self._has_cause else "SETTLED", finished=False)

    def _stored_causes(self) -> list[str]:
        """The meters that earlier transactions of this correction have found; the newest pages."""
        meters: list[str] = []
        for number in reversed(range(self.at.sums.cause_pages)):
            page = CAUSES.get(self._context, *self.at.names(number))
            if page is None or page.correction != self._number:
                break
            meters.extend(cause.meter for cause in page.causes)
        return meters

    def _find_causes(self, points: int) -> Taken:
        """Compute the energies again, page by page, and fix those that have changed.

        Readings that come later wait for the next correction.
        """
        at, left = self.at, points
        for number in range(at.run.page, at.sums.energy_pages):
            before = at.energies.page(number)
            spent = len(before) * ENERGY_POINTS
            if spent > left:
                at.progress.move(page=number)
                return Taken(points - left, done=False)
            left -= spent
            meters = [energy.meter for energy in before]
            now = energies_now(self._context, at.area, at.start, meters)
            if now != before:
                at.energies.replace(number, now)
            for old, new in zip(before, now, strict=True):
                if old != new:
                    self._has_cause = True
                    at.metered.mark_cause(new.meter)
                    self._causes.append(
                        Cause(new.meter, new.import_wh, new.export_wh, old.import_wh, old.export_wh)
                    )
        return Taken(points - left, done=True)

    def _put_causes(self) -> None:
        at = self.at
        for start in range(0, len(self._causes), PAGE_ROWS):
            causes = self._causes[start : start + PAGE_ROWS]
            page = CausePage(correction=self._number, causes=causes)
            CAUSES.put(self._context, page, *at.names(at.sums.cause_pages))
            at.add(cause_pages=1)

    def _correct_trades(self, points: int) -> Taken:
        """Settle the trades of due meters again; the run's cursor counts those done on its page.

        The other trades stay as they have settled. A page without a due trade is only read.
        """
        at, left = self.at, points - self.at.carried_points
        if not self._has_cause:
            return Taken(0, done=True)
        if left < 0:
            return Taken(0, done=not at.slot.trade_pages)
        for number in range(at.run.page, at.slot.trade_pages):
            page = TRADES.get(self._context, *at.names(number))
            if page is None:
                raise Broken(f"trade page {at.names(number)} is gone")
            done = int(at.run.cursor or 0)
            has_due = any(self._is_due(trade) for trade in page.trades[done:])
            spent = page_points(page.trades) if has_due else READ_POINTS
            if spent + (at.unit_points if has_due else 0) > left:
                at.progress.move(page=number)
                return Taken(points - left, done=False)
            left -= spent
            if has_due:
                taken = self._correct_page(number, page.trades, done, left)
                left -= taken.points
                if not taken.done:
                    return Taken(points - left, done=False)
            at.progress.move(page=number + 1, cursor="")
        return Taken(points - left, done=True)

    def _correct_page(
        self, number: int, before: Sequence[MatchedTrade], first: int, points: int
    ) -> Taken:
        """Settle the due trades of a page again, from `first` on."""
        at, left = self.at, points
        trades = list(before)
        uses = PageUses(self._context, *at.names(number))
        old_uses = [*uses.sellers], [*uses.buyers]
        due = [trade for trade in trades[first:] if self._is_due(trade)][: at.units(points)]
        at.metered.load(m for trade in due for m in (trade.sell_meter, trade.buy_meter))
        done = True
        for place in range(first, len(trades)):
            if not self._is_due(trades[place]):
                continue
            if at.unit_points > left:
                at.progress.move(page=number, cursor=str(place))
                done = False
                break
            left -= at.unit_points
            trades[place] = self._correct_trade(trades[place], uses, place)
        if trades != before:
            TRADES.put(self._context, TradePage(trades=trades), *at.names(number))
        if (uses.sellers, uses.buyers) != old_uses:
            uses.write()
        return Taken(points - left, done=done)

    def _is_due(self, trade: MatchedTrade) -> bool:
        """Whether the energy or an earlier trade of either meter has changed."""
        metered = self.at.metered
        return metered.is_due(trade.sell_meter) or metered.is_due(trade.buy_meter)

    def _correct_trade(self, trade: MatchedTrade, uses: PageUses, place: int) -> MatchedTrade:
        at = self.at
        meters = [trade.buy_meter, trade.sell_meter]
        at.metered.load(meters)
        for meter, found in zip(meters, (uses.buyers, uses.sellers), strict=True):
            if at.metered.is_due(meter):
                found[place] = at.metered.used(meter)
            else:
                at.metered.set_used(meter, found[place])
        (now,) = deliver(at, [trade])
        settled_more_wh = settled_energy(at, now) - settled_energy(at, trade)
        retired_more_wh = now.retired_wh - trade.retired_wh
        if settled_more_wh or now.undelivered_wh != trade.undelivered_wh:
            self._post(trade_lines(at, trade), trade_lines(at, now), answering(at, meters))
        if settled_more_wh:
            at.metered.mark_due(meters)
        if retired_more_wh:
            retailer = at.metered.parties[trade.buy_meter].retailer
            entry = Entry(retired_wh=retired_more_wh)
            at.entries.add(trader_of(trade.buy), entry, retailer=retailer)
        at.add(settled_wh=settled_more_wh, retired_wh=retired_more_wh)
        return now

    def _correct_meters(self, points: int) -> Taken:
        at, left = self.at, points
        if not self._has_cause:
            return Taken(0, done=True)
        for number in range(at.run.page, at.sums.meter_pages):
            page = self._meter_page(number)
            due = [meter.meter for meter in page.meters if at.metered.is_due(meter.meter)]
            kept = len(page.meters) - len(due)
            spent = len(due) * at.meter_points + kept * KEPT_POINTS if due else READ_POINTS
            if spent > left:
                at.progress.move(page=number)
                return Taken(points - left, done=False)
            left -= spent
            if due:
                at.metered.load(due)
                rows = [self._correct_meter(meter) for meter in page.meters]
                if rows != page.meters:
                    METER_PAGES.put(self._context, MeterPage(meters=rows), *at.names(number))
        return Taken(points - left, done=True)

    def _correct_meter(self, old: MeterSettled) -> MeterSettled:
        at = self.at
        if not at.metered.is_due(old.meter):
            return old
        new = settled_meter(at, old.meter)
        party = at.metered.parties[old.meter]
        if (new.residual_wh, new.surplus_wh) != (old.residual_wh, old.surplus_wh):
            before, after = (
                meter_lines(at, row.meter, residual_wh=row.residual_wh, surplus_wh=row.surplus_wh)
                for row in (old, new)
            )
            self._post(before, after, answering(at, [old.meter]))
        minted_wh, retired_wh = new.minted_wh - old.minted_wh, new.retired_wh - old.retired_wh
        if minted_wh or retired_wh:
            entry = Entry(minted_wh=minted_wh, live_wh=minted_wh - retired_wh)
            at.entries.add(party.account, entry, retailer=party.retailer)
        at.add(
            residual_wh=new.residual_wh - old.residual_wh,
            surplus_wh=new.surplus_wh - old.surplus_wh,
            minted_wh=minted_wh,
            estimated=int(new.estimated) - int(old.estimated),
        )
        return new

    def _post(
        self, before: Sequence[Posting], after: Sequence[Posting], retailers: Mapping[str, str]
    ) -> None:
        self.at.post(differences(before, after, cause=cause_name(self._number)), retailers)

    def _meter_page(self, number: int) -> MeterPage:
        page = METER_PAGES.get(self._context, *self.at.names(number))
        if page is None:
            raise Broken(f"meter page {self.at.names(number)} is gone")
        return page
