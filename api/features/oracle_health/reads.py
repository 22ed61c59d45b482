"""Reading and noting what the oracle's nodes report of meters and of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from api.read_model.database import Database
from api.read_model.paging import Where
from api.read_model.statements import upsert
from chaincode.metering.reports import OracleSet

PUT_HEALTH = (
    f"{upsert('meter_health', ['meter', 'node'], ['state', 'sentence', 'at_s', 'said_ms'])} "
    "WHERE excluded.said_ms > meter_health.said_ms"
)


class HealthRecord(NamedTuple):
    """How a node of the oracle finds a meter, or the node whose DID stands as `meter`.

    `at_s` is when it was so; `said_ms` is when the node said so last, milliseconds UTC of its own
    clock, and rises with each of its words.
    """

    meter: str
    node: str
    state: str
    sentence: str
    at_s: int
    said_ms: int


class HealthReads:
    """The part of the read model that holds the oracle's nodes and their findings."""

    database: Database

    async def oracle(self, area: str, slot: int) -> OracleSet | None:
        """The oracle's nodes of a slot; where there are none yet, the first that will be."""
        rows = await self.database.rows(
            "SELECT oracle FROM oracle_set WHERE area = ? AND from_slot = COALESCE("
            "(SELECT MAX(from_slot) FROM oracle_set WHERE area = ? AND from_slot <= ?), "
            "(SELECT MIN(from_slot) FROM oracle_set WHERE area = ?))",
            *(area, area, slot, area),
        )
        return msgspec.json.decode(rows[0][0], type=OracleSet) if rows else None

    async def health_of(self, meters: Sequence[str]) -> list[HealthRecord]:
        """How the oracle's nodes find up to 500 meters."""
        if not meters:
            return []
        where = Where().is_in("meter", meters)
        rows = await self.database.rows(
            f"SELECT meter, node, state, sentence, at_s, said_ms FROM meter_health {where.text} "
            "ORDER BY meter, node",
            *where.values,
        )
        return [HealthRecord(*row) for row in rows]

    async def last_said_ms(self, node: str) -> int:
        """When a node of the oracle said anything last, by its own clock; 0 for never."""
        rows = await self.database.rows(
            "SELECT MAX(said_ms) FROM meter_health WHERE node = ?", node
        )
        return rows[0][0] or 0

    async def write_health(self, found: Iterable[HealthRecord]) -> None:
        """Keep findings of nodes; a finding replaces an older one of its node on the same subject."""
        rows = list(found)
        if rows:
            async with self.database.transaction() as writer:
                await writer.many(PUT_HEALTH, rows)
