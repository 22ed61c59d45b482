"""Reads records: whole, or only the columns that a few fields of many rows need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from api.read_model.database import Database, Row
from api.read_model.paging import Where

R = TypeVar("R")


class Made(NamedTuple):
    """A field that is computed: the columns it needs, and the function for a market time."""

    needs: tuple[str, ...]
    at: Callable[[int], Callable[..., object]]


@dataclass(frozen=True)
class Source(Generic[R]):
    """The source of a record; all columns are of its table, but `phase` is a column of the slot."""

    record: Callable[..., R]
    fields: tuple[str, ...]
    tables: str
    alias: str
    made: dict[str, Made]

    def needs(self, fields: Sequence[str], *keys: str) -> tuple[str, ...]:
        """Return the columns to select for `fields`; those that order the pages come first."""
        needed = [
            name
            for field in fields
            for name in (self.made[field].needs if field in self.made else (field,))
        ]
        return tuple(dict.fromkeys((*keys, *needed)))

    def select(self, columns: Sequence[str]) -> str:
        """Return a SELECT of columns, to which conditions may be added."""
        selected = [
            "s.phase" if column == "phase" else f"{self.alias}.{column}" for column in columns
        ]
        return f"SELECT {', '.join(selected)} FROM {self.tables}"

    def cut(
        self, rows: Sequence[Row], columns: Sequence[str], fields: Sequence[str], *, now_s: int
    ) -> dict[str, Sequence[Any]]:
        """Return the values of `fields`, by field, from rows of `columns`."""
        values = zip(*rows, strict=True) if rows else ((),) * len(columns)
        read = dict(zip(columns, values, strict=True))
        cut: dict[str, Sequence[Any]] = {}
        for field in fields:
            made = self.made.get(field)
            cut[field] = (
                read[field]
                if made is None
                else list(map(made.at(now_s), *(read[name] for name in made.needs)))
            )
        return cut

    def records(self, rows: Sequence[Row], *, now_s: int) -> list[R]:
        """Return whole records from rows of all columns that they need."""
        cut = self.cut(rows, self.needs(self.fields), self.fields, now_s=now_s)
        return list(map(self.record, *cut.values()))


def always(make: Callable[..., object]) -> Callable[[int], Callable[..., object]]:
    """Return `make` for every market time."""

    def at(now_s: int) -> Callable[..., object]:
        del now_s
        return make

    return at


async def read_whole(database: Database, source: Source[R], where: Where, *, now_s: int) -> list[R]:
    """Return all records for which `where` holds, with their states at market time `now_s`."""
    text = f"{source.select(source.needs(source.fields))} {where.text}"
    return source.records(await database.rows(text, *where.values), now_s=now_s)
