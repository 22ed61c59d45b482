"""Participants by their trading DIDs, and the participants that the regulator has locked.

Only the retailer knows which person a DID belongs to; that link never enters the public state. How
a trader joins a retailer: `area/joining.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from chaincode.context import Context
from chaincode.errors import LOCKED_TOO_MANY
from chaincode.state import Count, DatedTable, DidName, Name, Row, Table

LOCKED_MAX = 2_000  # participants locked at once: every batch of orders reads them all


class Participant(Row, frozen=True, gc=False):
    """A prosumer or consumer under its trading DID, and the retailer that it joined last.

    `joins` counts how often it has joined a retailer, the first time included.
    """

    did: DidName
    retailer: Name
    joins: Count


class Locks(Row, frozen=True, gc=False):
    """The participants that are locked after the regulator's act `act`, in order of their DIDs.

    Locks are one row, because every batch of orders reads them. Locks are few and rare. A batch
    conflicts with a lock that commits before it, and must then be checked again.
    """

    act: int
    locked: Annotated[list[DidName], msgspec.Meta(max_length=LOCKED_MAX)]


class Lock(Row, frozen=True):
    """Whether a participant is locked from an act of the regulator on."""

    locked: bool


PARTICIPANTS = Table(3, "participants", Participant, ("did",))
LOCKS = Table(7, "locks", Locks, (), remembered=1)
LOCK_VERSIONS = DatedTable(75, "lock versions", Lock, ("did", "act"))
"""Dated by the number of the act, so that clearing finds the locks that held at the gate."""


def locked_traders(context: Context) -> frozenset[str]:
    """The DIDs that may not trade until the regulator unlocks them."""
    row = LOCKS.get(context)
    return frozenset() if row is None else frozenset(row.locked)


def last_act(context: Context) -> int:
    """The number of the last act that locked or unlocked a participant; 0 before the first."""
    row = LOCKS.get(context)
    return 0 if row is None else row.act


def locked_at(context: Context, act: int, dids: Iterable[str]) -> frozenset[str]:
    """The members of `dids` that were locked after the regulator's act `act`."""
    if act == last_act(context):
        return locked_traders(context).intersection(dids)
    versions = ((did, LOCK_VERSIONS.at(context, did, slot=act)) for did in dids)
    return frozenset(did for did, version in versions if version is not None and version.locked)


def set_lock(context: Context, did: str, *, act: int, locked: bool) -> None:
    """Lock or unlock a participant by the act of this number."""
    others = locked_traders(context) - {did}
    if locked and len(others) >= LOCKED_MAX:
        raise LOCKED_TOO_MANY(limit=LOCKED_MAX)
    LOCKS.put(context, Locks(act=act, locked=sorted(others | {did} if locked else others)))
    LOCK_VERSIONS.put_from(context, Lock(locked=locked), did, from_slot=act)
