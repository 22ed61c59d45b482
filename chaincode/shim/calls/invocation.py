"""The argument of a handler: one invocation of the contract, with its reads, writes and event.

The handler calls the methods from its own thread until it returns. Reads see only the committed
state and never the transaction's own writes, because peers simulate transactions in this way. A
contract that needs a value that it has written must remember the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2, proposal_response_pb2
from google.protobuf.message import DecodeError

from chaincode.shim.calls import composite
from chaincode.shim.calls.conversation import Conversation, Kind
from chaincode.shim.calls.creator import Creator, read_creator
from chaincode.shim.calls.private import PrivateCollection
from chaincode.shim.calls.proposal import Proposal, read_transient
from chaincode.shim.calls.queries import (
    Change,
    RowPage,
    StoredRow,
    read_history,
    read_page,
    read_range,
)
from chaincode.shim.calls.reads import read, read_many, read_policy, unreadable
from chaincode.shim.calls.writes import POLICY_METAKEY, Removal, Writes
from identity.keys import SignatureCheck
from identity.verification import Verification


class ChaincodeEvent(NamedTuple):
    """The event that a transaction emits when it commits."""

    name: str
    payload: bytes


class Answer(NamedTuple):
    """The answer of another chaincode."""

    status: int
    message: str
    payload: bytes


class Invocation:
    """One call of the contract by a peer, from its arguments to its writes."""

    def __init__(
        self,
        conversation: Conversation,
        proposal: Proposal,
        verification: Verification,
        *,
        is_init: bool,
    ) -> None:
        self.channel: str = conversation.channel
        self.id: str = conversation.transaction
        self.chaincode: str = proposal.chaincode  # the name that the submitter called; if one
        # chaincode calls another, this is the name of the first chaincode
        self.arguments: Sequence[bytes] = proposal.arguments
        self.timestamp_s: int = proposal.timestamp_s  # as the submitter claims, like its
        self.timestamp_nanos: int = proposal.timestamp_nanos  # nanoseconds
        self.is_init: bool = is_init
        self.writes = Writes()
        self.event: ChaincodeEvent | None = None
        self._conversation = conversation
        self._proposal = proposal
        self._verification = verification

    @cached_property
    def creator(self) -> Creator:
        """The signer of the proposal; raises `ProposalUnreadable` without a certificate in it."""
        return read_creator(self._proposal.creator)

    @cached_property
    def transient(self) -> Mapping[str, bytes]:
        """The transient data that the submitter sent beside the arguments; no block contains it."""
        return read_transient(self._proposal.payload)

    def get(self, key: str) -> bytes | None:
        """The committed value of a key; None if the key has no value.

        Raises `ValueError` for an empty key, and for a key that begins with U+0000 and is not
        composite.
        """
        return read(self._conversation, "", key)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The committed values in the order of `keys`, in as few messages as the peer allows."""
        return read_many(self._conversation, "", keys)

    def put(self, key: str, value: bytes) -> None:
        """Write a value when the handler is done; the last write of a key counts.

        Raises `ValueError` for a key that `get` refuses, and for an empty value, because Fabric
        would delete the row.
        """
        self.writes.put("", key, value)

    def delete(self, key: str) -> None:
        """Delete a row when the handler is done."""
        self.writes.remove("", key, Removal.DELETE)

    def range(self, start: str, end: str) -> Iterator[StoredRow]:
        """Rows with simple keys, start <= key < end, read lazily; an empty bound is open.

        If a row appears in the range before the transaction commits, the transaction is invalid.
        """
        return read_range(self._conversation, "", *composite.simple_range(start, end))

    def page(self, start: str, end: str, *, rows_max: int, bookmark: str = "") -> RowPage:
        """At most `rows_max` rows of a range; `bookmark` is the bookmark of the previous page.

        Pages are for queries: peers refuse the writes of a transaction that has read a page.
        """
        bounds = composite.simple_range(start, end)
        return read_page(self._conversation, *bounds, rows_max=rows_max, bookmark=bookmark)

    @staticmethod
    def composite_key(kind: str, parts: Sequence[str]) -> str:
        """The key of row `parts` of table `kind`; raises `ValueError` for U+0000 or U+10FFFF."""
        return composite.composite_key(kind, parts)

    @staticmethod
    def split_composite_key(key: str) -> tuple[str, tuple[str, ...]]:
        """Return kind and parts of a composite key; raises `ValueError` for any other key."""
        return composite.split_composite_key(key)

    def composite_range(self, kind: str, parts: Sequence[str] = ()) -> Iterator[StoredRow]:
        """Rows whose composite keys begin with `kind` and `parts`, read lazily."""
        return read_range(self._conversation, "", *composite.composite_range(kind, parts))

    def composite_page(
        self, kind: str, parts: Sequence[str] = (), *, rows_max: int, bookmark: str = ""
    ) -> RowPage:
        """One page of `composite_range`, with the same restriction on writes as `page`."""
        bounds = composite.composite_range(kind, parts)
        return read_page(self._conversation, *bounds, rows_max=rows_max, bookmark=bookmark)

    def history(self, key: str) -> Iterator[Change]:
        """The committed writes of a key, latest first, read lazily; a peer may keep no history."""
        composite.check_key(key)
        return read_history(self._conversation, key)

    def private(self, collection: str) -> PrivateCollection:
        """Return a private collection; raises `ValueError` for an empty name."""
        return PrivateCollection(self._conversation, self.writes, collection)

    def endorsement_policy(self, key: str) -> bytes | None:
        """The serialized endorsement policy of the key; None if the key has no policy."""
        return read_policy(self._conversation, "", key, POLICY_METAKEY)

    def set_endorsement_policy(self, key: str, policy: bytes) -> None:
        """Set an endorsement policy of the key when the handler is done; empty removes it."""
        self.writes.set_policy("", key, policy)

    def call(self, chaincode: str, arguments: Sequence[bytes], *, channel: str = "") -> Answer:
        """Call another chaincode on the same peer, on this channel unless another is named.

        The reads and writes of that chaincode join this transaction; on another channel its writes
        are dropped. The answer may be a refusal, so the caller must check its status. Raises
        `PeerError` if the chaincode could not be called.
        """
        name = f"{chaincode}/{channel}" if channel else chaincode
        called = chaincode_pb2.ChaincodeSpec(
            chaincode_id=chaincode_pb2.ChaincodeID(name=name),
            input=chaincode_pb2.ChaincodeInput(args=arguments),
        )
        reply = self._conversation.ask(Kind.INVOKE_CHAINCODE, called.SerializeToString())
        try:
            message = chaincode_shim_pb2.ChaincodeMessage.FromString(reply)
            answer = proposal_response_pb2.Response.FromString(message.payload)
        except DecodeError as fault:
            raise unreadable(self._conversation, Kind.INVOKE_CHAINCODE) from fault
        if message.type != Kind.COMPLETED:
            raise unreadable(self._conversation, Kind.INVOKE_CHAINCODE)
        return Answer(answer.status, answer.message, answer.payload)

    def emit(self, name: str, payload: bytes) -> None:
        """Set the event that the transaction emits; a second event raises `RuntimeError`."""
        if not name:
            raise ValueError("an event has a name of at least one character")
        if self.event is not None:
            raise RuntimeError("a transaction emits one event")
        self.event = ChaincodeEvent(name, payload)

    def verify_many(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        """Whether each signature is valid, in the order given; many are spread over all cores."""
        return self._verification.verify_many(checks)


Handler = Callable[[Invocation], bytes]
