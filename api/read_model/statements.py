"""SQL that SQLite and PostgreSQL both understand, and how the checkpoint moves."""

from __future__ import annotations

from collections.abc import Sequence


def upsert(table: str, key: Sequence[str], values: Sequence[str]) -> str:
    """Insert a row of key and values, in this order, or change the values of the one there is."""
    columns = (*key, *values)
    places = ", ".join("?" for _ in columns)
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    )


def insert(table: str, columns: Sequence[str]) -> str:
    """Insert a row."""
    places = ", ".join("?" for _ in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"


_CHECKPOINT = (
    "id", "block", "place", "hash", "time_s", "channel", "contract", "layout", "postings",
)  # fmt: skip  # fmt: skip
START_CHECKPOINT = f"{insert('checkpoint', _CHECKPOINT)} ON CONFLICT (id) DO NOTHING"
MOVE_CHECKPOINT = (
    "UPDATE checkpoint SET block = ?, place = ?, hash = ?, time_s = ?, postings = ? "
    "WHERE id = 1 AND block = ? AND place = ?"
)
