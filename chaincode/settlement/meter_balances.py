"""What the meters of a slot measured, and what is left of that energy as trades are settled.

The energies are those that the settlement has fixed (`slot_meters`). From one transaction of a run to
the next only what trades have used of each meter is carried on, in a row for each meter.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chaincode.area.tariffs import Tariffs
from chaincode.context import Context
from chaincode.metering.meters import METERS, MeterVersion, Supply, meter_at, supplied_at, supply_at
from chaincode.metering.slot_meters import SlotMeters
from chaincode.settlement.delivery import Generation, certify
from chaincode.settlement.postings import Party
from chaincode.state import (
    Row,
    Table,
    slot_part,
)


class Used(Row, frozen=True, gc=False):
    """The Wh that trades have used of a meter so far in an unfinished run.

    `due` says that a correction has changed a trade of the meter, so it settles the meter again.
    """

    export_wh: int = 0
    import_wh: int = 0
    certificates_wh: int = 0
    due: bool = False


USED = Table(39, "used energy", Used, ("area", "slot", "meter"))


class MeteredSlot:
    """Readings and parties of the meters that a transaction of a settlement run works on.

    `export_wh`, `import_wh` and `live_wh` hold per meter what is left after the trades settled
    so far. `estimated` holds the meters whose energy is an estimate.
    `answering` names for each holder of a loaded meter the retailer that answers for it.
    """

    def __init__(
        self,
        context: Context,
        area: str,
        slot: int,
        tariffs: Tariffs,
        energies: SlotMeters,
    ) -> None:
        self._context = context
        self._area = area
        self._slot = slot
        self._tariffs = tariffs
        self._energies = energies
        self._used: dict[str, Used | None] = {}
        self._passed: dict[str, Used] = {}
        self._due: set[str] = set()
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
        self.carry(wanted)
        for name, row in zip(wanted, rows, strict=True):
            version = meter_at(self._context, row, name, self._slot)
            self.parties[name] = self._party(version, supplies[name])
            self.zones[name] = version.zone
            self._sources[name] = version.source
            energy = self._energies.get(name)
            if energy.estimated:
                self.estimated.add(name)
            taken = energy.export_wh, energy.import_wh
            self._measured[name] = taken
            used = self._passed.pop(name, None) or self._used[name] or Used()
            plant = Generation(name, taken[0], energy.generation_wh, certified=bool(version.source))
            minted_wh = certify([plant]).get(name, 0)
            self.export_wh[name] = taken[0] - used.export_wh
            self.import_wh[name] = taken[1] - used.import_wh
            self.minted_wh[name] = minted_wh
            self.live_wh[name] = minted_wh - used.certificates_wh

    def carry(self, meters: Iterable[str]) -> None:
        """Read what trades have used so far of each of `meters`, unless that is read already."""
        wanted = [name for name in dict.fromkeys(meters) if name not in self._used]
        rows = USED.get_many(self._context, [self._names(name) for name in wanted])
        self._used.update(zip(wanted, rows, strict=True))

    def mark_due(self, meters: Iterable[str]) -> None:
        """Note that a correction settles these meters again."""
        self._due.update(meters)

    def is_due(self, meter: str) -> bool:
        """Whether a correction settles this meter again; the meter must be carried."""
        used = self._used[meter]
        return meter in self._due or (used is not None and used.due)

    def pass_by(self, seller: str, buyer: str, *, settled_wh: int, retired_wh: int) -> None:
        """Count a trade that stays as it has settled; its meters must be carried."""
        if seller in self.parties:
            self.export_wh[seller] -= settled_wh
            self.live_wh[seller] -= retired_wh
        else:
            used = self._so_far(seller)
            self._passed[seller] = msgspec.structs.replace(
                used,
                export_wh=used.export_wh + settled_wh,
                certificates_wh=used.certificates_wh + retired_wh,
            )
        if buyer in self.parties:
            self.import_wh[buyer] -= settled_wh
        else:
            used = self._so_far(buyer)
            self._passed[buyer] = msgspec.structs.replace(
                used, import_wh=used.import_wh + settled_wh
            )

    def _so_far(self, meter: str) -> Used:
        """What trades have used of a meter that is carried and not loaded."""
        return self._passed.get(meter) or self._used[meter] or Used()

    def source(self, meter: str) -> str:
        """The kind of generation behind a loaded meter."""
        return self._sources[meter]

    def write(self) -> None:
        """Write what trades have used of the meters, for the next transaction."""
        used_now = dict(self._passed)
        for name, (export_wh, import_wh) in self._measured.items():
            used_now[name] = Used(
                export_wh=export_wh - self.export_wh[name],
                import_wh=import_wh - self.import_wh[name],
                certificates_wh=self.minted_wh[name] - self.live_wh[name],
                due=self.is_due(name),
            )
        for name, used in used_now.items():
            if used != (self._used[name] or Used()):
                USED.put(self._context, used, *self._names(name))
                self._used[name] = used

    def finish(self, meter: str) -> None:
        """Delete what was carried of a meter, which is settled; `write` skips it."""
        if self._used[meter] is not None:
            USED.delete(self._context, *self._names(meter))
        self._measured.pop(meter, None)
        self._passed.pop(meter, None)

    def retailer_of(self, meter: str) -> str | None:
        """The retailer that supplies a meter in this slot; None if it has none then."""
        row = METERS.get(self._context, meter)
        supply = None if row is None else supply_at(self._context, row, self._slot)
        return None if supply is None else supply.retailer

    def _names(self, meter: str) -> tuple[str, str, str]:
        return self._area, slot_part(self._slot), meter

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
