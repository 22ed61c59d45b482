"""Runs: work that does not fit into one transaction and that any member can continue.

A run is a record {step, cursor, page, digest} in its slot's row. It has steps, and each step works
on units: an entry, a participant, a trade, a meter. A transaction has a number of points, and each
unit costs points: the part of a transaction that the largest lawful unit of its kind may take. So
a transaction does as many units as its points pay for, whatever the caller sent and whatever the
units turn out to need, and the largest lawful units fit into the limits with room to spare. What
a run carries in its record is bounded; all that grows with the slot stands in rows of its own.

A run is entered when its preconditions hold, and they are checked before anything is written. A
transaction that finds nothing to do is refused, so every committed step has moved the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from chaincode.context import BYTES_MAX, READS_MAX, WRITES_MAX, Context
from chaincode.errors import SLOT_PHASE, Broken
from chaincode.slots.gate import SLOTS, Phase, Run, Slot, SlotAnswer, get_slot
from chaincode.state import slot_part

PAGE_ROWS = 500  # trades, book entries or postings of one page

POINTS = 1_000_000  # of a transaction; they stand for ROOM_PERCENT of each of its limits
ROOM_PERCENT = 70  # the rest is for the rows that a transaction reads and writes once

NO_DIGEST = "0" * 64

ENTRY_BYTES = 520  # of an entry with its key, at the longest names
ACCOUNT_BYTES = 400  # of an account with its key
POSTING_BYTES = 480  # of a line of the books in its page


def cost(*, rows: int = 0, keys: int = 0, size: int = 0) -> int:
    """The points of a unit that reads so many rows, writes so many keys and so many bytes."""
    parts = ((rows, READS_MAX), (keys, WRITES_MAX), (size, BYTES_MAX))
    return max(1, *(_points(part, limit) for part, limit in parts))


def _points(part: int, limit: int) -> int:
    return -(-part * POINTS * 100 // (limit * ROOM_PERCENT))  # house: division, rounded up


class Taken(NamedTuple):
    """What a step has done in a transaction: the points of its units, and whether it has ended."""

    points: int
    done: bool


class Step(NamedTuple):
    """A step of a run; `take` does units for at most so many points.

    With all points of a transaction `take` does at least one unit, or ends.
    """

    name: str
    take: Callable[[int], Taken]


class Progress:
    """The record of a run while a transaction works on it."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def move(self, **position: int | str) -> None:
        """Record where the run continues."""
        self.run = msgspec.structs.replace(self.run, **position)

    def chain(self, page: bytes) -> None:
        """Add a page that the run has written to the run's digest."""
        digest = sha256(bytes.fromhex(self.run.digest) + page).hexdigest()
        self.run = msgspec.structs.replace(self.run, digest=digest)


def begun(first_step: str) -> Run:
    """The record of a run that begins."""
    return Run(step=first_step, cursor="", page=0, digest=NO_DIGEST)


def advance(progress: Progress, steps: Sequence[Step]) -> bool:
    """Do as much of a run as a transaction has points for; return whether the run has ended."""
    place = [step.name for step in steps].index(progress.run.step)
    points = POINTS
    for number, step in enumerate(steps[place:], start=place):
        taken = step.take(points)
        if taken.points > points:
            raise Broken(f"step {step.name} took {taken.points} points of {points}")
        points -= taken.points
        if not taken.done:
            return False
        following = steps[number + 1].name if number + 1 < len(steps) else ""
        progress.move(step=following, cursor="", page=0)
    return True


def slot_in(context: Context, *, area: str, slot: int, phases: tuple[Phase, Phase]) -> Slot:
    """The slot, which must be in one of `phases`: where a run starts, and during the run."""
    row = get_slot(context, area, slot)
    if row is None or row.phase not in phases:
        phase = "OPEN" if row is None else row.phase
        raise SLOT_PHASE(slot=slot, area=area, phase=phase, wanted=phases[0])
    return row


def store(
    context: Context, *, area: str, slot: int, row: Slot, run: Run | None, phase: Phase
) -> SlotAnswer:
    """Store a slot's phase and the progress of its run, which is None when no run is left."""
    stored = msgspec.structs.replace(row, phase=phase, run=run)
    SLOTS.put(context, stored, area, slot_part(slot))
    if run is None:
        return SlotAnswer(area, slot, phase)
    return SlotAnswer(area, slot, phase, run.step, run.cursor)
