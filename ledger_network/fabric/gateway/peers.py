"""Chooses the peer for each request: the load is spread, and unavailable peers are skipped.

`Peers.ask` sends a request to one peer and continues with the next as long as the request certainly
had no effect or may be sent twice. Every request has a deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import grpc
import grpc.aio

from ledger_network.fabric.gateway.answers import Failure, failure_of
from ledger_network.fabric.gateway.endpoint import Connection, Endpoint, Unreachable

Answer = TypeVar("Answer")

CLOSED = "the gateway client was closed"


class Message(Protocol):
    """A request that can be serialised."""

    def SerializeToString(self) -> bytes:  # noqa: N802 protobuf's own name
        """Return the bytes of the message."""
        ...


@dataclass(frozen=True, slots=True)
class Method(Generic[Answer]):
    """A call of a service: its path, and how its answer is read.

    With `waits` the answer comes when something happens on the channel, which may take long even if
    the peer is healthy.
    """

    path: str
    read: Callable[[bytes], Answer]
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on the time of each step, and on the number of requests in progress.

    Each step's time is for one try at one peer. `in_flight` is the number of transactions and
    queries at a time; further ones wait. `keepalive_s` is the silence before a ping: peers close
    the connection of a client that pings more often than their `keepalive.minInterval`.
    """

    in_flight: int = 128
    connect_s: float = 5.0  # until a peer is found that can be reached
    evaluate_s: float = 35.0  # peers let a chaincode run for 30 s
    endorse_s: float = 35.0
    submit_s: float = 15.0  # gateways wait for orderers for 10 s
    status_try_s: float = 15.0  # one peer may lag; then the next one is asked
    status_s: float = 60.0
    settle_s: float = 30.0  # how long a transaction with unknown outcome is looked for
    endorse_tries: int = 4
    retry_first_s: float = 0.1  # doubles with each try
    retry_max_s: float = 2.0
    keepalive_s: float = 20.0


class Failed(Exception):
    """A request that failed at every peer, with the answer of the last peer and its endpoint.

    `endpoint` is None if no peer could be reached, so that nothing was sent.
    """

    def __init__(self, failure: Failure, endpoint: Endpoint | None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.endpoint = endpoint


class Peers:
    """The peers that a client may talk to, least busy first.

    With `prefer_first` the first endpoint gets all requests while it is healthy.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        limits: Limits,
        *,
        prefer_first: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not endpoints:
            raise ValueError("a gateway needs at least one endpoint")
        self._monotonic = monotonic
        self._limits = limits
        self._prefer_first = prefer_first
        self._connections = {
            endpoint: Connection(endpoint, keepalive_s=limits.keepalive_s, monotonic=monotonic)
            for endpoint in endpoints
        }
        self._turn = 0
        self.closed = False

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All peers, including unavailable ones."""
        return tuple(self._connections)

    def connection(self, endpoint: Endpoint) -> Connection:
        """The connection to `endpoint`; raises ValueError if it is not one of these."""
        found = self._connections.get(endpoint)
        if found is None:
            raise ValueError(f"{endpoint.address} is not an endpoint of this gateway")
        return found

    async def close(self) -> None:
        """Close all connections."""
        self.closed = True
        for connection in self._connections.values():
            await connection.close()

    @asynccontextmanager
    async def borrowed(
        self, *, only: Endpoint | None = None, passed: frozenset[Endpoint] = frozenset()
    ) -> AsyncGenerator[tuple[Connection, grpc.aio.Channel]]:
        """Yield a peer that can be reached, not one of `passed` while there are others.

        Raises `Failed` when no peer is found within `Limits.connect_s`.
        """
        deadline = self._monotonic() + self._limits.connect_s
        # One peer that never answers must leave time for the others.
        share_s = self._limits.connect_s / (1 if only else len(self._connections))
        said = "no endpoint"
        while True:
            left_s = deadline - self._monotonic()
            connection = self._next(only, passed)
            if self.closed:
                said, left_s = CLOSED, 0.0
            if left_s <= 0 or connection.rests_s >= left_s:
                address = connection.endpoint.address
                raise Failed(Failure(grpc.StatusCode.UNAVAILABLE, said, (), address), None)
            await asyncio.sleep(connection.rests_s)
            connection.asked = self._turn = self._turn + 1
            connection.in_flight += 1
            try:
                try:
                    channel = await connection.ready(within_s=min(left_s, share_s))
                except Unreachable as error:
                    connection.failed()
                    said = str(error)
                    continue
                yield connection, channel
                return
            finally:
                connection.in_flight -= 1

    @asynccontextmanager
    async def failures(self, connection: Connection, *, waits: bool) -> AsyncGenerator[None]:
        """Turn an error of a call over `connection` into `Failed`, and note the peer's health."""
        endpoint = connection.endpoint
        try:
            yield
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error, endpoint.address)
            note(connection, failure, waits=waits)
            raise Failed(failure, endpoint) from error
        except asyncio.CancelledError as error:
            # A call is also cancelled when its channel is closed, without a cancel of its task.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            said = CLOSED if self.closed else f"the connection to {endpoint.address} was closed"
            failure = Failure(grpc.StatusCode.CANCELLED, said, (), endpoint.address)
            raise Failed(failure, endpoint) from error

    def _next(self, only: Endpoint | None, passed: frozenset[Endpoint]) -> Connection:
        if only is not None:
            return self.connection(only)
        choice = [one for one in self._connections.values() if one.endpoint not in passed]
        choice = choice or list(self._connections.values())
        if self._prefer_first:
            return min(choice, key=lambda one: one.rests_s)
        return min(choice, key=lambda one: (one.rests_s, one.in_flight, one.asked))

    async def ask_one(
        self,
        method: Method[Answer],
        request: Message,
        *,
        timeout_s: float,
        only: Endpoint | None = None,
        passed: frozenset[Endpoint] = frozenset(),
    ) -> tuple[Answer, Endpoint]:
        """Return the answer of one peer, and that peer; raises `Failed`."""
        async with self.borrowed(only=only, passed=passed) as (connection, channel):
            async with self.failures(connection, waits=method.waits):
                body = request.SerializeToString()
                call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                    method.path
                )
                raw = await call(body, timeout=timeout_s)
            connection.worked()
            return method.read(raw), connection.endpoint

    async def ask(
        self,
        method: Method[Answer],
        request: Message,
        *,
        timeout_s: float,
        only: Endpoint | None = None,
        goes_on: Callable[[Failure], bool],
    ) -> tuple[Answer, Endpoint]:
        """Return the answer of the first peer that gives one, and that peer.

        `goes_on` tells for a failure whether the request may be sent to the next peer. Raises
        `Failed` with the answer of the last peer.
        """
        passed: frozenset[Endpoint] = frozenset()
        last: Failed | None = None
        while True:
            try:
                return await self.ask_one(
                    method, request, timeout_s=timeout_s, only=only, passed=passed
                )
            except Failed as failed:
                if failed.endpoint is None:
                    # No other peer can be reached, so the last answer is the reason to report.
                    raise last or failed from failed
                last = failed
                passed |= {failed.endpoint}
                may = goes_on(failed.failure)
                if not may or only is not None or len(passed) == len(self._connections):
                    raise


def note(connection: Connection, failure: Failure, *, waits: bool) -> None:
    """Note the peer's health after a failure: a peer that answers is well, even if it refuses."""
    lost = failure.code is grpc.StatusCode.UNAVAILABLE and not connection.connected
    if lost or (failure.code is grpc.StatusCode.DEADLINE_EXCEEDED and not waits):
        connection.failed()
    else:
        connection.worked()
