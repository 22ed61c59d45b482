"""Reads and stores what the oracle's nodes report about meters and about each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from api.read_model.database import Database
from api.read_model.paging import Where
from api.read_model.statements import upsert
from chaincode.metering.oracles import OracleSet

PUT_HEALTH = (
    f"{upsert('meter_health', ['meter', 'node'], ['state', 'sentence', 'at_s', 'said_ms'])} "
    "WHERE excluded.said_ms > meter_health.said_ms"
)


class HealthRecord(NamedTuple):
    """A node's finding about a meter, or about the node whose DID is in `meter`.

    `at_s` is the time of the finding. `said_ms` is the time of the node's last report of it, in
    milliseconds UTC of the node's own clock; it is greater in each later report of the node.
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
        """Return the oracle's nodes of a slot; for a slot without nodes, the first later ones."""
        rows = await self.database.rows(
            "SELECT oracle FROM oracle_set WHERE area = ? AND from_slot = COALESCE("
            "(SELECT MAX(from_slot) FROM oracle_set WHERE area = ? AND from_slot <= ?), "
            "(SELECT MIN(from_slot) FROM oracle_set WHERE area = ?))",
            *(area, area, slot, area),
        )
        return msgspec.json.decode(rows[0][0], type=OracleSet) if rows else None

    async def revoked(self, area: str) -> dict[str, int]:
        """Return the revoked nodes of an area, each with the second it is revoked from."""
        rows = await self.database.rows(
            "SELECT node, from_s FROM revoked_node WHERE area = ?", area
        )
        return {row[0]: row[1] for row in rows}

    async def health_of(self, meters: Sequence[str]) -> list[HealthRecord]:
        """Return the findings of the oracle's nodes about up to 500 meters."""
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
        """Return the time of a node's last report by its clock; 0 if it has never reported."""
        rows = await self.database.rows(
            "SELECT MAX(said_ms) FROM meter_health WHERE node = ?", node
        )
        return rows[0][0] or 0

    async def write_health(self, found: Iterable[HealthRecord]) -> None:
        """Store findings; a finding replaces an older one of the same node on the same subject."""
        rows = list(found)
        if rows:
            async with self.database.transaction() as writer:
                await writer.many(PUT_HEALTH, rows)
