"""The queue of messages to a peer: any thread can post, and one task writes in order.

gRPC allows one write at a time on a stream. The users of the queue bound its length: each admitted
transaction posts one call at a time and one answer, and the stream's reader waits for `room` before
it takes a message that it would answer itself.
"""

from __future__ import annotations

import asyncio
from collections import deque

ROOM_MAX = 64  # messages beyond which the reader stops reading


class Outbox:
    """Messages of one stream that its writer has not written yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: deque[bytes] = deque()
        self._awake = True  # the writer is about to look, or a wake-up is on its way
        self._sleep: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    def post(self, message: bytes) -> None:
        """Queue a message from any thread; the message is dropped once the stream has ended.

        The writer clears `_awake` before it checks the queue a last time, and a poster checks
        `_awake` after it has queued its message. So either the writer sees the message or the
        poster wakes the writer.
        """
        if self._closed:
            return
        self._messages.append(message)
        if not self._awake:
            self._awake = True
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # the loop has closed meanwhile, and so has the stream
                self._closed = True

    async def take(self) -> bytes | None:
        """The next message, for the writer; None when the outbox is closed and empty."""
        while True:
            if self._messages:
                message = self._messages.popleft()
                if len(self._messages) < ROOM_MAX:
                    self._room.set()
                return message
            if self._closed:
                return None
            self._sleep = self._loop.create_future()
            self._awake = False
            if not self._messages:
                await self._sleep
            self._awake = True

    async def room(self) -> None:
        """Wait until fewer than `ROOM_MAX` messages are queued."""
        if len(self._messages) >= ROOM_MAX:
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """Take no more messages; queued messages are still written. To be called on the loop."""
        self._closed = True
        self._wake()

    def drop(self) -> None:
        """Close and discard queued messages after the peer has gone. To be called on the loop."""
        self._messages.clear()
        self._room.set()
        self.close()

    def _wake(self) -> None:
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)
