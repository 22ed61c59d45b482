"""The calls of one transaction to its peer: one at a time, each answered or failed.

The handler's thread asks and waits; the event loop sends calls, delivers replies and ends
conversations. A peer silently drops a second call of a transaction while one is open, so a
conversation never makes one: after a failure it stays failed, and other threads' calls are refused.

The thread marks itself waiting before it looks for a failure, and the loop notes a failure before
it looks for a waiting thread. So at least one of them sees the other, and no thread waits for ever.
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
ERROR = Kind.ERROR  # looked up here once: the enum finds a name by walking through all


@dataclass(frozen=True)
class Batches:
    """What a peer accepts in one message, as its READY says; 1 if it offers no batches."""

    writes_max: int = 1
    keys_max: int = 1


@dataclass(frozen=True)
class Limits:
    """How long a conversation waits, and how large one message of it may grow."""

    reply_timeout_s: float
    message_bytes_max: int

    @property
    def batch_bytes_max(self) -> int:
        """Rows in one batch: half a message, so that framing never matters."""
        return self.message_bytes_max // 2


class Conversation:
    """The calls of one transaction; the loop creates and ends it, one thread asks."""

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
        """`post` sends bytes from any thread; `count` is told the kind of each call."""
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
        """Why the transaction cannot succeed any more; None while it can."""
        return self._failure

    @property
    def may_ask(self) -> bool:
        """Whether a call could be made now, from this thread."""
        return self._failure is None and not self._asking and self._thread == threading.get_ident()

    def begin(self) -> None:
        """Accept calls from now on, from the current thread only."""
        self._thread = threading.get_ident()

    def end(self) -> None:
        """Accept no more calls."""
        self._thread = 0

    def ask(self, kind: Kind.ValueType, payload: bytes) -> bytes:
        """The payload of the peer's reply to a call.

        `PeerError` when the peer refuses, `ReplyTimeout` when it is silent, `TransactionOver` when
        the transaction has ended or ends meanwhile. After any of them every further call fails.
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
        """`MessageTooLarge` for a message that would end the stream instead of arriving."""
        if len(message) > self.limits.message_bytes_max:
            raise MessageTooLarge(len(message), self.limits.message_bytes_max)

    def deliver(self, message: Message) -> None:
        """A RESPONSE or ERROR of the peer; on the loop."""
        if message.type == ERROR:
            request = Kind.Name(self._kind) if self._waiting else "nothing"
            self.break_off(PeerError(request, message.payload.decode(errors="replace")))
        elif not self._waiting:
            self.break_off(PeerError("nothing", "a reply without a call"))
        else:
            self._reply = message.payload
            self._wake()

    def break_off(self, failure: ShimFault) -> None:
        """End the conversation: an open call fails now, later ones at once; on the loop.

        The first failure stays.
        """
        if self._failure is None:
            self._failure = failure
        if self._waiting:
            self._wake()

    def fail(self, failure: ShimFault) -> None:
        """Note that the transaction cannot succeed; in the thread that asks."""
        if self._failure is None:
            self._failure = failure

    def _wake(self) -> None:
        self._waiting = False
        self._arrived.release()
