"""The parts of a signed proposal that a contract may see.

The header is read when a transaction begins; transient data and the creator's certificate only when
a handler asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from fabric_protos.common import common_pb2
from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2, proposal_pb2
from google.protobuf.message import DecodeError

from chaincode.shim.faults import ProposalUnreadable


class Proposal(NamedTuple):
    """The parts of a signed proposal that a transaction needs."""

    chaincode: str  # name that the submitter called
    timestamp_s: int
    timestamp_nanos: int
    creator: bytes  # serialized identity
    payload: bytes  # with the transient data
    arguments: tuple[bytes, ...]


def read_proposal(message: chaincode_shim_pb2.ChaincodeMessage) -> Proposal:
    """Return the proposal and arguments of a TRANSACTION or INIT message.

    Raises `ProposalUnreadable` when a part is missing, cannot be parsed, or belongs to another
    transaction.
    """
    try:
        given = chaincode_pb2.ChaincodeInput.FromString(message.payload)
        proposal = proposal_pb2.Proposal.FromString(message.proposal.proposal_bytes)
        header = common_pb2.Header.FromString(proposal.header)
        channel = common_pb2.ChannelHeader.FromString(header.channel_header)
        signature = common_pb2.SignatureHeader.FromString(header.signature_header)
        called = proposal_pb2.ChaincodeHeaderExtension.FromString(channel.extension)
    except DecodeError as fault:
        raise ProposalUnreadable("the transaction or its proposal cannot be parsed") from fault
    if not channel.tx_id or channel.tx_id != message.txid:
        raise ProposalUnreadable("the proposal is missing or of another transaction")
    return Proposal(
        called.chaincode_id.name,
        channel.timestamp.seconds,
        channel.timestamp.nanos,
        signature.creator,
        proposal.payload,
        tuple(given.args),
    )


def read_transient(payload: bytes) -> Mapping[str, bytes]:
    """The transient data in a payload, read-only; an unreadable payload is `ProposalUnreadable`."""
    try:
        transient = proposal_pb2.ChaincodeProposalPayload.FromString(payload).TransientMap
    except DecodeError as fault:
        raise ProposalUnreadable("the payload of the proposal cannot be parsed") from fault
    return MappingProxyType(dict(transient))
