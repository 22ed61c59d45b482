"""The committer: one thread that orders, checks, stores and applies what was simulated.

As soon as it is free, the committer takes all waiting transactions as one block; so the more
submitters there are, the more of them share one sync. A block goes through four steps and is
durable after the second:

1. its private values are written to their log and synced;
2. the block is written to its log and synced;
3. purged values are removed from the private log;
4. the state is updated and the submitters are answered.

If the disk fails in step 1 or 2, the write is undone and nothing is committed (`Invalid`). If the
write cannot be undone, or the disk fails later, the outcome is `Unknown` until the next start
determines it. After any fault the ledger still answers queries but takes no more writes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger_network.embedded.commit.proposal import Proposal
from ledger_network.embedded.commit.validation import RecentWrites
from ledger_network.embedded.log.block import (
    NO_EFFECT,
    Entry,
    Outcome,
    encode_body,
    version_at,
)
from ledger_network.embedded.log.block_log import StoredBlock
from ledger_network.embedded.log.private_log import PrivateValue
from ledger_network.embedded.recovery.start import Parts
from ledger_network.embedded.state.hot_rows import HotRows
from ledger_network.embedded.state.state_store import Changes, PrivateRow, Version
from ledger_network.port import Conflict, Invalid, Receipt, Unknown


@dataclass(frozen=True, slots=True)
class Cut:
    """The limits at which a block is cut: count, bytes, or `linger_s` after its first transaction.

    `waiting_*` bound the queue of the committer; further submitters wait for a place in the queue.
    A segment is sealed at `segment_bytes` or `segment_blocks`, whichever comes first;
    `segment_blocks` bounds the signatures that a start has to check.
    """

    transactions_max: int = 500
    bytes_max: int = 8 * 1024 * 1024
    linger_s: float = 0.0
    waiting_max: int = 1_000
    waiting_bytes_max: int = 32 * 1024 * 1024
    segment_bytes: int = 64 * 1024 * 1024
    segment_blocks: int = 16_384


class Committer:
    """Owns the writing side of an opened folder until `close`."""

    def __init__(
        self,
        parts: Parts,
        hot: HotRows,
        cut: Cut,
        *,
        committed: Callable[[], None],
        sealed: Callable[[], None],
    ) -> None:
        """`committed` is called after each block, `sealed` after a segment was closed."""
        self._parts = parts
        self._hot = hot
        self._cut = cut
        self._committed = committed
        self._sealed = sealed
        self._blocks_in_open = parts.blocks_in_open
        self._recent = RecentWrites(parts.store.tip.height)
        self._change = threading.Condition()
        self._waiting: deque[Proposal] = deque()
        self._waiting_bytes = 0
        self._flight: Counter[int] = Counter()
        self._closing = False
        self._unscrubbed = False
        self.height = parts.store.tip.height
        self.fault: str | None = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def enter(self) -> int:
        """Note that a simulation begins; return the height to pass to `leave`."""
        with self._change:
            self._require_writable()
            self._flight[self.height] += 1
            return self.height

    def leave(self, height: int) -> None:
        """Note that the simulation that entered at `height` has been answered or abandoned."""
        with self._change:
            self._flight[height] -= 1
            if not self._flight[height]:
                del self._flight[height]

    def submit(self, proposal: Proposal) -> None:
        """Queue a proposal, waiting while the queue is full; the committer answers its `receipt`."""
        with self._change:
            while not self.fault and (
                len(self._waiting) >= self._cut.waiting_max
                or self._waiting_bytes > self._cut.waiting_bytes_max
            ):
                self._change.wait()
            self._require_writable()
            self._waiting.append(proposal)
            self._waiting_bytes += proposal.size
            self._change.notify_all()

    def close(self) -> None:
        """Commit the waiting proposals, then stop. Nothing may be submitted afterwards."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._thread.join()

    def _require_writable(self) -> None:
        if self.fault:
            raise Invalid(f"the ledger takes no writes: {self.fault}")

    def _run(self) -> None:
        batch: list[Proposal] = []
        try:
            while batch := self._take():
                self._commit(batch)
        finally:
            # Transactions are left only if an invariant of the committer is broken.
            left = [*batch, *self._waiting]
            if left:
                sentence = "the committer has failed"
                self._stop(sentence)
                _answer_unknown([each for each in left if not each.receipt.done()], sentence)

    def _take(self) -> list[Proposal]:
        """Wait for proposals and return those of the next block, or an empty list once closed."""
        cut = self._cut
        with self._change:
            while not self._waiting and not self._closing:
                self._change.wait()
            if cut.linger_s:
                self._change.wait_for(self._is_full, timeout=cut.linger_s)
            batch: list[Proposal] = []
            room = cut.bytes_max
            while self._waiting and len(batch) < cut.transactions_max:
                size = self._waiting[0].size
                if batch and size > room:
                    break
                room -= size
                self._waiting_bytes -= size
                batch.append(self._waiting.popleft())
            self._change.notify_all()
            return batch

    def _is_full(self) -> bool:
        return (
            self._closing
            or len(self._waiting) >= self._cut.transactions_max
            or self._waiting_bytes >= self._cut.bytes_max
        )

    def _commit(self, batch: Sequence[Proposal]) -> None:
        if self.fault:
            _answer_invalid(batch, f"the ledger takes no writes: {self.fault}")
            return
        number = self._parts.log.height + 1
        outcomes = self._validate(number, batch)
        values = [
            PrivateValue(index, collection, key, found[0])
            for index, (proposal, outcome) in enumerate(zip(batch, outcomes, strict=True))
            if outcome == "VALID"
            for (collection, key), found in proposal.private.items()
            if found
        ]
        body = encode_body(
            [
                Entry(
                    outcome,
                    proposal.envelope,
                    proposal.signature,
                    proposal.effects if outcome == "VALID" else NO_EFFECT,
                )
                for proposal, outcome in zip(batch, outcomes, strict=True)
            ]
        )
        block, was_sealed = self._store(number, body, values, batch)
        if block is None or not self._apply(block, batch, outcomes):
            return
        if was_sealed:
            self._sealed()
        for index, (proposal, outcome) in enumerate(zip(batch, outcomes, strict=True)):
            _answer(proposal, outcome, number, index)
        # Submitters come before followers of the events, whose work would delay the answers.
        self._committed()
        self._parts.log.digest()

    def _validate(self, number: int, batch: Sequence[Proposal]) -> list[Outcome]:
        self._recent.begin_block(number)
        known = self._parts.store.known([proposal.transaction for proposal in batch])
        outcomes: list[Outcome] = []
        for index, proposal in enumerate(batch):
            if proposal.transaction in known:
                outcomes.append("DUPLICATE_TXID")
                continue
            known.add(proposal.transaction)
            outcome = self._recent.check(proposal.reads)
            if outcome == "VALID":
                spots = {spot: found is not None for spot, found in proposal.private.items()}
                spots.update(dict.fromkeys(proposal.purged, False))
                self._recent.add(version_at(number, index), proposal.writes, spots)
            outcomes.append(outcome)
        return outcomes

    def _store(
        self,
        number: int,
        body: bytes,
        values: Sequence[PrivateValue],
        batch: Sequence[Proposal],
    ) -> tuple[StoredBlock | None, bool]:
        """Make the block durable. If the disk refuses it, answer all submitters and return None."""
        log, private_log = self._parts.log, self._parts.private_log
        private_size, began = private_log.size, False
        try:
            seals = self._is_segment_full()
            if seals:
                log.seal()
                self._blocks_in_open = 0
            if values:
                private_log.append(number, values)
            began = True
            block = log.append(body)
        except OSError as fault:
            self._stop(f"the disk refused a write ({fault.strerror or fault})")
            try:
                private_log.undo(private_size)
                if began:
                    log.undo()
            except OSError as second:
                if began:
                    _answer_unknown(batch, f"the block may or may not have been written: {second}")
                    return None, False
            _answer_invalid(batch, f"nothing was committed: {self.fault}")
            return None, False
        self._blocks_in_open += 1
        return block, seals

    def _is_segment_full(self) -> bool:
        return self._blocks_in_open > 0 and (
            self._parts.log.size >= self._cut.segment_bytes
            or self._blocks_in_open >= self._cut.segment_blocks
        )

    def _apply(
        self, block: StoredBlock, batch: Sequence[Proposal], outcomes: Sequence[Outcome]
    ) -> bool:
        """Update private log and state. If that fails, answer all submitters and return False."""
        changes = _changes(block, batch, outcomes)
        try:
            if changes.purged:
                self._parts.private_log.purge(changes.purged)
            # This precedes the commit, so that a reader of the new height never sees an old row.
            self._hot.advance(changes.writes, block.number)
            self._parts.store.apply(changes)
            if changes.purged or self._unscrubbed:
                self._unscrubbed = not self._parts.store.checkpoint()
        except (OSError, sqlite3.Error) as fault:
            sentence = (
                f"block {block.number} is stored, but the state could not be updated: {fault}"
            )
            self._stop(sentence)
            _answer_unknown(batch, sentence)
            return False
        with self._change:
            self.height = block.number
            self._recent.forget(min(self._flight, default=block.number))
        return True

    def _stop(self, sentence: str) -> None:
        with self._change:
            self.fault = sentence
            self._change.notify_all()


def _changes(block: StoredBlock, batch: Sequence[Proposal], outcomes: Sequence[Outcome]) -> Changes:
    changes = Changes(block.number, block.hash, block.place)
    for index, (proposal, outcome) in enumerate(zip(batch, outcomes, strict=True)):
        version = version_at(block.number, index)
        changes.transactions.append((proposal.transaction, version, outcome))
        if outcome != "VALID":
            continue
        for key, value in proposal.writes.items():
            changes.writes[key] = Version(value, version)
        for spot, found in proposal.private.items():
            if found is None:
                changes.private[spot] = None
            else:
                value, hash_ = found
                changes.private[spot] = PrivateRow(hash_, value, version)
                changes.has_private = True
        for spot in proposal.purged:
            changes.private[spot] = None
            changes.purged[spot] = version
    return changes


def _answer(proposal: Proposal, outcome: Outcome, block: int, index: int) -> None:
    receipt, id_ = proposal.receipt, proposal.transaction
    if outcome == "VALID":
        receipt.set_result(Receipt(id_, block, index, proposal.result))
    elif outcome == "DUPLICATE_TXID":
        receipt.set_exception(Invalid(f"{id_}: a transaction with this id is already in a block"))
    else:
        receipt.set_exception(Conflict(f"{id_}: what it read has changed ({outcome})"))


def _answer_invalid(batch: Sequence[Proposal], sentence: str) -> None:
    for proposal in batch:
        proposal.receipt.set_exception(Invalid(sentence))


def _answer_unknown(batch: Sequence[Proposal], sentence: str) -> None:
    for proposal in batch:
        proposal.receipt.set_exception(Unknown(proposal.transaction, sentence))
