"""Reads organisations, participants and a retailer's clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from api.read_model.database import Database
from api.read_model.paging import Where, count_of, key_of, page_of
from api.read_model.records import Page

_CLIENT = (
    "SELECT p.did, p.retailer, p.locked, COALESCE(a.balance_nano, '0'), "
    "COALESCE(a.reserved_nano, '0'), COALESCE(a.claims_nano, '0'), COALESCE(a.minted_wh, 0), "
    "COALESCE(a.live_wh, 0), "
    "COALESCE(a.retired_wh, 0), COALESCE(a.block, 0) "
    "FROM participant p LEFT JOIN account a ON a.owner = p.did AND a.area = ?"
)


class OrganisationRecord(NamedTuple):
    """A member of the consortium; `role` is dso, retailer, oracle or regulator."""

    name: str
    role: str


class ParticipantRecord(NamedTuple):
    """A prosumer or consumer and the retailer that admitted it."""

    did: str
    retailer: str
    locked: bool


class ClientRecord(NamedTuple):
    """A retailer's client and the client's account."""

    did: str
    retailer: str
    locked: bool
    balance_nano: int
    reserved_nano: int
    claims_nano: int
    minted_wh: int
    live_wh: int
    retired_wh: int
    block: int

    @property
    def owner(self) -> str:
        """The owner of the client's account."""
        return self.did

    @property
    def available_nano(self) -> int:
        """The balance less the reservations and the claims."""
        return self.balance_nano - self.reserved_nano - self.claims_nano

    @property
    def cursor(self) -> str:
        """The cursor behind this row."""
        return self.did


class MemberReads:
    """The part of the read model that holds members and participants."""

    database: Database

    async def organisations(self) -> list[OrganisationRecord]:
        """Return the members of the consortium by name."""
        rows = await self.database.rows("SELECT name, role FROM organisation ORDER BY name")
        return [OrganisationRecord(*row) for row in rows]

    async def participant(self, did: str) -> ParticipantRecord | None:
        """Return the participant with this trading DID, or None."""
        rows = await self.database.rows(
            "SELECT did, retailer, locked FROM participant WHERE did = ?", did
        )
        return ParticipantRecord(rows[0][0], rows[0][1], bool(rows[0][2])) if rows else None

    async def retailers_of(self, traders: Sequence[str]) -> dict[str, str]:
        """Return the retailer of each trader that is a participant, by DID."""
        where = Where().is_in("did", traders)
        text = f"SELECT did, retailer FROM participant {where.text}"
        return {row[0]: row[1] for row in await self.database.rows(text, *where.values)}

    async def clients(
        self, area: str, retailer: str, *, first: int, after: str | None = None
    ) -> Page[ClientRecord]:
        """Return a retailer's clients and their accounts in an area, in the order of their DIDs."""
        where = Where().add("p.retailer = ?", retailer)
        if after is not None:
            where.add("p.did > ?", *key_of(after, str))
        text = f"{_CLIENT} {where.text} ORDER BY p.did"
        return await page_of(
            self.database,
            text,
            [area, *where.values],
            first=first,
            make=lambda row: ClientRecord(row[0], row[1], bool(row[2]), *map(int, row[3:])),
        )

    async def count_clients(self, retailer: str) -> int:
        """Return how many `clients` a retailer has."""
        where = Where().add("retailer = ?", retailer)
        return await count_of(self.database, "participant", where)
