"""Scenarios on the embedded ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from chaincode.contract import NAME
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import Receipt
from tests.contract.stage.cast import MEMBERS, Call, Clock
from tests.contract.stage.held import HeldContract
from tests.ledger_network.embedded.workbench import UnsyncedDisk

T = TypeVar("T")

CHANNEL = "testing"
SEED = bytes(range(32))


class TestedEmbedded(EmbeddedLedger):
    """An embedded ledger in a scenario; its contract can hold a simulation."""

    __test__ = False
    held: HeldContract

    async def overtake(self, clock: Clock, first: Call, *others: Call) -> Receipt:
        """Simulate `first`, commit the others, then let `first` be committed; its receipt."""
        return await self.held.overtake(self, clock, first, *others)

    async def check_end(self) -> None:
        """There is nothing beyond what every scenario checks."""


class EmbeddedEngine:
    """Embedded ledgers in a folder; no scenario ends a process, so nothing has to be synced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of asynchronous work."""
        return self._runner.run(work)

    async def open(self, clock: Clock) -> TestedEmbedded:
        """A new ledger."""
        return open_embedded(self._folder / str(next(self._numbers)), clock, NAME)

    @property
    def quick(self) -> EmbeddedEngine:
        """This one: it carries out some hundred transactions a second."""
        return self


def open_embedded(folder: Path, clock: Clock, name: str) -> TestedEmbedded:
    """A new embedded ledger with the members of the cast, its contract under that name."""
    held = HeldContract(name)
    ledger = TestedEmbedded.open(
        folder,
        contract=held,
        channel=CHANNEL,
        members=MEMBERS,
        seed=SEED,
        clock=clock,
        disk=UnsyncedDisk(),
        verifiers=1,
    )
    ledger.held = held
    return ledger
