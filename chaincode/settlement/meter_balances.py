"""What the meters of a slot measured, and what is left of that energy as trades are settled.

The energies are those that the settlement has fixed (`slot_meters`). From one transaction of a run to
the next only what trades have used of each meter is carried on.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chaincode.area.tariffs import Tariffs
from chaincode.context import Context
from chaincode.metering.meters import METERS, MeterVersion, meter_at
from chaincode.metering.slot_meters import SlotMeters
from chaincode.settlement.delivery import Generation, certify
from chaincode.settlement.postings import Party
from chaincode.slots.runs import PAGE_ROWS
from chaincode.state import (
    Row,
    Table,
    page_part,
    slot_part,
)

USED_BYTES = 40  # size of a meter's entry in a page, without the meter's name


class Used(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, array_like=True):
    """The Wh that trades have used of a meter so far in this run."""

    meter: str
    export_wh: int
    import_wh: int
    certificates_wh: int


class CarryPage(Row, frozen=True):
    """A page of the data that an unfinished run carries to its next transaction."""

    used: list[Used]


CARRIES = Table(45, "carry pages", CarryPage, ("area", "slot", "page"))


class MeteredSlot:
    """Readings and parties of the meters that a transaction of a settlement run works on.

    `export_wh`, `import_wh` and `live_wh` hold per meter what is left after the trades settled
    so far. `estimated` holds the meters whose energy is an estimate.
    `carry_bytes` is the size that the carry pages may have.
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
        self._used: dict[str, Used] = {}
        self.carry_bytes = 0
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
        for name, row in zip(wanted, rows, strict=True):
            version = meter_at(row, name, self._slot)
            self.parties[name] = self._party(version)
            if name not in self._used:
                self.carry_bytes += len(name) + USED_BYTES
            self.zones[name] = version.zone
            self._sources[name] = version.source
            energy = self._energies.get(name)
            if energy.estimated:
                self.estimated.add(name)
            taken = energy.export_wh, energy.import_wh
            self._measured[name] = taken
            used = self._used.get(name, Used(name, 0, 0, 0))
            plant = Generation(name, taken[0], energy.generation_wh, certified=bool(version.source))
            minted_wh = certify([plant]).get(name, 0)
            self.export_wh[name] = taken[0] - used.export_wh
            self.import_wh[name] = taken[1] - used.import_wh
            self.minted_wh[name] = minted_wh
            self.live_wh[name] = minted_wh - used.certificates_wh
        accounts = (self.parties[name].account for name in wanted)
        self._tariffs.load_vats(accounts)

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

    def _party(self, version: MeterVersion) -> Party:
        self._tariffs.load_vats([version.retailer])
        return Party(
            account=version.holder,
            retailer=version.retailer,
            offtaker=version.offtaker,
            residual_import=self._tariffs.residual(version.retailer).import_price,
            residual_export=self._tariffs.residual(version.offtaker).export_price,
            grid_level=version.grid_level,
        )
