"""Reads accounts: what they hold, the lines of their books, certificates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from api.read_model.database import Database
from api.read_model.paging import Where, count_of, key_of, page_of
from api.read_model.records import Page

_ACCOUNT = (
    "SELECT area, owner, balance_nano, reserved_nano, claims_nano, minted_wh, live_wh, retired_wh, "
    "block "
    "FROM account"
)
_POSTING = (
    "SELECT sequence, area, slot, number, account, amount_nano, kind, trade, rule, quantity_wh, rate, "
    "in_price, base_nano, reference, retailer, cause, "
    "transaction_id, block FROM posting"
)
_CLAIM = "SELECT id, area, retailer, client, amount_nano, block FROM claim"
_CERTIFICATE = (
    "SELECT area, slot, meter, owner, zone, source, minted_wh, retired_wh, block FROM certificate"
)


class PostingRecord(NamedTuple):
    """A line of the books; an amount above 0 was received.

    `sequence` counts all lines, `number` the lines of a slot; `slot` and `trade` are None for a
    payment. `rule`, `quantity_wh`, `rate`, `in_price` and `base_nano` are the contract's
    explanation of the amount. A payment has the rule `paid`, a `reference`, and the `retailer` that
    booked it; other lines have neither. `cause` is the transaction's name, `transaction` its id.
    """

    sequence: int
    area: str
    slot: int | None
    number: int
    account: str
    amount_nano: int
    kind: str
    trade: int | None
    rule: str
    quantity_wh: int
    rate: int
    in_price: int
    base_nano: int
    reference: str
    retailer: str
    cause: str
    transaction: str
    block: int

    @property
    def cursor(self) -> str:
        """The cursor behind this row."""
        return str(self.sequence)


class AccountRecord(NamedTuple):
    """An owner's account; `available_nano` is neither reserved for trades nor owed to retailers.

    `claims_nano` is what retailers have paid for the owner and not got back yet.

    `minted_wh` are the certificates of the owner's plants, `live_wh` those that are not retired,
    `retired_wh` the certificates that the owner has retired as a consumer.
    """

    area: str
    owner: str
    balance_nano: int
    reserved_nano: int
    claims_nano: int
    minted_wh: int
    live_wh: int
    retired_wh: int
    block: int

    @property
    def available_nano(self) -> int:
        """The balance less the reservations and the claims."""
        return self.balance_nano - self.reserved_nano - self.claims_nano


class ClaimRecord(NamedTuple):
    """What a retailer has paid for a client and not got back yet."""

    id: int
    area: str
    retailer: str
    client: str
    amount_nano: int
    block: int

    @property
    def cursor(self) -> str:
        """The cursor behind this row."""
        return str(self.id)


class CertificateRecord(NamedTuple):
    """Certificates of one slot at one meter; the owner still holds those that are not retired."""

    area: str
    slot: int
    meter: str
    owner: str
    zone: str
    source: str
    minted_wh: int
    retired_wh: int
    block: int

    @property
    def cursor(self) -> str:
        """The cursor behind this row."""
        return f"{self.slot}.{self.meter}"


class AccountReads:
    """The part of the read model that holds money and certificates."""

    database: Database

    async def account(self, area: str, owner: str) -> AccountRecord:
        """Return an owner's account; without a row, an account of zeros."""
        rows = await self.database.rows(f"{_ACCOUNT} WHERE area = ? AND owner = ?", area, owner)
        if not rows:
            return AccountRecord(area, owner, 0, 0, 0, 0, 0, 0, 0)
        area, owner, *numbers = rows[0]
        return AccountRecord(area, owner, *map(int, numbers))

    async def postings_of(
        self,
        area: str,
        owner: str,
        *,
        first: int,
        after: str | None = None,
        slot: int | None = None,
    ) -> Page[PostingRecord]:
        """Return the lines of an account, newest first."""
        where = _postings_where(area, owner, slot)
        if after is not None:
            where.add("sequence < ?", *key_of(after, int))
        text = f"{_POSTING} {where.text} ORDER BY sequence DESC"
        return await page_of(
            self.database, text, where.values, first=first, make=lambda row: PostingRecord(*row)
        )

    async def count_postings(self, area: str, owner: str, *, slot: int | None = None) -> int:
        """Return how many `postings_of` an owner there are."""
        return await count_of(self.database, "posting", _postings_where(area, owner, slot))

    async def postings_of_trades(
        self, area: str, slot: int, trades: Sequence[int], *, owner: str | None = None
    ) -> list[PostingRecord]:
        """Return the lines that result from trades of a slot, of one account or of all."""
        where = Where().add("slot = ? AND area = ?", slot, area).is_in("trade", trades)
        if owner is not None:
            where.add("account = ?", owner)
        rows = await self.database.rows(f"{_POSTING} {where.text} ORDER BY sequence", *where.values)
        return [PostingRecord(*row) for row in rows]

    async def claims_of(
        self, area: str, owner: str, *, first: int, after: str | None = None
    ) -> Page[ClaimRecord]:
        """Return the claims that an owner holds, and those that are held on it."""
        where = _claims_where(area, owner)
        if after is not None:
            where.add("id > ?", *key_of(after, int))
        text = f"{_CLAIM} {where.text} ORDER BY id"
        return await page_of(
            self.database, text, where.values, first=first, make=lambda row: ClaimRecord(*row)
        )

    async def count_claims(self, area: str, owner: str) -> int:
        """Return how many `claims_of` an owner there are."""
        return await count_of(self.database, "claim", _claims_where(area, owner))

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
        """Return how many `certificates_of` an owner there are."""
        where = Where().add("owner = ? AND area = ?", owner, area)
        return await count_of(self.database, "certificate", where)


def _claims_where(area: str, owner: str) -> Where:
    return Where().add(
        "(client = ? OR retailer = ?) AND area = ? AND amount_nano > 0", owner, owner, area
    )


def _postings_where(area: str, owner: str, slot: int | None) -> Where:
    where = Where().add("account = ? AND area = ?", owner, area)
    if slot is not None:
        where.add("slot = ?", slot)
    return where
