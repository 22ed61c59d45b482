"""Turns stored blocks into changes of the state, for a start, a rebuild and a check.

Write sets are applied; the contract is never run. Private values are read from their own log in
step with the blocks. A value may be missing there only if a later block purges it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from ledger_network.embedded.folder.data_folder import segment_name
from ledger_network.embedded.folder.faults import DamagedLog
from ledger_network.embedded.log.block import (
    INDEX_BITS,
    Entry,
    WriteSet,
    decode_body,
    version_at,
    write_sets,
)
from ledger_network.embedded.log.block_log import StoredBlock, Unverifiable
from ledger_network.embedded.log.envelope import open_envelope, transaction_id
from ledger_network.embedded.log.private_log import PrivateRecord, Spot, read_records
from ledger_network.embedded.state.state_store import Changes, PrivateRow, Version


class PrivateValues:
    """The private log, read in step with the blocks, and the values that are missing there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault: str | None = None  # why reading ended early; a torn last record is not damage
        self._end = 0
        self._records = self._read()
        self._next = next(self._records, None)
        self.missing: set[tuple[str, str, int]] = set()  # places with the version of the write

    def of_block(self, number: int) -> PrivateRecord | None:
        """The record of block `number`; call this with rising numbers."""
        while self._next is not None and self._next.block < number:
            self._next = next(self._records, None)
        if self._next is not None and self._next.block == number:
            return self._next
        return None

    def miss(self, collection: str, key: str, version: int) -> None:
        """Note that the value which `version` wrote is not in the log."""
        self.missing.add((collection, key, version))

    def forgive(self, purged: dict[Spot, int]) -> None:
        """Accept missing values that are older than a purge of their place."""
        if self.missing:
            for collection, key, version in list(self.missing):
                if version < purged.get((collection, key), -1):
                    self.missing.discard((collection, key, version))

    def require_all(self) -> None:
        """Raise `DamagedLog` for a value that is missing and was never purged."""
        for collection, key, version in self.missing:
            raise self.damage(version >> INDEX_BITS, f"{key!r} of {collection} is missing")

    def damage(self, block: int, sentence: str) -> DamagedLog:
        """The error to raise for a fault at the record of `block`."""
        offset = self._next.offset if self._next is not None else self._end
        return DamagedLog(self.path, block=block, offset=offset, sentence=sentence)

    def _read(self) -> Iterator[PrivateRecord]:
        try:
            for record in read_records(self.path):
                self._end = record.end
                yield record
        except Unverifiable as fault:
            self.fault = fault.sentence


def entries_of(block: StoredBlock, folder: Path) -> list[Entry]:
    """The transactions of a block; block 0 has no transactions."""
    if block.number == 0:
        return []
    try:
        return decode_body(block.body)
    except msgspec.DecodeError as fault:
        raise DamagedLog(
            folder / segment_name(block.place.segment),
            block=block.number,
            offset=block.place.offset,
            sentence=f"the body is not readable: {fault}",
        ) from None


def changes_of(block: StoredBlock, entries: Iterable[Entry], values: PrivateValues) -> Changes:
    """The changes that `block` makes to the state, with private values beside their hashes."""
    changes = Changes(block.number, block.hash, block.place)
    listed = list(entries)
    for index, entry in enumerate(listed):
        envelope = open_envelope(entry.envelope)
        id_ = transaction_id(envelope.nonce, envelope.creator)
        changes.transactions.append((id_, version_at(block.number, index), entry.outcome))
    record = values.of_block(block.number)
    held = (
        {(value.index, value.collection, value.key): value.value for value in record.values}
        if record
        else {}
    )
    for index, write_set in write_sets(listed):
        _add(changes, write_set, index, held, values)
    if held:
        index, collection, key = next(iter(held))
        sentence = f"the value of {key!r} in {collection} is named by no transaction"
        raise values.damage(block.number, sentence)
    if changes.has_private and record is None:
        raise values.damage(block.number, values.fault or "the block's private values are missing")
    values.forgive(changes.purged)
    return changes


def _add(
    changes: Changes,
    write_set: WriteSet,
    index: int,
    held: dict[tuple[int, str, str], bytes],
    values: PrivateValues,
) -> None:
    version = version_at(changes.number, index)
    for key, value in write_set.writes.items():
        changes.writes[key] = Version(value, version)
    for private in write_set.private:
        spot = (private.collection, private.key)
        if private.hash is None:
            changes.private[spot] = None
            continue
        changes.has_private = True
        value = held.pop((index, *spot), None)
        if value is None:
            values.miss(*spot, version)
        elif sha256(value).digest() != private.hash:
            sentence = f"the value of {spot[1]!r} in {spot[0]} is not the one that was hashed"
            raise values.damage(changes.number, sentence)
        changes.private[spot] = PrivateRow(private.hash, value, version)
    for spot in write_set.purged:
        changes.purged[spot] = version
        changes.private[spot] = None
