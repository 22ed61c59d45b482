"""Signed proposals as a peer hands them on; the shim checks no signature, so there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fabric_protos.common import common_pb2
from fabric_protos.msp import identities_pb2
from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2, proposal_pb2

Message = chaincode_shim_pb2.ChaincodeMessage
Kind = chaincode_shim_pb2.ChaincodeMessage.Type

CHANNEL = "channel"
CHAINCODE = "ledgerbook"
TIMESTAMP_S = 1_750_000_000
TIMESTAMP_NANOS = 123_456_789


def serialized_identity(msp_id: str, certificate: bytes) -> bytes:
    return identities_pb2.SerializedIdentity(mspid=msp_id, id_bytes=certificate).SerializeToString()


def transaction_message(
    transaction: str,
    arguments: Sequence[bytes],
    *,
    creator: bytes = b"",
    transient: Mapping[str, bytes] | None = None,
    channel: str = CHANNEL,
    kind: Kind.ValueType = Kind.TRANSACTION,
) -> Message:
    """A TRANSACTION or INIT with its proposal."""
    called = chaincode_pb2.ChaincodeID(name=CHAINCODE)
    given = chaincode_pb2.ChaincodeInput(args=arguments, is_init=kind == Kind.INIT)
    extension = proposal_pb2.ChaincodeHeaderExtension(chaincode_id=called)
    header = common_pb2.ChannelHeader(
        type=common_pb2.ENDORSER_TRANSACTION,
        channel_id=channel,
        tx_id=transaction,
        extension=extension.SerializeToString(),
    )
    header.timestamp.seconds = TIMESTAMP_S
    header.timestamp.nanos = TIMESTAMP_NANOS
    signature = common_pb2.SignatureHeader(creator=creator, nonce=b"n" * 24)
    specification = chaincode_pb2.ChaincodeInvocationSpec(
        chaincode_spec=chaincode_pb2.ChaincodeSpec(chaincode_id=called, input=given)
    )
    proposal = proposal_pb2.Proposal(
        header=common_pb2.Header(
            channel_header=header.SerializeToString(),
            signature_header=signature.SerializeToString(),
        ).SerializeToString(),
        payload=proposal_pb2.ChaincodeProposalPayload(
            input=specification.SerializeToString(), TransientMap=transient or {}
        ).SerializeToString(),
    )
    return Message(
        type=kind,
        payload=given.SerializeToString(),
        txid=transaction,
        channel_id=channel,
        proposal=proposal_pb2.SignedProposal(proposal_bytes=proposal.SerializeToString()),
    )
