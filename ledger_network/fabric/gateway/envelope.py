"""Reads an endorsed transaction: its result, its endorsers, and whether it matches the proposal.

A gateway returns the whole transaction for signing. The client compares it with the proposal before
it signs, because a signature under another transaction would bind the client too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fabric_protos.common import common_pb2
from fabric_protos.msp import identities_pb2
from fabric_protos.peer import (
    chaincode_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from google.protobuf.message import DecodeError

from ledger_network.fabric.gateway.errors import TamperedEndorsement
from ledger_network.fabric.gateway.requests import SignedProposal, Unsigned
from ledger_network.fabric.gateway.signing import Credential


@dataclass(frozen=True, slots=True)
class Endorsed:
    """A transaction that enough organisations endorsed.

    `transaction` is its id, `result` the contract's answer, `endorsers` the MSP ids that signed
    it, `envelope` the transaction (its `signature` is empty until the client has signed),
    `response` the bytes that all endorsers signed: result, event, keys read and written.
    """

    transaction: str
    channel: str
    result: bytes
    endorsers: tuple[str, ...]
    envelope: common_pb2.Envelope = field(repr=False)
    response: bytes = field(repr=False)
    credential: Credential = field(repr=False)

    @property
    def unsigned(self) -> Unsigned:
        """Return what the client must sign, with its digest."""
        return Unsigned(self.envelope.payload, self.credential)

    def signed(self, signature: bytes) -> Endorsed:
        """Return this with a signature that was made elsewhere; raises `BadIdentity`."""
        checked = self.credential.checked(self.envelope.payload, signature)
        self.envelope.signature = checked
        return self

    def self_signed(self) -> Endorsed:
        """Return this signed by the credential's own key; raises `CannotSign`."""
        self.envelope.signature = self.credential.sign(self.envelope.payload)
        return self


def endorsed(proposal: SignedProposal, envelope: common_pb2.Envelope, *, endpoint: str) -> Endorsed:
    """The endorsed form of `proposal` in `envelope`; raises `TamperedEndorsement`."""
    try:
        payload = common_pb2.Payload.FromString(envelope.payload)
        transaction = transaction_pb2.Transaction.FromString(payload.data)
        (action,) = transaction.actions
        acted = transaction_pb2.ChaincodeActionPayload.FromString(action.payload)
        asked = proposal_pb2.ChaincodeProposalPayload.FromString(acted.chaincode_proposal_payload)
        response = acted.action.proposal_response_payload
        result = result_of(response)
        endorsers = endorsers_of(acted.action)
    except (DecodeError, ValueError) as error:
        raise _tampered(proposal, endpoint, f"no transaction: {error}") from error
    header = common_pb2.Header.FromString(proposal.header)
    if payload.header != header or action.header != header.signature_header:
        raise _tampered(proposal, endpoint, "its header is not the proposal's")
    if asked.input != proposal.input and not _same_input(asked.input, proposal.input):
        raise _tampered(proposal, endpoint, "it calls something else than the proposal")
    return Endorsed(
        proposal.transaction,
        proposal.channel,
        result,
        endorsers,
        envelope,
        response,
        proposal.credential,
    )


def result_of(response: bytes) -> bytes:
    """The contract's answer in the bytes that endorsers signed; raises `DecodeError`."""
    return action_of(response).response.payload


def action_of(response: bytes) -> proposal_pb2.ChaincodeAction:
    """Return what the chaincode did, in the bytes that endorsers signed; raises `DecodeError`."""
    outer = proposal_response_pb2.ProposalResponsePayload.FromString(response)
    return proposal_pb2.ChaincodeAction.FromString(outer.extension)


def endorsers_of(action: transaction_pb2.ChaincodeEndorsedAction) -> tuple[str, ...]:
    """Return the MSP ids of the signers; raises `DecodeError`."""
    return tuple(
        identities_pb2.SerializedIdentity.FromString(one.endorser).mspid
        for one in action.endorsements
    )


def _same_input(one: bytes, other: bytes) -> bool:
    """Return whether two encodings mean the same; a peer may order the fields differently."""
    read = chaincode_pb2.ChaincodeInvocationSpec.FromString
    return read(one) == read(other)


def _tampered(proposal: SignedProposal, endpoint: str, why: str) -> TamperedEndorsement:
    return TamperedEndorsement(
        f"{endpoint} gave back another transaction than the one proposed: {why}",
        transaction=proposal.transaction,
        endpoint=endpoint,
    )
