"""A scripted peer: a real gRPC client over real TLS that plays the peer's side of the protocol.

It holds a dict as state and answers as peers of Fabric 3.1 do, with and without batches. It exists
because only it can misbehave on demand: `scripts` replaces its answer to a kind of call.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, cast

import grpc
from fabric_protos.ledger.queryresult import kv_query_result_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    chaincode_shim_pb2,
    proposal_response_pb2,
)

from tests.chaincode.shim.authority import Pair
from tests.chaincode.shim.proposals import CHANNEL, Kind, Message, transaction_message

DEADLINE_S = 20.0  # no test waits longer for anything
ROWS_A_REPLY = 100  # a peer's own batches of a range
MESSAGE_BYTES_MAX = 100 * 2**20

Script = Callable[[Message], Sequence[Message]]
State = dict[str, bytes]


class Refusal(Exception):
    """What the peer answers with ERROR."""


class Answered(NamedTuple):
    """A COMPLETED message, taken apart."""

    status: int
    message: str
    payload: bytes
    event: chaincode_event_pb2.ChaincodeEvent | None


def connect(channel: grpc.aio.Channel) -> grpc.aio.StreamStreamCall[bytes, bytes]:
    """A stream of serialized messages to the chaincode."""
    call = cast("object", channel.stream_stream("/protos.Chaincode/Connect")())
    return cast("grpc.aio.StreamStreamCall[bytes, bytes]", call)


@dataclass
class Simulation:
    """One transaction at the peer: its writes until it is answered, its open ranges."""

    answer: asyncio.Future[Message]
    writes: list[tuple[str, str, bytes | None]] = field(
        default_factory=list[tuple[str, str, bytes | None]]
    )
    open_ranges: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])


class ScriptedPeer:
    """One stream of one peer; `async with` registers and ends it."""

    def __init__(
        self,
        address: str,
        roots: bytes | None,
        own: Pair | None,
        *,
        writes_max: int = 1000,
        keys_max: int = 1000,
        registers: bool = True,
    ) -> None:
        """No `roots`: plaintext. `writes_max`, `keys_max` 0: offers no batches."""
        options = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_retries", 0),
        ]
        self._channel = (
            grpc.aio.insecure_channel(address, options=options)
            if roots is None
            else grpc.aio.secure_channel(
                address,
                grpc.ssl_channel_credentials(
                    roots, own.key if own else None, own.certificate if own else None
                ),
                options=options,
            )
        )
        self._parameters = chaincode_pb2.ChaincodeAdditionalParams(
            use_write_batch=writes_max > 0,
            max_size_write_batch=writes_max,
            use_get_multiple_keys=keys_max > 0,
            max_size_get_multiple_keys=keys_max,
        )
        self._registers = registers
        self._numbers = itertools.count()
        self._sending = asyncio.Lock()
        self._simulations: dict[tuple[str, str], Simulation] = {}
        self.state: State = {}
        self.private: dict[str, State] = {}
        self.metadata: dict[tuple[str, str], bytes] = {}
        self.history: dict[str, list[tuple[str, bytes | None]]] = {}
        self.scripts: dict[int, Script] = {}
        self.received: list[Message] = []
        self.package_id = ""
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.status: tuple[grpc.StatusCode, str] | None = None
        self._arrivals = asyncio.Condition()

    async def __aenter__(self) -> ScriptedPeer:
        self._stream = connect(self._channel)
        self._reader = asyncio.create_task(self._read())
        if self._registers:
            async with asyncio.timeout(DEADLINE_S):
                await self.ready.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.cancel()
        await self._reader
        await self._channel.close()

    async def send(self, *messages: Message) -> None:
        """Write messages as they are."""
        async with self._sending:
            for message in messages:
                await self._stream.write(message.SerializeToString())

    async def send_bytes(self, content: bytes) -> None:
        """Write what may be no message."""
        async with self._sending:
            await self._stream.write(content)

    async def hang_up(self) -> None:
        """End the stream from the peer's side."""
        self._stream.cancel()
        await self.end()

    async def close_channel(self) -> None:
        """Drop the connection."""
        await self._channel.close()
        await self.end()

    async def end(self) -> None:
        """Wait until the stream has ended."""
        async with asyncio.timeout(DEADLINE_S):
            await self.ended.wait()

    async def arrival(self, kind: Kind.ValueType, count: int = 1) -> Message:
        """Wait for the message number `count` of a kind."""
        async with asyncio.timeout(DEADLINE_S), self._arrivals:
            await self._arrivals.wait_for(lambda: len(self.of_kind(kind)) >= count)
        return self.of_kind(kind)[count - 1]

    async def first(self) -> None:
        """Wait until something was received or the stream has ended."""
        tasks = [asyncio.create_task(self.message(1)), asyncio.create_task(self.end())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def message(self, count: int) -> Message:
        """Wait for the message number `count`, of whatever kind."""
        async with asyncio.timeout(DEADLINE_S), self._arrivals:
            await self._arrivals.wait_for(lambda: len(self.received) >= count)
        return self.received[count - 1]

    def of_kind(self, kind: Kind.ValueType) -> list[Message]:
        """What was received of a kind, in order."""
        return [message for message in self.received if message.type == kind]

    async def invoke(
        self,
        *arguments: bytes,
        creator: bytes = b"",
        transient: Mapping[str, bytes] | None = None,
        channel: str = CHANNEL,
        kind: Kind.ValueType = Kind.TRANSACTION,
        transaction: str = "",
    ) -> Answered:
        """One transaction; its writes are committed when it is answered with less than 400."""
        name = transaction or f"tx{next(self._numbers):06d}"
        message = transaction_message(
            name, arguments, creator=creator, transient=transient, channel=channel, kind=kind
        )
        return await self.run(message)

    async def run(self, message: Message) -> Answered:
        """A transaction from its message to its answer."""
        name = (message.channel_id, message.txid)
        simulation = Simulation(asyncio.get_running_loop().create_future())
        self._simulations[name] = simulation
        # Where sending fails already, nobody will ask how the transaction ended.
        simulation.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
        await self.send(message)
        async with asyncio.timeout(DEADLINE_S):
            completed = await simulation.answer
        del self._simulations[name]
        response = proposal_response_pb2.Response.FromString(completed.payload)
        if response.status < 400:
            for collection, key, value in simulation.writes:
                self._commit(message.txid, collection, key, value)
        event = completed.chaincode_event if completed.HasField("chaincode_event") else None
        return Answered(response.status, response.message, response.payload, event)

    def reply(
        self, call: Message, payload: bytes = b"", kind: Kind.ValueType = Kind.RESPONSE
    ) -> Message:
        """A reply to a call."""
        return Message(type=kind, payload=payload, txid=call.txid, channel_id=call.channel_id)

    async def _read(self) -> None:
        try:
            async for content in self._stream:
                await self._take(Message.FromString(content))
        except (grpc.aio.AioRpcError, asyncio.CancelledError, asyncio.InvalidStateError):
            pass  # the stream has ended, from either side, while it was read or answered
        code = await self._stream.code()
        self.status = (code, await self._stream.details() or "")
        self.ended.set()
        for simulation in self._simulations.values():
            if not simulation.answer.done():
                simulation.answer.set_exception(Refusal(f"the stream has ended: {self.status}"))

    async def _take(self, message: Message) -> None:
        async with self._arrivals:
            self.received.append(message)
            self._arrivals.notify_all()
        if message.type in self.scripts:
            await self.send(*self.scripts[message.type](message))
        elif message.type == Kind.REGISTER:
            self.package_id = chaincode_pb2.ChaincodeID.FromString(message.payload).name
            if self._registers:
                ready = Message(type=Kind.READY, payload=self._parameters.SerializeToString())
                await self.send(Message(type=Kind.REGISTERED), ready)
                self.ready.set()
        elif message.type == Kind.COMPLETED:
            simulation = self._simulations.get((message.channel_id, message.txid))
            if simulation is not None and not simulation.answer.done():
                simulation.answer.set_result(message)
        elif message.type != Kind.KEEPALIVE:
            await self.send(self._answer(message))

    def _answer(self, call: Message) -> Message:
        simulation = self._simulations[call.channel_id, call.txid]
        try:
            return self.reply(call, self._payload(call, simulation))
        except Refusal as refusal:
            sentence = f"{Kind.Name(call.type)} failed: transaction ID: {call.txid}: {refusal}"
            return self.reply(call, sentence.encode(), Kind.ERROR)

    def _payload(self, call: Message, simulation: Simulation) -> bytes:
        shim, kind, content = chaincode_shim_pb2, call.type, call.payload
        if kind == Kind.GET_STATE:
            get = shim.GetState.FromString(content)
            return self._rows(get.collection).get(get.key, b"")
        if kind == Kind.GET_STATE_MULTIPLE:
            many = shim.GetStateMultiple.FromString(content)
            rows = self._rows(many.collection)
            values = [rows.get(key, b"") for key in many.keys]
            return shim.GetStateMultipleResult(values=values).SerializeToString()
        if kind == Kind.GET_PRIVATE_DATA_HASH:
            get = shim.GetState.FromString(content)
            value = self._rows(get.collection).get(get.key)
            return hashlib.sha256(value).digest() if value else b""
        if kind == Kind.GET_STATE_METADATA:
            asked = shim.GetStateMetadata.FromString(content)
            policy = self.metadata.get((asked.collection, asked.key))
            entry = shim.StateMetadata(metakey="VALIDATION_PARAMETER", value=policy or b"")
            return shim.StateMetadataResult(entries=[entry] if policy else []).SerializeToString()
        if kind == Kind.INVOKE_CHAINCODE:
            spec = chaincode_pb2.ChaincodeSpec.FromString(content)
            said = spec.chaincode_id.name.encode() + b":" + b",".join(spec.input.args)
            response = proposal_response_pb2.Response(status=200, payload=said)
            inner = Message(type=Kind.COMPLETED, payload=response.SerializeToString())
            return inner.SerializeToString()
        if kind in {
            Kind.GET_STATE_BY_RANGE,
            Kind.GET_HISTORY_FOR_KEY,
            Kind.QUERY_STATE_NEXT,
            Kind.QUERY_STATE_CLOSE,
        }:
            return self._query(call, simulation)
        return self._write(call, simulation)

    def _write(self, call: Message, simulation: Simulation) -> bytes:
        shim = chaincode_shim_pb2
        if call.type == Kind.PUT_STATE:
            put = shim.PutState.FromString(call.payload)
            simulation.writes.append((put.collection, put.key, put.value))
        elif call.type in {Kind.DEL_STATE, Kind.PURGE_PRIVATE_DATA}:
            delete = shim.DelState.FromString(call.payload)
            simulation.writes.append((delete.collection, delete.key, None))
        elif call.type == Kind.PUT_STATE_METADATA:
            policy = shim.PutStateMetadata.FromString(call.payload)
            self.metadata[policy.collection, policy.key] = policy.metadata.value
        elif call.type == Kind.WRITE_BATCH_STATE:
            batch = shim.WriteBatchState.FromString(call.payload)
            if len(batch.rec) > self._parameters.max_size_write_batch:
                raise Refusal("too many rows in a batch")
            for record in batch.rec:
                if record.type == shim.WriteRecord.PUT_STATE_METADATA:
                    self.metadata[record.collection, record.key] = record.metadata.value
                    continue
                put = record.type == shim.WriteRecord.PUT_STATE
                value = record.value if put else None
                simulation.writes.append((record.collection, record.key, value))
        else:
            raise Refusal("unknown call")
        return b""

    def _query(self, call: Message, simulation: Simulation) -> bytes:
        shim = chaincode_shim_pb2
        if call.type == Kind.QUERY_STATE_CLOSE:
            close = shim.QueryStateClose.FromString(call.payload)
            simulation.open_ranges.pop(close.id, None)
            return shim.QueryResponse(id=close.id).SerializeToString()
        if call.type == Kind.QUERY_STATE_NEXT:
            query = shim.QueryStateNext.FromString(call.payload).id
            if query not in simulation.open_ranges:
                raise Refusal("query iterator not found")
        else:
            query = f"query{next(self._numbers)}"
            if call.type == Kind.GET_HISTORY_FOR_KEY:
                key = shim.GetHistoryForKey.FromString(call.payload).key
                simulation.open_ranges[query] = self._changes(key)
            else:
                asked = shim.GetStateByRange.FromString(call.payload)
                if asked.metadata:
                    return self._page(asked, query)
                simulation.open_ranges[query] = [
                    row for _, row in self._between(asked.collection, asked.startKey, asked.endKey)
                ]
        rows = simulation.open_ranges[query]
        now, rest = rows[:ROWS_A_REPLY], rows[ROWS_A_REPLY:]
        simulation.open_ranges[query] = rest
        if not rest:
            del simulation.open_ranges[query]
        results = [shim.QueryResultBytes(resultBytes=row) for row in now]
        response = shim.QueryResponse(results=results, has_more=bool(rest), id=query)
        return response.SerializeToString()

    def _page(self, asked: chaincode_shim_pb2.GetStateByRange, query: str) -> bytes:
        shim = chaincode_shim_pb2
        metadata = shim.QueryMetadata.FromString(asked.metadata)
        rows = self._between("", metadata.bookmark or asked.startKey, asked.endKey)
        page, rest = rows[: metadata.pageSize], rows[metadata.pageSize :]
        found = shim.QueryResponseMetadata(
            fetched_records_count=len(page), bookmark=rest[0][0] if rest else ""
        )
        return shim.QueryResponse(
            results=[shim.QueryResultBytes(resultBytes=row) for _, row in page],
            id=query,
            metadata=found.SerializeToString(),
        ).SerializeToString()

    def _between(self, collection: str, start: str, end: str) -> list[tuple[str, bytes]]:
        rows = self._rows(collection)
        return [
            (key, kv_query_result_pb2.KV(key=key, value=rows[key]).SerializeToString())
            for key in sorted(rows, key=str.encode)
            if start.encode() <= key.encode() and (not end or key.encode() < end.encode())
        ]

    def _changes(self, key: str) -> list[bytes]:
        return [
            kv_query_result_pb2.KeyModification(
                tx_id=name, value=value or b"", is_delete=value is None
            ).SerializeToString()
            for name, value in reversed(self.history.get(key, []))
        ]

    def _rows(self, collection: str) -> State:
        if not collection:
            return self.state
        if collection not in self.private:
            raise Refusal(f"collection {collection} could not be found")
        return self.private[collection]

    def _commit(self, transaction: str, collection: str, key: str, value: bytes | None) -> None:
        rows = self._rows(collection)
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
        if not collection:
            self.history.setdefault(key, []).append((transaction, value))
