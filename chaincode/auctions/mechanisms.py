"""The table of mechanisms, one row each; rules, commands and documents are derived from it.

A mechanism is one pure function from a book to its outcome, in a separate module. To add a
mechanism, write its module and add its row here; clearing passes it the books of its scope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from chaincode.auctions import uniform
from chaincode.auctions.book import Book
from chaincode.auctions.outcome import Outcome

Scope = Literal["zone", "tree"]
"""What one book contains: the orders of a zone, or the orders and edges of the whole tree."""
Timing = Literal["at_gate", "on_arrival", "on_acceptance", "at_settlement"]
"""When trades are made; clearing runs only the mechanisms that are `at_gate`."""


class Mechanism(NamedTuple):
    """A row of the table.

    `for_areas` says whether the rules of an area may name the mechanism; `commonwatt auction` also
    clears books of the other mechanisms. `docs` is a one-line description for people.
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
