"""Requests to sign and send: proposals, transactions, commit status and event requests.

Each request is first unsigned, with the bytes to sign and their digest; a signature turns it into
the message to send. The `Gateway` signs by itself when it holds a key; a server that never holds
its users' keys hands them the digest. A request keeps the credential that it was made for.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.orderer import ab_pb2
from fabric_protos.peer import chaincode_pb2, proposal_pb2

from ledger_network.fabric.gateway.signing import Credential

NONCE_BYTES = 24
NEVER = (1 << 64) - 1  # the highest possible block number, for a stream that does not end

Entropy = Callable[[int], bytes]
Clock = Callable[[], float]


class Unsigned:
    """Bytes that `credential` must sign before they can be sent."""

    __slots__ = ("credential", "message")

    def __init__(self, message: bytes, credential: Credential) -> None:
        self.message = message
        self.credential = credential

    @property
    def digest(self) -> bytes:
        """SHA-256 of the message, for a signer that takes no more than a digest."""
        return hashlib.sha256(self.message).digest()

    def own_signature(self) -> bytes:
        """The signature of the credential's own key; raises `CannotSign` if the key is not here."""
        return self.credential.sign(self.message)


class SignedProposal(NamedTuple):
    """A proposal as a peer accepts it; `seconds` is the time that the proposal claims (Unix)."""

    transaction: str
    channel: str
    chaincode: str
    credential: Credential
    header: bytes
    input: bytes
    seconds: float
    proposed: proposal_pb2.SignedProposal


class Proposal(Unsigned):
    """An invocation of `chaincode` that is not signed yet; `transaction` is its id."""

    __slots__ = ("chaincode", "channel", "header", "input", "seconds", "transaction")

    def __init__(
        self,
        credential: Credential,
        channel: str,
        chaincode: str,
        arguments: Sequence[bytes],
        *,
        transient: Mapping[str, bytes] | None,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        nonce = entropy(NONCE_BYTES)
        creator = credential.creator
        self.transaction = hashlib.sha256(nonce + creator).hexdigest()
        self.channel = channel
        self.chaincode = chaincode
        self.seconds = clock()
        called = chaincode_pb2.ChaincodeID(name=chaincode)
        extension = proposal_pb2.ChaincodeHeaderExtension(chaincode_id=called)
        self.header = _header(
            common_pb2.ENDORSER_TRANSACTION,
            channel,
            creator,
            nonce,
            seconds=self.seconds,
            transaction=self.transaction,
            extension=extension.SerializeToString(),
        )
        self.input = chaincode_pb2.ChaincodeInvocationSpec(
            chaincode_spec=chaincode_pb2.ChaincodeSpec(
                chaincode_id=called, input=chaincode_pb2.ChaincodeInput(args=arguments)
            )
        ).SerializeToString()
        payload = proposal_pb2.ChaincodeProposalPayload(
            input=self.input, TransientMap=transient or {}
        ).SerializeToString()
        message = proposal_pb2.Proposal(header=self.header, payload=payload).SerializeToString()
        super().__init__(message, credential)

    def signed(self, signature: bytes) -> SignedProposal:
        """The proposal to send, with a signature made elsewhere; raises `BadIdentity`."""
        return self._with(self.credential.checked(self.message, signature))

    def self_signed(self) -> SignedProposal:
        """The proposal to send, signed by the credential's own key; raises `CannotSign`."""
        return self._with(self.own_signature())

    def _with(self, signature: bytes) -> SignedProposal:
        return SignedProposal(
            self.transaction,
            self.channel,
            self.chaincode,
            self.credential,
            self.header,
            self.input,
            self.seconds,
            proposal_pb2.SignedProposal(proposal_bytes=self.message, signature=signature),
        )


class SignedStatusRequest(NamedTuple):
    """A request for the outcome of `transaction`, ready to be sent."""

    transaction: str
    request: gateway_pb2.SignedCommitStatusRequest


class StatusRequest(Unsigned):
    """A request for the outcome of `transaction`."""

    __slots__ = ("transaction",)

    def __init__(self, credential: Credential, channel: str, transaction: str) -> None:
        self.transaction = transaction
        message = gateway_pb2.CommitStatusRequest(
            transaction_id=transaction, channel_id=channel, identity=credential.creator
        ).SerializeToString()
        super().__init__(message, credential)

    def signed(self, signature: bytes) -> SignedStatusRequest:
        """The request to send, with a signature made elsewhere; raises `BadIdentity`."""
        return self._with(self.credential.checked(self.message, signature))

    def self_signed(self) -> SignedStatusRequest:
        """The request to send, signed by the credential's own key; raises `CannotSign`."""
        return self._with(self.own_signature())

    def _with(self, signature: bytes) -> SignedStatusRequest:
        request = gateway_pb2.SignedCommitStatusRequest(request=self.message, signature=signature)
        return SignedStatusRequest(self.transaction, request)


class SignedEventsRequest(NamedTuple):
    """A request for chaincode events from block `start` on, ready to be sent."""

    start: int
    request: gateway_pb2.SignedChaincodeEventsRequest


class EventsRequest(Unsigned):
    """A request for the events of `chaincode` from block `start` on."""

    __slots__ = ("start",)

    def __init__(self, credential: Credential, channel: str, chaincode: str, start: int) -> None:
        self.start = start
        message = gateway_pb2.ChaincodeEventsRequest(
            channel_id=channel,
            chaincode_id=chaincode,
            identity=credential.creator,
            start_position=_at(start),
        ).SerializeToString()
        super().__init__(message, credential)

    def signed(self, signature: bytes) -> SignedEventsRequest:
        """The request to send, with a signature made elsewhere; raises `BadIdentity`."""
        return self._with(self.credential.checked(self.message, signature))

    def self_signed(self) -> SignedEventsRequest:
        """The request to send, signed by the credential's own key; raises `CannotSign`."""
        return self._with(self.own_signature())

    def _with(self, signature: bytes) -> SignedEventsRequest:
        request = gateway_pb2.SignedChaincodeEventsRequest(
            request=self.message, signature=signature
        )
        return SignedEventsRequest(self.start, request)


class SignedBlocksRequest(NamedTuple):
    """A request for blocks from `start` on, ready to be sent."""

    start: int
    request: common_pb2.Envelope


class BlocksRequest(Unsigned):
    """A request for blocks from number `start` on, whole or filtered.

    `tls_hash` is the hash of the client's TLS certificate where peers ask for one.
    """

    __slots__ = ("start",)

    def __init__(
        self,
        credential: Credential,
        channel: str,
        start: int,
        *,
        clock: Clock = time.time,
        entropy: Entropy,
        tls_hash: bytes = b"",
    ) -> None:
        self.start = start
        header = _header(
            common_pb2.DELIVER_SEEK_INFO,
            channel,
            credential.creator,
            entropy(NONCE_BYTES),
            seconds=clock(),
            tls_hash=tls_hash,
        )
        seek = ab_pb2.SeekInfo(
            start=_at(start), stop=_at(NEVER), behavior=ab_pb2.SeekInfo.BLOCK_UNTIL_READY
        ).SerializeToString()
        payload = common_pb2.Payload(data=seek)
        payload.header.ParseFromString(header)
        super().__init__(payload.SerializeToString(), credential)

    def signed(self, signature: bytes) -> SignedBlocksRequest:
        """The request to send, with a signature made elsewhere; raises `BadIdentity`."""
        return self._with(self.credential.checked(self.message, signature))

    def self_signed(self) -> SignedBlocksRequest:
        """The request to send, signed by the credential's own key; raises `CannotSign`."""
        return self._with(self.own_signature())

    def _with(self, signature: bytes) -> SignedBlocksRequest:
        envelope = common_pb2.Envelope(payload=self.message, signature=signature)
        return SignedBlocksRequest(self.start, envelope)


def _at(block: int) -> ab_pb2.SeekPosition:
    return ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=block))


def _header(
    kind: common_pb2.HeaderType.ValueType,
    channel: str,
    creator: bytes,
    nonce: bytes,
    *,
    seconds: float,
    transaction: str = "",
    extension: bytes = b"",
    tls_hash: bytes = b"",
) -> bytes:
    header = common_pb2.ChannelHeader(
        type=kind,
        channel_id=channel,
        tx_id=transaction,
        extension=extension,
        tls_cert_hash=tls_hash,
    )
    whole = int(seconds // 1)
    header.timestamp.seconds = whole
    header.timestamp.nanos = min(int((seconds - whole) * 1e9), 999_999_999)
    signed_by = common_pb2.SignatureHeader(creator=creator, nonce=nonce)
    return common_pb2.Header(
        channel_header=header.SerializeToString(),
        signature_header=signed_by.SerializeToString(),
    ).SerializeToString()
