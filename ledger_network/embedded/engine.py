"""The embedded ledger: the port `Ledger` in one process, without a server.

A transaction is simulated on the committed state in a thread, then handed to the committer, which
orders, checks and stores it. The submitter gets the receipt when the block is synced and applied.
Several simulations run at once; the committer finds those that read outdated values.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from identity.verification import Verification
from ledger_network.embedded.commit.committer import Committer, Cut
from ledger_network.embedded.commit.proposal import Proposal, Request, Simulator
from ledger_network.embedded.folder.data_folder import DataFolder, segment_name
from ledger_network.embedded.folder.disk import Disk
from ledger_network.embedded.log.envelope import (
    NONCE_BYTES,
)
from ledger_network.embedded.recovery.start import Parts, make_ledger, open_folder, require_same
from ledger_network.embedded.state.hot_rows import HotRows
from ledger_network.embedded.state.lookup import block_of, committed_events_in, receipt_of
from ledger_network.embedded.state.snapshots import Snapshots
from ledger_network.embedded.state.state_store import StateReader
from ledger_network.port import (
    Block,
    CommittedEvents,
    Health,
    Invalid,
    Member,
    Position,
    Receipt,
    RunnableContract,
)

T = TypeVar("T")

SIMULATIONS = 4  # at once; further threads would only wait for the interpreter's lock
READINGS = 2  # evaluations and look-ups at once; they never wait behind writers


def system_clock() -> int:
    """Return the time of this machine in seconds UTC."""
    return int(time.time())


class EmbeddedLedger:
    """One channel with one contract in one data folder."""

    def __init__(
        self,
        folder: DataFolder,
        parts: Parts,
        contract: RunnableContract,
        *,
        cut: Cut,
        disk: Disk,
        clock: Callable[[], int],
        entropy: Callable[[int], bytes],
        verifiers: int | None,
    ) -> None:
        """Take what `open` prepares; only `open`, which checks and locks the folder, calls this."""
        self._folder = folder
        self._parts = parts
        self._contract = contract
        self._clock = clock
        self._entropy = entropy
        self._closed = False
        self._readers: SimpleQueue[StateReader] = SimpleQueue()
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._verification = Verification(verifiers)
        self._snapshots = Snapshots(folder.snapshots, folder.state, key=parts.key, disk=disk)
        hot = HotRows(parts.store.tip.height)
        self._simulator = Simulator(
            parts.genesis.channel, contract, hot, self._verification.verify_many
        )
        self._simulations = ThreadPoolExecutor(SIMULATIONS, thread_name_prefix="simulation")
        self._readings = ThreadPoolExecutor(READINGS, thread_name_prefix="reading")
        self._committer = Committer(
            parts, hot, cut, committed=self._wake, sealed=self._snapshots.take
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        contract: RunnableContract,
        channel: str,
        members: Sequence[str],
        seed: bytes | None = None,
        clock: Callable[[], int] = system_clock,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        cut: Cut | None = None,
        disk: Disk | None = None,
        verifiers: int | None = None,
    ) -> Self:
        """Open the ledger in `path`, or create one there.

        `members` names the organisations. They are stored when the ledger is created, and a later
        call must name the same ones. With a `seed` all keys are derived from it; without one they
        are random. `clock` gives transaction time in seconds UTC, `entropy` the nonces.
        `verifiers` is the number of processes that check signatures, one per core by default.
        Raises `LedgerBusy`, `OtherLedger`, `DamagedLog` and `OSError`.
        """
        disk = disk or Disk()
        folder = DataFolder(path)
        folder.make()
        folder.lock()
        try:
            if not (folder.blocks / segment_name(0)).exists():
                make_ledger(
                    folder,
                    channel=channel,
                    contract=contract,
                    members=members,
                    seed=seed,
                    disk=disk,
                )
            parts = open_folder(
                folder,
                disk,
                lambda genesis: require_same(
                    genesis, path, channel=channel, contract=contract, members=members
                ),
            )
        except BaseException:
            folder.unlock()
            raise
        return cls(
            folder,
            parts,
            contract,
            cut=cut or Cut(),
            disk=disk,
            clock=clock,
            entropy=entropy,
            verifiers=verifiers,
        )

    @property
    def channel(self) -> str:
        """The channel's name."""
        return self._parts.genesis.channel

    @property
    def contract(self) -> str:
        """The contract's name."""
        return self._parts.genesis.contract

    @property
    def members(self) -> list[str]:
        """The member organisations, as they were named when the ledger was created."""
        return self._parts.members.names

    @property
    def notices(self) -> list[str]:
        """The repairs that were made when the ledger was opened, one sentence each."""
        return self._parts.notices

    async def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> Receipt:
        """Carry out transaction `name`; on return it is committed, synced and visible."""
        self._require_open()
        signer = self._parts.members.signer(member)
        # Nonce and time are drawn here and not in the thread, so they follow the order of calls.
        nonce, time_s = self._entropy(NONCE_BYTES), self._clock()
        request = Request(name, arguments, signer, dict(transient or {}), time_s, nonce)
        loop = asyncio.get_running_loop()
        proposal = await loop.run_in_executor(self._simulations, self._propose, request)
        return await asyncio.wrap_future(proposal.receipt)

    async def evaluate(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """The answer of `name` on the committed state, as JSON; nothing is written."""
        self._require_open()
        signer = self._parts.members.signer(member)
        request = Request(name, arguments, signer, dict(transient or {}), self._clock())
        return await self._read(lambda reader: self._simulator.answer(reader, request))

    async def events(self, *, after: Position | None = None) -> AsyncIterator[CommittedEvents]:
        """Yield the events after `after`, from the log and then live; ends when closed."""
        listener = (asyncio.get_running_loop(), asyncio.Event())
        self._listeners.add(listener)
        number = 1 if after is None else max(after.block, 1)
        try:
            while not self._closed:
                listener[1].clear()
                height = self._committer.height
                while number <= height and not self._closed:
                    for committed in await self._committed_events(number):
                        if after is None or committed.position > after:
                            yield committed
                    number += 1
                if not self._closed:
                    await listener[1].wait()
        finally:
            self._listeners.discard(listener)

    async def transaction(self, transaction: str) -> Receipt | None:
        """The receipt of a committed transaction, None if it is not committed."""
        self._require_open()
        return await self._read(lambda reader: receipt_of(reader, self._parts.log, transaction))

    async def block(self, number: int) -> Block | None:
        """The block, None beyond the height."""
        self._require_open()
        return await self._read(lambda reader: block_of(reader, self._parts.log, number))

    async def state_hash(self) -> str:
        """SHA-256 of the public rows that the contract counts, in hexadecimal."""
        self._require_open()
        counts = self._contract.counts_in_state_hash
        return await self._read(lambda reader: reader.state_hash(counts))

    async def health(self) -> Health:
        """The ledger's condition; `height` is the number of blocks, block 0 included."""
        height = self._committer.height + 1
        fault = "closed" if self._closed else self._committer.fault
        if fault:
            return Health("embedded", height, writable=False, sentence=f"no writes: {fault}")
        told = [*self.notices, self._snapshots.fault or ""]
        sentence = "; ".join(["ready", *(part for part in told if part)])
        return Health("embedded", height, writable=True, sentence=sentence)

    async def close(self) -> None:
        """Commit the transactions in flight, empty the write-ahead log, close files and threads."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._shut)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _shut(self) -> None:
        self._simulations.shutdown()
        self._committer.close()
        self._wake()
        self._readings.shutdown()
        self._snapshots.close()
        while (reader := self._idle_reader()) is not None:
            reader.close()
        parts = self._parts
        parts.store.close()
        parts.log.close()
        parts.private_log.close()
        self._verification.close()
        self._folder.unlock()

    def _propose(self, request: Request) -> Proposal:
        """Simulate a request and queue it for the committer; runs in a thread of `_simulations`."""
        height = self._committer.enter()
        try:
            with self._reader() as reader:
                proposal = self._simulator.propose(reader, request)
            self._committer.submit(proposal)
        except BaseException:
            self._committer.leave(height)
            raise
        proposal.receipt.add_done_callback(lambda _: self._committer.leave(height))
        return proposal

    async def _committed_events(self, number: int) -> list[CommittedEvents]:
        return await self._read(lambda reader: committed_events_in(reader, self._parts.log, number))

    async def _read(self, work: Callable[[StateReader], T]) -> T:
        def read() -> T:
            with self._reader() as reader:
                return work(reader)

        return await asyncio.get_running_loop().run_in_executor(self._readings, read)

    @contextmanager
    def _reader(self) -> Generator[StateReader]:
        reader = self._idle_reader() or StateReader(self._folder.state)
        try:
            reader.begin()
            yield reader
        finally:
            reader.end()
            self._readers.put(reader)

    def _idle_reader(self) -> StateReader | None:
        try:
            return self._readers.get_nowait()
        except Empty:
            return None

    def _require_open(self) -> None:
        if self._closed:
            raise Invalid("the ledger is closed")

    def _wake(self) -> None:
        for listener in list(self._listeners):
            loop, event = listener
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # the listener's loop is closed
                self._listeners.discard(listener)
