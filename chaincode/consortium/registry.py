"""Who is known: the channel's regulator, member organisations, participants by trading DID.

The link from a DID to a person stays with the retailer and never enters the public state.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.errors import (
    ALREADY_INITIALISED,
    ALREADY_REGISTERED,
    DID_UNUSABLE,
    NOT_INITIALISED,
    ORGANISATION_UNKNOWN,
    ROLE_WRONG,
)
from chaincode.state import (
    Did,
    Id,
    Row,
    Table,
    encode,
)
from identity.did import resolve_did_key
from identity.errors import IdentityError

OrganisationRole = Literal["dso", "retailer", "oracle", "regulator"]


class Channel(Row, frozen=True):
    """Set once: the regulator's key, whose signed acts the contract obeys."""

    regulator: str


class Organisation(Row, frozen=True):
    """A member of the consortium and what it is."""

    name: str
    role: OrganisationRole


class Participant(Row, frozen=True, gc=False):
    """A prosumer or consumer under its trading DID, and the retailer that admitted it."""

    did: str
    retailer: str


class Locks(Row, frozen=True, gc=False):
    """The participants that the regulator's acts have locked, in order of their DIDs.

    One row, since every batch of orders asks for it: locks are few and rare, and a batch that one
    overtakes is to be looked at again.
    """

    locked: list[str]


CHANNEL = Table(1, "channel", Channel, ())
ORGANISATIONS = Table(2, "organisations", Organisation, ("name",))
PARTICIPANTS = Table(3, "participants", Participant, ("did",))
LOCKS = Table(7, "locks", Locks, (), remembered=1)


class OrganisationArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member's name (its MSP on Fabric) and role."""

    name: Id
    role: OrganisationRole


class InitialiseArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The regulator's DID and the consortium's first organisations."""

    regulator: Did
    organisations: list[OrganisationArguments]


class ParticipantArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The trading DID of a new client."""

    did: Did


def initialise(context: Context, arguments: InitialiseArguments) -> Accepted:
    """Name the regulator and the first organisations, once."""
    if CHANNEL.get(context) is not None:
        raise ALREADY_INITIALISED(channel=context.channel)
    names = [organisation.name for organisation in arguments.organisations]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ALREADY_REGISTERED(kind="organisation", name=name)
    roles = {organisation.name: organisation.role for organisation in arguments.organisations}
    if roles.get(context.caller.member) != "dso":
        raise ROLE_WRONG(member=context.caller.member, role="dso")
    require_key(arguments.regulator)
    CHANNEL.put(context, Channel(regulator=arguments.regulator))
    for organisation in arguments.organisations:
        row = Organisation(name=organisation.name, role=organisation.role)
        ORGANISATIONS.put(context, row, organisation.name)
    context.emit("initialised", encode(arguments))
    return Accepted(context.channel)


def register_organisation(context: Context, arguments: OrganisationArguments) -> Accepted:
    """Add an organisation to the consortium."""
    if ORGANISATIONS.get(context, arguments.name) is not None:
        raise ALREADY_REGISTERED(kind="organisation", name=arguments.name)
    row = Organisation(name=arguments.name, role=arguments.role)
    ORGANISATIONS.put(context, row, arguments.name)
    context.emit("organisation_registered", encode(arguments))
    return Accepted(arguments.name)


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
    """The DIDs that trade nothing until the regulator unlocks them."""
    row = LOCKS.get(context)
    return frozenset() if row is None else frozenset(row.locked)


def set_lock(context: Context, did: str, *, locked: bool) -> None:
    """Lock or unlock a participant."""
    others = locked_traders(context) - {did}
    LOCKS.put(context, Locks(locked=sorted(others | {did} if locked else others)))


def require_key(did: str) -> None:
    """Refuse a DID that no key of ours stands behind (small order, wrong curve, …)."""
    try:
        resolve_did_key(did)
    except IdentityError as error:
        raise DID_UNUSABLE(did=did, reason=error.sentence) from None


def require_role(context: Context, name: str, role: OrganisationRole) -> None:
    """Refuse a name that is no organisation of `role`."""
    organisation = ORGANISATIONS.get(context, name)
    if organisation is None:
        raise ORGANISATION_UNKNOWN(name=name)
    if organisation.role != role:
        raise ROLE_WRONG(member=name, role=role)


def regulator_did(context: Context) -> str:
    """The DID whose acts the contract obeys."""
    channel = CHANNEL.get(context)
    if channel is None:
        raise NOT_INITIALISED(channel=context.channel)
    return channel.regulator
