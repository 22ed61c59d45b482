"""The rows of a settled slot, and the work on them that settling and correcting share.

Postings are in pages, and pages are only appended; meters and sums show the current values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from chaincode.accounts.entries import (
    NewEntries,
    close_epoch,
    correction_cause,
    open_epoch,
    settlement_cause,
)
from chaincode.accounts.posting import Posting
from chaincode.area.fees import fees_of_slot
from chaincode.area.rules import rules_at
from chaincode.area.tariffs import Tariffs
from chaincode.area.zones import get_area
from chaincode.context import Context
from chaincode.metering.slot_meters import SlotMeters
from chaincode.settlement.meter_balances import MeteredSlot
from chaincode.settlement.postings import (
    Billing,
)
from chaincode.slots.gate import Phase, Run, Slot, SlotAnswer
from chaincode.slots.runs import (
    PAGE_ROWS,
    POINTS,
    Progress,
    cost,
    store,
)
from chaincode.state import (
    Name,
    Row,
    Table,
    page_part,
    slot_part,
)
from chaincode.units import local_hour

LEG_POSTINGS = 16  # of a trade without its fees: three legs with VAT, spread and penalty
LEG_ENTRIES = 8  # buyer, seller, their retailers, three suppliers' VAT, the spread
METER_POSTINGS = 8  # of a meter without its fees: residual supply and surplus, with VAT
METER_ENTRIES = 5  # holder, retailer, offtaker, and the VAT of the holder and the retailer
FEE_POSTINGS = 4  # of a fee row with its VAT
LINE_BYTES = 280  # of a line of a slot in its page, at the longest names of clients and members
FEE_LINE_BYTES = 430  # of a line of a fee, at the longest names of fees and payees
SUM_BYTES = 440  # of an entry of a slot with its key, at the longest names
TRADE_BYTES = 1_360  # of a trade in its page, with a short path, and of what it found used
METER_BYTES = 400  # of what a slot settles at a meter, in its page
METER_READS = 14  # of a meter: certificate, supply, VAT, residual prices
NAME_BYTES = 70  # of a meter's name among those that are due
USED_PAGE_BYTES = 3 * 11 * PAGE_ROWS  # three numbers of up to ten digits for each meter of a page
USED_PAGE_POINTS = cost(rows=1, keys=1, size=USED_PAGE_BYTES)
CHUNK = 250  # trades or meters that are processed together


class PostingPage(Row, frozen=True):
    """Up to 500 postings of a slot."""

    postings: Annotated[list[Posting], msgspec.Meta(max_length=PAGE_ROWS)]


class MeterSettled(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What a slot settled at a meter, Wh; the certificates name plant, source, zone and slot.

    `minted_wh` - `retired_wh` stays live with the holder. `estimated` is True until measured
    boundaries enclose the slot.
    """

    meter: Name
    zone: Name
    source: Name
    residual_wh: int
    surplus_wh: int
    minted_wh: int
    retired_wh: int
    estimated: bool


class MeterPage(Row, frozen=True, kw_only=True):
    """Meters of a slot, sorted by name."""

    meters: Annotated[list[MeterSettled], msgspec.Meta(max_length=PAGE_ROWS)]
    v: int = 2


class SlotSettlement(Row, frozen=True, kw_only=True):
    """The sums of a slot, Wh; the sums grow during the run and change with corrections.

    The row also counts the pages of meters, of energies and of causes of corrections, and names
    the epoch under which the slot has appended entries last.
    """

    settled_wh: int = 0
    residual_wh: int = 0
    surplus_wh: int = 0
    minted_wh: int = 0
    retired_wh: int = 0
    postings: int = 0
    estimated: int = 0
    meter_pages: int = 0
    energy_pages: int = 0
    corrections: int = 0
    cause_pages: int = 0
    entries_epoch: int = -1
    v: int = 2


POSTINGS = Table(46, "posting pages", PostingPage, ("area", "slot", "page"))
METER_PAGES = Table(47, "metered pages", MeterPage, ("area", "slot", "page"))
SETTLEMENTS = Table(48, "settlements", SlotSettlement, ("area", "slot"))


def unit_points(fee_rows: int) -> int:
    """The points of a trade to which so many fee rows may apply.

    A trade loads two meters and may make both of them due. Entries of the payees of fees are those of
    all trades and meters of a transaction, so they count among what it writes once.
    """
    size = LEG_POSTINGS * LINE_BYTES + FEE_POSTINGS * fee_rows * FEE_LINE_BYTES
    size += LEG_ENTRIES * SUM_BYTES + TRADE_BYTES + 2 * NAME_BYTES
    rows, keys = 2 * METER_READS + LEG_ENTRIES, LEG_ENTRIES
    return min(POINTS, cost(rows=rows, keys=keys, size=size))


def meter_points(fee_rows: int) -> int:
    """The points of a meter to whose residual supply so many fee rows may apply."""
    size = METER_POSTINGS * LINE_BYTES + FEE_POSTINGS * fee_rows * FEE_LINE_BYTES
    size += METER_ENTRIES * SUM_BYTES + METER_BYTES
    rows, keys = METER_READS + METER_ENTRIES, METER_ENTRIES
    return min(POINTS, cost(rows=rows, keys=keys, size=size))


class SettledSlot:
    """One transaction's work on a slot: its rules and meters, and what it writes.

    `cause` names the settlement or the correction in the entries that it appends. `unit_points`
    are the points of a trade and `meter_points` those of a meter; they follow from the number of fee
    rows in the slot. `corrects` says that this is a correction.
    """

    def __init__(
        self,
        context: Context,
        area: str,
        start: int,
        *,
        slot: Slot,
        run: Run,
        corrects: bool,
    ) -> None:
        self.context = context
        self.area = get_area(context, area)
        self.name, self.start, self.part = area, start, slot_part(start)
        self.rules = rules_at(context, area, start)
        self.end_s = start + self.area.slot_s
        self.slot, self.progress = slot, Progress(run)
        self.sums = SETTLEMENTS.get(context, area, self.part) or SlotSettlement()
        self._tariffs = Tariffs(context, area, start)
        hour = local_hour(start, self.rules.offset_s(start))
        self.fees = fees_of_slot(self._tariffs.fee_rows, local_hour=hour)
        fee_rows = max(map(len, self.fees.values()))
        self.unit_points = unit_points(fee_rows)
        self.meter_points = meter_points(fee_rows)
        number = self.sums.corrections + 1
        cause = correction_cause(start, number) if corrects else settlement_cause(start)
        self.entries = NewEntries(context, area, cause)
        self.energies = SlotMeters(context, area, start, pages=self.sums.energy_pages)
        self.metered = MeteredSlot(
            context, area, start, self._tariffs, self.energies, corrects=corrects
        )
        self._postings: list[Posting] = []

    @property
    def billing(self) -> Billing:
        """How the area bills, with the VAT of every party loaded so far."""
        return Billing(vat=self._tariffs.vats, reverse_charge=self.rules.reverse_charge)

    @property
    def carried_points(self) -> int:
        """The points of what is carried of all meters, which a transaction with trades may rewrite."""
        return self.energies.pages * USED_PAGE_POINTS

    @property
    def run(self) -> Run:
        """Where the run continues."""
        return self.progress.run

    def units(self, points: int) -> int:
        """How many trades the points pay for, at most as many as go together."""
        return min(CHUNK, points // self.unit_points)  # house: division, how many fit

    def meters(self, points: int) -> int:
        """How many meters the points pay for, at most as many as go together."""
        return min(CHUNK, points // self.meter_points)  # house: division, how many fit

    def names(self, page: int) -> tuple[str, str, str]:
        """The parts of the key of a page of this slot."""
        return self.name, self.part, page_part(page)

    def post(self, postings: Sequence[Posting], answering: Mapping[str, str]) -> None:
        """Append postings to the slot's pages, and what they move to the entries.

        `answering` names the retailer that answers for each client among the accounts.
        """
        self.entries.post(postings, answering)
        self._postings.extend(postings)
        while len(self._postings) >= PAGE_ROWS:
            self._put_postings(self._postings[:PAGE_ROWS])
            del self._postings[:PAGE_ROWS]

    def add(self, **sums: int) -> None:
        """Add to the slot's sums, which are given by name."""
        old = msgspec.structs.asdict(self.sums)
        self.sums = msgspec.structs.replace(
            self.sums, **{name: old[name] + number for name, number in sums.items()}
        )

    def write(self, *, finished: bool) -> None:
        """Write entries, postings and sums, and the data that the next transaction needs.

        When the run has ended the epoch is closed if the slot has entries in it, so that folding
        need not wait for the next gate.
        """
        if self._postings:
            self._put_postings(self._postings)
        epoch = self.entries.write()
        if epoch is not None:
            self.sums = msgspec.structs.replace(self.sums, entries_epoch=epoch)
        if finished and self.sums.entries_epoch == open_epoch(self.context, self.name):
            close_epoch(self.context, self.name)
        self.energies.write()
        self.sums = msgspec.structs.replace(self.sums, energy_pages=self.energies.pages, v=2)
        SETTLEMENTS.put(self.context, self.sums, self.name, self.part)
        self.metered.write(finished=finished)

    def store(self, *, phase: Phase, finished: bool) -> SlotAnswer:
        """Store the slot's phase and where the run continues."""
        run = None if finished else self.run
        return store(
            self.context, area=self.name, slot=self.start, row=self.slot, run=run, phase=phase
        )

    def _put_postings(self, postings: list[Posting]) -> None:
        page = PostingPage(postings=postings)
        number = self.slot.posting_pages
        self.progress.chain(POSTINGS.put(self.context, page, *self.names(number)))
        self.slot = msgspec.structs.replace(self.slot, posting_pages=number + 1)
        self.add(postings=len(postings))
