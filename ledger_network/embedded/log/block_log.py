"""The block log: segments of hash-chained, signed blocks, appended and never changed.

A segment file begins with a header (88 bytes and a signature) that carries the chain over: the
hash of the block before it and length and SHA-256 of the whole segment before it. Each block
is stored as

    magic 4 | length of body 4 | number 8 | hash of the previous block 32 | SHA-256 of body 32
    | signature 64 | body

The first 80 bytes are the block's header. The block's hash is the SHA-256 of the header, and the
ledger's key signs the header. So every byte is covered by a hash and every hash by a signature; a
sealed segment is checked as one file. This module does not interpret bodies.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

from identity.keys import PrivateKey, SignatureCheck, verify
from ledger_network.embedded.folder.data_folder import segment_name
from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.folder.faults import DamagedLog

SEGMENT_BYTES = 64 * 1024 * 1024
BODY_BYTES_MAX = 256 * 1024 * 1024  # far above any block that is cut, and small enough for memory
SIGNATURE_BYTES = 64
ZERO_HASH = bytes(32)

_BLOCK = struct.Struct(">4sIQ32s32s")
_SEGMENT = struct.Struct(">4sIQ32s32sQ")
_BLOCK_MAGIC = b"CWB1"
_SEGMENT_MAGIC = b"CWS1"
_BLOCK_DOMAIN = b"commonwatt block 1\0"
_SEGMENT_DOMAIN = b"commonwatt segment 1\0"
_CHUNK = 1024 * 1024
FRAME_BYTES = _BLOCK.size + SIGNATURE_BYTES
SEGMENT_HEADER_BYTES = _SEGMENT.size + SIGNATURE_BYTES


class BlockPlace(NamedTuple):
    """The place of a block: segment and byte."""

    segment: int
    offset: int


class StoredBlock(NamedTuple):
    """A block as read: header fields, body, place, and the offset of the byte after the block."""

    number: int
    hash: bytes
    previous: bytes
    body: bytes
    place: BlockPlace
    end: int


class SegmentHeader(NamedTuple):
    """The head of a segment, which names what the segment continues."""

    segment: int
    first_block: int
    previous_block: bytes
    sealed_sha256: bytes
    sealed_bytes: int


class Unverifiable(Exception):
    """A record that fails a check, with its offset and the reason."""

    def __init__(self, offset: int, sentence: str) -> None:
        super().__init__(sentence)
        self.offset = offset
        self.sentence = sentence


class Misplaced(Unverifiable):
    """A complete, signed record in the wrong place; a torn write never looks like this."""


def encode_block(number: int, previous: bytes, body: bytes, key: PrivateKey) -> tuple[bytes, bytes]:
    """The block as it is stored, and its hash."""
    header = _BLOCK.pack(_BLOCK_MAGIC, len(body), number, previous, sha256(body).digest())
    return header + key.sign(_BLOCK_DOMAIN + header) + body, sha256(header).digest()


def encode_segment_header(header: SegmentHeader, key: PrivateKey) -> bytes:
    """The head of a segment as it is stored."""
    raw = _SEGMENT.pack(_SEGMENT_MAGIC, *header)
    return raw + key.sign(_SEGMENT_DOMAIN + raw)


def read_segment_header(path: Path, ledger_key: bytes | None) -> SegmentHeader:
    """The head of a segment; its signature is checked if the ledger's public key is given."""
    with path.open("rb") as file:
        raw = file.read(SEGMENT_HEADER_BYTES)
    if len(raw) < SEGMENT_HEADER_BYTES or raw[:4] != _SEGMENT_MAGIC:
        raise DamagedLog(path, block=None, offset=0, sentence="this is not the head of a segment")
    head, signature = raw[: _SEGMENT.size], raw[_SEGMENT.size :]
    if ledger_key is not None and not _signed(_SEGMENT_DOMAIN + head, signature, ledger_key):
        raise DamagedLog(
            path, block=None, offset=0, sentence="the head is not signed by the ledger's key"
        )
    return SegmentHeader(*_SEGMENT.unpack(head)[1:])


def read_frame(file: BinaryIO, segment: int, ledger_key: bytes | None) -> StoredBlock | None:
    """The block at the file's position, None at the end; raises `Unverifiable`.

    The fields of the header are checked: lengths, body, and the signature if the key is given.
    """
    offset = file.tell()
    frame = file.read(FRAME_BYTES)
    if not frame:
        return None
    if len(frame) < FRAME_BYTES:
        raise Unverifiable(offset, f"{len(frame)} of {FRAME_BYTES} bytes of a block's head")
    header = frame[: _BLOCK.size]
    magic, body_bytes, number, previous, body_hash = _BLOCK.unpack(header)
    if magic != _BLOCK_MAGIC:
        raise Unverifiable(offset, "no block begins here")
    if body_bytes > BODY_BYTES_MAX:
        raise Unverifiable(offset, f"the head claims a body of {body_bytes} bytes")
    if ledger_key is not None and not _signed(
        _BLOCK_DOMAIN + header, frame[_BLOCK.size :], ledger_key
    ):
        raise Unverifiable(offset, "the block is not signed by the ledger's key")
    body = file.read(body_bytes)
    if len(body) < body_bytes:
        raise Unverifiable(offset, f"{len(body)} of {body_bytes} bytes of a block's body")
    if sha256(body).digest() != body_hash:
        raise Unverifiable(offset, "the body does not match its hash")
    end = offset + FRAME_BYTES + body_bytes
    place = BlockPlace(segment, offset)
    return StoredBlock(number, sha256(header).digest(), previous, body, place, end)


def read_blocks(path: Path, head: SegmentHeader, ledger_key: bytes) -> Iterator[StoredBlock]:
    """Yield a segment's blocks, signatures, numbers and links checked; raises `Unverifiable`."""
    number, previous = head.first_block, head.previous_block
    for block in frames(path, head.segment, offset=SEGMENT_HEADER_BYTES, ledger_key=ledger_key):
        if block.number != number:
            raise Misplaced(block.place.offset, f"block {block.number} where {number} belongs")
        if block.previous != previous:
            raise Misplaced(block.place.offset, "the block does not follow the one before")
        yield block
        number, previous = number + 1, block.hash


def frames(
    path: Path, segment: int, *, offset: int, ledger_key: bytes | None
) -> Iterator[StoredBlock]:
    """Yield blocks from `offset` on without checking links; a given key checks the signatures."""
    with path.open("rb") as file:
        file.seek(offset)
        while (block := read_frame(file, segment, ledger_key)) is not None:
            yield block


def signed_block_after(path: Path, offset: int, ledger_key: bytes) -> int | None:
    """Return where the next block with a valid signature begins after `offset`, or None.

    Nothing follows a torn last write; signed blocks follow damage in the middle.
    """
    with path.open("rb") as file:
        file.seek(offset + 1)
        rest = file.read()
    at = rest.find(_BLOCK_MAGIC)
    while at >= 0:
        header = rest[at : at + _BLOCK.size]
        signature = rest[at + _BLOCK.size : at + FRAME_BYTES]
        if _signed(_BLOCK_DOMAIN + header, signature, ledger_key):
            return offset + 1 + at
        at = rest.find(_BLOCK_MAGIC, at + 1)
    return None


def digest_of(path: Path) -> tuple[bytes, int]:
    """SHA-256 and length of a file."""
    digest, length = sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            length += len(chunk)
    return digest.digest(), length


class BlockLog:
    """The log open for appending; one writer, any number of readers by `read`."""

    def __init__(
        self, folder: Path, *, segment: int, height: int, hash_: bytes, disk: Disk, key: PrivateKey
    ) -> None:
        """`segment` is the open one; `height` and `hash_` are the last block's number and hash."""
        self.folder = folder
        self.height = height
        self.hash = hash_
        self.segment = segment
        self.size: int = 0
        self._disk = disk
        self._key = key
        self._open_segment()

    def _open_segment(self) -> None:
        path = self.path_of(self.segment)
        self._digest = sha256()
        self._undigested: list[bytes] = []
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                self._digest.update(chunk)
        self.size = path.stat().st_size
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND)

    def path_of(self, segment: int) -> Path:
        """The file of a segment."""
        return self.folder / segment_name(segment)

    def append(self, body: bytes) -> StoredBlock:
        """Write the next block and sync it; on return it is durable.

        After an `OSError` call `undo`; nothing more may be appended.
        """
        number = self.height + 1
        frame, hash_ = encode_block(number, self.hash, body, self._key)
        place = BlockPlace(self.segment, self.size)
        self._disk.append(self._handle, frame)
        self._disk.sync(self._handle)
        self._undigested.append(frame)
        block = StoredBlock(number, hash_, self.hash, body, place, self.size + len(frame))
        self.size, self.height, self.hash = block.end, number, hash_
        return block

    def digest(self) -> None:
        """Take what was appended into the hash of the segment; nobody needs to wait for this."""
        for frame in self._undigested:
            self._digest.update(frame)
        self._undigested.clear()

    def undo(self) -> None:
        """Cut off what a failed `append` left; raises `OSError` if that fails too."""
        self._disk.truncate(self._handle, length=self.size)

    def seal(self) -> None:
        """Close the segment and begin the next, which records length and hash of the closed one."""
        self.digest()
        sealed = SegmentHeader(
            self.segment + 1, self.height + 1, self.hash, self._digest.digest(), self.size
        )
        path = self.path_of(sealed.segment)
        self._disk.write_whole(path, encode_segment_header(sealed, self._key))
        os.close(self._handle)
        self.segment = sealed.segment
        self._open_segment()

    def read(self, place: BlockPlace) -> StoredBlock:
        """The block at `place`; raises `DamagedLog` if the stored bytes have changed."""
        path = self.path_of(place.segment)
        with path.open("rb") as file:
            file.seek(place.offset)
            try:
                block = read_frame(file, place.segment, None)
            except Unverifiable as fault:
                raise DamagedLog(
                    path, block=None, offset=fault.offset, sentence=fault.sentence
                ) from None
        if block is None:
            raise DamagedLog(path, block=None, offset=place.offset, sentence="the file ends here")
        return block

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def begin_log(folder: Path, body: bytes, *, key: PrivateKey, disk: Disk) -> None:
    """Make the first segment with block 0, either completely or not at all."""
    head = SegmentHeader(0, 0, ZERO_HASH, ZERO_HASH, 0)
    frame, _ = encode_block(0, ZERO_HASH, body, key)
    disk.write_whole(folder / segment_name(0), encode_segment_header(head, key) + frame)


def _signed(message: bytes, signature: bytes, ledger_key: bytes) -> bool:
    return verify(SignatureCheck("Ed25519", ledger_key, message, signature))
