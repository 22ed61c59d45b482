"""What the tests of the embedded ledger share: opening one, disks that misbehave, held handlers."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import TypeVar

import msgspec

from chaincode.context import Context
from ledger_network.embedded.commit.committer import Cut
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.embedded.folder.disk import Disk
from ledger_network.port import Member, Receipt
from tests.ledger_network.embedded.notebook import Key, Notebook

T = TypeVar("T")

NORTH = Member("north")
KILLED = 7
SEED = bytes(range(32))


def run(work: Coroutine[object, object, T]) -> T:
    """Run a test's coroutine."""
    return asyncio.run(work)


def open_ledger(
    path: Path,
    *,
    contract: Notebook | None = None,
    cut: Cut | None = None,
    disk: Disk | None = None,
    members: tuple[str, ...] = ("north", "south"),
    verifiers: int | None = None,
) -> EmbeddedLedger:
    """A ledger whose clock stands still; keys come from a seed, nonces are drawn."""
    return EmbeddedLedger.open(
        path,
        contract=contract or Notebook(),
        channel="testing",
        members=members,
        seed=SEED,
        clock=lambda: 1_750_000_000,
        cut=cut,
        disk=disk,
        verifiers=verifiers,
    )


async def put_all(ledger: EmbeddedLedger, *requests: tuple[str, msgspec.Struct]) -> list[Receipt]:
    """Submit one after the other."""
    return [await ledger.submit(name, args, member=NORTH) for name, args in requests]


async def value_of(ledger: EmbeddedLedger, key: str) -> int | None:
    """The number at `key`."""
    raw = await ledger.evaluate("get", Key(key), member=NORTH)
    return msgspec.json.decode(raw, type=int | None)


async def outcomes_of(ledger: EmbeddedLedger, number: int) -> list[str]:
    """The outcomes in a block, in order."""
    block = await ledger.block(number)
    return [] if block is None else [outcome for _, outcome in block.transactions]


class HeldNotebook(Notebook):
    """Holds the end of the simulations of one transaction until they are released."""

    def __init__(self, name: str, *, count: int = 1) -> None:
        self._held = name
        self._left = count
        self._lock = threading.Lock()
        self._reached = threading.Event()
        self._release = threading.Event()

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        answer = super().invoke(context, name, arguments)
        if name == self._held:
            with self._lock:
                self._left -= 1
                if not self._left:
                    self._reached.set()
            self._release.wait()
        return answer

    @asynccontextmanager
    async def after_reading(self) -> AsyncGenerator[None]:
        """Inside, the simulations have read and not been handed over; then they are let go."""
        await asyncio.to_thread(self._reached.wait)
        try:
            yield
        finally:
            self._release.set()


class CountingDisk(Disk):
    """Counts what was done."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    def append(self, handle: int, data: bytes) -> None:
        self.done["append"] += 1
        super().append(handle, data)

    def sync(self, handle: int) -> None:
        self.done["sync"] += 1
        super().sync(handle)


class UnsyncedDisk(Disk):
    """Leaves out syncs: a process that is killed loses nothing that the kernel has taken."""

    def sync(self, handle: int) -> None:
        pass

    def sync_folder(self, folder: Path) -> None:
        pass

    def truncate(self, handle: int, *, length: int) -> None:
        os.ftruncate(handle, length)


class SteppedDisk(UnsyncedDisk):
    """Calls `step` before each step with its kind; subclasses decide what happens."""

    def __init__(self) -> None:
        self.steps = 0
        self._lock = threading.Lock()

    def step(self, kind: str, *, handle: int = -1, data: bytes = b"") -> None:
        raise NotImplementedError

    def _take(self, kind: str, *, handle: int = -1, data: bytes = b"") -> None:
        with self._lock:
            self.steps += 1
            self.step(kind, handle=handle, data=data)

    def append(self, handle: int, data: bytes) -> None:
        self._take("append", handle=handle, data=data)
        super().append(handle, data)

    def sync(self, handle: int) -> None:
        self._take("sync")
        super().sync(handle)

    def sync_folder(self, folder: Path) -> None:
        self._take("sync_folder")
        super().sync_folder(folder)

    def truncate(self, handle: int, *, length: int) -> None:
        self._take("truncate")
        super().truncate(handle, length=length)

    def rename(self, source: Path, target: Path) -> None:
        self._take("rename")
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._take("remove")
        super().remove(path)

    def commit(self, connection: sqlite3.Connection) -> None:
        self._take("commit")
        super().commit(connection)


class DyingDisk(SteppedDisk):
    """Ends the process at a step; an append is torn at a place drawn from `draw`."""

    def __init__(self, at: int, draw: Random) -> None:
        super().__init__()
        self._at = at
        self._draw = draw

    def step(self, kind: str, *, handle: int = -1, data: bytes = b"") -> None:
        if self.steps < self._at:
            return
        if data:
            Disk.append(self, handle, data[: self._draw.randrange(len(data) + 1)])
        os._exit(KILLED)


class FullDisk(SteppedDisk):
    """Refuses every step from `at` on that needs room; the first append is written in part."""

    def __init__(self, at: int, *, refuses: tuple[str, ...] = ("append",)) -> None:
        super().__init__()
        self.at = at
        self._refuses = refuses

    def step(self, kind: str, *, handle: int = -1, data: bytes = b"") -> None:
        if self.steps < self.at or kind not in self._refuses:
            return
        if data:
            Disk.append(self, handle, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
