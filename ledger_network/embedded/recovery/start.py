"""Opens a data folder: checks keys and logs, and brings the state up to the log.

The order matters. The state says how far the log must reach, then the log is checked. An incomplete
last record is dropped, and so are private values of blocks that were never written. Then the blocks
that the state lacks are applied. A missing or unreadable state is restored from the newest valid
snapshot, or rebuilt from the first block. Any other fault is `DamagedLog`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from identity.keys import PrivateKey
from ledger_network.embedded.folder.data_folder import DataFolder, segment_name
from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.folder.faults import DamagedLog, OtherLedger
from ledger_network.embedded.folder.members import Members, load_ledger_key, make_keys
from ledger_network.embedded.log.block import FORMAT, Genesis, encode_genesis, version_at
from ledger_network.embedded.log.block_log import BlockLog, Unverifiable, begin_log
from ledger_network.embedded.log.chain import Chain, blocks_above, check_chain
from ledger_network.embedded.log.private_log import PrivateLog, read_records
from ledger_network.embedded.recovery.replay import PrivateValues, changes_of, entries_of
from ledger_network.embedded.state.snapshots import good_snapshot, heights
from ledger_network.embedded.state.state_store import StateStore, Tip, remove_state
from ledger_network.port import RunnableContract

FILLED_AT_ONCE = 1_000  # private values in memory while those of a snapshot are restored


@dataclass(slots=True)
class Parts:
    """The parts of an opened folder. `notices` tells the operator what was repaired."""

    genesis: Genesis
    key: PrivateKey
    members: Members
    log: BlockLog
    blocks_in_open: int
    private_log: PrivateLog
    store: StateStore
    notices: list[str]


def make_ledger(
    folder: DataFolder,
    *,
    channel: str,
    contract: RunnableContract,
    members: Sequence[str],
    seed: bytes | None,
    disk: Disk,
) -> None:
    """Create a ledger in an empty folder: keys first, then block 0, atomically."""
    first = folder.blocks / segment_name(0)
    if folder.state.exists() or heights(folder.snapshots) or any(folder.blocks.glob("*.seg")):
        raise DamagedLog(first, block=0, offset=0, sentence="is missing")
    key, identities = make_keys(folder, members, seed=seed, disk=disk)
    genesis = Genesis(FORMAT, channel, contract.name, key.public.raw, identities, contract.layout)
    begin_log(folder.blocks, encode_genesis(genesis), key=key, disk=disk)


def open_folder(folder: DataFolder, disk: Disk, check_genesis: Callable[[Genesis], None]) -> Parts:
    """Check the logs of a locked folder and bring its state up to them."""
    notices: list[str] = []
    _remove_unfinished(folder, disk)
    with ExitStack() as undo:
        store = _readable_state(folder, disk, notices)
        held = store.tip.height if store else -1
        if store:
            undo.callback(store.close)
        durable = max([held, *heights(folder.snapshots)])
        chain = check_chain(folder, held=held, durable=durable)
        check_genesis(chain.genesis)
        key = load_ledger_key(folder, chain.genesis.ledger_key)
        members = Members(folder, chain.genesis.members)
        if chain.torn is not None:
            notices.append(f"dropped a last block that was not written whole: {chain.torn}")
            path = folder.blocks / segment_name(chain.heads[-1].segment)
            _cut(path, length=chain.end, disk=disk)
        if store is None:
            store = _restored_state(folder, chain, disk, notices)
            undo.callback(store.close)
        log = BlockLog(
            folder.blocks,
            segment=chain.heads[-1].segment,
            height=chain.height,
            hash_=chain.hash,
            disk=disk,
            key=key,
        )
        undo.callback(log.close)
        _check_tip(store, log)
        _cut_private_log(folder, store.tip, chain.height, disk, notices)
        _fill_private_values(folder, store)
        private_log = PrivateLog(folder.private_log, disk=disk)
        undo.callback(private_log.close)
        bring_up(folder, chain, store, private_log)
        undo.pop_all()
    return Parts(
        chain.genesis, key, members, log, chain.blocks_in_open, private_log, store, notices
    )


def bring_up(
    folder: DataFolder, chain: Chain, store: StateStore, private_log: PrivateLog | None
) -> None:
    """Apply the blocks that `store` lacks; their purges are carried out in the private log too."""
    values = PrivateValues(folder.private_log)
    for collection, key, version in store.without_value():
        values.miss(collection, key, version)
    for block in blocks_above(folder, chain, store.tip.height):
        changes = changes_of(block, entries_of(block, folder.blocks), values)
        if changes.purged and private_log is not None:
            private_log.purge(changes.purged)  # `values` keeps reading the replaced file
        store.apply(changes)
    values.require_all()


def _fill_private_values(folder: DataFolder, store: StateStore) -> None:
    """Restore the private values of a state that came from a snapshot."""
    if next(store.without_value(), None) is None:
        return
    batch: list[tuple[bytes, str, str, int]] = []
    for record in read_records(folder.private_log):
        for value in record.values:
            version = version_at(record.block, value.index)
            batch.append((value.value, value.collection, value.key, version))
        if len(batch) >= FILLED_AT_ONCE:
            store.fill_private(batch)
            batch.clear()
    store.fill_private(batch)


def _readable_state(folder: DataFolder, disk: Disk, notices: list[str]) -> StateStore | None:
    if not folder.state.exists():
        remove_state(folder.state, disk=disk)
        return None
    try:
        return StateStore(folder.state, disk=disk)
    except sqlite3.DatabaseError as fault:
        notices.append(f"the state was unreadable and is built again: {fault}")
        remove_state(folder.state, disk=disk)
        return None


def _restored_state(folder: DataFolder, chain: Chain, disk: Disk, notices: list[str]) -> StateStore:
    for height in heights(folder.snapshots):
        path = good_snapshot(folder.snapshots, height, chain.genesis.ledger_key)
        if path is None:
            notices.append(f"the snapshot of block {height} is damaged and was skipped")
            continue
        fresh = folder.state.with_name("state.new")
        shutil.copyfile(path, fresh)
        disk.rename(fresh, folder.state)
        notices.append(f"the state was built again from the snapshot of block {height}")
        return StateStore(folder.state, disk=disk)
    if chain.height > 0:
        notices.append("the state was built again from the first block")
    return StateStore(folder.state, disk=disk)


def _check_tip(store: StateStore, log: BlockLog) -> None:
    tip = store.tip
    if tip.height < 0:
        return
    place = store.place_of(tip.height)
    sentence = f"the state was built on another block {tip.height}"
    if place is None:
        raise DamagedLog(store.path, block=tip.height, offset=0, sentence=sentence)
    block = log.read(place)
    if (block.number, block.hash) != (tip.height, tip.hash):
        raise DamagedLog(
            log.path_of(place.segment), block=tip.height, offset=place.offset, sentence=sentence
        )


def _cut_private_log(
    folder: DataFolder, tip: Tip, height: int, disk: Disk, notices: list[str]
) -> None:
    """Drop private values of blocks that were never written; any other fault is damage."""
    path, end, last, fault = folder.private_log, 0, 0, None
    try:
        for record in read_records(path):
            if record.block > height:
                fault = Unverifiable(
                    record.offset, f"values of block {record.block}, which was never written"
                )
                break
            end, last = record.end, record.block
    except Unverifiable as found:
        fault = found
    if last < tip.private_block:
        sentence = fault.sentence if fault else "the log ends here"
        sentence += f", and the state held private values of block {tip.private_block}"
        raise DamagedLog(path, block=last + 1, offset=end, sentence=sentence)
    if fault is not None:
        notices.append(f"dropped private values that belong to no block: {fault.sentence}")
        _cut(path, length=end, disk=disk)


def _cut(path: Path, *, length: int, disk: Disk) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        disk.truncate(handle, length=length)
    finally:
        os.close(handle)


def _remove_unfinished(folder: DataFolder, disk: Disk) -> None:
    """Remove files that a crash left incomplete; nothing refers to them."""
    for place in (folder.path, folder.blocks, folder.members, folder.snapshots):
        for path in place.glob("*.new*"):
            disk.remove(path)


def require_same(
    genesis: Genesis,
    path: Path,
    *,
    channel: str,
    contract: RunnableContract,
    members: Sequence[str],
) -> None:
    """Raise `OtherLedger` unless the folder's ledger is the one that was asked for."""
    held = list(dict.fromkeys(identity.member for identity in genesis.members))
    for what, found, asked in (
        ("channel", genesis.channel, channel),
        ("contract", genesis.contract, contract.name),
        ("members", ", ".join(held), ", ".join(members)),
    ):
        if found != asked:
            raise OtherLedger(f"{path} holds a ledger with {what} {found!r}, not {asked!r}")
    if genesis.layout != contract.layout:
        raise OtherLedger(
            f"{path} was written by another version (its rows have layout {genesis.layout}, this"
            f" version reads {contract.layout}): move it away and start with an empty folder, or"
            " open it with the version that wrote it"
        )
