"""The projection: writes the ledger's events to the tables, each event exactly once.

Rows and checkpoint are written in one transaction. So after a crash at any moment the tables belong
to one position, from which the projection continues. The update of the checkpoint names the
position that it starts from: if two projections write to one database, one of them succeeds, and
the other one reads the checkpoint again.

At its start the projection compares the checkpoint with the ledger. If it finds another channel or
contract, another chain, fewer blocks than the tables have seen, another layout, or tables that
cannot be read, it rebuilds the tables from the first block and logs why. It does the same if the
database's file is deleted while it runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from api.features.batch import Batch
from api.features.event_context import EventContext
from api.features.events import SLOT_EVENTS, TELLING_EVENTS
from api.features.ledger_questions import LedgerQuestions
from api.features.reads import ReadModel
from api.features.registry import Registry, read_registry
from api.read_model.database import Database, DatabaseUnusable, TablesDamaged
from api.read_model.feed import Feed
from api.read_model.statements import MOVE_CHECKPOINT, START_CHECKPOINT
from chaincode.context import Event
from ledger_network.port import CommittedEvents, Conflict, Invalid, Ledger, Position, Unknown

LAYOUT = 5  # version of the rows; add one after a change of any projection to rebuild the tables
WATCH_S = 1.0  # how often to check for a deleted file while there are no events
AGAIN_S = 0.5  # wait before a ledger or database that cannot be reached is tried again
LAG_S = 5.0  # a ledger that is behind the checkpoint for longer counts as another ledger
DAMAGES_MAX = 3  # rebuilds without progress; more of them mean an error in our code

_log = logging.getLogger("api.read_model")


class Changed(NamedTuple):
    """The changes of a committed batch: (area, slot) pairs, traders, owners of accounts.

    `position` is the newest transaction in the tables.
    """

    position: Position
    slots: frozenset[tuple[str, int]]
    traders: frozenset[str]
    accounts: frozenset[str]


class Overtaken(Exception):
    """Another projection has moved the checkpoint, so it has to be read again."""


class _Checkpoint(NamedTuple):
    block: int
    place: int
    hash: str
    channel: str
    contract: str
    layout: int
    postings: int

    @property
    def position(self) -> Position | None:
        return Position(self.block, self.place) if self.block else None


class Projection:
    """Writes the events of one ledger to one read model."""

    def __init__(
        self, ledger: Ledger, member: str, read_model: ReadModel, *, lag_s: float = LAG_S
    ) -> None:
        """`member` queries the ledger; it must be a member that holds the readings."""
        self._ledger = ledger
        self._database: Database = read_model.database
        self._questions = LedgerQuestions(ledger, member)
        self._lag_s = lag_s
        self._callbacks: list[Callable[[Changed], None]] = []
        self._moved = asyncio.Condition()
        self._registry = Registry()
        self._position: Position | None = None
        self._postings = 0
        self._damages = 0
        self._damaged_at: Position | None = None
        self._flow = asyncio.Lock()  # one of run, catch_up and rebuild at a time
        self._rebuild_wanted = False
        self._is_quiet = False
        self._notices: list[str] = []

    @property
    def position(self) -> Position | None:
        """The newest transaction in the tables; None before the first."""
        return self._position

    @property
    def notices(self) -> list[str]:
        """The reasons for all rebuilds of the tables, one sentence each."""
        return list(self._notices)

    def subscribe(self, callback: Callable[[Changed], None]) -> Callable[[], None]:
        """Call `callback` after each committed batch, in order; `callback` must not raise.

        Return a function that ends the subscription.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def run(self) -> None:
        """Project until the ledger is closed; retry while ledger or database cannot be reached.

        Raises `TablesDamaged` if the tables are damaged again after several rebuilds.
        """
        async with self._flow:
            while not await self._follow():
                pass

    async def rebuild(self) -> None:
        """Rebuild the tables from the first block; on return they hold what the ledger holds."""
        last = await self._last()
        if not self._flow.locked():
            async with self._flow:
                await self._recreate("it was asked for")
                while not await self._follow(last=last):
                    pass
            return
        self._rebuild_wanted = True
        async with self._moved:
            await self._moved.wait_for(lambda: not self._rebuild_wanted and self._holds(last))

    async def catch_up(self) -> None:
        """Project all events that the ledger holds now, and return."""
        last = await self._last()
        async with self._flow:
            while not await self._follow(last=last):
                pass

    async def reached(self, position: Position) -> None:
        """Wait until the tables hold a transaction with events."""
        async with self._moved:
            await self._moved.wait_for(
                lambda: self._position is not None and self._position >= position
            )

    async def _last(self) -> Position:
        """Return the position of the last valid transaction in the ledger's last block."""
        number = (await self._ledger.health()).height - 1
        block = await self._ledger.block(number)
        outcomes = [] if block is None else [outcome for _, outcome in block.transactions]
        valid = [index for index, outcome in enumerate(outcomes) if outcome == "VALID"]
        return Position(number, max(valid, default=0))

    async def _follow(self, *, last: Position | None = None) -> bool:
        """Project; return True when the ledger ends or `last` is reached, False to start again."""
        try:
            await self._start()
            async with Feed(self._ledger.events(after=self._position), alone=SLOT_EVENTS) as feed:
                while last is None or not self._holds(last):
                    if self._rebuild_wanted:
                        await self._recreate("it was asked for")
                        return False
                    batch = await feed.take(within_s=WATCH_S)
                    if batch is None:
                        break
                    self._database.require_in_place()
                    await self._project(batch)
        except Overtaken:
            return False
        except TablesDamaged as damage:
            await self._mend(damage)
            return False
        except (Conflict, Invalid, Unknown, DatabaseUnusable) as fault:
            _log.warning("the read model waits: %s", fault)
            await asyncio.sleep(AGAIN_S)
            return False
        return True

    def _holds(self, last: Position) -> bool:
        """Return whether all events up to `last` are projected; `last` may have no events."""
        return self._is_quiet or (self._position is not None and self._position >= last)

    async def _mend(self, damage: TablesDamaged) -> None:
        self._damages += 1
        self._damaged_at = max(self._damaged_at or Position(0, 0), self._position or Position(0, 0))
        if self._damages > DAMAGES_MAX:
            raise damage
        if self._database.is_in_place():
            await self._recreate(str(damage))
        else:
            self._notice(str(damage))
            await self._database.reopen()

    async def _recreate(self, why: str) -> None:
        self._notice(why)
        await self._database.recreate()
        self._position = None
        self._is_quiet = False
        self._rebuild_wanted = False

    def _notice(self, why: str) -> None:
        sentence = f"the read model is rebuilt: {why}"
        self._notices.append(sentence)
        _log.warning("%s", sentence)

    # Finding the position to start from

    async def _start(self) -> None:
        """Read the checkpoint; rebuild the tables if they belong to another ledger."""
        found = await self._checkpoint()
        if found is not None and (why := await self._mismatch(found)):
            await self._recreate(why)
            found = None
        while found is None:
            row = (1, 0, 0, "", 0, self._ledger.channel, self._ledger.contract, LAYOUT, 0)
            async with self._database.transaction() as writer:
                await writer.many(START_CHECKPOINT, [row])
            found = await self._checkpoint()
        self._registry = await read_registry(self._database)
        self._postings = found.postings
        self._position = found.position
        self._is_quiet = False

    async def _checkpoint(self) -> _Checkpoint | None:
        rows = await self._database.rows(
            "SELECT block, place, hash, channel, contract, layout, postings FROM checkpoint"
        )
        return _Checkpoint(*rows[0]) if rows else None

    async def _mismatch(self, found: _Checkpoint) -> str:
        """Return why the tables do not belong to this ledger; empty if they do."""
        ledger = self._ledger
        if (found.channel, found.contract) != (ledger.channel, ledger.contract):
            return (
                f"it held {found.contract} on {found.channel}, "
                f"this is {ledger.contract} on {ledger.channel}"
            )
        if found.layout != LAYOUT:
            return f"its layout is {found.layout}, this version writes {LAYOUT}"
        if not found.block:
            return ""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._lag_s
        while (block := await ledger.block(found.block)) is None:
            if loop.time() >= deadline:
                height = (await ledger.health()).height
                return f"it held block {found.block}, the ledger has {height} blocks"
            await asyncio.sleep(min(AGAIN_S, self._lag_s))
        same = found.hash in ("", block.hash)  # empty if the peer did not have the block yet
        return "" if same else f"block {found.block} is another one"

    # Turning events into rows

    async def _project(self, happened: Sequence[CommittedEvents]) -> None:
        """Write the changes of a batch of transactions, and notify the callers that wait for it."""
        if happened:
            await self._write(happened)
            if self._damaged_at is None or happened[-1].position > self._damaged_at:
                self._damages = 0
        self._is_quiet = not happened
        async with self._moved:
            self._moved.notify_all()

    async def _write(self, happened: Sequence[CommittedEvents]) -> None:
        batch = Batch(self._postings)
        for one in happened:
            for event in one.events:
                try:
                    await self._take(event, one, batch)
                except (msgspec.DecodeError, LookupError, ValueError) as error:
                    error.add_note(f"while reading {event.name} at {one.position}")
                    raise
        await batch.settle_accounts(self._database)
        before = self._position or Position(0, 0)
        last = happened[-1]
        block = await self._ledger.block(last.position.block)
        hash_ = "" if block is None else block.hash
        moved = (*_parts(last.position), hash_, last.time_s, batch.postings, *_parts(before))
        async with self._database.transaction() as writer:
            if await writer.one(MOVE_CHECKPOINT, *moved) != 1:
                raise Overtaken
            await batch.write(writer)
        self._position = last.position
        self._postings = batch.postings
        changed = Changed(
            last.position, frozenset(batch.slots), frozenset(batch.traders), batch.accounts
        )
        for callback in tuple(self._callbacks):
            callback(changed)

    async def _take(self, event: Event, happened: CommittedEvents, batch: Batch) -> None:
        """Add the rows of one event to a batch; ignore events of later contracts."""
        at = EventContext(happened, self._questions, self._database, self._registry, batch)
        if event.name in TELLING_EVENTS:
            TELLING_EVENTS[event.name](event.data, at)
        elif event.name in SLOT_EVENTS:
            await SLOT_EVENTS[event.name](event.data, at)


def _parts(position: Position) -> tuple[int, int]:
    return position.block, position.index
