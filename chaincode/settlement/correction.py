"""Correction of a settled slot: settle it again on the newest readings, post the differences.

A run has three steps, and any member can continue it. READINGS finds the meters whose reading has
another version than the one they were settled on; these meters are the causes, and without a cause
the run does nothing. TRADES computes settled Wh and retired certificates again, in match sequence.
METERS computes residual supply, surplus and minted certificates again. The run posts differences of
rounded amounts per (account, kind, trade), in further pages; each line names its correction.
Earlier postings stay.

Trades, meters and sums then show what a first settlement on the newest readings would show: the
same newest readings lead to the same books in whatever order readings and corrections arrive. For
that reason nothing here depends on what an account holds: covers were released when the slot
settled, and defaults are not decided again. If a correction takes a client below zero, its retailer
pays the amount at the client's next settlement.

A plant that fed in less than it was settled on first loses live certificates; certificates that its
buyers retired are reversed only as far as their trades settle less.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chaincode.accounts.posting import Posting
from chaincode.area.clock import market_time_s
from chaincode.area.rules import RULES, rules_at
from chaincode.area.zones import get_area
from chaincode.clearing.order_book import (
    trader_of,
)
from chaincode.clearing.run import TRADES, MatchedTrade, TradePage
from chaincode.context import Context
from chaincode.errors import PAGE_UNKNOWN, SLOT_FINAL, Broken
from chaincode.metering.slot_meters import Supplied, energies_now
from chaincode.settlement.postings import (
    differences,
)
from chaincode.settlement.run import deliver, meter_lines, settled_meter, trade_lines
from chaincode.settlement.settled_slot import (
    METER_PAGES,
    SETTLEMENTS,
    MeterPage,
    MeterSettled,
    SettledSlot,
    SlotSettlement,
)
from chaincode.slots.gate import (
    PageArguments,
    Run,
    Slot,
    SlotAnswer,
    SlotArguments,
)
from chaincode.slots.runs import PAGE_ROWS, enter, leave
from chaincode.state import (
    Row,
    Table,
    encode,
    page_part,
    slot_part,
)


class Cause(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A meter whose energy in the slot has changed: the Wh now and the Wh before."""

    meter: str
    import_wh: int
    export_wh: int
    import_before_wh: int
    export_before_wh: int


class CausePage(Row, frozen=True):
    """Up to 500 causes of one correction of a slot; corrections are counted from 1."""

    correction: int
    causes: list[Cause]


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
    """Settle a settled slot again on the newest readings and post the differences.

    Nothing is posted if no reading is newer than the reading that the slot was settled on.
    """
    slot, run = enter(
        context,
        area=arguments.area,
        slot=arguments.slot,
        phases=("SETTLED", "CORRECTING"),
        first_step="READINGS",
    )
    if slot.run is None:
        _require_not_final(context, arguments)
    correcting = _Correcting(context, arguments, slot, run)
    left = correcting.work()
    return leave(
        context,
        area=arguments.area,
        slot=arguments.slot,
        row=correcting.at.slot,
        run=left,
        done="SETTLED",
        during="CORRECTING",
    )


def _require_not_final(context: Context, arguments: SlotArguments) -> None:
    """Refuse to begin a correction once nothing of the slot changes any more."""
    area = get_area(context, arguments.area)
    rules = rules_at(RULES.get(context, area.area), area.area, arguments.slot)
    final_s = arguments.slot + area.slot_s + rules.final_s
    if market_time_s(context, area.area) >= final_s:
        raise SLOT_FINAL(slot=arguments.slot, final_s=final_s)


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


class _Correcting:
    """One transaction's part of a correction run."""

    def __init__(self, context: Context, arguments: SlotArguments, slot: Slot, run: Run) -> None:
        self._context = context
        self.at = SettledSlot(context, arguments.area, arguments.slot, slot=slot, run=run)
        self._number = self.at.sums.corrections + 1
        self._causes: list[Cause] = []

    def work(self) -> Run | None:
        """Work step by step; return None when done, else the run to continue from."""
        at = self.at
        steps = {
            "READINGS": (self._find_causes, "TRADES"),
            "TRADES": (self._correct_trades, "METERS"),
            "METERS": (self._correct_meters, ""),
        }
        while at.run.step:
            act, following = steps[at.run.step]
            if not act():
                at.store(finished=False)
                return at.run
            if at.run.step == "READINGS" and not self._has_cause():
                return None
            at.move(step=following, cursor="", page=0)
        at.add(corrections=1)
        at.store(finished=True)
        event = SlotCorrected(at.name, at.start, self._number, at.sums)
        self._context.emit("slot_corrected", encode(event))
        return None

    def _find_causes(self) -> bool:
        """Compute the energies again, page by page, and fix those that have changed."""
        at = self.at
        for number in range(at.run.page, at.sums.energy_pages):
            if not at.has_room():
                at.move(page=number)
                self._put_causes()
                return False
            before = at.energies.page(number)
            supplied = [Supplied(energy.meter, 0) for energy in before]
            now = energies_now(self._context, at.area, at.start, supplied)
            if now != before:
                at.energies.replace(number, now)
            for old, new in zip(before, now, strict=True):
                if old != new:
                    self._causes.append(
                        Cause(new.meter, new.import_wh, new.export_wh, old.import_wh, old.export_wh)
                    )
            if len(self._causes) >= PAGE_ROWS:
                self._put_causes()
        self._put_causes()
        return True

    def _put_causes(self) -> None:
        at = self.at
        for start in range(0, len(self._causes), PAGE_ROWS):
            causes = self._causes[start : start + PAGE_ROWS]
            page = CausePage(correction=self._number, causes=causes)
            CAUSES.put(self._context, page, *at.names(at.sums.cause_pages))
            at.add(cause_pages=1)
        self._causes = []

    def _has_cause(self) -> bool:
        pages = self.at.sums.cause_pages
        if not pages:
            return False
        page = CAUSES.get(self._context, *self.at.names(pages - 1))
        return page is not None and page.correction == self._number

    def _correct_trades(self) -> bool:
        """Settle the trades again; the run's cursor counts the trades done on its page."""
        at = self.at
        for number in range(at.run.page, at.slot.trade_pages):
            page = TRADES.get(self._context, *at.names(number))
            if page is None:
                raise Broken(f"trade page {at.names(number)} is gone")
            trades = list(page.trades)
            done = int(at.run.cursor or 0)
            fits = True
            while done < len(trades) and (fits := at.has_room()):
                chunk = trades[done : done + at.chunk]
                trades[done : done + at.chunk] = self._correct_chunk(chunk)
                done += len(chunk)
            if trades != page.trades:
                TRADES.put(self._context, TradePage(trades=trades), *at.names(number))
            if not fits:
                at.move(page=number, cursor=str(done))
                return False
            at.move(page=number + 1, cursor="")
        return True

    def _correct_chunk(self, trades: Sequence[MatchedTrade]) -> list[MatchedTrade]:
        at = self.at
        settled_wh, retired_wh = deliver(at, trades)
        corrected: list[MatchedTrade] = []
        for trade, energy_wh, certificates_wh in zip(trades, settled_wh, retired_wh, strict=True):
            before_wh = trade.settled_wh
            if before_wh is None:
                raise Broken(f"trade {trade.number} of slot {at.start} has not settled")
            retired_more_wh = certificates_wh - trade.retired_wh
            if energy_wh != before_wh:
                before = trade_lines(at, trade, before_wh)
                self._post(before, trade_lines(at, trade, energy_wh))
            if retired_more_wh:
                at.books.change(trader_of(trade.buy), retired_wh=retired_more_wh)
            at.add(settled_wh=energy_wh - before_wh, retired_wh=retired_more_wh)
            corrected.append(
                msgspec.structs.replace(trade, settled_wh=energy_wh, retired_wh=certificates_wh)
            )
        return corrected

    def _correct_meters(self) -> bool:
        at = self.at
        for number in range(at.run.page, at.sums.meter_pages):
            if not at.has_room():
                at.move(page=number)
                return False
            page = self._meter_page(number)
            names = [meter.meter for meter in page.meters]
            at.metered.load(names)
            at.books.load(at.metered.parties[name].account for name in names)
            rows = [self._correct_meter(meter) for meter in page.meters]
            if rows != page.meters:
                METER_PAGES.put(self._context, MeterPage(meters=rows), *at.names(number))
        return True

    def _correct_meter(self, old: MeterSettled) -> MeterSettled:
        at, new = self.at, settled_meter(self.at, old.meter)
        if (new.residual_wh, new.surplus_wh) != (old.residual_wh, old.surplus_wh):
            before, after = (
                meter_lines(at, row.meter, residual_wh=row.residual_wh, surplus_wh=row.surplus_wh)
                for row in (old, new)
            )
            self._post(before, after)
        minted_wh, retired_wh = new.minted_wh - old.minted_wh, new.retired_wh - old.retired_wh
        if minted_wh or retired_wh:
            account = at.metered.parties[old.meter].account
            at.books.change(account, minted_wh=minted_wh, live_wh=minted_wh - retired_wh)
        at.add(
            residual_wh=new.residual_wh - old.residual_wh,
            surplus_wh=new.surplus_wh - old.surplus_wh,
            minted_wh=minted_wh,
            estimated=int(new.estimated) - int(old.estimated),
        )
        return new

    def _post(self, before: Sequence[Posting], after: Sequence[Posting]) -> None:
        self.at.post(differences(before, after, cause=cause_name(self._number)))

    def _meter_page(self, number: int) -> MeterPage:
        page = METER_PAGES.get(self._context, *self.at.names(number))
        if page is None:
            raise Broken(f"meter page {self.at.names(number)} is gone")
        return page
