"""The read model as one object that has the reads of all features.

Lists are read in pages by keyset: `after` is the cursor of the last row that was seen, and a page
costs the same wherever it begins. `now_s` is market time, from which states are computed. An
invalid cursor or a page size out of bounds raises `ReadRefused`; tables that cannot be read raise
`TablesDamaged`, a database that cannot be reached raises `DatabaseUnusable`.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from api.features.accounts.reads import AccountReads
from api.features.market.reads import MarketReads
from api.features.members.reads import MemberReads
from api.features.metering.reads import MeterReads
from api.features.oracle_health.reads import HealthReads
from api.features.orders.reads import OrderReads
from api.features.trades.reads import TradeReads
from api.read_model.database import Database
from api.read_model.records import CheckpointRecord


class ReadModel(
    MarketReads, OrderReads, TradeReads, AccountReads, MeterReads, MemberReads, HealthReads
):
    """The tables, open for reading."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def checkpoint(self) -> CheckpointRecord:
        """Return the last transaction that the tables hold."""
        rows = await self.database.rows(
            "SELECT block, place, time_s, channel, contract FROM checkpoint"
        )
        return CheckpointRecord(*rows[0]) if rows else CheckpointRecord(0, 0, 0, "", "")

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


async def open_read_model(url: str) -> ReadModel:
    """Open the read model at `sqlite:///path` or `postgres://…`, with the newest layout.

    Raises `DatabaseUnusable`.
    """
    return ReadModel(await Database.open(url))
