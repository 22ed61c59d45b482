"""The calls of one transaction to its peer, one at a time; each call is answered or fails.

The handler's thread makes a call and waits; the event loop sends calls, delivers replies and ends
conversations. A peer silently drops a second call of a transaction while a call is open, so a
conversation never makes a second call: after a failure the conversation stays failed, and calls
from other threads are refused.

The thread marks itself as waiting before it looks for a failure, and the loop records a failure
before it looks for a waiting thread. So at least one of the two sees the other, and no thread waits
for ever.
Only the loop releases the lock, once per waiting thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from fabric_protos.peer import chaincode_shim_pb2

from chaincode.shim.faults import (
    MessageTooLarge,
    PeerError,
    ReplyTimeout,
    ShimFault,
    TransactionOver,
)

Message = chaincode_shim_pb2.ChaincodeMessage
Kind = chaincode_shim_pb2.ChaincodeMessage.Type
ERROR = Kind.ERROR  # looked up once, because the enum searches through all names each time


@dataclass(frozen=True)
class Batches:
    """The rows that a peer accepts in one message, by its READY; 1 if it offers no batches."""

    writes_max: int = 1
    keys_max: int = 1


@dataclass(frozen=True)
class Limits:
    """How long a conversation waits, and how large one of its messages may be."""

    reply_timeout_s: float
    message_bytes_max: int

    @property
    def batch_bytes_max(self) -> int:
        """The bytes of rows in one batch: half a message, which leaves room for the framing."""
        return self.message_bytes_max // 2


class Conversation:
    """The calls of one transaction, made by one thread; the loop creates and ends the object."""

    __slots__ = (
        "_arrived",
        "_asking",
        "_count",
        "_failure",
        "_kind",
        "_post",
        "_reply",
        "_thread",
        "_waiting",
        "batches",
        "channel",
        "limits",
        "transaction",
    )

    def __init__(
        self,
        channel: str,
        transaction: str,
        post: Callable[[bytes], None],
        *,
        batches: Batches,
        limits: Limits,
        count: Callable[[Kind.ValueType], None],
    ) -> None:
        """Set `post`, which sends bytes from any thread, and `count`, which gets a call's kind."""
        self.channel = channel
        self.transaction = transaction
        self.batches = batches
        self.limits = limits
        self._post = post
        self._count = count
        self._arrived = threading.Lock()
        self._arrived.acquire()
        self._waiting = False
        self._asking = False
        self._reply: bytes = b""
        self._failure: ShimFault | None = None
        self._thread = 0
        self._kind: Kind.ValueType = Kind.UNDEFINED

    @property
    def failure(self) -> ShimFault | None:
        """The reason why the transaction cannot succeed any more; None while it can succeed."""
        return self._failure

    @property
    def may_ask(self) -> bool:
        """Whether this thread may make a call now."""
        return self._failure is None and not self._asking and self._thread == threading.get_ident()

    def begin(self) -> None:
        """Accept calls from now on, but only from the current thread."""
        self._thread = threading.get_ident()

    def end(self) -> None:
        """Accept no more calls."""
        self._thread = 0

    def ask(self, kind: Kind.ValueType, payload: bytes) -> bytes:
        """Make a call and return the payload of the peer's reply.

        Raises `PeerError` when the peer refuses, `ReplyTimeout` when the peer does not reply, and
        `TransactionOver` when the transaction has ended or ends meanwhile. After any of these
        errors every further call fails.
        """
        if self._thread != threading.get_ident():
            if self._thread == 0:
                raise self._failure or TransactionOver("the transaction has ended")
            raise RuntimeError("a transaction takes calls from its handler's own thread only")
        if self._asking:
            raise RuntimeError("a transaction takes one call at a time")
        self._asking = True
        try:
            return self._exchange(kind, payload)
        finally:
            self._asking = False

    def _exchange(self, kind: Kind.ValueType, payload: bytes) -> bytes:
        message = Message(
            type=kind, payload=payload, txid=self.transaction, channel_id=self.channel
        ).SerializeToString()
        self.check_size(message)
        self._kind = kind
        self._waiting = True
        if self._failure is not None:
            raise self._failure
        self._count(kind)
        self._post(message)
        if not self._arrived.acquire(timeout=self.limits.reply_timeout_s):
            name = Kind.Name(kind)
            self._failure = ReplyTimeout(
                f"the peer has not answered {name} within {self.limits.reply_timeout_s:g} s"
            )
        if self._failure is not None:
            raise self._failure
        reply, self._reply = self._reply, b""
        return reply

    def check_size(self, message: bytes) -> None:
        """Raise `MessageTooLarge` for a message so large that sending it would end the stream."""
        if len(message) > self.limits.message_bytes_max:
            raise MessageTooLarge(len(message), self.limits.message_bytes_max)

    def deliver(self, message: Message) -> None:
        """Take a RESPONSE or ERROR of the peer; to be called on the loop."""
        if message.type == ERROR:
            request = Kind.Name(self._kind) if self._waiting else "nothing"
            self.break_off(PeerError(request, message.payload.decode(errors="replace")))
        elif not self._waiting:
            self.break_off(PeerError("nothing", "a reply without a call"))
        else:
            self._reply = message.payload
            self._wake()

    def break_off(self, failure: ShimFault) -> None:
        """End the conversation: the open call and all later calls fail; to be called on the loop.

        If the conversation has failed before, its first failure is kept.
        """
        if self._failure is None:
            self._failure = failure
        if self._waiting:
            self._wake()

    def fail(self, failure: ShimFault) -> None:
        """Record that the transaction cannot succeed; only the thread that asks calls this."""
        if self._failure is None:
            self._failure = failure

    def _wake(self) -> None:
        self._waiting = False
        self._arrived.release()
