"""People in the schema: who is signed in, and a retailer's clients."""

from __future__ import annotations

import strawberry
from strawberry import ID

from api.read_model.records import ClientRecord
from api.schema import loading
from api.schema.accounts import Balance
from api.schema.context import Info
from api.schema.enums import Role
from api.schema.metering import Meter, meter_node
from api.schema.scalars import Energy, money


@strawberry.type(description="Who is signed in.")
class Viewer:
    """Who is signed in: a household, or somebody who acts for a member."""

    did: strawberry.ID
    role: Role
    member: str | None
    name: str | None
    retailer: str | None
    zone: strawberry.ID | None
    locked: bool
    meters: list[Meter]


@strawberry.type(description="A retailer's client.")
class Client:
    """A retailer's client and what its account holds."""

    did: strawberry.ID
    retailer: str
    locked: bool
    balance: Balance

    @strawberry.field(description="The meters that the client holds.")
    async def meters(self, info: Info) -> list[Meter]:
        """The meters that the client holds."""
        return [meter_node(record) for record in await loading.meters_of(info, self.did)]


def client_node(record: ClientRecord) -> Client:
    """A retailer's client."""
    return Client(
        did=ID(record.did),
        retailer=record.retailer,
        locked=record.locked,
        balance=Balance(
            owner=ID(record.did),
            amount=money(record.balance_nano),
            available=money(record.balance_nano - record.reserved_nano),
            reserved=money(record.reserved_nano),
            minted=Energy(record.minted_wh),
            live=Energy(record.live_wh),
            retired=Energy(record.retired_wh),
            block=record.block,
        ),
    )
