"""What the meters of a slot measured, and what is left of that energy as trades are settled.

The energies are those that the settlement has fixed (`slot_meters`). From one transaction of a run to
the next only what trades have used of each meter is carried on, in a row for each meter. A correction
carries the meters that are due; of the others it finds beside each trade what was used (`trade_uses`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from chaincode.area.tariffs import Tariffs
from chaincode.context import Context
from chaincode.metering.meters import METERS, MeterVersion, Supply, meter_at, supplied_at, supply_at
from chaincode.metering.slot_meters import SlotMeters
from chaincode.settlement.delivery import Generation, certify
from chaincode.settlement.postings import Party
from chaincode.settlement.trade_uses import Use
from chaincode.slots.runs import PAGE_ROWS
from chaincode.state import (
    Name,
    Row,
    Table,
    page_part,
    slot_part,
)


class Used(Row, frozen=True, gc=False):
    """The Wh that trades have used of a meter so far in an unfinished run."""

    export_wh: int = 0
    import_wh: int = 0
    certificates_wh: int = 0


UNUSED = Used()


class DuePage(Row, frozen=True):
    """Meters that an unfinished correction settles again, because it has changed a trade of theirs."""

    meters: Annotated[list[Name], msgspec.Meta(max_length=PAGE_ROWS)]


USED = Table(39, "used energy", Used, ("area", "slot", "meter"))
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
        self._used: dict[str, Used | None] = {}
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
        self._carry(wanted)
        plants: list[Generation] = []
        for name, row in zip(wanted, rows, strict=True):
            version = meter_at(self._context, row, name, self._slot)
            self.parties[name] = self._party(version, supplies[name])
            self.zones[name] = version.zone
            self._sources[name] = version.source
            energy = self._energies.get(name)
            if energy.estimated:
                self.estimated.add(name)
            self._measured[name] = energy.export_wh, energy.import_wh
            plants.append(
                Generation(
                    name, energy.export_wh, energy.generation_wh, certified=bool(version.source)
                )
            )
        minted_wh = certify(plants)
        for name in wanted:
            self.minted_wh[name] = minted_wh.get(name, 0)
            used = self._used[name]
            self.set_used(name, UNUSED if used is None else used)

    def _carry(self, meters: Sequence[str]) -> None:
        """Read what trades have used so far of those of `meters` that are carried."""
        self._used.update(dict.fromkeys(meters))
        carried = [name for name in meters if self._is_carried(name)]
        rows = USED.get_many(self._context, [self._names(name) for name in carried])
        self._used.update(zip(carried, rows, strict=True))

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

    def set_used(self, meter: str, used: Use | Used) -> None:
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

        When the run has ended, the list of the meters that are due is deleted.
        """
        for name in self._measured:
            if self._is_carried(name):
                export_wh, import_wh, certificates_wh = self.used(name)
                used = Used(
                    export_wh=export_wh, import_wh=import_wh, certificates_wh=certificates_wh
                )
                if used != (self._used[name] or UNUSED):
                    USED.put(self._context, used, *self._names(name))
                    self._used[name] = used
        names = self._area, self._part
        if finished:
            for page in self._due_pages:
                DUE.delete(self._context, *names, page)
            return
        for start in range(0, len(self._newly_due), PAGE_ROWS):
            row = DuePage(meters=self._newly_due[start : start + PAGE_ROWS])
            page = page_part(len(self._due_pages))
            DUE.put(self._context, row, *names, page)
            self._due_pages.append(page)

    def finish(self, meter: str) -> None:
        """Delete what was carried of a loaded meter, which is settled; `write` skips it."""
        if self._used[meter] is not None:
            USED.delete(self._context, *self._names(meter))
        del self._measured[meter]

    def retailer_of(self, meter: str) -> str | None:
        """The retailer that supplies a meter in this slot; None if it has none then."""
        row = METERS.get(self._context, meter)
        supply = None if row is None else supply_at(self._context, row, self._slot)
        return None if supply is None else supply.retailer

    def _names(self, meter: str) -> tuple[str, str, str]:
        return self._area, self._part, meter

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
