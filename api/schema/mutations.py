"""Every mutation: sign-in, and carrying tokens that a trader has signed.

Nothing here takes an order in clear: what is to be done stands in the token. A refusal of the
contract is an answer with its code, never an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import strawberry
from strawberry import ID

from api.faults import NO_ENROLMENT
from api.orders import Act, carry, unless_unavailable
from api.schema.context import Info, require_viewer
from api.schema.enums import Role
from api.schema.scalars import Money, Time, money
from api.schema.trading import order_id
from api.sign_in.session import Issued


@strawberry.type(description="A nonce to sign, good once.")
class Challenge:
    """A nonce to sign, good once."""

    nonce: str
    audience: str
    expires: Time


@strawberry.type(description="A session that has begun or goes on.")
class Session:
    """A session; `expires` is the end of the access token."""

    access_token: str
    refresh_token: str
    expires: Time
    role: Role
    did: ID


@strawberry.type(description="What became of one token.")
class TokenResult:
    """What became of one token: PLACED, AMENDED, CANCELLED, EXISTS, or a refusal's code."""

    code: str
    sentence: str
    orders: list[ID]
    transaction: str | None
    block: int | None


@strawberry.type(description="What a newcomer of the demonstration was given.")
class Enrolment:
    """What a newcomer of the demonstration was given."""

    meter: ID
    zone: ID
    retailer: str
    deposit: Money
    from_slot: Time


@strawberry.type
class Mutation:
    """Everything that changes something."""

    @strawberry.mutation(description="A nonce to sign in with. Strangers may ask.")
    async def challenge(self, info: Info, did: ID) -> Challenge:
        """A nonce to sign in with."""
        nonce, audience, expires_s = info.context.sessions.challenge(did)
        return Challenge(nonce=nonce, audience=audience, expires=Time(expires_s))

    @strawberry.mutation(description="A session for the wallet that signed the login token.")
    async def sign_in(self, info: Info, token: str) -> Session:
        """A session for the wallet that signed the login token."""
        context = info.context
        return _session(await context.sessions.sign_in(token, origin=context.origin))

    @strawberry.mutation(description="The session goes on under new tokens; the old are spent.")
    async def refresh(self, info: Info, refresh_token: str) -> Session:
        """The session goes on under new tokens; the old are spent."""
        return _session(info.context.sessions.refresh(refresh_token))

    @strawberry.mutation(description="The viewer's session ends; false where there was none.")
    async def sign_out(self, info: Info) -> bool:
        """The viewer's session ends; False where there was none."""
        viewer = info.context.viewer
        return viewer is not None and info.context.sessions.sign_out(viewer)

    @strawberry.mutation(description="Place the orders of signed sheets, up to 500 and 1 MB.")
    async def place_orders(self, info: Info, tokens: list[str]) -> list[TokenResult]:
        """Place the orders of signed sheets."""
        return await _carry(info, "place_orders", tokens)

    @strawberry.mutation(description="Replace the steps of open orders.")
    async def amend_orders(self, info: Info, tokens: list[str]) -> list[TokenResult]:
        """Replace the steps of open orders."""
        return await _carry(info, "amend_orders", tokens)

    @strawberry.mutation(description="Withdraw open orders.")
    async def cancel_orders(self, info: Info, tokens: list[str]) -> list[TokenResult]:
        """Withdraw open orders."""
        return await _carry(info, "cancel_orders", tokens)

    @strawberry.mutation(description="A retailer, a meter and a deposit; demonstrations only.")
    async def enrol(self, info: Info) -> Enrolment:
        """A retailer, a meter and a deposit for whoever is signed in; demonstrations only."""
        enrolment, viewer = info.context.services.enrolment, require_viewer(info)
        if enrolment is None:
            raise NO_ENROLMENT()
        given = await unless_unavailable(enrolment.enrol(viewer.did))
        return Enrolment(
            meter=ID(given.meter),
            zone=ID(given.zone),
            retailer=given.retailer,
            deposit=money(given.deposit_nano),
            from_slot=Time(given.from_slot),
        )


async def _carry(info: Info, act: Act, tokens: Sequence[str]) -> list[TokenResult]:
    viewer = require_viewer(info)
    return [
        TokenResult(
            code=carried.code,
            sentence=carried.sentence,
            orders=[ID(order_id(slot, name)) for slot, name in carried.orders],
            transaction=carried.transaction,
            block=carried.block,
        )
        for carried in await carry(info.context.services, viewer, act, tokens)
    ]


def _session(issued: Issued) -> Session:
    return Session(
        access_token=issued.access_token,
        refresh_token=issued.refresh_token,
        expires=Time(issued.expires_s),
        role=Role(issued.role),
        did=ID(issued.did),
    )
