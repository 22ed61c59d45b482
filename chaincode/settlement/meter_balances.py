"""What the meters of a slot measured, and what is left of that energy as trades are settled.

The energies are those that the settlement has fixed (`slot_meters`). From one transaction of a run to
the next only what trades have used of each meter is carried on, in a row for each page of energies. A
correction carries the meters that are due; of the others it finds beside each trade what was used
(`trade_uses`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from chaincode.area.tariffs import Tariffs
from chaincode.context import Context
from chaincode.metering.meters import METERS, MeterVersion, Supply, meter_at, supplied_at, supply_at
from chaincode.metering.slot_meters import SlotMeters
from chaincode.settlement.delivery import Generation, certify
from chaincode.settlement.postings import Party
from chaincode.settlement.trade_uses import Numbers, Use
from chaincode.slots.runs import PAGE_ROWS
from chaincode.state import (
    Name,
    Row,
    Table,
    page_part,
    slot_part,
)


class UsedPage(Row, frozen=True):
    """The Wh that trades have used so far of the meters of an energy page, in the page's order."""

    export_wh: Numbers
    import_wh: Numbers
    certificates_wh: Numbers


class DuePage(Row, frozen=True):
    """Meters that an unfinished correction settles again, because it has changed a trade of theirs."""

    meters: Annotated[list[Name], msgspec.Meta(max_length=PAGE_ROWS)]


USED = Table(39, "used energy", UsedPage, ("area", "slot", "page"))
DUE = Table(64, "due meters", DuePage, ("area", "slot", "page"))


class MeteredSlot:
    """Readings and parties of the meters that a transaction of a settlement run works on.

    `export_wh`, `import_wh` and `live_wh` hold per meter what is left after the trades settled
    so far. `estimated` holds the meters whose energy is an estimate. `corrects` says that this is a
    correction, in which only the meters that are due are carried.
    """

    def __init__(
        self,
        context: Context,
        area: str,
        slot: int,
        tariffs: Tariffs,
        energies: SlotMeters,
        *,
        corrects: bool,
    ) -> None:
        self._context = context
        self._area = area
        self._slot, self._part = slot, slot_part(slot)
        self._tariffs = tariffs
        self._energies = energies
        self._corrects = corrects
        self._carried: dict[int, tuple[list[int], list[int], list[int]]] = {}
        self._changed: dict[int, None] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._due: dict[str, None] = {}
        self._newly_due: list[str] = []
        self._due_pages: list[str] = []
        self._measured: dict[str, tuple[int, int]] = {}
        self._sources: dict[str, str] = {}
        self.parties: dict[str, Party] = {}
        self.export_wh: dict[str, int] = {}
        self.import_wh: dict[str, int] = {}
        self.live_wh: dict[str, int] = {}
        self.minted_wh: dict[str, int] = {}
        self.estimated: set[str] = set()
        self.zones: dict[str, str] = {}

    def load(self, meters: Iterable[str]) -> None:
        """Read the certified version, reading and party of each of `meters` that is not loaded."""
        wanted = [name for name in dict.fromkeys(meters) if name not in self.parties]
        if not wanted:
            return
        rows = METERS.get_many(self._context, [(name,) for name in wanted])
        supplies = {
            name: supplied_at(self._context, row, name, self._slot)
            for name, row in zip(wanted, rows, strict=True)
        }
        self._load_vats(supplies.values())
        plants: list[Generation] = []
        for name, row in zip(wanted, rows, strict=True):
            version = meter_at(self._context, row, name, self._slot)
            self.parties[name] = self._party(version, supplies[name])
            self.zones[name] = version.zone
            self._sources[name] = version.source
            page, place = self._places[name] = self._energies.place(name)
            energy = self._energies.page(page)[place]
            if energy.estimated:
                self.estimated.add(name)
            self._measured[name] = energy.export_wh, energy.import_wh
            plants.append(
                Generation(
                    name, energy.export_wh, energy.generation_wh, certified=bool(version.source)
                )
            )
        minted_wh = certify(plants)
        self._carry(page for page, _ in map(self._places.__getitem__, wanted))
        for name in wanted:
            self.minted_wh[name] = minted_wh.get(name, 0)
            page, place = self._places[name]
            export_wh, import_wh, certificates_wh = self._carried[page]
            self.set_used(name, Use(export_wh[place], import_wh[place], certificates_wh[place]))

    def _carry(self, pages: Iterable[int]) -> None:
        """Read what trades have used so far of the meters of some pages."""
        wanted = [page for page in dict.fromkeys(pages) if page not in self._carried]
        rows = USED.get_many(self._context, [self._names(page) for page in wanted])
        for page, row in zip(wanted, rows, strict=True):
            if row is None:
                count = len(self._energies.page(page))
                self._carried[page] = [0] * count, [0] * count, [0] * count
            else:
                self._carried[page] = [*row.export_wh], [*row.import_wh], [*row.certificates_wh]

    def _is_carried(self, meter: str) -> bool:
        return not self._corrects or meter in self._due

    def load_due(self, causes: Iterable[str]) -> None:
        """Read which meters the correction settles again besides `causes`."""
        self._due.update(dict.fromkeys(causes))
        for page, row in DUE.range(self._context, self._area, self._part):
            self._due_pages.append(page)
            self._due.update(dict.fromkeys(row.meters))

    def mark_cause(self, meter: str) -> None:
        """Note that a correction settles a meter again, because its energy has changed."""
        self._due[meter] = None

    def mark_due(self, meters: Iterable[str]) -> None:
        """Note that a correction settles these meters again, because it has changed a trade."""
        for meter in meters:
            if meter not in self._due:
                self._due[meter] = None
                self._newly_due.append(meter)

    def is_due(self, meter: str) -> bool:
        """Whether a correction settles this meter again."""
        return meter in self._due

    def used(self, meter: str) -> Use:
        """What trades have used so far of a loaded meter."""
        export_wh, import_wh = self._measured[meter]
        return Use(
            export_wh - self.export_wh[meter],
            import_wh - self.import_wh[meter],
            self.minted_wh[meter] - self.live_wh[meter],
        )

    def set_used(self, meter: str, used: Use) -> None:
        """Let trades have used so much of a loaded meter."""
        export_wh, import_wh = self._measured[meter]
        self.export_wh[meter] = export_wh - used.export_wh
        self.import_wh[meter] = import_wh - used.import_wh
        self.live_wh[meter] = self.minted_wh[meter] - used.certificates_wh

    def source(self, meter: str) -> str:
        """The kind of generation behind a loaded meter."""
        return self._sources[meter]

    def write(self, *, finished: bool) -> None:
        """Write what the next transaction needs: what trades have used, and the meters that are due.

        When the run has ended, both are deleted.
        """
        if finished:
            self._forget()
            return
        for name in self._measured:
            if self._is_carried(name):
                page, place = self._places[name]
                for column, used_wh in zip(self._carried[page], self.used(name), strict=True):
                    if column[place] != used_wh:
                        column[place] = used_wh
                        self._changed[page] = None
        for page in self._changed:
            export_wh, import_wh, certificates_wh = self._carried[page]
            row = UsedPage(
                export_wh=export_wh, import_wh=import_wh, certificates_wh=certificates_wh
            )
            USED.put(self._context, row, *self._names(page))
        for start in range(0, len(self._newly_due), PAGE_ROWS):
            due = DuePage(meters=self._newly_due[start : start + PAGE_ROWS])
            number = len(self._due_pages)
            DUE.put(self._context, due, *self._names(number))
            self._due_pages.append(page_part(number))

    def _forget(self) -> None:
        pages = [self._names(page) for page in range(self._energies.pages)]
        for names, row in zip(pages, USED.get_many(self._context, pages), strict=True):
            if row is not None:
                USED.delete(self._context, *names)
        for page in self._due_pages:
            DUE.delete(self._context, self._area, self._part, page)

    def retailer_of(self, meter: str) -> str | None:
        """The retailer that supplies a meter in this slot; None if it has none then."""
        row = METERS.get(self._context, meter)
        supply = None if row is None else supply_at(self._context, row, self._slot)
        return None if supply is None else supply.retailer

    def _names(self, page: int) -> tuple[str, str, str]:
        return self._area, self._part, page_part(page)

    def _load_vats(self, supplies: Iterable[Supply]) -> None:
        supplied = list(supplies)
        self._tariffs.load_vats(supply.retailer for supply in supplied)
        self._tariffs.load_client_vats(
            (buyer, supply.holder)
            for supply in supplied
            for buyer in (supply.retailer, supply.offtaker)
        )

    def _party(self, version: MeterVersion, supply: Supply) -> Party:
        tariffs = self._tariffs
        return Party(
            account=supply.holder,
            retailer=supply.retailer,
            offtaker=supply.offtaker,
            residual_import=tariffs.residual(supply.retailer).import_price,
            residual_export=tariffs.residual(supply.offtaker).export_price,
            grid_level=version.grid_level,
            vat=tariffs.client_vat(supply.retailer, supply.holder),
            surplus_vat=tariffs.client_vat(supply.offtaker, supply.holder),
        )
