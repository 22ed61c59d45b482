"""Reads events ahead of the tables, and divides them into batches.

The next events are read while a batch is being written. An event of a slot is alone in its batch,
because its handler reads the effects of all earlier events from the tables.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Container
from types import TracebackType
from typing import Self

from ledger_network.port import CommittedEvents

BATCH_MAX = 16  # transactions that are read ahead and written together, at most 16 MB of orders


class Feed:
    """Reads a ledger's events until its block ends."""

    def __init__(self, events: AsyncIterator[CommittedEvents], *, alone: Container[str]) -> None:
        """`alone` names the events that must be alone in a batch."""
        self._events = events
        self._alone = alone
        self._ahead: deque[CommittedEvents] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._read(), name="reads events for the read model")
        self._task.add_done_callback(lambda _: self._arrived.set())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def take(self, *, within_s: float) -> list[CommittedEvents] | None:
        """Return the next batch: empty if no event comes in time, None after the last event.

        Raises what the ledger raised while its events were read.
        """
        task = self._task
        if not self._ahead and task is not None and not task.done():
            try:
                async with asyncio.timeout(within_s):
                    await self._arrived.wait()
            except TimeoutError:
                return []
        if not self._ahead:
            if task is not None and task.done():
                await task
            return None
        batch = [self._ahead.popleft()]
        while self._ahead and not self._is_alone(batch[-1]) and not self._is_alone(self._ahead[0]):
            batch.append(self._ahead.popleft())
        if not self._ahead and task is not None and not task.done():
            self._arrived.clear()
        self._room.set()
        return batch

    async def _read(self) -> None:
        async for happened in self._events:
            self._ahead.append(happened)
            self._arrived.set()
            while len(self._ahead) >= BATCH_MAX:
                self._room.clear()
                await self._room.wait()

    def _is_alone(self, happened: CommittedEvents) -> bool:
        return any(event.name in self._alone for event in happened.events)
