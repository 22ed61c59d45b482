"""Pages by keyset: a query selects the rows after the last row that was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from api.read_model.database import Database, ReadRefused, Row, Value
from api.read_model.records import Page

FIRST_MAX = 500  # rows of one page
POINTS_MAX = 2_000  # prices or readings in one answer: 20 days of quarter hours
NAMES_MAX = 500  # names per query; SQLite takes 32,766 values, PostgreSQL no fewer

R = TypeVar("R")


class Columns(NamedTuple):
    """A page by columns: the values of some fields of its records, each in order.

    `more` says whether more rows follow.
    """

    of: Mapping[str, Sequence[Any]]
    more: bool


@dataclass
class Where:
    """Conditions that must all hold, and their values."""

    conditions: list[str] = field(default_factory=list[str])
    values: list[Value] = field(default_factory=list[Value])

    def add(self, condition: str, *values: Value) -> Where:
        """Add a condition; return this object."""
        self.conditions.append(condition)
        self.values.extend(values)
        return self

    def is_in(self, column: str, names: Sequence[Value]) -> Where:
        """Add the condition that the column has one of `names`; return this object."""
        if not 1 <= len(names) <= NAMES_MAX:
            raise ReadRefused(f"{len(names)} names, at most {NAMES_MAX} in one question")
        return self.add(f"{column} IN ({', '.join('?' * len(names))})", *names)

    @property
    def text(self) -> str:
        """The clause."""
        return f"WHERE {' AND '.join(self.conditions)}" if self.conditions else ""


def key_of(after: str, *kinds: type[int] | type[str]) -> list[Value]:
    """Return the key in a cursor, its parts as `kinds`; only the last part may contain a point."""
    parts = after.split(".", len(kinds) - 1)
    try:
        if len(parts) != len(kinds) or any(int(part) < 0 for part in parts[: len(kinds) - 1]):
            raise ReadRefused(f"{after[:80]!r} is not a cursor of this list")
        return [kind(part) for kind, part in zip(kinds, parts, strict=True)]
    except ValueError:
        raise ReadRefused(f"{after[:80]!r} is not a cursor of this list") from None


async def page_of(
    database: Database,
    statement: str,
    values: Sequence[Value],
    *,
    first: int,
    make: Callable[[Row], R],
) -> Page[R]:
    """Return the first rows of `statement`, which ends in its order and has no limit yet."""
    rows, more = await rows_of(database, f"{statement} LIMIT ?", values, first=first)
    return Page([make(row) for row in rows], more)


async def rows_of(
    database: Database, statement: str, values: Sequence[Value], *, first: int
) -> tuple[Sequence[Row], bool]:
    """Return the first rows of `statement`, which ends in `LIMIT ?`, and whether more follow."""
    if not 1 <= first <= FIRST_MAX:
        raise ReadRefused(f"{first} rows asked for, between 1 and {FIRST_MAX} come in a page")
    rows = await database.rows(statement, *values, first + 1)
    return rows[:first], len(rows) > first


async def count_of(database: Database, table: str, where: Where) -> int:
    """Return how many rows of `table` there are."""
    text = f"SELECT COUNT(*) FROM {table} {where.text}"
    ((count,),) = await database.rows(text, *where.values)
    return int(count)


def whole(number: Any) -> int:
    """Return a sum as an integer; PostgreSQL returns decimals, and NULL for no rows."""
    return int(number or 0)
