"""Rows of a SQLite file that were read already, kept until anybody else has written to it.

Most of what a page costs is SQLite's work of giving it out, and between two blocks the same pages are
asked for again and again. `PRAGMA data_version` is another number once another connection has
committed, so what is kept is what SQLite would read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

ROWS_MAX = 10_000  # kept at once: some megabytes

Rows = Sequence[Sequence[Any]]


class KeptRows:
    """Reads through one connection, which itself writes nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version: int | None = None
        self._kept: dict[tuple[str, tuple[Any, ...]], Rows] = {}
        self._count = 0

    def read(self, statement: str, values: tuple[Any, ...]) -> Rows:
        """What `statement` selects now. Raises `sqlite3.Error`."""
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
        self._count += len(rows) + 1  # an empty answer takes room as well
        if self._count <= ROWS_MAX:
            self._kept[key] = rows
        return rows

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
