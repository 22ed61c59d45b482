"""Reads blocks: their place in the chain, and the content and effect of each transaction.

A block's hash is that of its header in ASN.1: number, hash of the header before, hash of the
transactions. A reader that follows a chain compares `previous_hash` with the `hash` before it;
`intact` says whether the transactions match the header.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from fabric_protos.common import common_pb2
from fabric_protos.msp import identities_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    events_pb2,
    proposal_pb2,
    transaction_pb2,
)

from ledger_network.fabric.gateway.envelope import action_of, endorsers_of


@dataclass(frozen=True, slots=True)
class BlockTransaction:
    """A transaction in a block.

    `id` is "" for a change of configuration without an id. `kind` is Fabric's name of the type of
    transaction, `code` Fabric's name of the validation code ("VALID", ...), `seconds` the time that
    the sender claimed (Unix), `creator` the sender's MSP id, `certificate` the sender's certificate
    (PEM). The other fields are empty unless a chaincode was called: the `chaincode`, its
    `arguments`, `status` and `result` of its answer, and its event, which took effect only if the
    transaction is valid.
    """

    id: str
    kind: str
    code: str
    seconds: float
    creator: str
    certificate: bytes = field(repr=False, default=b"")
    chaincode: str = ""
    arguments: tuple[bytes, ...] = field(repr=False, default=())
    status: int = 0
    result: bytes = field(repr=False, default=b"")
    endorsers: tuple[str, ...] = ()
    event_name: str = ""
    event_payload: bytes = field(repr=False, default=b"")

    @property
    def valid(self) -> bool:
        """Return whether the transaction took effect."""
        return self.code == "VALID"

    @property
    def time(self) -> datetime:
        """The time that the sender claimed."""
        return datetime.fromtimestamp(self.seconds, UTC)


@dataclass(frozen=True, slots=True)
class Block:
    """A block: `hash` of its header, `previous_hash` of the header before, its transactions.

    `intact` says whether the transactions are those of the header's `data_hash`.
    """

    number: int
    hash: bytes
    previous_hash: bytes
    data_hash: bytes
    intact: bool
    transactions: tuple[BlockTransaction, ...]


@dataclass(frozen=True, slots=True)
class FilteredTransaction:
    """Id, validation code and type of a transaction."""

    id: str
    code: str
    kind: str


@dataclass(frozen=True, slots=True)
class FilteredBlock:
    """A block without what its transactions hold."""

    number: int
    transactions: tuple[FilteredTransaction, ...]


def read_block(block: common_pb2.Block) -> Block:
    """`block` as a peer sends it; raises `DecodeError` if it cannot be read."""
    header = block.header
    entries = block.data.data
    judged = b""
    if len(block.metadata.metadata) > common_pb2.TRANSACTIONS_FILTER:
        judged = block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER]
    sum_ = hashlib.sha256()
    for entry in entries:
        sum_.update(entry)
    return Block(
        header.number,
        header_hash(header.number, header.previous_hash, header.data_hash),
        header.previous_hash,
        header.data_hash,
        sum_.digest() == header.data_hash,
        tuple(
            read_transaction(entry, judged[place] if place < len(judged) else _NOT_VALIDATED)
            for place, entry in enumerate(entries)
        ),
    )


def read_filtered(block: events_pb2.FilteredBlock) -> FilteredBlock:
    """`block` as a peer sends it."""
    return FilteredBlock(
        block.number,
        tuple(
            FilteredTransaction(one.txid, validation_name(one.tx_validation_code), _kind(one.type))
            for one in block.filtered_transactions
        ),
    )


def read_transaction(envelope: bytes, code: int) -> BlockTransaction:
    """The transaction in `envelope`, judged by `code`; raises `DecodeError` if it cannot be read."""
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
    header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    signed_by = common_pb2.SignatureHeader.FromString(payload.header.signature_header)
    creator = identities_pb2.SerializedIdentity.FromString(signed_by.creator)
    found = BlockTransaction(
        header.tx_id,
        _kind(header.type),
        validation_name(code),
        header.timestamp.seconds + header.timestamp.nanos / 1e9,
        creator.mspid,
        creator.id_bytes,
    )
    if header.type != common_pb2.ENDORSER_TRANSACTION:
        return found
    transaction = transaction_pb2.Transaction.FromString(payload.data)
    if not transaction.actions:
        return found
    acted = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
    asked = proposal_pb2.ChaincodeProposalPayload.FromString(acted.chaincode_proposal_payload)
    spec = chaincode_pb2.ChaincodeInvocationSpec.FromString(asked.input).chaincode_spec
    action = action_of(acted.action.proposal_response_payload)
    event = chaincode_event_pb2.ChaincodeEvent.FromString(action.events)
    return replace(
        found,
        chaincode=spec.chaincode_id.name,
        arguments=tuple(spec.input.args),
        status=action.response.status,
        result=action.response.payload,
        endorsers=endorsers_of(acted.action),
        event_name=event.event_name,
        event_payload=event.payload,
    )


def header_hash(number: int, previous_hash: bytes, data_hash: bytes) -> bytes:
    """SHA-256 of a block header in ASN.1 (DER): an integer and two octet strings."""
    digits = number.to_bytes(number.bit_length() // 8 + 1, "big")
    body = _der(0x02, digits) + _der(0x04, previous_hash) + _der(0x04, data_hash)
    return hashlib.sha256(_der(0x30, body)).digest()


def validation_name(code: int) -> str:
    """Return Fabric's name of a validation code, or its number if a newer Fabric added the code."""
    found = transaction_pb2.TxValidationCode.DESCRIPTOR.values_by_number.get(code)
    return found.name if found is not None else str(code)


_NOT_VALIDATED = transaction_pb2.NOT_VALIDATED


def _kind(number: int) -> str:
    found = common_pb2.HeaderType.DESCRIPTOR.values_by_number.get(number)
    return found.name if found is not None else str(number)


def _der(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + body
