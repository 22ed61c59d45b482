"""SQL for SQLite and PostgreSQL, with the statements that move the checkpoint."""

from __future__ import annotations

from collections.abc import Sequence


def upsert(table: str, key: Sequence[str], values: Sequence[str]) -> str:
    """Return SQL that inserts a row of key and values, or updates the row with this key."""
    columns = (*key, *values)
    places = ", ".join("?" for _ in columns)
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    )


def insert(table: str, columns: Sequence[str]) -> str:
    """Return SQL that inserts a row."""
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
