"""The content of a block, as MessagePack: its transactions' envelopes and what they changed.

A block holds write sets, so the state can be rebuilt without running the contract. A
transaction that lost to another one is in its block with its outcome and without effects. A block
holds only the SHA-256 of private values. Block 0 names the channel, the contract and all keys.

Outcomes have Fabric's names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from chaincode.context import Effects, Event
from ledger_network.embedded.folder.members import Identity

Outcome = Literal["VALID", "MVCC_READ_CONFLICT", "PHANTOM_READ_CONFLICT", "DUPLICATE_TXID"]

FORMAT = 1
INDEX_BITS = 16
TRANSACTIONS_MAX = 1 << INDEX_BITS  # in a block, so that a version is one integer
NO_EFFECT = msgspec.Raw(b"\xc0")  # MessagePack's nil


def version_at(block: int, index: int) -> int:
    """The version of a value: the place of the transaction that wrote it, as one integer."""
    return block << INDEX_BITS | index


class Genesis(msgspec.Struct, frozen=True, array_like=True):
    """The body of block 0. `layout` is the layout of the contract's rows."""

    format: int
    channel: str
    contract: str
    ledger_key: bytes
    members: list[Identity]
    layout: int = 1


class _Format(msgspec.Struct, frozen=True, array_like=True):
    format: int


class PrivateHash(msgspec.Struct, frozen=True, array_like=True):
    """A private value written at (collection, key) by its SHA-256; None means deleted."""

    collection: str
    key: str
    hash: bytes | None


class WriteSet(msgspec.Struct, frozen=True, array_like=True):
    """The changes of a transaction. None deletes; `purged` holds places (collection, key).

    `events` are names with data as JSON; `result` is the contract's answer as JSON.
    """

    writes: dict[str, bytes | None]
    private: list[PrivateHash]
    purged: list[tuple[str, str]]
    events: list[tuple[str, bytes]]
    result: bytes


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A transaction in a block. `effects` is an encoded `WriteSet`, or nil unless VALID."""

    outcome: Outcome
    envelope: bytes
    signature: bytes
    effects: msgspec.Raw


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """The part of a `WriteSet` that readers of events and receipts need."""

    writes: msgspec.Raw
    private: msgspec.Raw
    purged: msgspec.Raw
    events: list[tuple[str, bytes]]
    result: bytes


_encoder = msgspec.msgpack.Encoder()
_format = msgspec.msgpack.Decoder(_Format)
_genesis = msgspec.msgpack.Decoder(Genesis)
_body = msgspec.msgpack.Decoder(list[Entry])
_write_set = msgspec.msgpack.Decoder(WriteSet)
_answered = msgspec.msgpack.Decoder(Answered)


def encode_genesis(genesis: Genesis) -> bytes:
    """The body of block 0."""
    return _encoder.encode(genesis)


def format_of(body: bytes) -> int:
    """The log's format, which stands first in block 0 in every version."""
    return _format.decode(body).format


def decode_genesis(body: bytes) -> Genesis:
    """Block 0's content; raises `msgspec.DecodeError` for anything else."""
    return _genesis.decode(body)


def encode_body(entries: Sequence[Entry]) -> bytes:
    """The body of a block of transactions."""
    return _encoder.encode(entries)


def decode_body(body: bytes) -> list[Entry]:
    """The transactions of a block, with their write sets still encoded."""
    return _body.decode(body)


def encode_effects(effects: Effects, hashes: Sequence[PrivateHash], result: bytes) -> msgspec.Raw:
    """A transaction's write set; `hashes` stands for the private values."""
    events = [(event.name, bytes(event.data)) for event in effects.events]
    purged = [(place.collection, place.key) for place in effects.purged]
    write_set = WriteSet(effects.writes, list(hashes), purged, events, result)
    return msgspec.Raw(_encoder.encode(write_set))


def write_sets(entries: Sequence[Entry]) -> Iterator[tuple[int, WriteSet]]:
    """Index and write set of each valid transaction, in order."""
    for index, entry in enumerate(entries):
        if entry.outcome == "VALID":
            yield index, _write_set.decode(entry.effects)


def answered(entry: Entry) -> Answered | None:
    """Events and result of a transaction, None unless it is valid."""
    return _answered.decode(entry.effects) if entry.outcome == "VALID" else None


def events_of(found: Answered) -> list[Event]:
    """The events as the port gives them."""
    return [Event(name, msgspec.Raw(data)) for name, data in found.events]
