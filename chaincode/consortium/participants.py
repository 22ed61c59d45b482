"""Participants by their trading DIDs, and the participants that the regulator has locked.

Only the retailer knows which person a DID belongs to; that link never enters the public state. How
a trader joins a retailer: `area/joining.py`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from chaincode.context import Context
from chaincode.errors import LOCKS_TOO_MANY
from chaincode.state import Count, DidName, Name, Row, Table

LOCKS_MAX = 10_000  # some 600 KB, which every batch of orders reads


class Participant(Row, frozen=True, gc=False):
    """A prosumer or consumer under its trading DID, and the retailer that it joined last.

    `joins` counts how often it has joined a retailer, the first time included.
    """

    did: DidName
    retailer: Name
    joins: Count


class Locks(Row, frozen=True, gc=False):
    """The participants that the regulator's acts have locked, in order of their DIDs.

    Locks are one row, because every batch of orders reads them. Locks are few and rare. A batch
    conflicts with a lock that commits before it, and must then be checked again.
    """

    locked: Annotated[list[DidName], msgspec.Meta(max_length=LOCKS_MAX)]


PARTICIPANTS = Table(3, "participants", Participant, ("did",))
LOCKS = Table(7, "locks", Locks, (), remembered=1)


def locked_traders(context: Context) -> frozenset[str]:
    """The DIDs that may not trade until the regulator unlocks them."""
    row = LOCKS.get(context)
    return frozenset() if row is None else frozenset(row.locked)


def set_lock(context: Context, did: str, *, locked: bool) -> None:
    """Lock or unlock a participant."""
    others = locked_traders(context) - {did}
    if locked and len(others) >= LOCKS_MAX:
        raise LOCKS_TOO_MANY(limit=LOCKS_MAX)
    LOCKS.put(context, Locks(locked=sorted(others | {did} if locked else others)))
