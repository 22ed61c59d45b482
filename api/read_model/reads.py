"""What the API reads: one function per list or row, each one question to the database.

Lists come in pages by keyset: `after` is the cursor of the last row that was seen, and no page
counts rows that it does not answer. `now_s` is market time; states are computed with it. A cursor
that is none, or a page size out of bounds, raises `ReadRefused`; tables that cannot be read raise
`TablesDamaged`, a database that cannot be reached `DatabaseUnusable`.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from api.read_model.account_reads import AccountReads
from api.read_model.database import Database, DatabaseUnusable, ReadRefused, TablesDamaged
from api.read_model.market_reads import MarketReads
from api.read_model.meter_reads import MeterReads
from api.read_model.order_reads import OrderReads

__all__ = [
    "UNREADABLE",
    "DatabaseUnusable",
    "ReadModel",
    "ReadRefused",
    "TablesDamaged",
    "open_read_model",
]

UNREADABLE = (DatabaseUnusable, TablesDamaged)
"""What is raised where nothing can be read now, whatever is asked."""


class ReadModel(MarketReads, OrderReads, AccountReads, MeterReads):
    """The tables, open for reading."""

    async def close(self) -> None:
        """Let go of all connections."""
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
    """The read model at `sqlite:///path` or `postgres://…`, with the newest layout.

    Raises `DatabaseUnusable`.
    """
    return ReadModel(await Database.open(url))
