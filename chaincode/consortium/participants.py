"""Participants by their trading DIDs, and the participants that the regulator has locked.

Only the retailer knows which person a DID belongs to; that link never enters the public state.
"""

from __future__ import annotations

import msgspec

from chaincode.consortium.organisations import require_key
from chaincode.context import Accepted, Context
from chaincode.errors import ALREADY_REGISTERED
from chaincode.state import Did, Row, Table, encode


class Participant(Row, frozen=True, gc=False):
    """A prosumer or consumer under its trading DID, and the retailer that admitted it."""

    did: str
    retailer: str


class Locks(Row, frozen=True, gc=False):
    """The participants that the regulator's acts have locked, in order of their DIDs.

    Locks are one row, because every batch of orders reads them. Locks are few and rare. A batch
    conflicts with a lock that commits before it, and must then be checked again.
    """

    locked: list[str]


PARTICIPANTS = Table(3, "participants", Participant, ("did",))
LOCKS = Table(7, "locks", Locks, (), remembered=1)


class ParticipantArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The trading DID of a new client."""

    did: Did


def register_participant(context: Context, arguments: ParticipantArguments) -> Accepted:
    """Admit a client of the calling retailer under its trading DID."""
    require_key(arguments.did)
    if PARTICIPANTS.get(context, arguments.did) is not None:
        raise ALREADY_REGISTERED(kind="participant", name=arguments.did)
    row = Participant(did=arguments.did, retailer=context.caller.member)
    PARTICIPANTS.put(context, row, arguments.did)
    context.emit("participant_registered", encode(row))
    return Accepted(arguments.did)


def locked_traders(context: Context) -> frozenset[str]:
    """The DIDs that may not trade until the regulator unlocks them."""
    row = LOCKS.get(context)
    return frozenset() if row is None else frozenset(row.locked)


def set_lock(context: Context, did: str, *, locked: bool) -> None:
    """Lock or unlock a participant."""
    others = locked_traders(context) - {did}
    LOCKS.put(context, Locks(locked=sorted(others | {did} if locked else others)))
