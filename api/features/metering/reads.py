"""Reads meters: certified versions, readings, and what a household may offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from api.read_model.database import Database
from api.read_model.paging import POINTS_MAX, Where, count_of, key_of, page_of
from api.read_model.records import Page
from chaincode.units import Power

DAY_S = 86_400
PROPOSAL_DAYS = 7  # a week contains each day of the week once

_SUPPLIED = (
    "meter m LEFT JOIN supply s ON s.meter = m.meter AND s.holder = m.holder AND s.from_slot = "
    "(SELECT MAX(x.from_slot) FROM supply x WHERE x.meter = m.meter{until})"
)
_NEWEST_SUPPLIED = _SUPPLIED.format(until="")
_SUPPLIED_AT = _SUPPLIED.format(until=" AND x.from_slot <= ?")
_METER = (
    "SELECT m.meter, m.area, m.holder, s.retailer, s.offtaker, m.zone, m.grid_level, m.import_w, "
    "m.export_w, m.source, m.from_slot, m.retired, (SELECT MIN(f.from_slot) FROM supply f "
    "WHERE f.meter = m.meter AND f.holder = m.holder) FROM"
)
_NEWEST_VERSION = "m.from_slot = (SELECT MAX(v.from_slot) FROM meter v WHERE v.meter = m.meter)"
_VERSION_AT = (
    "m.from_slot = (SELECT MAX(v.from_slot) FROM meter v "
    "WHERE v.meter = m.meter AND v.from_slot <= ?)"
)
_READING = (
    "SELECT r.meter, r.slot, r.boundary, r.rank, r.import_wh, r.import_wh - b.import_wh, r.export_wh, "
    "r.export_wh - b.export_wh, r.generation_wh, r.resolution_wh, r.block FROM reading r "
    "LEFT JOIN reading b ON b.meter = r.meter AND b.boundary = r.slot"
)
_LAST_BOUNDARY = "r.boundary = (SELECT MAX(w.boundary) FROM reading w WHERE w.meter = r.meter)"


class MeterRecord(NamedTuple):
    """A certified meter as of some slot; `source` is empty if no plant is behind the meter.

    `retailer` and `offtaker` are None if nobody supplies the meter. `first_slot` is the first slot
    from which the holder has had a supplier; None if there was never one.
    """

    meter: str
    area: str
    holder: str
    retailer: str | None
    offtaker: str | None
    zone: str
    grid_level: int
    import_w: int
    export_w: int
    source: str
    from_slot: int
    retired: bool
    first_slot: int | None

    @property
    def cursor(self) -> str:
        """The cursor behind this row."""
        return self.meter

    @property
    def retailers(self) -> list[str]:
        """The retailer that supplies the meter, if there is one."""
        return [] if self.retailer is None else [self.retailer]


class ReadingRecord(NamedTuple):
    """A meter's registers at the end of a slot, Wh, and its energy in that slot.

    The energies are the differences of the registers; they are None while the slot's beginning is not
    measured. The exchange of a device makes them negative or too large; what the slot settled counts.
    """

    meter: str
    slot: int
    boundary: int
    rank: str
    import_register_wh: int
    import_wh: int | None
    export_register_wh: int
    export_wh: int | None
    generation_register_wh: int | None
    resolution_wh: int
    block: int


class ProposalRecord(NamedTuple):
    """What a meter may offer for a slot: the median export at that time on `days` earlier days.

    `quantity_wh` is never above `certified_wh`, the certified power over the slot; it is 0 if
    `days` is 0.
    """

    meter: str
    slot: int
    quantity_wh: int
    certified_wh: int
    days: int


class MeterReads:
    """The part of the read model that holds meters."""

    database: Database

    async def meter(self, meter: str, *, slot: int | None = None) -> MeterRecord | None:
        """Return a meter as certified for `slot`; without a slot, its newest version."""
        where = _version_where(slot).add("m.meter = ?", meter)
        rows = await self.database.rows(f"{_METER} {_supplied(slot)} {where.text}", *where.values)
        return MeterRecord(*rows[0]) if rows else None

    async def meters(
        self,
        area: str,
        *,
        first: int,
        after: str | None = None,
        holder: str | None = None,
        retailer: str | None = None,
        slot: int | None = None,
    ) -> Page[MeterRecord]:
        """Return meters as certified for `slot`, by name: of a holder, a retailer or all."""
        where = _meters_where(area, holder, retailer, slot)
        if after is not None:
            where.add("m.meter > ?", *key_of(after, str))
        text = f"{_METER} {_supplied(slot)} {where.text} ORDER BY m.meter"
        return await page_of(
            self.database, text, where.values, first=first, make=lambda row: MeterRecord(*row)
        )

    async def count_meters(
        self,
        area: str,
        *,
        holder: str | None = None,
        retailer: str | None = None,
        slot: int | None = None,
    ) -> int:
        """Return how many `meters` there are."""
        where = _meters_where(area, holder, retailer, slot)
        return await count_of(self.database, _supplied(slot), where)

    async def meters_of(
        self, area: str, holders: Sequence[str], *, slot: int | None = None
    ) -> list[MeterRecord]:
        """Return the meters of up to 500 holders, by name."""
        if not holders:
            return []
        where = _version_where(slot).is_in("m.holder", holders).add("m.area = ?", area)
        text = f"{_METER} {_supplied(slot)} {where.text} ORDER BY m.meter"
        return [MeterRecord(*row) for row in await self.database.rows(text, *where.values)]

    async def readings_of(self, meter: str, from_s: int, to_s: int) -> list[ReadingRecord]:
        """Return a meter's readings at the ends of slots that start in [from_s, to_s), oldest first.

        The answer has at most 2,000 of them, the oldest ones.
        """
        where = Where().add("r.meter = ? AND r.slot >= ? AND r.slot < ?", meter, from_s, to_s)
        text = f"{_READING} {where.text} ORDER BY r.slot LIMIT {POINTS_MAX}"
        return [ReadingRecord(*row) for row in await self.database.rows(text, *where.values)]

    async def last_readings(self, meters: Sequence[str]) -> dict[str, ReadingRecord]:
        """Return the last reading of each of up to 500 meters that has one."""
        if not meters:
            return {}
        where = Where().is_in("r.meter", meters).add(_LAST_BOUNDARY)
        rows = await self.database.rows(f"{_READING} {where.text}", *where.values)
        return {row[0]: ReadingRecord(*row) for row in rows}

    async def proposal(self, meter: str, slot: int) -> ProposalRecord | None:
        """Return what a meter may offer for a slot; None for an unknown meter."""
        found = await self.meter(meter, slot=slot)
        if found is None:
            return None
        ((slot_s,),) = await self.database.rows(
            "SELECT slot_s FROM area WHERE area = ?", found.area
        )
        certified_wh = Power(found.export_w).over(slot_s).wh
        days = [slot - day * DAY_S for day in range(1, PROPOSAL_DAYS + 1)]
        where = Where().add("r.meter = ?", meter).is_in("r.slot", days)
        rows = await self.database.rows(f"{_READING} {where.text}", *where.values)
        measured = [ReadingRecord(*row).export_wh for row in rows]
        exports_wh = sorted(max(0, export_wh) for export_wh in measured if export_wh is not None)
        median_wh = exports_wh[(len(exports_wh) - 1) // 2] if exports_wh else 0
        return ProposalRecord(
            meter, slot, min(median_wh, certified_wh), certified_wh, len(exports_wh)
        )

    async def known_meters(self, area: str, meters: Sequence[str]) -> set[str]:
        """Return those of up to 500 meters that are certified in an area."""
        if not meters:
            return set()
        where = Where().add("area = ?", area).is_in("meter", meters)
        rows = await self.database.rows(
            f"SELECT DISTINCT meter FROM meter {where.text}", *where.values
        )
        return {row[0] for row in rows}


def _supplied(slot: int | None) -> str:
    """Meters with who supplies them; the slot, if there is one, is the first value."""
    return _NEWEST_SUPPLIED if slot is None else _SUPPLIED_AT


def _version_where(slot: int | None) -> Where:
    """The version of each meter; with a slot, its values begin with that of the supply's join."""
    if slot is None:
        return Where().add(_NEWEST_VERSION)
    return Where(values=[slot]).add(_VERSION_AT, slot)


def _meters_where(area: str, holder: str | None, retailer: str | None, slot: int | None) -> Where:
    where = _version_where(slot).add("m.area = ?", area)
    if holder is not None:
        where.add("m.holder = ?", holder)
    if retailer is not None:
        where.add("s.retailer = ?", retailer)
    return where
