"""Reads what is public in a market: areas, their rules, zones, slots, prices."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from api.read_model.database import Database
from api.read_model.paging import POINTS_MAX, Where, count_of, key_of, page_of
from api.read_model.records import Page
from chaincode.area.rules import MarketRules
from chaincode.state import Dated

_AREA = "SELECT area, dso, slot_s, real_anchor_s, market_anchor_s, rate, demonstration FROM area"
_SLOT = (
    "SELECT area, slot, phase, gate_s, settled_wh, residual_wh, surplus_wh, minted_wh, retired_wh, "
    "estimated, block FROM slot"
)
_PRICE = "SELECT area, slot, zone, price, volume_wh, orders, trades, block FROM zone_price"
_ZONES = (
    "SELECT z.zone, z.area, z.parent, z.grid_level, z.paused, p.slot, p.price FROM zone z "
    "LEFT JOIN zone_price p ON p.area = z.area AND p.zone = z.zone AND p.slot = "
    "(SELECT MAX(q.slot) FROM zone_price q "
    "WHERE q.area = z.area AND q.zone = z.zone AND q.price IS NOT NULL) "
    "WHERE z.area = ? ORDER BY z.grid_level, z.zone"
)


class AreaRecord(NamedTuple):
    """An area; market time = `market_anchor_s` + (real time - `real_anchor_s`) x `rate`.

    `rate` is 0 if the area has no clock: a real area, whose market time is real time, or a
    demonstration that has not begun.
    """

    area: str
    dso: str
    slot_s: int
    real_anchor_s: int
    market_anchor_s: int
    rate: int
    demonstration: bool

    def market_s(self, time_s: int) -> int:
        """Return market time at real time `time_s`; before the anchor, market time stands still."""
        return self.market_anchor_s + max(0, time_s - self.real_anchor_s) * self.rate


class ZoneRecord(NamedTuple):
    """A zone with its last clearing (None before the first)."""

    zone: str
    area: str
    parent: str | None
    grid_level: int
    paused: bool
    last_slot: int | None
    last_price: int | None


class SlotRecord(NamedTuple):
    """A slot; the sums are 0 until it has settled, `gate_s` None without rules for it."""

    area: str
    slot: int
    phase: str
    gate_s: int | None
    settled_wh: int
    residual_wh: int
    surplus_wh: int
    minted_wh: int
    retired_wh: int
    estimated: int
    block: int

    @property
    def cursor(self) -> str:
        """The cursor behind this row."""
        return str(self.slot)


class PriceRecord(NamedTuple):
    """A zone's clearing in a slot; `price` is None if nothing was traded."""

    area: str
    slot: int
    zone: str
    price: int | None
    volume_wh: int
    orders: int
    trades: int
    block: int


class SeedRecord(NamedTuple):
    """A seed member of a slot; `seed` is None until the member reveals it."""

    slot: int
    member: str
    seed: str | None


class MarketReads:
    """The part of the read model that is public."""

    database: Database

    async def area(self, area: str) -> AreaRecord | None:
        """Return an area with its clock."""
        rows = await self.database.rows(f"{_AREA} WHERE area = ?", area)
        if not rows:
            return None
        *shown, demonstration = rows[0]
        return AreaRecord(*shown, demonstration=bool(demonstration))

    async def market_rules(self, area: str, slot: int) -> list[Dated[MarketRules]]:
        """Return the rules that hold for a slot, if there are any, and those for later slots."""
        rows = await self.database.rows(
            "SELECT from_slot, rules FROM market_rules WHERE area = ? AND from_slot >= "
            "COALESCE((SELECT MAX(from_slot) FROM market_rules WHERE area = ? AND from_slot <= ?), 0) "
            "ORDER BY from_slot",
            *(area, area, slot),
        )
        return [
            Dated(from_slot, msgspec.json.decode(rules, type=MarketRules))
            for from_slot, rules in rows
        ]

    async def zones(self, area: str) -> list[ZoneRecord]:
        """Return an area's zones with their last clearing, the lowest level last."""
        rows = await self.database.rows(_ZONES, area)
        return [
            ZoneRecord(zone, of, parent, level, bool(paused), slot, price)
            for zone, of, parent, level, paused, slot, price in rows
        ]

    async def slot(self, area: str, slot: int) -> SlotRecord | None:
        """Return a slot; None if it has no orders and its gate is open."""
        rows = await self.database.rows(f"{_SLOT} WHERE area = ? AND slot = ?", area, slot)
        return SlotRecord(*rows[0]) if rows else None

    async def slots(
        self,
        area: str,
        *,
        first: int,
        after: str | None = None,
        from_s: int | None = None,
        to_s: int | None = None,
    ) -> Page[SlotRecord]:
        """Slots that start in [from_s, to_s), newest first."""
        where = _slots_where(area, from_s, to_s)
        if after is not None:
            where.add("slot < ?", *key_of(after, int))
        text = f"{_SLOT} {where.text} ORDER BY slot DESC"
        return await page_of(
            self.database, text, where.values, first=first, make=lambda row: SlotRecord(*row)
        )

    async def count_slots(
        self, area: str, *, from_s: int | None = None, to_s: int | None = None
    ) -> int:
        """Return how many `slots` there are."""
        return await count_of(self.database, "slot", _slots_where(area, from_s, to_s))

    async def seeds(self, area: str, from_s: int, to_s: int) -> list[SeedRecord]:
        """Return the seed members of slots that start in [from_s, to_s), by their names."""
        rows = await self.database.rows(
            "SELECT slot, member, seed FROM slot_seed "
            f"WHERE area = ? AND slot >= ? AND slot < ? ORDER BY slot, member LIMIT {POINTS_MAX}",
            *(area, from_s, to_s),
        )
        return [SeedRecord(*row) for row in rows]

    async def prices(
        self, area: str, from_s: int, to_s: int, *, zone: str | None = None
    ) -> list[PriceRecord]:
        """Return the clearings of zones in slots that start in [from_s, to_s), oldest first.

        The answer has at most 2,000 of them, the oldest ones.
        """
        where = Where().add("area = ?", area).add("slot >= ? AND slot < ?", from_s, to_s)
        if zone is not None:
            where.add("zone = ?", zone)
        text = f"{_PRICE} {where.text} ORDER BY slot, zone LIMIT {POINTS_MAX}"
        return [PriceRecord(*row) for row in await self.database.rows(text, *where.values)]


def _slots_where(area: str, from_s: int | None, to_s: int | None) -> Where:
    where = Where().add("area = ?", area)
    if from_s is not None:
        where.add("slot >= ?", from_s)
    if to_s is not None:
        where.add("slot < ?", to_s)
    return where
