"""The log of private values, which are kept outside the blocks.

Each block that writes private values has one record, synced before the block, so a block never
names a value that is missing here. A purge rewrites the log without the purged values; the records
stay, and so do the hashes in the blocks. A record is

    magic 4 | length of body 4 | block 8 | SHA-256 of the 16 bytes before and the body 32 | body

with the body as MessagePack: a list of (index of the transaction, collection, key, value).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.log.block import version_at
from ledger_network.embedded.log.block_log import BODY_BYTES_MAX, Unverifiable

_HEAD = struct.Struct(">4sIQ")
_MAGIC = b"CWP1"
_DIGEST_BYTES = 32
_RECORD_BYTES = _HEAD.size + _DIGEST_BYTES

Spot = tuple[str, str]  # collection and key


class PrivateValue(msgspec.Struct, frozen=True, array_like=True):
    """A private value and the transaction of the record's block that wrote it."""

    index: int
    collection: str
    key: str
    value: bytes


class PrivateRecord(NamedTuple):
    """The private values of one block, and where the record begins and ends."""

    block: int
    values: list[PrivateValue]
    offset: int
    end: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[PrivateValue])


def encode_record(block: int, values: Sequence[PrivateValue]) -> bytes:
    """A record as it is stored."""
    body = _encoder.encode(values)
    head = _HEAD.pack(_MAGIC, len(body), block)
    return head + sha256(head + body).digest() + body


def read_records(path: Path) -> Iterator[PrivateRecord]:
    """The records in order; raises `Unverifiable` at the first that fails a check."""
    if not path.exists():
        return
    last = 0
    with path.open("rb") as file:
        while (record := _read_record(file)) is not None:
            if record.block <= last:
                raise Unverifiable(record.offset, f"a record of block {record.block} after {last}")
            last = record.block
            yield record


def _read_record(file: BinaryIO) -> PrivateRecord | None:
    offset = file.tell()
    head = file.read(_RECORD_BYTES)
    if not head:
        return None
    if len(head) < _RECORD_BYTES:
        raise Unverifiable(offset, f"{len(head)} of {_RECORD_BYTES} bytes of a record's head")
    magic, body_bytes, block = _HEAD.unpack_from(head)
    if magic != _MAGIC or body_bytes > BODY_BYTES_MAX:
        raise Unverifiable(offset, "no record begins here")
    body = file.read(body_bytes)
    if sha256(head[: _HEAD.size] + body).digest() != head[_HEAD.size :]:
        raise Unverifiable(offset, "the record does not match its hash")
    try:
        values = _decoder.decode(body)
    except msgspec.DecodeError as fault:
        raise Unverifiable(offset, f"the record is not readable: {fault}") from None
    return PrivateRecord(block, values, offset, offset + _RECORD_BYTES + body_bytes)


class PrivateLog:
    """The private log open for appending."""

    def __init__(self, path: Path, *, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        if not path.exists():
            disk.write_whole(path, b"", mode=0o600)
        self._open()

    def _open(self) -> None:
        self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self.size = os.fstat(self._handle).st_size

    def append(self, block: int, values: Sequence[PrivateValue]) -> None:
        """Write the values of `block` and sync them; call `undo` after an `OSError`."""
        record = encode_record(block, values)
        self._disk.append(self._handle, record)
        self._disk.sync(self._handle)
        self.size += len(record)

    def undo(self, size: int) -> None:
        """Cut the log back to `size` bytes; raises `OSError` if that fails too."""
        self._disk.truncate(self._handle, length=size)
        self.size = size

    def purge(self, purged: Mapping[Spot, int]) -> None:
        """Rewrite the log without the values that are older than the purge of their place.

        The old file is replaced as a whole; the file system frees its blocks on the medium.
        """
        fresh = self.path.with_name(self.path.name + ".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            for record in read_records(self.path):
                kept = [
                    value
                    for value in record.values
                    if version_at(record.block, value.index)
                    > purged.get((value.collection, value.key), -1)
                ]
                self._disk.append(handle, encode_record(record.block, kept))
            self._disk.sync(handle)
        finally:
            os.close(handle)
        self._disk.rename(fresh, self.path)
        os.close(self._handle)
        self._open()

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)
