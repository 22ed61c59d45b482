"""Reading accounts: what they hold, the lines of their books, certificates, a retailer's clients."""

from __future__ import annotations

from collections.abc import Sequence

from api.read_model.database import Database
from api.read_model.paging import Where, count_of, key_of, page_of
from api.read_model.records import (
    AccountRecord,
    CertificateRecord,
    ClientRecord,
    Page,
    PostingRecord,
)

_ACCOUNT = (
    "SELECT area, owner, balance_nano, reserved_nano, minted_wh, live_wh, retired_wh, block "
    "FROM account"
)
_POSTING = (
    "SELECT sequence, area, slot, number, account, amount_nano, kind, trade, explain, cause, "
    "transaction_id, block FROM posting"
)
_CERTIFICATE = (
    "SELECT area, slot, meter, owner, zone, source, minted_wh, retired_wh, block FROM certificate"
)
_CLIENT = (
    "SELECT p.did, p.retailer, p.locked, COALESCE(a.balance_nano, 0), "
    "COALESCE(a.reserved_nano, 0), COALESCE(a.minted_wh, 0), COALESCE(a.live_wh, 0), "
    "COALESCE(a.retired_wh, 0), COALESCE(a.block, 0) "
    "FROM participant p LEFT JOIN account a ON a.owner = p.did AND a.area = ?"
)


class AccountReads:
    """The part of the read model that holds money and certificates."""

    database: Database

    async def account(self, area: str, owner: str) -> AccountRecord:
        """What an owner has; one that never moved has nothing."""
        rows = await self.database.rows(f"{_ACCOUNT} WHERE area = ? AND owner = ?", area, owner)
        return AccountRecord(*rows[0]) if rows else AccountRecord(area, owner, 0, 0, 0, 0, 0, 0)

    async def postings_of(
        self,
        area: str,
        owner: str,
        *,
        first: int,
        after: str | None = None,
        slot: int | None = None,
    ) -> Page[PostingRecord]:
        """The lines of an account, newest first."""
        where = _postings_where(area, owner, slot)
        if after is not None:
            where.add("sequence < ?", *key_of(after, int))
        text = f"{_POSTING} {where.text} ORDER BY sequence DESC"
        return await page_of(
            self.database, text, where.values, first=first, make=lambda row: PostingRecord(*row)
        )

    async def count_postings(self, area: str, owner: str, *, slot: int | None = None) -> int:
        """How many `postings_of` an owner there are."""
        return await count_of(self.database, "posting", _postings_where(area, owner, slot))

    async def postings_of_trades(
        self, area: str, slot: int, trades: Sequence[int], *, owner: str | None = None
    ) -> list[PostingRecord]:
        """The lines that trades of a slot led to, of one account or of all."""
        where = Where().add("slot = ? AND area = ?", slot, area).is_in("trade", trades)
        if owner is not None:
            where.add("account = ?", owner)
        rows = await self.database.rows(f"{_POSTING} {where.text} ORDER BY sequence", *where.values)
        return [PostingRecord(*row) for row in rows]

    async def certificates_of(
        self, area: str, owner: str, *, first: int, after: str | None = None
    ) -> Page[CertificateRecord]:
        """Certificates of an owner's plants, the newest slot first."""
        where = Where().add("owner = ? AND area = ?", owner, area)
        if after is not None:
            where.add("(slot, meter) < (?, ?)", *key_of(after, int, str))
        text = f"{_CERTIFICATE} {where.text} ORDER BY slot DESC, meter DESC"
        return await page_of(
            self.database, text, where.values, first=first, make=lambda row: CertificateRecord(*row)
        )

    async def count_certificates(self, area: str, owner: str) -> int:
        """How many `certificates_of` an owner there are."""
        where = Where().add("owner = ? AND area = ?", owner, area)
        return await count_of(self.database, "certificate", where)

    async def clients(
        self, area: str, retailer: str, *, first: int, after: str | None = None
    ) -> Page[ClientRecord]:
        """A retailer's clients with what their accounts in an area hold, by DID."""
        where = Where().add("p.retailer = ?", retailer)
        if after is not None:
            where.add("p.did > ?", *key_of(after, str))
        text = f"{_CLIENT} {where.text} ORDER BY p.did"
        return await page_of(
            self.database,
            text,
            [area, *where.values],
            first=first,
            make=lambda row: ClientRecord(row[0], row[1], bool(row[2]), *row[3:]),
        )

    async def count_clients(self, retailer: str) -> int:
        """How many `clients` a retailer has."""
        where = Where().add("retailer = ?", retailer)
        return await count_of(self.database, "participant", where)


def _postings_where(area: str, owner: str, slot: int | None) -> Where:
    where = Where().add("account = ? AND area = ?", owner, area)
    if slot is not None:
        where.add("slot = ?", slot)
    return where
