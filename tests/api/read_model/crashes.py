"""A projection that is killed at every step of every batch, one process per death.

Run as a program, for it forks: folder of the ledger, address of the database. A child opens both,
resumes where the tables are and dies at a step: before a statement, before the commit, after
it. As long as the tables have not moved the next child dies one step later; when they have, at the
first step again. The answer is how many died, and how far the tables moved in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import traceback
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import msgspec

from api.features.reads import ReadModel
from api.live.projection import Projection
from api.read_model.database import Database, Value, Writer
from tests.contract.stage.cast import DSO, Clock
from tests.contract.stage.embedded_engine import open_embedded

KILLED, KILLED_AFTER_COMMIT, BROKEN = 7, 8, 9


class Deaths(msgspec.Struct):
    """How many children died, how many of them had moved the tables, whether one came to the end."""

    died: int = 0
    moved: int = 0
    finished: bool = False


class DyingWriter(Writer):
    """Tells of each statement before it is carried out."""

    def __init__(self, writer: Writer, database: DyingDatabase) -> None:
        self._inner = writer
        self._database = database

    async def many(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        self._database.step()
        await self._inner.many(statement, rows)

    async def one(self, statement: str, *values: Value) -> int:
        self._database.step()
        return await self._inner.one(statement, *values)


class DyingDatabase(Database):
    """Ends the process at a step."""

    left = 0
    has_moved = False

    def step(self) -> None:
        """One step less to live."""
        self.left -= 1
        if not self.left:
            os._exit(KILLED_AFTER_COMMIT if self.has_moved else KILLED)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Writer]:
        """A transaction that the process may not survive."""
        async with super().transaction() as writer:
            yield DyingWriter(writer, self)
            self.step()
        self.has_moved = True
        self.step()


def main(folder: Path, url: str) -> Deaths:
    """Kill until a child comes to the end."""
    deaths, at = Deaths(), 1
    while True:
        status = one_life(folder, url, at)
        if status == 0:
            deaths.finished = True
            return deaths
        if status not in (KILLED, KILLED_AFTER_COMMIT):
            raise RuntimeError(f"a child ended with {status}")
        deaths.died += 1
        deaths.moved += status == KILLED_AFTER_COMMIT
        at = at + 1 if status == KILLED else 1


def one_life(folder: Path, url: str, at: int) -> int:
    """Fork a child that dies at step `at`; its exit status."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    ended = BROKEN
    try:
        asyncio.run(live(folder, url, at))
        ended = 0
    finally:
        if ended:
            traceback.print_exc()
        os._exit(ended)


async def live(folder: Path, url: str, at: int) -> None:
    """Project what is left."""
    async with open_embedded(folder, Clock(0), "commonwatt") as ledger:
        database = await DyingDatabase.open(url)
        database.left = at
        await Projection(ledger, DSO, ReadModel(database)).catch_up()


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(main(Path(sys.argv[1]), sys.argv[2])))
