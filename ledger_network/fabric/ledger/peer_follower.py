"""Follows the blocks that a peer commits: its height, and where recent transactions are.

A ledger of several peers has no single height. A stream follows each peer, so that a receipt can
name the place of a transaction in its block, and a query can wait until the peer that answers it
has committed everything that was acknowledged before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

from ledger_network.fabric.gateway.block import FilteredBlock
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.errors import GatewayError

PLACES_MAX = 20_000  # transactions remembered per peer; callers that wait have registered before
LAG_S = 5.0  # a query does not wait for a peer that is further behind
AGAIN_S = 0.5

_log = logging.getLogger("ledger_network.fabric")


@dataclass(frozen=True, slots=True)
class CommitPlace:
    """The place of a committed transaction, with its validation code."""

    block: int
    index: int
    code: str


class PeerFollower:
    """Follows one peer until it is closed."""

    def __init__(self, gateway: Gateway, endpoint: Endpoint, start: int) -> None:
        """Begin to follow `endpoint` from block `start` on."""
        self.endpoint = endpoint
        self.height = start  # blocks that the peer is known to have
        self.is_behind = (
            True  # until the peer has shown a block, and after a wait for it that failed
        )
        self._gateway = gateway
        self._places: dict[str, CommitPlace] = {}
        self._order: deque[str] = deque()
        self._waiting: dict[str, set[asyncio.Future[CommitPlace]]] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._task = asyncio.create_task(self._follow(), name=f"follows {endpoint.address}")

    def place(self, transaction: str) -> CommitPlace | None:
        """Return the place of a recent transaction, None if this peer has not shown it."""
        return self._places.get(transaction)

    @contextlib.contextmanager
    def expecting(self, transaction: str) -> Generator[asyncio.Future[CommitPlace]]:
        """Yield a future for the place of `transaction`; enter this before ordering it."""
        future: asyncio.Future[CommitPlace] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(transaction, set()).add(future)
        try:
            yield future
        finally:
            waiting = self._waiting[transaction]
            waiting.discard(future)
            if not waiting:
                del self._waiting[transaction]

    async def reached(self, block: int, *, within_s: float = LAG_S) -> bool:
        """Wait until the peer has committed `block`; return False if the time runs out."""
        if self.height > block:
            return True
        try:
            async with asyncio.timeout(within_s):
                while self.height <= block:
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiters.add(future)
                    await future
        except TimeoutError:
            self.is_behind = True
            return False
        return True

    async def close(self) -> None:
        """Stop following the peer."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                async with contextlib.aclosing(
                    self._gateway.filtered_blocks(start=self.height, endpoint=self.endpoint)
                ) as blocks:
                    async for block in blocks:
                        self._take(block)
            except GatewayError as error:
                _log.warning("the peer at %s cannot be followed: %s", self.endpoint.address, error)
                self.is_behind = True
                await asyncio.sleep(AGAIN_S)

    def _take(self, block: FilteredBlock) -> None:
        for index, found in enumerate(block.transactions):
            self._remember(found.id, CommitPlace(block.number, index, found.code))
        self.height = block.number + 1
        self.is_behind = False
        waiters, self._waiters = self._waiters, set()
        for future in waiters:
            if not future.done():
                future.set_result(None)

    def _remember(self, transaction: str, place: CommitPlace) -> None:
        self._places[transaction] = place
        self._order.append(transaction)
        while len(self._order) > PLACES_MAX:
            self._places.pop(self._order.popleft(), None)
        for future in self._waiting.get(transaction, ()):
            if not future.done():
                future.set_result(place)
