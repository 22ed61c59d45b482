"""What one transaction of the read model will write: rows in order, and changes of accounts.

Consecutive rows for one table are written by one call. Balances are added up here in Python, where
an integer has no bound and never turns into a float; the tables hold their money as decimal texts.
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
    ["balance_nano", "reserved_nano", "claims_nano", "minted_wh", "live_wh", "retired_wh", "block"],
)
OWNERS_AT_ONCE = 500  # accounts per query: SQLite takes 32,766 values

AccountKey = tuple[str, str]
"""An area and the owner of an account in it."""


class Gain(NamedTuple):
    """An amount of each kind that is added to an account."""

    balance_nano: int = 0
    reserved_nano: int = 0
    claims_nano: int = 0
    minted_wh: int = 0
    live_wh: int = 0
    retired_wh: int = 0

    def plus(self, other: Gain) -> Gain:
        """Return the sum of this and `other`."""
        return Gain(*(one + two for one, two in zip(self, other, strict=True)))

    def minus(self, other: Gain) -> Gain:
        """Return the difference of this and `other`."""
        return Gain(*(one - two for one, two in zip(self, other, strict=True)))


class Batch:
    """Changes that are not in the tables yet."""

    def __init__(self, postings: int) -> None:
        """`postings` is the number of lines of the books in the tables."""
        self.postings = postings
        self.slots: set[tuple[str, int]] = set()
        self.traders: set[str] = set()
        self._steps: list[tuple[str, list[Sequence[Value]]]] = []
        self._gains: dict[AccountKey, Gain] = {}
        self._blocks: dict[AccountKey, int] = {}

    @property
    def accounts(self) -> frozenset[str]:
        """The owners of the accounts that change."""
        return frozenset(owner for _, owner in self._gains)

    def put(self, statement: str, *rows: Sequence[Value]) -> None:
        """Queue `statement` for each row, after all statements that were queued before."""
        self.rows(statement).extend(rows)

    def rows(self, statement: str) -> list[Sequence[Value]]:
        """Return the rows of `statement`; add rows to them only until another one is queued."""
        if not self._steps or self._steps[-1][0] != statement:
            self._steps.append((statement, []))
        return self._steps[-1][1]

    def next_posting(self) -> int:
        """Count one more line of the books and return its number."""
        self.postings += 1
        return self.postings

    def gain(self, area: str, owner: str, gain: Gain, *, block: int) -> None:
        """Add an amount to an account."""
        key = (area, owner)
        self._gains[key] = self._gains.get(key, Gain()).plus(gain)
        self._blocks[key] = block

    async def settle_accounts(self, database: Database) -> None:
        """Turn the changes of accounts into rows; call this last before `write`."""
        held = await _accounts(database, self._gains)
        for key, gain in sorted(self._gains.items()):
            total = held.get(key, Gain()).plus(gain)
            money = (total.balance_nano, total.reserved_nano, total.claims_nano)
            wh = (total.minted_wh, total.live_wh, total.retired_wh)
            self.put(PUT_ACCOUNT, (*key, *map(str, money), *wh, self._blocks[key]))

    async def write(self, writer: Writer) -> None:
        """Execute all statements in the order in which they were queued."""
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
                found[area, owner] = Gain(*map(int, amounts))
    return found


@lru_cache(maxsize=OWNERS_AT_ONCE)
def _held(count: int) -> str:
    places = ", ".join("?" * count)
    return (
        "SELECT owner, balance_nano, reserved_nano, claims_nano, minted_wh, live_wh, retired_wh "
        f"FROM account WHERE area = ? AND owner IN ({places})"
    )
