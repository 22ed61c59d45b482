"""Passes changes of the read model to subscriptions, each of which has its own queue.

The projection calls once per committed batch, and each subscriber gets the changes in order. A
queue holds few changes: a subscription that does not take them in time ends with `SLOW_SUBSCRIBER`.
So a slow client costs no more than its queue, and does not delay other clients.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from typing import Protocol

from api.faults import SLOW_SUBSCRIBER, SUBSCRIPTIONS_TOO_MANY
from api.live.projection import Changed

QUEUE_MAX = 64  # changes in a queue: about a minute at one block a second
SUBSCRIPTIONS_MAX = 20_000  # subscriptions of one API; each takes about 2 KB with an empty queue
TOLD_MAX = 500  # records that are kept per subscriber
SLOW_CLOSE_CODE = 1013  # "try again later": the close code of a socket after SLOW_SUBSCRIBER


class Source(Protocol):
    """A source of changes."""

    def subscribe(self, callback: Callable[[Changed], None]) -> object:
        """Call `callback` after each committed batch."""
        ...


class Subscription:
    """The changes that one subscriber has not taken yet, oldest first; ends if it is too slow."""

    def __init__(self) -> None:
        self._changes: deque[Changed] = deque()
        self._arrived = asyncio.Event()
        self._slow = False

    def offer(self, change: Changed) -> None:
        """Queue a change; if the queue is full, empty it and end the subscription."""
        if len(self._changes) >= QUEUE_MAX:
            self._slow = True
            self._changes.clear()
        elif not self._slow:
            self._changes.append(change)
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[Changed]:
        return self

    async def __anext__(self) -> Changed:
        """Wait for the next change and return it; raise `SLOW_SUBSCRIBER` after too many."""
        while not self._changes:
            if self._slow:
                raise SLOW_SUBSCRIBER(limit=QUEUE_MAX)
            self._arrived.clear()
            await self._arrived.wait()
        return self._changes.popleft()


class Subscriptions:
    """All open subscriptions."""

    def __init__(self, source: Source) -> None:
        self._subscriptions: set[Subscription] = set()
        source.subscribe(self._changed)

    @property
    def count(self) -> int:
        """The number of open subscriptions."""
        return len(self._subscriptions)

    @contextmanager
    def open(self) -> Generator[Subscription]:
        """Open a subscription to changes from now on; it ends with the block.

        Raises `SUBSCRIPTIONS_TOO_MANY` if no more subscriptions are allowed.
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


class Told:
    """The records that a subscriber received last, so that it receives no record twice."""

    def __init__(self) -> None:
        self._records: OrderedDict[object, object] = OrderedDict()

    def is_new(self, key: object, record: object) -> bool:
        """Return whether the record is new to the subscriber, and note it as received."""
        if self._records.get(key) == record:
            return False
        self._records[key] = record
        self._records.move_to_end(key)
        if len(self._records) > TOLD_MAX:
            self._records.popitem(last=False)
        return True


def slots_of(area: str, change: Changed) -> list[int]:
    """Return the slots of an area that a change concerns, oldest first."""
    return sorted(slot for touched, slot in change.slots if touched == area)
