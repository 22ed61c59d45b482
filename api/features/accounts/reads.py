"""Reading accounts: what they hold, the lines of their books, certificates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from api.read_model.database import Database
from api.read_model.paging import Where, count_of, key_of, page_of
from api.read_model.records import Page

_ACCOUNT = (
    "SELECT area, owner, balance_nano, reserved_nano, minted_wh, live_wh, retired_wh, block "
    "FROM account"
)
_POSTING = (
    "SELECT sequence, area, slot, number, account, amount_nano, kind, trade, rule, quantity_wh, rate, "
    "in_price, base_nano, reference, retailer, cause, "
    "transaction_id, block FROM posting"
)
_CERTIFICATE = (
    "SELECT area, slot, meter, owner, zone, source, minted_wh, retired_wh, block FROM certificate"
)


class PostingRecord(NamedTuple):
    """A line of the books, received where above 0.

    `sequence` counts all lines; `slot` and `trade` are None for a payment. `number` counts those of
    a slot. `rule`, `quantity_wh`, `rate`, `in_price` and `base_nano` are the contract's explanation
    of the amount; a payment has the rule `paid`, its `reference` and the `retailer` that booked it,
    which are empty elsewhere. `cause` is the transaction's name, `transaction` its id.
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
    """What an owner has: `available_nano` is what is not reserved for trades that are to settle.

    `minted_wh` are certificates of its plants, `live_wh` those of them that nobody has retired,
    `retired_wh` what it has retired as a consumer.
    """

    area: str
    owner: str
    balance_nano: int
    reserved_nano: int
    minted_wh: int
    live_wh: int
    retired_wh: int
    block: int

    @property
    def available_nano(self) -> int:
        """What is free of reservations."""
        return self.balance_nano - self.reserved_nano


class CertificateRecord(NamedTuple):
    """Certificates of one slot at one meter; what is not retired is live with the owner."""

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


def _postings_where(area: str, owner: str, slot: int | None) -> Where:
    where = Where().add("account = ? AND area = ?", owner, area)
    if slot is not None:
        where.add("slot = ?", slot)
    return where
