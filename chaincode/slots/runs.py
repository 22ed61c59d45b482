"""Runs: work that does not fit into one transaction and that any member can continue.

A run is a record {step, cursor, page, digest} in its slot's row. Each transaction continues at the
place in the record, does as much as fits, and updates the record; nothing is final before the last
step. How much fits depends only on the limits below, so every member cuts a run at the same places.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from chaincode.accounts.balances import RunAccounts
from chaincode.area.zones import LANES, get_lane
from chaincode.context import BYTES_MAX, READS_MAX, WRITES_MAX, Context
from chaincode.errors import LANE_BUSY, SLOT_PHASE
from chaincode.slots.gate import SLOTS, Phase, Run, Slot, SlotAnswer, get_slot
from chaincode.state import slot_part

PAGE_ROWS = 500  # trades, book entries or postings of one page
CHUNK_ROWS = 250  # rows that are processed between two checks of the room that is left

READS_LEFT_MIN = 5_000  # a chunk reads a few rows for each of its entries
WRITES_LEFT_MIN = 1_000
BYTES_LEFT_MIN = 1_500_000  # a chunk with its pages, at the longest names
ACCOUNT_BYTES = 400  # an account row with its key, at the longest names

NO_DIGEST = "0" * 64


def has_room(context: Context, books: RunAccounts, *, bytes_later: int = 0) -> bool:
    """Whether another chunk fits into this transaction.

    Rows that are written at the end of the transaction count already: the changed accounts, and
    `bytes_later` for other rows.
    """
    bytes_used = context.bytes_used + books.touched * ACCOUNT_BYTES + bytes_later
    return (
        READS_MAX - context.reads > READS_LEFT_MIN
        and WRITES_MAX - context.writes - books.touched > WRITES_LEFT_MIN
        and BYTES_MAX - bytes_used > BYTES_LEFT_MIN
    )


def chained(digest: str, page: bytes) -> str:
    """The digest of a run after the run has written one more page."""
    return sha256(bytes.fromhex(digest) + page).hexdigest()


def enter(
    context: Context, *, area: str, slot: int, phases: tuple[Phase, Phase], first_step: str
) -> tuple[Slot, Run]:
    """Take the area's lane for a run of `slot`, or resume the run in progress.

    `phases` are the phase that a run starts from and the phase during the run.
    """
    row = get_slot(context, area, slot)
    if row is None or row.phase not in phases:
        phase = "OPEN" if row is None else row.phase
        raise SLOT_PHASE(slot=slot, area=area, phase=phase, wanted=phases[0])
    lane = get_lane(context, area)
    if lane.run not in (None, slot):
        raise LANE_BUSY(area=area, running=lane.run)
    if row.run is None:
        return row, Run(step=first_step, cursor="", page=0, digest=NO_DIGEST)
    return row, row.run


def leave(
    context: Context,
    *,
    area: str,
    slot: int,
    row: Slot,
    run: Run | None,
    done: Phase,
    during: Phase,
) -> SlotAnswer:
    """Store the run's progress; if no run is left, the slot is `done` and the lane is free."""
    phase = done if run is None else during
    stored = msgspec.structs.replace(row, phase=phase, run=run)
    SLOTS.put(context, stored, area, slot_part(slot))
    lane = get_lane(context, area)
    running = None if run is None else slot
    if lane.run != running:
        LANES.put(context, msgspec.structs.replace(lane, run=running), area)
    if run is None:
        return SlotAnswer(area, slot, phase)
    return SlotAnswer(area, slot, phase, run.step, run.cursor)
