"""Streams events and blocks as they are committed, each once and in order.

A broken stream is reopened at any endpoint, after the last item that was delivered. The peer sends
the events of whole blocks; this module decides which of them come after a checkpoint, because the
peer's own option (`after_transaction_id`) sends nothing if that transaction emitted no event.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import grpc
import grpc.aio
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import events_pb2

from ledger_network.fabric.gateway.answers import Failure
from ledger_network.fabric.gateway.block import Block, FilteredBlock, read_block, read_filtered
from ledger_network.fabric.gateway.checkpoint import BadCheckpoint, Checkpoint
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.errors import Outcome, StreamError
from ledger_network.fabric.gateway.peers import Failed, Message, Peers
from ledger_network.fabric.gateway.queries import Chain
from ledger_network.fabric.gateway.steps import Steps

Item = TypeVar("Item")
Opening = Callable[[Endpoint, int], Message]

_REFUSED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
}
_STOPS = {
    "FORBIDDEN": grpc.StatusCode.PERMISSION_DENIED,
    "BAD_REQUEST": grpc.StatusCode.INVALID_ARGUMENT,
}


@dataclass(frozen=True, slots=True)
class ChaincodeEvent:
    """An event of a valid transaction, and where it stands in the chain."""

    block: int
    transaction: str
    chaincode: str
    name: str
    payload: bytes = field(repr=False)

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint to save once this event is handled."""
        return Checkpoint(self.block, self.transaction)


class Stopped(Exception):
    """The peer ended a stream of blocks by a status of its own."""

    def __init__(self, status: int) -> None:
        found = common_pb2.Status.DESCRIPTOR.values_by_number.get(status)
        hint = ", perhaps for this machine's clock" if status == common_pb2.BAD_REQUEST else ""
        name = found.name if found is not None else str(status)
        super().__init__(f"the peer ended the stream: {name}{hint}")
        self.code = _STOPS.get(name, grpc.StatusCode.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Source(Generic[Item]):
    """A kind of stream: its path, how a message is read, and how its block number is found.

    With `both_ways` the client too sends a stream, of a single message.
    """

    path: str
    read: Callable[[bytes], Item]
    number: Callable[[Item], int]
    both_ways: bool


def _read_block(raw: bytes) -> Block:
    answer = events_pb2.DeliverResponse.FromString(raw)
    if not answer.HasField("block"):
        raise Stopped(answer.status)
    return read_block(answer.block)


def _read_filtered(raw: bytes) -> FilteredBlock:
    answer = events_pb2.DeliverResponse.FromString(raw)
    if not answer.HasField("filtered_block"):
        raise Stopped(answer.status)
    return read_filtered(answer.filtered_block)


BLOCKS = Source("/protos.Deliver/Deliver", _read_block, lambda one: one.number, both_ways=True)
FILTERED = Source(
    "/protos.Deliver/DeliverFiltered", _read_filtered, lambda one: one.number, both_ways=True
)
EVENTS = Source(
    "/gateway.Gateway/ChaincodeEvents",
    gateway_pb2.ChaincodeEventsResponse.FromString,
    lambda one: one.block_number,
    both_ways=False,
)


class Streams:
    """Streams of `peers`; `steps` paces retries, `chain` answers questions about blocks."""

    def __init__(self, peers: Peers, steps: Steps, chain: Chain) -> None:
        self._peers = peers
        self._steps = steps
        self._chain = chain

    async def chaincode_events(
        self, opening: Opening, *, start: int | None, after: Checkpoint | None
    ) -> AsyncGenerator[ChaincodeEvent]:
        """Events after `after`, or from block `start` on, or from the next block."""
        if start is None:
            start = after.block if after is not None else await self._chain.height(None)
        async with aclosing(self.follow(EVENTS, opening, start, None)) as answers:
            async for answer in answers:
                events = [
                    ChaincodeEvent(
                        answer.block_number,
                        one.tx_id,
                        one.chaincode_id,
                        one.event_name,
                        one.payload,
                    )
                    for one in answer.events
                ]
                for event in await self._behind(after, answer.block_number, events):
                    yield event

    async def follow(
        self, source: Source[Item], opening: Opening, start: int | None, endpoint: Endpoint | None
    ) -> AsyncGenerator[Item]:
        """Yield items from block `start` on, without end; `opening` makes the request for a block.

        Items of earlier blocks than the next one are skipped, so that a request which was signed
        for an earlier block may be used again. Raises `StreamError`.
        """
        due = start if start is not None else await self._chain.height(endpoint)
        failures = 0
        passed: frozenset[Endpoint] = frozenset[Endpoint]()
        while True:
            try:
                async with aclosing(self._once(source, opening, due, endpoint, passed)) as items:
                    async for item in items:
                        failures, passed = 0, frozenset[Endpoint]()
                        if source.number(item) >= due:
                            due = source.number(item) + 1
                            yield item
            except Failed as failed:
                if self._peers.closed or failed.failure.code in _REFUSED:
                    raise _stream_error(failed.failure) from failed
                if failed.endpoint is not None:
                    passed |= {failed.endpoint}
                if len(passed) == len(self._peers.endpoints):
                    passed = frozenset()
            await self._steps.pause(failures)
            failures += 1

    async def _once(
        self,
        source: Source[Item],
        opening: Opening,
        due: int,
        endpoint: Endpoint | None,
        passed: frozenset[Endpoint],
    ) -> AsyncGenerator[Item]:
        """The items of one stream until it ends; raises `Failed` when it breaks."""
        async with self._peers.borrowed(only=endpoint, passed=passed) as (connection, channel):
            peer = connection.endpoint
            body = opening(peer, due).SerializeToString()
            async with self._peers.failures(connection, waits=True):
                call = await _opened(channel, source.path, body, both_ways=source.both_ways)
                try:
                    while isinstance(raw := await call.read(), bytes):
                        connection.worked()
                        yield source.read(raw)
                except Stopped as stopped:
                    failure = Failure(stopped.code, str(stopped), (), peer.address)
                    raise Failed(failure, peer) from stopped
                finally:
                    call.cancel()

    async def _behind(
        self, after: Checkpoint | None, number: int, events: Sequence[ChaincodeEvent]
    ) -> Sequence[ChaincodeEvent]:
        """Return those of block `number`'s events that are not handled according to `after`."""
        if (
            after is None
            or number > after.block
            or (number == after.block and not after.transaction)
        ):
            return events
        if number < after.block:
            return ()
        for place, event in enumerate(events):
            if event.transaction == after.transaction:
                return events[place + 1 :]
        # The transaction emitted no event of this chaincode: only the block tells what came before.
        block = await self._chain.block(number, None)
        order = {one.id: place for place, one in enumerate(block.transactions)}
        if after.transaction not in order:
            raise BadCheckpoint(f"block {number} holds no transaction {after.transaction}")
        return [one for one in events if order[one.transaction] > order[after.transaction]]


async def _opened(
    channel: grpc.aio.Channel, path: str, body: bytes, *, both_ways: bool
) -> grpc.aio.UnaryStreamCall[bytes, bytes] | grpc.aio.StreamStreamCall[bytes, bytes]:
    if not both_ways:
        one_way: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path)
        return one_way(body)
    two_way: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(path)
    call = two_way()
    await call.write(body)
    return call


def _stream_error(failure: Failure) -> StreamError:
    forbidden = failure.code is grpc.StatusCode.PERMISSION_DENIED
    return StreamError(
        failure.message,
        code=failure.code,
        details=failure.details,
        endpoint=failure.endpoint,
        outcome=Outcome.FORBIDDEN if forbidden else Outcome.NOTHING,
    )
