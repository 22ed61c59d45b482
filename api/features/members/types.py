"""People in the schema: the viewer, a retailer's clients, sessions and enrolment."""

from __future__ import annotations

from enum import Enum

import strawberry
from strawberry import ID

from api import services as services_of
from api.access import table
from api.access.table import ANYBODY, SIGNED_IN, Reader, scope
from api.faults import ARGUMENT_RANGE, NO_ENROLMENT
from api.features.accounts.types import Balance
from api.features.members.reads import ClientRecord
from api.features.metering.types import Meter, meters_of
from api.features.orders.writes import unless_unavailable
from api.graphql.context import Info, require_viewer
from api.graphql.fields import asked, changing, column, node_of, object_type, part, shown
from api.graphql.pages import Connection, Listing, connect
from api.graphql.scalars import Money, Time, money
from api.services import Services
from api.sign_in.session import Issued

WITH_CLIENTS: frozenset[Reader] = frozenset({"RETAILER", "REGULATOR"})
HOUSEHOLDS: frozenset[Reader] = frozenset({"HOUSEHOLD"})


@strawberry.enum(description="The role of a signed-in user.")
class Role(Enum):
    """The role of a signed-in user."""

    HOUSEHOLD = "HOUSEHOLD"
    RETAILER = "RETAILER"
    DSO = "DSO"
    OPERATOR = "OPERATOR"
    REGULATOR = "REGULATOR"


@object_type("The user who is signed in.")
class Viewer:
    """The signed-in user: a household, or a person who acts for a member."""

    did: strawberry.ID = shown(SIGNED_IN)
    role: Role = shown(SIGNED_IN)
    member: str | None = shown(SIGNED_IN)
    name: str | None = shown(SIGNED_IN)
    retailer: str | None = shown(SIGNED_IN)
    zone: strawberry.ID | None = shown(SIGNED_IN)
    locked: bool = shown(SIGNED_IN)
    meters: list[Meter] = shown(SIGNED_IN)


@object_type("A retailer's client.")
class Client:
    """A retailer's client and the client's account."""

    did: strawberry.ID = column(WITH_CLIENTS, "did")
    retailer: str = column(WITH_CLIENTS, "retailer")
    locked: bool = column(WITH_CLIENTS, "locked")
    balance: Balance = part(WITH_CLIENTS, Balance)

    @asked(WITH_CLIENTS, description="The meters that the client holds.")
    async def meters(self, info: Info) -> list[Meter]:
        """Return the meters that the client holds."""
        return [node_of(Meter, record) for record in await meters_of(info, self.did)]


@object_type("A nonce to sign; it can be used once.")
class Challenge:
    """A nonce to sign; it can be used once."""

    nonce: str = shown(ANYBODY)
    audience: str = shown(ANYBODY)
    expires: Time = shown(ANYBODY)


@object_type("A session that was begun or prolonged.")
class Session:
    """A session; `expires` is the end of the access token."""

    access_token: str = shown(ANYBODY)
    refresh_token: str = shown(ANYBODY)
    expires: Time = shown(ANYBODY)
    role: Role = shown(ANYBODY)
    did: ID = shown(ANYBODY)


@object_type("The home that a newcomer of the demonstration may have, and what has to be signed.")
class HomeOffer:
    """A home on offer: the newcomer signs that its retailer supplies its meter."""

    meter: ID = column(HOUSEHOLDS, "meter")
    zone: ID = column(HOUSEHOLDS, "zone")
    retailer: str = column(HOUSEHOLDS, "retailer")
    from_slot: Time = column(HOUSEHOLDS, "from_slot")
    valid_until: Time = column(HOUSEHOLDS, "valid_until_s")


@object_type("What a newcomer of the demonstration was given.")
class Enrolment:
    """The retailer, meter and deposit that a newcomer of the demonstration has received."""

    meter: ID = column(HOUSEHOLDS, "meter")
    zone: ID = column(HOUSEHOLDS, "zone")
    retailer: str = column(HOUSEHOLDS, "retailer")
    deposit: Money = column(HOUSEHOLDS, "deposit_nano", by=money)
    from_slot: Time = column(HOUSEHOLDS, "from_slot")


@object_type("A home that a newcomer of the demonstration can move into.")
class OfferedHome:
    """A home that a newcomer can move into; an offer reserves nothing."""

    meter: ID = column(SIGNED_IN, "meter")
    zone: ID = column(SIGNED_IN, "zone")
    retailer: str = column(SIGNED_IN, "retailer")


@strawberry.type
class MemberQuery:
    """Queries about people."""

    @asked(ANYBODY, description="The user who is signed in; null for a stranger.")
    async def viewer(self, info: Info) -> Viewer | None:
        """Return the signed-in user; None for a stranger."""
        viewer = info.context.viewer
        return None if viewer is None else await viewer_of(info.context.services, viewer)

    @asked(
        WITH_CLIENTS,
        description="A retailer's clients by DID; the regulator names the retailer.",
    )
    async def clients(
        self,
        info: Info,
        first: int | None = 100,
        after: str | None = None,
        retailer: str | None = None,
    ) -> Connection[Client]:
        """Return a retailer's clients; only viewers that see all clients may name a retailer."""
        viewer = require_viewer(info)
        named = retailer if scope(viewer, "clients") == "all" else viewer.member
        if named is None or retailer not in (None, named):
            raise ARGUMENT_RANGE(name="retailer", value=retailer, bound="one that you may see")
        listing = clients_of(info.context.services, named)
        return await connect(
            listing, lambda record: node_of(Client, record), first=first, after=after
        )


@strawberry.type
class MemberMutation:
    """Sign-in, and enrolment in a demonstration."""

    @changing(ANYBODY, description="A nonce to sign in with. Strangers may ask.")
    async def challenge(self, info: Info, did: ID) -> Challenge:
        """Return a nonce to sign in with."""
        nonce, audience, expires_s = info.context.sessions.challenge(did)
        return Challenge(nonce=nonce, audience=audience, expires=Time(expires_s))

    @changing(ANYBODY, description="A session for the wallet that signed the login token.")
    async def sign_in(self, info: Info, token: str) -> Session:
        """Begin a session for the wallet that signed the login token."""
        context = info.context
        return session_node(await context.sessions.sign_in(token, origin=context.origin))

    @changing(ANYBODY, description="Prolong the session with new tokens; the old ones are spent.")
    async def refresh(self, info: Info, refresh_token: str) -> Session:
        """Prolong the session with new tokens; the old tokens become invalid."""
        return session_node(info.context.sessions.refresh(refresh_token))

    @changing(ANYBODY, description="End the viewer's session; false if there was no session.")
    async def sign_out(self, info: Info) -> bool:
        """End the viewer's session; return False if there was no session."""
        viewer = info.context.viewer
        return viewer is not None and info.context.sessions.sign_out(viewer)

    @changing(HOUSEHOLDS, description="A home that the viewer may have; demonstrations only.")
    async def offer_home(self, info: Info) -> HomeOffer:
        """Offer the viewer a home; only in demonstrations."""
        enrolment, viewer = newcomers(info.context.services), require_viewer(info)
        return node_of(HomeOffer, await unless_unavailable(enrolment.offer(viewer.did)))

    @changing(
        HOUSEHOLDS,
        description="A retailer, a meter and a deposit, for the signed join of the offered home's "
        "retailer, hold of its meter and agreement to its supply; demonstrations only.",
    )
    async def enrol(self, info: Info, join: str, hold: str, supply: str) -> Enrolment:
        """Give the viewer the home that was offered; only in demonstrations."""
        enrolment, viewer = newcomers(info.context.services), require_viewer(info)
        work = enrolment.enrol(viewer.did, join=join, hold=hold, supply=supply)
        return node_of(Enrolment, await unless_unavailable(work))


def newcomers(services: Services) -> services_of.Enrolment:
    """Return who admits newcomers; raise `NO_ENROLMENT` in a market that is no demonstration."""
    if services.enrolment is None:
        raise NO_ENROLMENT()
    return services.enrolment


async def viewer_of(services: Services, viewer: table.Viewer) -> Viewer:
    """Return the signed-in user with its meters."""
    account = services.accounts.get(viewer.did)
    participant = await services.read_model.participant(viewer.did)
    meters = await services.read_model.meters_of(services.area, [viewer.did])
    return Viewer(
        did=ID(viewer.did),
        role=Role(viewer.role),
        member=viewer.member,
        name=None if account is None else account.name,
        retailer=None if participant is None else participant.retailer,
        zone=ID(meters[0].zone) if meters else None,
        locked=participant is not None and participant.locked,
        meters=[node_of(Meter, meter) for meter in meters],
    )


def clients_of(services: Services, retailer: str) -> Listing[ClientRecord]:
    """Return a retailer's clients by DID."""
    return Listing(
        lambda first, after: services.read_model.clients(
            services.area, retailer, first=first, after=after
        ),
        lambda: services.read_model.count_clients(retailer),
    )


def session_node(issued: Issued) -> Session:
    """Return a session as its owner sees it."""
    return Session(
        access_token=issued.access_token,
        refresh_token=issued.refresh_token,
        expires=Time(issued.expires_s),
        role=Role(issued.role),
        did=ID(issued.did),
    )
