"""Accounts of an area: money and energy certificates in double entry, so every sum is zero.

A balance or a reserve changes in the area's lane only, that is, when entries are folded and when a
clearing takes cover. Everything else appends entries (`entries`). An account of a client never
stays below zero: the retailer that answers pays what is missing, and holds a claim (`claims`).
Accounts of members and of purposes, such as `vat:<member>`, may lie below zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from chaincode.context import Context
from chaincode.errors import Broken
from chaincode.state import CLIENT_PREFIX, KeyPart, Row, Table


class Account(Row, frozen=True, gc=False):
    """What an owner has in an area, as last folded.

    `reserved_nano` covers matched trades that are not settled yet and cancellation fees that are
    not posted yet. `claims_nano` is what retailers have paid for this owner and not got back yet.
    Certificates are in Wh: `minted_wh`, for this owner's plants, equals the certificates that are
    live in this account plus those that consumers have retired; `retired_wh` is what this owner
    retired as a consumer.
    """

    balance_nano: int = 0
    reserved_nano: int = 0
    claims_nano: int = 0
    minted_wh: int = 0
    live_wh: int = 0
    retired_wh: int = 0


class Large(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An owner that one transaction does not fold to its end.

    In SUM its entries are only summed; in STRIKE they are read again, added to the account and
    deleted, while the retailers that answer pay what will be missing; in REPAY claims are repaid.
    `owner` is the beginning of the owner's keys, epoch and name. `money_nano` is the sum of its
    entries, `taken_nano` what they take away, `passed_nano` what those take away that STRIKE has
    passed, `short_nano` what is missing in the end.
    """

    owner: KeyPart
    step: Literal["SUM", "STRIKE", "REPAY"]
    after: KeyPart = ""
    money_nano: int = 0
    taken_nano: int = 0
    passed_nano: int = 0
    short_nano: int = 0


class Folding(Row, frozen=True, kw_only=True):
    """How far the lane of an area has come.

    Slots are cleared in order, up to `cleared_slot` so far. Entries before the key `after` are
    folded. `large` is set while folding stands among the entries or claims of one owner.
    `posting_pages` counts the pages of lines that folding has posted.
    """

    cleared_slot: int = 0
    epoch: int = 0
    after: KeyPart = ""
    large: Large | None = None
    posting_pages: int = 0


ACCOUNTS = Table(30, "accounts", Account, ("area", "owner"))
FOLDINGS = Table(34, "foldings", Folding, ("area",))


def is_client(owner: str) -> bool:
    """Whether an account is a client's, for which a retailer answers."""
    return owner.startswith(CLIENT_PREFIX)


def folding_of(context: Context, area: str) -> Folding:
    """How far the lane of an area has come; an area without any folding is at the beginning."""
    return FOLDINGS.get(context, area) or Folding()


class LaneAccounts:
    """The accounts that the lane works on in a transaction, loaded once and written once."""

    def __init__(self, context: Context, area: str) -> None:
        self._context = context
        self._area = area
        self._accounts: dict[str, Account] = {}
        self._before: dict[str, Account | None] = {}

    def load(self, owners: Iterable[str]) -> None:
        """Read the accounts of `owners` with one request."""
        missing = list(dict.fromkeys(owner for owner in owners if owner not in self._accounts))
        rows = ACCOUNTS.get_many(self._context, [(self._area, owner) for owner in missing])
        for owner, row in zip(missing, rows, strict=True):
            self._before[owner] = row
            self._accounts[owner] = row or Account()

    def account(self, owner: str) -> Account:
        """The account with the changes of this transaction."""
        if owner not in self._accounts:
            self.load([owner])
        return self._accounts[owner]

    def change(
        self,
        owner: str,
        *,
        balance_nano: int = 0,
        reserved_nano: int = 0,
        claims_nano: int = 0,
        minted_wh: int = 0,
        live_wh: int = 0,
        retired_wh: int = 0,
    ) -> Account:
        """Add to an account and return it; only a balance may fall below zero."""
        old = self.account(owner)
        new = Account(
            balance_nano=old.balance_nano + balance_nano,
            reserved_nano=old.reserved_nano + reserved_nano,
            claims_nano=old.claims_nano + claims_nano,
            minted_wh=old.minted_wh + minted_wh,
            live_wh=old.live_wh + live_wh,
            retired_wh=old.retired_wh + retired_wh,
        )
        rest = new.reserved_nano, new.claims_nano, new.minted_wh, new.live_wh, new.retired_wh
        if min(rest) < 0:
            raise Broken(f"account {owner} in {self._area} would hold {new}")
        self._accounts[owner] = new
        return new

    def write(self) -> None:
        """Write every account that changed, sorted by name."""
        for owner in sorted(self._accounts):
            if self._accounts[owner] != self._before[owner]:
                ACCOUNTS.put(self._context, self._accounts[owner], self._area, owner)
                self._before[owner] = self._accounts[owner]
