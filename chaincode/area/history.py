"""How far back an area's terms are needed: from its earliest slot that is not final.

A slot is final `final_s` after its end, once it has settled. A version of a term that only final
slots could read is needed no more; a member that posts a version deletes a few of those. Closing
a gate moves the earliest slot on (`slots/gate.py`), so no slot that stands still ever loses its terms.
"""

from __future__ import annotations

from chaincode.context import Context
from chaincode.errors import Broken
from chaincode.state import Row, Table


class History(Row, frozen=True):
    """The first slot that an area's rules hold for, and its earliest slot that is not final."""

    first_slot: int
    needed_slot: int


HISTORIES = Table(14, "histories", History, ("area",))


def needed_slot(context: Context, area: str) -> int:
    """The earliest slot of an area that still needs its terms; 0 before the area has rules."""
    history = HISTORIES.get(context, area)
    return 0 if history is None else history.needed_slot


def first_slot(context: Context, area: str) -> int:
    """The first slot that an area's rules hold for; an area has rules when this is asked."""
    history = HISTORIES.get(context, area)
    if history is None:
        raise Broken(f"{area} has rules and no history")
    return history.first_slot


def begin_history(context: Context, area: str, from_slot: int) -> None:
    """Record that an area's rules begin at `from_slot`, unless they begin earlier."""
    history = HISTORIES.get(context, area)
    if history is None or from_slot < history.first_slot:
        HISTORIES.put(context, History(first_slot=from_slot, needed_slot=from_slot), area)
