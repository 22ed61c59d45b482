"""The table of mechanisms: one row each, from which rules, commands and documents follow.

A mechanism is one pure function from a book to its outcome, in a module of its own. To add one,
write the module and its row here; clearing hands it the books that its scope asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from chaincode.auctions import uniform
from chaincode.auctions.book import Book
from chaincode.auctions.outcome import Outcome

Scope = Literal["zone", "tree"]
"""What one book holds: the orders of a zone, or those of the whole tree with its edges."""
Timing = Literal["at_gate", "on_arrival", "on_acceptance", "at_settlement"]
"""When trades come about; clearing runs the mechanisms that are `at_gate`."""


class Mechanism(NamedTuple):
    """A row of the table.

    `for_areas` is whether the rules of an area may name it; `commonwatt auction` clears books of
    the others too. `docs` is one line for people.
    """

    name: str
    clear: Callable[[Book], Outcome]
    scope: Scope
    timing: Timing
    docs: str
    for_areas: bool = True


MECHANISMS: dict[str, Mechanism] = {
    mechanism.name: mechanism
    for mechanism in (
        Mechanism(
            "uniform",
            uniform.clear,
            "zone",
            "at_gate",
            "A call auction in each zone: everybody there trades at one price.",
        ),
        Mechanism(
            "coupled",
            uniform.clear,
            "zone",
            "at_gate",
            "One auction over zones coupled by their edges; takes books of a single zone.",
            for_areas=False,
        ),
    )
}


def area_mechanisms() -> list[str]:
    """The names that the rules of an area may give."""
    return [name for name, mechanism in MECHANISMS.items() if mechanism.for_areas]
