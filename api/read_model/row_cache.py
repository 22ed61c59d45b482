"""A cache of rows from a SQLite file, which is valid until another connection writes to the file.

SQLite's own work is most of the cost of a page, and between two blocks the same pages are requested
many times. `PRAGMA data_version` changes when another connection commits, so the cache returns the
rows that SQLite would read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

ROWS_MAX = 10_000  # rows in the cache: some megabytes

Rows = Sequence[Sequence[Any]]


class RowCache:
    """Reads through one connection, which must not write."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version: int | None = None
        self._kept: dict[tuple[str, tuple[Any, ...]], Rows] = {}
        self._count = 0

    def read(self, statement: str, values: tuple[Any, ...]) -> Rows:
        """Return what `statement` selects now. Raises `sqlite3.Error`."""
        ((version,),) = self._connection.execute("PRAGMA data_version").fetchall()
        if version != self._version:
            self._kept.clear()
            self._count = 0
            self._version = version
        key = (statement, values)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        rows = self._connection.execute(statement, values).fetchall()
        self._count += len(rows) + 1  # an empty result takes memory as well
        if self._count <= ROWS_MAX:
            self._kept[key] = rows
        return rows

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
