"""Changes of the read model, fanned out to subscriptions, each behind a queue of its own.

The projection calls once per committed batch; whoever subscribes gets the changes in order. A
queue holds few of them: whoever does not take them in time is ended with `SLOW_SUBSCRIBER`, so a
slow client costs what its queue holds and never the others' time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from typing import Protocol

from api.faults import SLOW_SUBSCRIBER, SUBSCRIPTIONS_TOO_MANY
from api.read_model.projection import Changed

QUEUE_MAX = 64  # changes one subscription may be behind: at one block a second, a minute
SUBSCRIPTIONS_MAX = 20_000  # of one API; one with an empty queue takes about 2 KB
SLOW_CLOSE_CODE = 1013  # "try again later": what a socket closes with after SLOW_SUBSCRIBER


class Source(Protocol):
    """What tells of changes."""

    def subscribe(self, callback: Callable[[Changed], None]) -> object:
        """Call `callback` after each committed batch."""
        ...


class Subscription:
    """The changes that one subscriber has not taken yet, oldest first; ends when it is slow."""

    def __init__(self) -> None:
        self._changes: deque[Changed] = deque()
        self._arrived = asyncio.Event()
        self._slow = False

    def offer(self, change: Changed) -> None:
        """Keep a change for the subscriber; a full queue ends the subscription and is let go."""
        if len(self._changes) >= QUEUE_MAX:
            self._slow = True
            self._changes.clear()
        elif not self._slow:
            self._changes.append(change)
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[Changed]:
        return self

    async def __anext__(self) -> Changed:
        """The next change, waiting for it; `SLOW_SUBSCRIBER` once too many were left lying."""
        while not self._changes:
            if self._slow:
                raise SLOW_SUBSCRIBER(limit=QUEUE_MAX)
            self._arrived.clear()
            await self._arrived.wait()
        return self._changes.popleft()


class Hub:
    """Everybody who wants to know of changes."""

    def __init__(self, source: Source) -> None:
        self._subscriptions: set[Subscription] = set()
        source.subscribe(self._changed)

    @property
    def count(self) -> int:
        """Subscriptions that are open."""
        return len(self._subscriptions)

    @contextmanager
    def subscription(self) -> Generator[Subscription]:
        """A subscription to changes from now on, gone when left.

        Raises `SUBSCRIPTIONS_TOO_MANY` where there is no room for another.
        """
        if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise SUBSCRIPTIONS_TOO_MANY(limit=SUBSCRIPTIONS_MAX)
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def _changed(self, change: Changed) -> None:
        for subscription in self._subscriptions:
            subscription.offer(change)
