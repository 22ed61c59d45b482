"""Reading what anybody may know of a market: areas, zones, slots, prices, depth."""

from __future__ import annotations

import msgspec

from api.read_model.database import Database, Value
from api.read_model.paging import Where, count_of, key_of, page_of, whole
from api.read_model.records import (
    AreaRecord,
    Checkpoint,
    Depth,
    DepthStep,
    OrganisationRecord,
    Page,
    ParticipantRecord,
    PriceRecord,
    SlotRecord,
    ZoneRecord,
)
from chaincode.area.rules import MarketRules
from chaincode.metering.reports import OracleSet
from chaincode.orders.sheets import Step
from chaincode.state import Dated

POINTS_MAX = 2_000  # prices or readings in one answer: 20 days of quarter hours

_AREA = "SELECT area, dso, slot_s, real_anchor_s, market_anchor_s, rate FROM area"
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
_STEPS = msgspec.json.Decoder(list[Step])


class MarketReads:
    """The part of the read model that is public."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def checkpoint(self) -> Checkpoint:
        """How far the read model is."""
        rows = await self.database.rows(
            "SELECT block, place, time_s, channel, contract FROM checkpoint"
        )
        return Checkpoint(*rows[0]) if rows else Checkpoint(0, 0, 0, "", "")

    async def organisations(self) -> list[OrganisationRecord]:
        """The members of the consortium by name."""
        rows = await self.database.rows("SELECT name, role FROM organisation ORDER BY name")
        return [OrganisationRecord(*row) for row in rows]

    async def area(self, area: str) -> AreaRecord | None:
        """An area with its clock."""
        rows = await self.database.rows(f"{_AREA} WHERE area = ?", area)
        return AreaRecord(*rows[0]) if rows else None

    async def market_rules(self, area: str, slot: int) -> list[Dated[MarketRules]]:
        """The rules that hold for a slot, where there are any, and those for slots after it."""
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

    async def oracle(self, area: str, slot: int) -> OracleSet | None:
        """The oracle's nodes of a slot; where there are none yet, the first that will be."""
        rows = await self.database.rows(
            "SELECT oracle FROM oracle_set WHERE area = ? AND from_slot = COALESCE("
            "(SELECT MAX(from_slot) FROM oracle_set WHERE area = ? AND from_slot <= ?), "
            "(SELECT MIN(from_slot) FROM oracle_set WHERE area = ?))",
            *(area, area, slot, area),
        )
        return msgspec.json.decode(rows[0][0], type=OracleSet) if rows else None

    async def zones(self, area: str) -> list[ZoneRecord]:
        """An area's zones with what they cleared at last, the lowest level last."""
        rows = await self.database.rows(_ZONES, area)
        return [
            ZoneRecord(zone, of, parent, level, bool(paused), slot, price)
            for zone, of, parent, level, paused, slot, price in rows
        ]

    async def participant(self, did: str) -> ParticipantRecord | None:
        """Who trades under a DID."""
        rows = await self.database.rows(
            "SELECT did, retailer, locked FROM participant WHERE did = ?", did
        )
        return ParticipantRecord(rows[0][0], rows[0][1], bool(rows[0][2])) if rows else None

    async def slot(self, area: str, slot: int) -> SlotRecord | None:
        """A slot; None for one that nobody has ordered for and whose gate is open."""
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
        """How many `slots` there are."""
        return await count_of(self.database, "slot", _slots_where(area, from_s, to_s))

    async def prices(
        self, area: str, from_s: int, to_s: int, *, zone: str | None = None
    ) -> list[PriceRecord]:
        """What zones cleared at in slots that start in [from_s, to_s), oldest first.

        At most 2,000, the oldest of them.
        """
        where = Where().add("area = ?", area).add("slot >= ? AND slot < ?", from_s, to_s)
        if zone is not None:
            where.add("zone = ?", zone)
        text = f"{_PRICE} {where.text} ORDER BY slot, zone LIMIT {POINTS_MAX}"
        return [PriceRecord(*row) for row in await self.database.rows(text, *where.values)]

    async def depth(self, area: str, slot: int, zone: str, *, now_s: int) -> Depth:
        """The open orders of a zone by limit; who placed them is not told."""
        values: list[Value] = [slot, zone, area, now_s]
        sides: dict[str, dict[int, int]] = {"buy": {}, "sell": {}}
        for side, price, quantity_wh in await self.database.rows(
            f"SELECT side, limit_price, SUM(quantity_wh) {_OPEN} AND steps = '' "
            "GROUP BY side, limit_price",
            *values,
        ):
            sides[side][price] = whole(quantity_wh)
        for side, steps in await self.database.rows(
            f"SELECT side, steps {_OPEN} AND steps <> ''",
            *values,
        ):
            for price, quantity_wh in _STEPS.decode(steps):
                sides[side][price] = sides[side].get(price, 0) + quantity_wh
        buys = [DepthStep(*step) for step in sorted(sides["buy"].items(), reverse=True)]
        return Depth(buys, [DepthStep(*step) for step in sorted(sides["sell"].items())])


_OPEN = (
    "FROM order_row WHERE slot = ? AND zone = ? AND area = ? AND open AND left_out = '' "
    "AND (expires_s IS NULL OR expires_s > ?)"
)


def _slots_where(area: str, from_s: int | None, to_s: int | None) -> Where:
    where = Where().add("area = ?", area)
    if from_s is not None:
        where.add("slot >= ?", from_s)
    if to_s is not None:
        where.add("slot < ?", to_s)
    return where
