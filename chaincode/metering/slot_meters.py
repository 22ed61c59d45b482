"""The energy on which a slot settles each meter: measured, or estimated where nothing is measured.

A settlement fixes the energies in its first step and writes them into pages. Reports that come
later change no page; the next correction computes the energies again and fixes them again. Every
peer computes the same energies. They are public, because they are the sums of what the slot settles
at a meter; the registers stay private.

Rules of the contract: "Registers, not differences", 4, 5 and 7.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache, partial
from operator import attrgetter
from typing import Annotated

import msgspec

from chaincode.area.profile import Profile, estimated_wh, weight_of
from chaincode.area.rules import RULES, MarketRules, rules_at
from chaincode.area.zones import Area
from chaincode.context import Context
from chaincode.errors import Broken
from chaincode.metering.energies import SlotEnergies
from chaincode.metering.meters import METERS, supplied_at
from chaincode.metering.registers import Weights, gaps_by
from chaincode.slots.runs import PAGE_ROWS, cost
from chaincode.state import Count, Id, Row, Table, page_part, slot_part

ENERGY_POINTS = cost(rows=12, size=160)  # a meter whose energy is found around a gap


class MeterEnergy(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """The energy of a meter in a slot, Wh.

    `generation_wh` is None where the plant has no generation register. `estimated` is True until
    measured boundaries enclose the slot; export and generation are never estimated.
    """

    meter: Id
    import_wh: Count
    export_wh: Count
    generation_wh: Count | None = None
    estimated: bool = False

    @property
    def certifiable_wh(self) -> int:
        """The energy that may be certified: min(export, generation); without the latter, export."""
        if self.generation_wh is None:
            return self.export_wh
        return min(self.export_wh, self.generation_wh)


class EnergyPage(Row, frozen=True):
    """Up to 500 meters of a slot, sorted by name."""

    energies: Annotated[list[MeterEnergy], msgspec.Meta(max_length=PAGE_ROWS)]


PAGES_REMEMBERED = 128  # trades have meters from everywhere: 66 pages in the largest area

ENERGIES = Table(
    58, "energy pages", EnergyPage, ("area", "slot", "page"), remembered=PAGES_REMEMBERED
)

_name = attrgetter("meter")


def energies_now(
    context: Context, area: Area, slot: int, meters: Sequence[str]
) -> list[MeterEnergy]:
    """The energies of `meters` in a slot by all that is measured now, in the order given."""
    measure = SlotEnergies(
        context, slot=slot, slot_s=area.slot_s, weights=_weights(context, area.area, area.slot_s)
    )
    measured = measure.of(meters)
    estimates = _estimates(
        context, area, slot, [m for m, found in zip(meters, measured, strict=True) if found is None]
    )
    return [
        estimates[meter]
        if found is None
        else MeterEnergy(meter, found.import_wh, found.export_wh, found.generation_wh)
        for meter, found in zip(meters, measured, strict=True)
    ]


def _estimates(
    context: Context, area: Area, slot: int, meters: Sequence[str]
) -> dict[str, MeterEnergy]:
    """The energies of meters that measured boundaries do not enclose: a part of a day's import."""
    rules = rules_at(context, area.area, slot)
    weights = (rules.profile or Profile()).imports
    offset_s = rules.offset_s(slot)
    rows = METERS.get_many(context, [(meter,) for meter in meters])
    found: dict[str, MeterEnergy] = {}
    for meter, row in zip(meters, rows, strict=True):
        daily_wh = supplied_at(context, row, meter, slot).daily_import_wh
        import_wh = estimated_wh(daily_wh, weights, slot, slot_s=area.slot_s, offset_s=offset_s)
        found[meter] = MeterEnergy(meter, import_wh, 0, estimated=True)
    return found


def _weights(context: Context, area: str, slot_s: int) -> Weights:
    """The weights of slots by the rules that hold for each of them.

    A gap may reach back to slots whose rules are no longer kept; the oldest rules weigh those.
    """
    versions = [(begins, row.rules) for begins, row in RULES.from_newest(context, area)]

    def rules_of(slot: int) -> MarketRules:
        return next((rules for begins, rules in versions if begins <= slot), versions[-1][1])

    def weigh(slot: int, *, imports: bool) -> int:
        rules = rules_of(slot)
        profile = rules.profile or Profile()
        weights = profile.imports if imports else profile.exports
        return weight_of(weights, slot, slot_s=slot_s, offset_s=rules.offset_s(slot))

    # Gaps of different meters overlap, so their slots are weighed once.
    return Weights(
        gaps_by(cache(partial(weigh, imports=True))), gaps_by(cache(partial(weigh, imports=False)))
    )


class SlotMeters:
    """The fixed energies of a slot, in pages that are sorted by meter and read when they are needed.

    A meter's page is found by the first names of pages, so a transaction reads the pages of its own
    meters and few others, however many meters the slot has.
    """

    def __init__(self, context: Context, area: str, slot: int, *, pages: int) -> None:
        self._context = context
        self._area = area
        self._part = slot_part(slot)
        self.pages = pages
        self._read: dict[int, list[MeterEnergy]] = {}
        self._new: list[MeterEnergy] = []

    def page(self, number: int) -> list[MeterEnergy]:
        """The energies of a page."""
        energies = self._read.get(number)
        if energies is None:
            row = ENERGIES.get(self._context, self._area, self._part, page_part(number))
            if row is None:
                raise Broken(f"energy page {number} of {self._area}, {self._part} is gone")
            energies = self._read[number] = row.energies
        return energies

    def place(self, meter: str) -> tuple[int, int]:
        """The page of a meter whose energy is fixed and written, and the meter's place in it."""
        number = bisect_right(range(self.pages), meter, key=self._first_name) - 1
        energies = self.page(max(0, number))
        place = bisect_left(energies, meter, key=_name)
        if place == len(energies) or energies[place].meter != meter:
            raise Broken(f"the energy of meter {meter} in {self._area}, {self._part} is not fixed")
        return number, place

    def add(self, energies: Sequence[MeterEnergy]) -> None:
        """Fix the energies of further meters, whose names follow those that are fixed."""
        self._new += energies
        while len(self._new) >= PAGE_ROWS:
            self._append(self._new[:PAGE_ROWS])
            self._new = self._new[PAGE_ROWS:]

    def replace(self, number: int, energies: Sequence[MeterEnergy]) -> None:
        """Write a page."""
        self._read[number] = list(energies)
        row = EnergyPage(energies=self._read[number])
        ENERGIES.put(self._context, row, self._area, self._part, page_part(number))

    def write(self) -> None:
        """Write the remaining energies, which do not fill a page."""
        if self._new:
            self._append(self._new)
            self._new = []

    def _append(self, energies: Sequence[MeterEnergy]) -> None:
        self.replace(self.pages, energies)
        self.pages += 1

    def _first_name(self, number: int) -> str:
        return (self._read.get(number) or self.page(number))[0].meter
