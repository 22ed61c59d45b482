"""What the meters of a slot measured, and what is left of that energy as trades are settled.

Readings come from the private collection and never enter the public state: from one transaction of
a run to the next only what trades have used of each meter is carried on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from chaincode.area.tariffs import Tariffs
from chaincode.context import Context
from chaincode.metering.estimates import Estimates
from chaincode.metering.meters import METERS, MeterVersion, Supply, meter_at, supplied_at
from chaincode.metering.readings import first_readings, newest_readings
from chaincode.settlement.delivery import Generation, certify
from chaincode.settlement.postings import Party
from chaincode.slots.runs import PAGE_ROWS
from chaincode.state import (
    Name,
    Row,
    Table,
    page_part,
    slot_part,
)

USED_BYTES = 40  # size of a meter's entry in a page, without the meter's name


class Used(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, array_like=True):
    """The Wh that trades have used of a meter so far in this run."""

    meter: Name
    export_wh: int
    import_wh: int
    certificates_wh: int


class CarryPage(Row, frozen=True):
    """A page of the data that an unfinished run carries to its next transaction."""

    used: Annotated[list[Used], msgspec.Meta(max_length=PAGE_ROWS)]


CARRIES = Table(45, "carry pages", CarryPage, ("area", "slot", "page"))


class MeteredSlot:
    """Readings and parties of the meters that a transaction of a settlement run works on.

    `export_wh`, `import_wh` and `live_wh` hold per meter what is left after the trades settled
    so far. `versions` holds the version of the reading, 0 where the meter is estimated.
    `carry_bytes` is the size that the carry pages may have.
    """

    def __init__(
        self,
        context: Context,
        area: str,
        slot: int,
        tariffs: Tariffs,
        estimates: Estimates,
        *,
        newest: bool,
    ) -> None:
        self._context = context
        self._area = area
        self._slot = slot
        self._tariffs = tariffs
        self._estimates = estimates
        self._read = newest_readings if newest else first_readings
        self._used: dict[str, Used] = {}
        self.carry_bytes = 0
        self._measured: dict[str, tuple[int, int]] = {}
        self._sources: dict[str, str] = {}
        self.parties: dict[str, Party] = {}
        self.export_wh: dict[str, int] = {}
        self.import_wh: dict[str, int] = {}
        self.live_wh: dict[str, int] = {}
        self.minted_wh: dict[str, int] = {}
        self.versions: dict[str, int] = {}
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
        readings = self._read(self._context, self._slot, wanted)
        for name, row, reading in zip(wanted, rows, readings, strict=True):
            version = meter_at(self._context, row, name, self._slot)
            self.parties[name] = self._party(version, supplies[name])
            if name not in self._used:
                self.carry_bytes += len(name) + USED_BYTES
            self.zones[name] = version.zone
            self._sources[name] = version.source
            self.versions[name] = 0 if reading is None else reading.version
            measure = self._estimates.get(name) if reading is None else reading.reading.leaf
            taken = measure.export_wh, measure.import_wh
            self._measured[name] = taken
            used = self._used.get(name, Used(name, 0, 0, 0))
            plant = Generation(name, taken[0], certified=bool(version.source))
            minted_wh = certify([plant]).get(name, 0)
            self.export_wh[name] = taken[0] - used.export_wh
            self.import_wh[name] = taken[1] - used.import_wh
            self.minted_wh[name] = minted_wh
            self.live_wh[name] = minted_wh - used.certificates_wh

    def source(self, meter: str) -> str:
        """The kind of generation behind a loaded meter."""
        return self._sources[meter]

    def read_carry(self, pages: int) -> None:
        """Load what the run's last transaction carried on."""
        names = [self._names(page) for page in range(pages)]
        for page in CARRIES.get_many(self._context, names):
            if page is not None:
                self._used.update((used.meter, used) for used in page.used)
        self.carry_bytes = sum(len(name) + USED_BYTES for name in self._used)

    def write_carry(self, pages_before: int) -> int:
        """Write what trades have used of meters; return the number of pages."""
        for name, (export_wh, import_wh) in self._measured.items():
            self._used[name] = Used(
                name,
                export_wh - self.export_wh[name],
                import_wh - self.import_wh[name],
                self.minted_wh[name] - self.live_wh[name],
            )
        rows = [used for _, used in sorted(self._used.items()) if used != Used(used.meter, 0, 0, 0)]
        starts = range(0, len(rows), PAGE_ROWS)
        for page, start in enumerate(starts):
            carry = CarryPage(used=rows[start : start + PAGE_ROWS])
            CARRIES.put(self._context, carry, *self._names(page))
        self.drop_carry(pages_before, kept=len(starts))
        return len(starts)

    def drop_carry(self, pages: int, *, kept: int = 0) -> None:
        """Delete the carry pages from number `kept` on."""
        for page in range(kept, pages):
            CARRIES.delete(self._context, *self._names(page))

    def _names(self, page: int) -> tuple[str, str, str]:
        return self._area, slot_part(self._slot), page_part(page)

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


def missing(context: Context, slot: int, meters: Sequence[str]) -> list[str]:
    """The members of `meters` that have no reading for `slot`."""
    readings = first_readings(context, slot, meters)
    return [name for name, reading in zip(meters, readings, strict=True) if reading is None]
