"""One peer's stream: registration, then transactions and the replies to their calls.

The peer connects and the server registers. The peer answers REGISTERED and READY, and from then on
sends TRANSACTION, INIT, RESPONSE, ERROR and KEEPALIVE. A client that sends anything else is not a
peer: the server logs this and ends the client's stream, and other streams continue.
"""

from __future__ import annotations

import asyncio
import logging

import grpc
from fabric_protos.peer import chaincode_pb2
from google.protobuf.message import DecodeError

from chaincode.shim.calls.conversation import Batches, Conversation, Kind, Limits, Message
from chaincode.shim.faults import BUSY, TransactionOver
from chaincode.shim.serving.metrics import InvocationOutcome, Metrics
from chaincode.shim.serving.outbox import Outbox
from chaincode.shim.serving.settings import ServerSettings
from chaincode.shim.serving.simulation import completed
from chaincode.shim.serving.workers import Job, Workers

logger = logging.getLogger("chaincode.shim")

KEEPALIVE = Kind.KEEPALIVE  # kinds are looked up once, because names of an enum are slow to find
REPLIES = frozenset({Kind.RESPONSE, Kind.ERROR})
BEGINNINGS = frozenset({Kind.TRANSACTION, Kind.INIT})

Context = grpc.aio.ServicerContext[bytes, bytes]


class NotAPeer(Exception):
    """The client breaks the protocol; the message says how and quotes no data of the client."""


class PeerStream:
    """A stream from its opening to its end; it is used only on the event loop."""

    def __init__(
        self, context: Context, settings: ServerSettings, workers: Workers, metrics: Metrics
    ) -> None:
        self._context = context
        self._peer = context.peer()
        self._settings = settings
        self._workers = workers
        self._metrics = metrics
        self._limits = Limits(settings.reply_timeout_s, settings.message_bytes_max)
        self._outbox = Outbox(asyncio.get_running_loop())
        self._batches = Batches()
        self._jobs: dict[tuple[str, str], Job] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False
        self.ended = asyncio.Event()  # set by the server when it no longer uses the stream

    async def serve(self) -> None:
        """Serve the peer until one side ends the stream."""
        writing, reading = asyncio.create_task(self._write()), asyncio.create_task(self._read())
        tasks = (writing, reading)
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._cut()
            logger.info("stream of %s has ended", self._peer)
            reading.cancel()
            # The writer ends by itself, because gRPC takes no status while a message is being sent.
            await asyncio.wait(tasks)
            if not writing.cancelled():
                writing.exception()  # retrieved so that asyncio does not report it
        for task in ended:
            fault = None if task.cancelled() else task.exception()
            if isinstance(fault, NotAPeer):
                logger.warning("stream of %s is ended: %s", self._peer, fault)
                await self._context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(fault))
            if fault is not None and not isinstance(fault, grpc.aio.BaseError):
                raise fault

    async def idle(self) -> None:
        """Wait until no transaction of this stream is open."""
        await self._idle.wait()

    def close(self) -> None:
        """End the stream once all posted messages are written."""
        self._outbox.close()

    def abandon(self, failure: TransactionOver) -> None:
        """Answer all open transactions with 503; the server does not wait for them any longer."""
        for job in list(self._jobs.values()):
            if self._workers.give_up(job, InvocationOutcome.CANCELLED, failure):
                job.post(completed(job.conversation, BUSY, str(failure)))

    def _cut(self) -> None:
        for job in list(self._jobs.values()):
            failure = TransactionOver("The stream of the peer has ended.")
            self._workers.give_up(job, InvocationOutcome.CANCELLED, failure)
        self._outbox.drop()

    async def _write(self) -> None:
        register = chaincode_pb2.ChaincodeID(name=self._settings.package_id).SerializeToString()
        self._outbox.post(Message(type=Kind.REGISTER, payload=register).SerializeToString())
        while (message := await self._outbox.take()) is not None:
            self._metrics.sent_bytes.inc(len(message))
            await self._context.write(message)

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(self._settings.register_timeout_s):
                registered = await self._registered()
        except TimeoutError as fault:
            raise NotAPeer("it did not register us in time") from fault
        if not registered:
            return
        logger.info("peer %s is ready: %s", self._peer, self._batches)
        while (message := await self._next()) is not None:
            self._take(message)

    async def _registered(self) -> bool:
        """Whether the peer has registered the server; False if the peer has left."""
        for expected in (Kind.REGISTERED, Kind.READY):
            message = await self._next()
            if message is None:
                return False
            if message.type != expected:
                raise NotAPeer(f"{_name(message)} where {Kind.Name(expected)} was due")
            if expected == Kind.READY and message.payload:
                self._batches = _batches(message.payload)
        return True

    async def _next(self) -> Message | None:
        """The next message; None at the end. Keep-alives are answered here and not returned."""
        while True:
            await self._outbox.room()
            received = await self._context.read()
            if received is grpc.aio.EOF:
                return None
            content = received
            self._metrics.received_bytes.inc(len(content))
            try:
                message = Message.FromString(content)
            except DecodeError as fault:
                raise NotAPeer("a message that cannot be parsed") from fault
            if message.type != KEEPALIVE:
                return message
            self._outbox.post(content)

    def _take(self, message: Message) -> None:
        kind = message.type
        if kind in REPLIES:
            job = self._jobs.get((message.channel_id, message.txid))
            if job is not None:  # otherwise the reply came too late
                job.conversation.deliver(message)
        elif kind in BEGINNINGS:
            self._begin(message)
        else:
            raise NotAPeer(f"{_name(message)} is a message that peers never send")

    def _begin(self, message: Message) -> None:
        name = (message.channel_id, message.txid)
        if name in self._jobs:
            raise NotAPeer("a transaction that is already running")
        conversation = Conversation(
            *name,
            self._outbox.post,
            batches=self._batches,
            limits=self._limits,
            count=self._metrics.count_call,
        )
        if self.draining or self._workers.full:
            sentence = (
                "The chaincode is stopping; repeat the transaction."
                if self.draining
                else "The chaincode is busy: too many transactions wait; repeat it later."
            )
            self._metrics.outcomes[InvocationOutcome.BUSY].inc()
            self._outbox.post(completed(conversation, BUSY, sentence))
            return
        job = Job(conversation, self._outbox.post, self._done)
        self._jobs[name] = job
        self._idle.clear()
        self._workers.run(job, message)

    def _done(self, job: Job) -> None:
        del self._jobs[job.conversation.channel, job.conversation.transaction]
        if not self._jobs:
            self._idle.set()


def _batches(payload: bytes) -> Batches:
    try:
        offered = chaincode_pb2.ChaincodeAdditionalParams.FromString(payload)
    except DecodeError as fault:
        raise NotAPeer("READY with parameters that cannot be parsed") from fault
    return Batches(
        writes_max=max(1, offered.max_size_write_batch) if offered.use_write_batch else 1,
        keys_max=max(1, offered.max_size_get_multiple_keys) if offered.use_get_multiple_keys else 1,
    )


def _name(message: Message) -> str:
    known = Kind.values()
    return Kind.Name(message.type) if message.type in known else f"the kind {message.type}"
