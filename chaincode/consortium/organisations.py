"""The channel's regulator and its member organisations."""

from __future__ import annotations

from typing import (
    Annotated,
    Literal,
)

import msgspec

from chaincode.context import Accepted, Context
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
    DidName,
    Id,
    Name,
    Row,
    Table,
    encode,
)
from identity.did import resolve_did_key
from identity.errors import IdentityError

ORGANISATIONS_MAX = 200  # that a channel begins with

OrganisationRole = Literal["dso", "retailer", "oracle", "regulator"]


class Channel(Row, frozen=True):
    """The DID of the regulator, whose signed acts the contract obeys; it is set once."""

    regulator: DidName


class Organisation(Row, frozen=True):
    """A member of the consortium and its role."""

    name: Name
    role: OrganisationRole


CHANNEL = Table(1, "channel", Channel, ())
ORGANISATIONS = Table(2, "organisations", Organisation, ("name",))


class OrganisationArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member's name (its MSP on Fabric) and role."""

    name: Id
    role: OrganisationRole


class InitialiseArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The regulator's DID and the consortium's first organisations."""

    regulator: Did
    organisations: Annotated[
        list[OrganisationArguments], msgspec.Meta(max_length=ORGANISATIONS_MAX)
    ]


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


def require_key(did: str) -> None:
    """Refuse a DID whose key cannot be used (small order, wrong curve, …)."""
    try:
        resolve_did_key(did)
    except IdentityError as error:
        raise DID_UNUSABLE(did=did, reason=error.sentence) from None


def require_role(context: Context, name: str, role: OrganisationRole) -> None:
    """Refuse a name that is not the name of an organisation with role `role`."""
    organisation = ORGANISATIONS.get(context, name)
    if organisation is None:
        raise ORGANISATION_UNKNOWN(name=name)
    if organisation.role != role:
        raise ROLE_WRONG(member=name, role=role)


def regulator_did(context: Context) -> str:
    """The regulator's DID, whose signed acts the contract obeys."""
    channel = CHANNEL.get(context)
    if channel is None:
        raise NOT_INITIALISED(channel=context.channel)
    return channel.regulator
