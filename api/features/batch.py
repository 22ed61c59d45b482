"""What one transaction of the read model will write: rows in order, and what accounts gain.

Rows that go to one table one after the other travel together. Balances are added up here in
Python, where an integer grows instead of turning into a float.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from api.read_model.database import Database, Value, Writer
from api.read_model.statements import upsert

PUT_ACCOUNT = upsert(
    "account",
    ["area", "owner"],
    ["balance_nano", "reserved_nano", "minted_wh", "live_wh", "retired_wh", "block"],
)
OWNERS_AT_ONCE = 500  # accounts asked for in one question: SQLite takes 32,766 values

AccountKey = tuple[str, str]
"""An area and the owner of an account in it."""


class Gain(NamedTuple):
    """What is added to an account."""

    balance_nano: int = 0
    reserved_nano: int = 0
    minted_wh: int = 0
    live_wh: int = 0
    retired_wh: int = 0

    def plus(self, other: Gain) -> Gain:
        """Both together."""
        return Gain(*(one + two for one, two in zip(self, other, strict=True)))

    def minus(self, other: Gain) -> Gain:
        """This without `other`."""
        return Gain(*(one - two for one, two in zip(self, other, strict=True)))


class Batch:
    """Changes on their way to the tables."""

    def __init__(self, postings: int) -> None:
        """`postings`: how many lines of the books are in the tables."""
        self.postings = postings
        self.slots: set[tuple[str, int]] = set()
        self.traders: set[str] = set()
        self._steps: list[tuple[str, list[Sequence[Value]]]] = []
        self._gains: dict[AccountKey, Gain] = {}
        self._blocks: dict[AccountKey, int] = {}

    @property
    def accounts(self) -> frozenset[str]:
        """Owners of accounts that change."""
        return frozenset(owner for _, owner in self._gains)

    def put(self, statement: str, *rows: Sequence[Value]) -> None:
        """Carry out `statement` for each row, after all that was put before."""
        self.rows(statement).extend(rows)

    def rows(self, statement: str) -> list[Sequence[Value]]:
        """Where rows for `statement` may be added as long as nothing else is put."""
        if not self._steps or self._steps[-1][0] != statement:
            self._steps.append((statement, []))
        return self._steps[-1][1]

    def next_posting(self) -> int:
        """The number of one more line of the books."""
        self.postings += 1
        return self.postings

    def gain(self, area: str, owner: str, gain: Gain, *, block: int) -> None:
        """Add to an account."""
        key = (area, owner)
        self._gains[key] = self._gains.get(key, Gain()).plus(gain)
        self._blocks[key] = block

    async def settle_accounts(self, database: Database) -> None:
        """Turn what accounts gain into rows; the last thing before `write`."""
        held = await _accounts(database, self._gains)
        for key, gain in sorted(self._gains.items()):
            total = held.get(key, Gain()).plus(gain)
            self.put(PUT_ACCOUNT, (*key, *total, self._blocks[key]))

    async def write(self, writer: Writer) -> None:
        """Carry out everything in the order in which it was put."""
        for statement, rows in self._steps:
            await writer.many(statement, rows)


async def _accounts(database: Database, keys: Iterable[AccountKey]) -> dict[AccountKey, Gain]:
    found: dict[AccountKey, Gain] = {}
    by_area: dict[str, list[str]] = {}
    for area, owner in sorted(keys):
        by_area.setdefault(area, []).append(owner)
    for area, owners in by_area.items():
        for start in range(0, len(owners), OWNERS_AT_ONCE):
            some = owners[start : start + OWNERS_AT_ONCE]
            for owner, *amounts in await database.rows(_held(len(some)), area, *some):
                found[area, owner] = Gain(*amounts)
    return found


@lru_cache(maxsize=OWNERS_AT_ONCE)
def _held(count: int) -> str:
    places = ", ".join("?" * count)
    return (
        "SELECT owner, balance_nano, reserved_nano, minted_wh, live_wh, retired_wh "
        f"FROM account WHERE area = ? AND owner IN ({places})"
    )
