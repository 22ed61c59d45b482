"""Checks a closed ledger completely: every byte, every signature, every private value.

Beyond the checks of a start, this module checks each block of sealed segments, the signature of
each envelope, that no transaction id is valid twice, each private value against the hash in its
block, that purged values are gone, and the state against a replay of the log. The check compares
the key in block 0 with the ledger's own key; otherwise anybody could have written the log.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from itertools import zip_longest
from pathlib import Path

import msgspec

from identity.keys import verify as verify_signature
from ledger_network.embedded.folder.data_folder import DataFolder, segment_name
from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.folder.faults import DamagedLog, OtherLedger
from ledger_network.embedded.folder.members import Members, load_ledger_key
from ledger_network.embedded.log.block import INDEX_BITS, Entry, Genesis, version_at
from ledger_network.embedded.log.block_log import StoredBlock, Unverifiable
from ledger_network.embedded.log.chain import Chain, blocks_above, check_chain
from ledger_network.embedded.log.envelope import open_envelope, signature_check, transaction_id
from ledger_network.embedded.log.private_log import Spot, read_records
from ledger_network.embedded.recovery.replay import PrivateValues, changes_of, entries_of
from ledger_network.embedded.state.snapshots import heights
from ledger_network.embedded.state.state_store import StateReader, StateStore, Tip


class VerifyFault(msgspec.Struct, frozen=True):
    """The first fault that was found: its place (`offset` in bytes), its block, and a sentence."""

    file: str
    block: int | None
    offset: int
    sentence: str


class VerifyReport(msgspec.Struct):
    """The checks that were done, up to the first fault; `fault` is None if there was no fault.

    `blocks` counts block 0 too. `notes` are not faults: an interrupted last write that was never
    acknowledged, or a state behind the log. The next start repairs them.
    """

    blocks: int = 0
    transactions: int = 0
    private_values: int = 0
    purged: int = 0
    segments: int = 0
    fault: VerifyFault | None = None
    notes: list[str] = msgspec.field(default_factory=list[str])


def verify(path: Path, *, progress: Callable[[int], None] | None = None) -> VerifyReport:
    """Check the ledger in `path`, without changing it. `progress` gets each block's number.

    Raises `LedgerBusy` if the ledger is open and `OtherLedger` if there is none.
    """
    folder, report = DataFolder(path), VerifyReport()
    folder.require()
    folder.lock()
    try:
        _Check(folder, report, progress).run()
    except DamagedLog as fault:
        report.fault = VerifyFault(str(fault.file), fault.block, fault.offset, fault.sentence)
    except msgspec.DecodeError as fault:
        sentence = f"a signed block holds content that this version never writes: {fault}"
        report.fault = VerifyFault(str(folder.blocks), report.blocks, 0, sentence)
    except OtherLedger as fault:
        report.fault = VerifyFault(str(folder.path), None, 0, str(fault))
    finally:
        folder.unlock()
    return report


class _Check:
    def __init__(
        self, folder: DataFolder, report: VerifyReport, progress: Callable[[int], None] | None
    ) -> None:
        self._folder = folder
        self._report = report
        self._progress = progress
        self._purged: dict[Spot, int] = {}

    def run(self) -> None:
        tip = self._tip()
        held = tip.height if tip else -1
        durable = max([held, *heights(self._folder.snapshots)])
        chain = check_chain(self._folder, held=-1, durable=durable)
        load_ledger_key(self._folder, chain.genesis.ledger_key)
        Members(self._folder, chain.genesis.members)
        self._report.segments = len(chain.heads)
        if chain.torn:
            self._report.notes.append(f"a last record was not written whole: {chain.torn}")
        if tip and held < chain.height:
            self._report.notes.append(f"the state is at block {held}, the log at {chain.height}")
        with ExitStack() as undo:
            scratch = undo.enter_context(tempfile.TemporaryDirectory())
            store = undo.enter_context(
                closing(StateStore(Path(scratch) / "state.sqlite", disk=Disk()))
            )
            self._replay(chain, store, held)
        self._check_private_log(chain, held)

    def _tip(self) -> Tip | None:
        if not self._folder.state.exists():
            self._report.notes.append("the state is missing; it can be rebuilt")
            return None
        try:
            with closing(StateReader(self._folder.state)) as reader:
                return reader.tip()
        except sqlite3.DatabaseError as fault:
            raise DamagedLog(
                self._folder.state, block=None, offset=0, sentence=f"is not readable: {fault}"
            ) from None

    def _replay(self, chain: Chain, store: StateStore, held: int) -> None:
        values = PrivateValues(self._folder.private_log)
        for block in blocks_above(self._folder, chain, -1):
            entries = entries_of(block, self._folder.blocks)
            self._check_entries(chain.genesis, block, entries, store)
            changes = changes_of(block, entries, values)
            self._purged.update(changes.purged)
            store.apply(changes)
            self._report.blocks += 1
            self._report.transactions += len(entries)
            self._report.purged += len(changes.purged)
            if block.number == held:
                self._compare_state(store)
            if self._progress is not None:
                self._progress(block.number)
        values.require_all()

    def _check_entries(
        self, genesis: Genesis, block: StoredBlock, entries: list[Entry], store: StateStore
    ) -> None:
        keys = {(each.member, each.role): each.key for each in genesis.members}
        envelopes = [open_envelope(entry.envelope) for entry in entries]
        ids = [transaction_id(envelope.nonce, envelope.creator) for envelope in envelopes]
        seen = store.known(ids)
        for id_, envelope, entry in zip(ids, envelopes, entries, strict=True):
            check = signature_check(entry.envelope, entry.signature, envelope.creator)
            wrong: str | None = None
            if keys.get((envelope.member, envelope.role)) != envelope.creator:
                wrong = f"names a key that is not that of {envelope.member} ({envelope.role})"
            elif (envelope.channel, envelope.contract) != (genesis.channel, genesis.contract):
                wrong = f"is for channel {envelope.channel!r}, contract {envelope.contract!r}"
            elif not verify_signature(check):
                wrong = "is not signed by its creator"
            elif (id_ in seen) != (entry.outcome == "DUPLICATE_TXID"):
                wrong = f"has the outcome {entry.outcome}, which its id contradicts"
            if wrong is not None:
                raise DamagedLog(
                    self._folder.blocks / segment_name(block.place.segment),
                    block=block.number,
                    offset=block.place.offset,
                    sentence=f"transaction {id_} {wrong}",
                )
            seen.add(id_)

    def _compare_state(self, replayed: StateStore) -> None:
        with (
            closing(StateReader(self._folder.state)) as held,
            closing(StateReader(replayed.path)) as expected,
        ):
            if held.tip() != expected.tip():
                self._state_differs("the tip", held.tip(), expected.tip())
            self._compare("state", held.all_rows(), expected.all_rows())
            self._compare("private", held.all_private(), expected.all_private())
            self._compare("transactions", held.all_transactions(), expected.all_transactions())
            self._compare("blocks", held.all_places(), expected.all_places())

    def _compare(
        self,
        table: str,
        held: Generator[tuple[object, ...]],
        expected: Generator[tuple[object, ...]],
    ) -> None:
        with closing(held), closing(expected):
            try:
                for found, wanted in zip_longest(held, expected):
                    if found != wanted:
                        self._state_differs(table, found, wanted)
            except sqlite3.DatabaseError as fault:
                raise DamagedLog(
                    self._folder.state, block=None, offset=0, sentence=f"{table}: {fault}"
                ) from None

    def _state_differs(self, table: str, found: object, wanted: object) -> None:
        sentence = f"{table} holds {_short(found)}, the log gives {_short(wanted)}"
        raise DamagedLog(self._folder.state, block=None, offset=0, sentence=sentence)

    def _check_private_log(self, chain: Chain, held: int) -> None:
        """Check that no value is left that a block known to the state has purged."""
        path = self._folder.private_log
        try:
            for record in read_records(path):
                if record.block > chain.height:
                    self._report.notes.append(f"private.log: values of block {record.block}")
                    return
                for value in record.values:
                    purged = self._purged.get((value.collection, value.key), -1)
                    is_settled = purged >> INDEX_BITS <= held
                    if is_settled and version_at(record.block, value.index) < purged:
                        sentence = (
                            f"{value.key!r} of {value.collection} was purged but is still here"
                        )
                        raise DamagedLog(
                            path, block=record.block, offset=record.offset, sentence=sentence
                        )
                    self._report.private_values += 1
        except Unverifiable as fault:
            # Its write was interrupted: if a block needed the record, the replay would have raised.
            self._report.notes.append(f"private.log, byte {fault.offset}: {fault.sentence}")


def _short(row: object) -> str:
    text = "nothing" if row is None else repr(row)
    return text if len(text) <= 120 else text[:117] + "..."
