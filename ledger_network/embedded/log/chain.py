"""Checks the block log when a ledger starts, and finds the end of its last good block.

Sealed segments are checked as whole files against the SHA-256 that the next head records, and the
open segment block by block. So every changed byte is found, and only the open segment costs work
per block. One fault is not damage: a last record that is incomplete or fails its checks, lies
beyond the height of the state, and has nothing signed after it. Such a record is an interrupted
write that was never acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ledger_network.embedded.folder.data_folder import DataFolder, segment_name
from ledger_network.embedded.folder.faults import DamagedLog, OtherLedger
from ledger_network.embedded.log.block import FORMAT, Genesis, decode_genesis, format_of
from ledger_network.embedded.log.block_log import (
    SEGMENT_HEADER_BYTES,
    BlockPlace,
    Misplaced,
    SegmentHeader,
    StoredBlock,
    Unverifiable,
    digest_of,
    frames,
    read_blocks,
    read_frame,
    read_segment_header,
    signed_block_after,
)


@dataclass(frozen=True, slots=True)
class Chain:
    """A checked log: its first block, heads of its segments, its last good block.

    `tail` is where the blocks above the height that was asked for begin, in the open segment.
    `torn` is the fault of an incomplete last record, which the start cuts off at `end`.
    """

    genesis: Genesis
    heads: list[SegmentHeader]
    height: int
    hash: bytes
    blocks_in_open: int
    tail: BlockPlace
    end: int
    torn: str | None


def check_chain(folder: DataFolder, *, held: int, durable: int) -> Chain:
    """Check the whole log of `folder`, or raise `DamagedLog`.

    `held` is the height of the state, after which the tail begins. `durable` is the greatest height
    that state or snapshots prove; no block up to that height may be missing.
    """
    heads, genesis = check_segments(folder)
    head = heads[-1]
    path = folder.blocks / segment_name(head.segment)
    number, hash_, end = head.first_block - 1, head.previous_block, SEGMENT_HEADER_BYTES
    tail, torn = BlockPlace(head.segment, SEGMENT_HEADER_BYTES), None
    try:
        for block in read_blocks(path, head, genesis.ledger_key):
            number, hash_, end = block.number, block.hash, block.end
            if number <= held:
                tail = BlockPlace(head.segment, end)
    except Unverifiable as fault:
        torn = _torn_or_damaged(path, fault, number + 1, genesis.ledger_key, durable)
    if number < durable:
        sentence = f"the log ends after block {number}, the state held block {durable}"
        raise DamagedLog(path, block=number + 1, offset=end, sentence=sentence)
    count = number - head.first_block + 1
    return Chain(genesis, heads, number, hash_, count, tail, end, torn)


def check_segments(folder: DataFolder) -> tuple[list[SegmentHeader], Genesis]:
    """Check all segments but the open one; return the heads of all segments, and block 0."""
    indexes = sorted(int(path.stem) for path in folder.blocks.glob("[0-9]*.seg"))
    for index, found in enumerate(indexes):
        if index != found:
            raise DamagedLog(
                folder.blocks / segment_name(index), block=None, offset=0, sentence="is missing"
            )
    genesis = read_genesis(folder)
    heads: list[SegmentHeader] = []
    for index in indexes:
        path = folder.blocks / segment_name(index)
        head = read_segment_header(path, genesis.ledger_key)
        if head.segment != index:
            sentence = f"the head is that of segment {head.segment}"
            raise DamagedLog(path, block=None, offset=0, sentence=sentence)
        if index:
            _check_sealed(folder, heads[-1], head, genesis.ledger_key)
        heads.append(head)
    return heads, genesis


def read_genesis(folder: DataFolder) -> Genesis:
    """Block 0, signed by the key named in it; the caller compares it with the ledger's own."""
    path = folder.blocks / segment_name(0)
    try:
        with path.open("rb") as file:
            file.seek(SEGMENT_HEADER_BYTES)
            block = read_frame(file, 0, None)
            body = b"" if block is None else block.body
            _require_format(folder, format_of(body))
            genesis = decode_genesis(body)
            file.seek(SEGMENT_HEADER_BYTES)
            read_frame(file, 0, genesis.ledger_key)
    except FileNotFoundError:
        raise DamagedLog(path, block=0, offset=0, sentence="is missing") from None
    except (Unverifiable, msgspec.DecodeError) as fault:
        raise DamagedLog(
            path,
            block=0,
            offset=SEGMENT_HEADER_BYTES,
            sentence=f"the first block cannot be read: {fault}",
        ) from None
    return genesis


def _require_format(folder: DataFolder, found: int) -> None:
    if found != FORMAT:
        raise OtherLedger(
            f"{folder.path} was written by another version (its log has format {found}, this version"
            f" reads {FORMAT}): move it away and start with an empty folder, or open it with the"
            " version that wrote it"
        )


def blocks_above(folder: DataFolder, chain: Chain, height: int) -> Iterator[StoredBlock]:
    """The blocks of a checked log above `height`, in order, up to the last good one."""
    for head, after in zip(chain.heads, [*chain.heads[1:], None], strict=True):
        path = folder.blocks / segment_name(head.segment)
        if after is None:
            yield from (block for block in _open_blocks(path, chain) if block.number > height)
        elif after.first_block - 1 > height:
            for block in verified_blocks(path, head, chain.genesis.ledger_key):
                if block.number > height:
                    yield block


def verified_blocks(path: Path, head: SegmentHeader, ledger_key: bytes) -> Iterator[StoredBlock]:
    """The blocks of a sealed segment; any failed check is damage."""
    number = head.first_block
    try:
        for block in read_blocks(path, head, ledger_key):
            yield block
            number = block.number + 1
    except Unverifiable as fault:
        raise DamagedLog(path, block=number, offset=fault.offset, sentence=fault.sentence) from None


def _open_blocks(path: Path, chain: Chain) -> Iterator[StoredBlock]:
    if chain.tail.offset < chain.end:
        for block in frames(path, chain.tail.segment, offset=chain.tail.offset, ledger_key=None):
            yield block
            if block.end >= chain.end:
                return


def _check_sealed(
    folder: DataFolder, sealed: SegmentHeader, after: SegmentHeader, ledger_key: bytes
) -> None:
    path = folder.blocks / segment_name(sealed.segment)
    if digest_of(path) == (after.sealed_sha256, after.sealed_bytes):
        return
    # The segment is read again by block, so that the fault names the first wrong record.
    for _ in verified_blocks(path, sealed, ledger_key):
        pass
    sentence = (
        f"its {path.stat().st_size} bytes differ from the {after.sealed_bytes} that were sealed"
    )
    raise DamagedLog(path, block=after.first_block, offset=after.sealed_bytes, sentence=sentence)


def _torn_or_damaged(
    path: Path, fault: Unverifiable, number: int, ledger_key: bytes, durable: int
) -> str:
    sentence = fault.sentence
    if number == 0 or number <= durable:
        sentence += f", and the state already held block {max(durable, 0)}"
    elif isinstance(fault, Misplaced):
        sentence += ", though it is signed"
    elif (after := signed_block_after(path, fault.offset, ledger_key)) is not None:
        sentence += f", and a signed block follows at byte {after}"
    else:
        return f"{path}, byte {fault.offset}: {fault.sentence}"
    raise DamagedLog(path, block=number, offset=fault.offset, sentence=sentence) from None
