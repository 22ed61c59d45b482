"""The rows of a settled slot, and the work on them that settling and correcting share.

Postings are in pages, and pages are only appended; meters and sums show the current values.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chaincode.accounts.balances import RunAccounts
from chaincode.accounts.posting import Posting
from chaincode.area.fees import fees_of_slot
from chaincode.area.rules import RULES, rules_at
from chaincode.area.tariffs import Tariffs
from chaincode.area.zones import get_area
from chaincode.context import Context
from chaincode.metering.slot_meters import SlotMeters
from chaincode.settlement.meter_balances import MeteredSlot
from chaincode.settlement.postings import (
    Billing,
)
from chaincode.slots.gate import Run, Slot
from chaincode.slots.runs import PAGE_ROWS, chained, has_room
from chaincode.state import (
    Row,
    Table,
    encode,
    page_part,
    slot_part,
)
from chaincode.units import local_hour

CHUNK_POSTINGS = 2_000  # in one chunk; each has some 350 bytes with the longest names
LEG_POSTINGS = 14  # of a trade without its fees: three legs with VAT, and the spread
FEE_POSTINGS = 4  # of a fee row with its VAT


class PostingPage(Row, frozen=True):
    """Up to 500 postings of a slot."""

    postings: list[Posting]


class MeterSettled(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What a slot settled at a meter, Wh; the certificates name plant, source, zone and slot.

    `minted_wh` - `retired_wh` stays live with the holder. `estimated` is True until measured
    boundaries enclose the slot.
    """

    meter: str
    zone: str
    source: str
    residual_wh: int
    surplus_wh: int
    minted_wh: int
    retired_wh: int
    estimated: bool


class MeterPage(Row, frozen=True, kw_only=True):
    """Meters of a slot, sorted by name."""

    meters: list[MeterSettled]
    v: int = 2


class SlotSettlement(Row, frozen=True, kw_only=True):
    """The sums of a slot, Wh; the sums grow during the run and change with corrections.

    The row also counts the pages of meters, of energies and of causes of corrections.
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
    v: int = 2


POSTINGS = Table(46, "posting pages", PostingPage, ("area", "slot", "page"))
METER_PAGES = Table(47, "metered pages", MeterPage, ("area", "slot", "page"))
SETTLEMENTS = Table(48, "settlements", SlotSettlement, ("area", "slot"))


class SettledSlot:
    """One transaction's work on a slot: its rules, books and meters, and what it writes.

    `chunk` is the number of trades or meters that are processed between two checks of the room
    left.
    """

    def __init__(self, context: Context, area: str, start: int, *, slot: Slot, run: Run) -> None:
        self.context = context
        self.area = get_area(context, area)
        self.name, self.start, self.part = area, start, slot_part(start)
        self.rules = rules_at(RULES.get(context, area), area, start)
        self.end_s = start + self.area.slot_s
        self.slot, self.run = slot, run
        self.sums = SETTLEMENTS.get(context, area, self.part) or SlotSettlement()
        self._tariffs = Tariffs(context, area, start)
        hour = local_hour(start, self.rules.offset_s(start))
        self.fees = fees_of_slot(self._tariffs.fee_rows, local_hour=hour)
        most = LEG_POSTINGS + FEE_POSTINGS * max(map(len, self.fees.values()))
        self.chunk = max(1, CHUNK_POSTINGS // most)  # house: division, how many fit into a chunk
        self.books = RunAccounts(context, area)
        self.energies = SlotMeters(context, area, start, pages=self.sums.energy_pages)
        self.metered = MeteredSlot(context, area, start, self._tariffs, self.energies)
        self.metered.read_carry(slot.carry_pages)
        self._postings: list[Posting] = []

    @property
    def billing(self) -> Billing:
        """How the area bills, with the VAT of every party loaded so far."""
        return Billing(vat=self._tariffs.vats, reverse_charge=self.rules.reverse_charge)

    def has_room(self) -> bool:
        """Whether another chunk fits into this transaction."""
        return has_room(self.context, self.books, bytes_later=self.metered.carry_bytes)

    def names(self, page: int) -> tuple[str, str, str]:
        """The parts of the key of a page of this slot."""
        return self.name, self.part, page_part(page)

    def move(self, **position: int | str) -> None:
        """Record in the run where it continues."""
        self.run = msgspec.structs.replace(self.run, **position)

    def post(self, postings: Sequence[Posting]) -> None:
        """Book postings and append them to the slot's pages."""
        self.books.post(postings)
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

    def store(self, *, finished: bool) -> None:
        """Write accounts, postings and sums, and the data that the next transaction needs."""
        if self._postings:
            self._put_postings(self._postings)
        self.books.write()
        self.energies.write()
        self.sums = msgspec.structs.replace(self.sums, energy_pages=self.energies.pages, v=2)
        SETTLEMENTS.put(self.context, self.sums, self.name, self.part)
        if finished:
            self.metered.drop_carry(self.slot.carry_pages)
            carried = 0
        else:
            carried = self.metered.write_carry(self.slot.carry_pages)
        self.slot = msgspec.structs.replace(self.slot, carry_pages=carried)

    def _put_postings(self, postings: list[Posting]) -> None:
        page = PostingPage(postings=postings)
        number = self.slot.posting_pages
        POSTINGS.put(self.context, page, *self.names(number))
        self.move(digest=chained(self.run.digest, encode(page)))
        self.slot = msgspec.structs.replace(self.slot, posting_pages=number + 1)
        self.add(postings=len(postings))
