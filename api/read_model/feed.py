"""Events read ahead of the tables, and how they fall into batches.

While one batch is being written the next events are read. An event of a slot is alone in its
batch, for it asks the tables what came before it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from api.read_model.slot_events import SLOT_EVENTS
from ledger_network.port import CommittedEvents

BATCH_MAX = 16  # transactions read ahead and written together: of orders at most 16 MB


class Feed:
    """One reading of a ledger's events, as long as its block is not left."""

    def __init__(self, events: AsyncIterator[CommittedEvents]) -> None:
        self._events = events
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
        """The next batch; an empty one when nothing comes in time, None when nothing will.

        Raises what the ledger raised while it was read.
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
        while self._ahead and not _is_alone(batch[-1]) and not _is_alone(self._ahead[0]):
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


def _is_alone(happened: CommittedEvents) -> bool:
    return any(event.name in SLOT_EVENTS for event in happened.events)
