"""What anybody may ask about accounts: one account, a retailer's claims, the sums of an area."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import Annotated

import msgspec

from chaincode.accounts.balances import ACCOUNTS, Account, folding_of
from chaincode.accounts.claims import CLAIM_SUMS
from chaincode.accounts.entries import ENTRIES, free_nano, unfolded, unfolded_entries
from chaincode.accounts.posting import Posting
from chaincode.area.zones import get_lane
from chaincode.context import Context
from chaincode.errors import PAGE_UNKNOWN
from chaincode.state import AccountName, Count, Hex32, Id, Row, Table, encode

PAGE_ROWS = 500  # claims or entries of one answer
SUMMED_ROWS = 5_000  # accounts or entries that one answer of `sum_accounts` sums
FOLD_LINES_MAX = 2_000  # an entry posts two lines at most, and a transaction has points for 700
NO_DIGEST = "0" * 64
ENTRY_SECTION, ACCOUNT_SECTION = "entry/", "account/"
"""`after` of `sum_accounts` begins with one of these: entries come first, then accounts."""


class FoldPage(Row, frozen=True):
    """Lines that a transaction has posted by folding."""

    postings: Annotated[list[Posting], msgspec.Meta(max_length=FOLD_LINES_MAX)]


SUMMED = (
    "entries",
    "accounts",
    "money_nano",
    "reserved_nano",
    "claims_nano",
    "minted_wh",
    "live_wh",
    "retired_wh",
)
"""The fields of `Totals` that are sums."""

FOLD_PAGES = Table(38, "fold pages", FoldPage, ("area", "page"))


class OwnerArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account's area and owner."""

    area: Id
    owner: AccountName


class AccountAnswer(msgspec.Struct, frozen=True):
    """An account as last folded, and its entries that are not folded yet.

    `available_nano` is what may be paid out: the balance less the reserve, the claims and what
    unfolded entries take away. `unfolded_nano` is the sum of all `unfolded_entries`.
    """

    owner: str
    account: Account
    available_nano: int
    unfolded_entries: int
    unfolded_nano: int

    @property
    def worth_nano(self) -> int:
        """The balance less the claims, once everything is folded: all postings and payments."""
        return self.account.balance_nano - self.account.claims_nano + self.unfolded_nano


class EntriesArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An owner's unfolded entries, from number `first` on."""

    area: Id
    owner: AccountName
    first: Count = 0


class EntryView(msgspec.Struct, frozen=True):
    """An entry that is not folded yet; the retailer answers for a client."""

    epoch: int
    cause: str
    retailer: str
    money_nano: int
    reserved_nano: int
    minted_wh: int
    live_wh: int
    retired_wh: int


class EntriesAnswer(msgspec.Struct, frozen=True):
    """Up to 500 entries, and the number of the next one (None at the end)."""

    entries: list[EntryView]
    following: int | None


class ClaimsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A retailer's claims on the clients after `after`, a value from the previous page."""

    area: Id
    retailer: Id
    after: Annotated[str, msgspec.Meta(max_length=128)] = ""


class ClaimView(msgspec.Struct, frozen=True):
    """What a retailer has paid for a client and not got back yet."""

    client: str
    amount_nano: int


class ClaimsAnswer(msgspec.Struct, frozen=True):
    """Up to 500 clients on whom a retailer holds claims, and `after` (None at the end)."""

    claims: list[ClaimView]
    after: str | None


class SumArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of the sums of an area; `after` and `digest` are values of the previous page."""

    area: Id
    after: Annotated[str, msgspec.Meta(max_length=512)] = ""
    digest: Hex32 = NO_DIGEST


class Totals(msgspec.Struct, frozen=True):
    """Sums over a page of an area's entries and accounts.

    Over all pages money sums to 0, and minted = live + retired. `digest` is a running digest of
    all rows so far, and `after` begins the next page (None at the end).
    """

    entries: int
    accounts: int
    money_nano: int
    reserved_nano: int
    claims_nano: int
    minted_wh: int
    live_wh: int
    retired_wh: int
    digest: str
    after: str | None

    def plus(self, page: Totals) -> Totals:
        """The sums of this page and of those before it."""
        return Totals(
            entries=self.entries + page.entries,
            accounts=self.accounts + page.accounts,
            money_nano=self.money_nano + page.money_nano,
            reserved_nano=self.reserved_nano + page.reserved_nano,
            claims_nano=self.claims_nano + page.claims_nano,
            minted_wh=self.minted_wh + page.minted_wh,
            live_wh=self.live_wh + page.live_wh,
            retired_wh=self.retired_wh + page.retired_wh,
            digest=page.digest,
            after=page.after,
        )


class FoldPageArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of the lines that folding has posted in an area, counted from 0."""

    area: Id
    page: Count = 0


class FoldPageAnswer(msgspec.Struct, frozen=True):
    """A page of lines, and the number of pages."""

    postings: list[Posting]
    pages: int


def describe_account(context: Context, arguments: OwnerArguments) -> AccountAnswer:
    """Return an account; an account without any movement is empty."""
    get_lane(context, arguments.area)
    account = ACCOUNTS.get(context, arguments.area, arguments.owner) or Account()
    waiting = unfolded(context, arguments.area, arguments.owner)
    return AccountAnswer(
        owner=arguments.owner,
        account=account,
        available_nano=free_nano(account, waiting),
        unfolded_entries=waiting.entries,
        unfolded_nano=waiting.money_nano,
    )


def list_entries(context: Context, arguments: EntriesArguments) -> EntriesAnswer:
    """A page of an owner's entries that are not folded yet, the oldest epoch first."""
    get_lane(context, arguments.area)
    rows = unfolded_entries(context, arguments.area, arguments.owner)
    last = arguments.first + PAGE_ROWS
    found = list(islice(rows, arguments.first, last + 1))
    views: list[EntryView] = []
    for name, entry in found[:PAGE_ROWS]:
        epoch, cause, retailer = name.split("/")
        views.append(
            EntryView(
                epoch=int(epoch),
                cause=cause,
                retailer=retailer,
                money_nano=entry.money_nano,
                reserved_nano=entry.reserved_nano,
                minted_wh=entry.minted_wh,
                live_wh=entry.live_wh,
                retired_wh=entry.retired_wh,
            )
        )
    return EntriesAnswer(views, last if len(found) > PAGE_ROWS else None)


def list_claims(context: Context, arguments: ClaimsArguments) -> ClaimsAnswer:
    """A page of what a retailer has paid for clients and not got back yet, sorted by client."""
    get_lane(context, arguments.area)
    names = (arguments.area, arguments.retailer)
    rows = list(islice(CLAIM_SUMS.range(context, *names, after=arguments.after), PAGE_ROWS))
    views = [ClaimView(client, row.amount_nano) for client, row in rows]
    return ClaimsAnswer(views, rows[-1][0] if len(rows) == PAGE_ROWS else None)


def list_fold_postings(context: Context, arguments: FoldPageArguments) -> FoldPageAnswer:
    """A page of the lines that folding has posted: defaults and repayments."""
    get_lane(context, arguments.area)
    pages = folding_of(context, arguments.area).posting_pages
    if arguments.page >= max(1, pages):
        raise PAGE_UNKNOWN(page=arguments.page, pages=pages)
    page = FOLD_PAGES.get(context, arguments.area, fold_page_part(arguments.page))
    return FoldPageAnswer([] if page is None else page.postings, pages)


def fold_page_part(page: int) -> str:
    """The number of a page of lines as part of a key; an area may have very many."""
    return f"{page:012d}"


def sum_accounts(context: Context, arguments: SumArguments) -> Totals:
    """Sum a page of an area's entries and accounts, to check that the money sums to zero."""
    get_lane(context, arguments.area)
    digest = bytes.fromhex(arguments.digest)
    sums = dict.fromkeys(SUMMED, 0)
    last: str | None = None
    count = 0
    for name, row in _summed_rows(context, arguments.area, arguments.after):
        if count == SUMMED_ROWS:
            break
        count += 1
        last = name
        digest = sha256(digest + name.encode() + encode(row)).digest()
        sums["accounts" if isinstance(row, Account) else "entries"] += 1
        amounts = msgspec.structs.asdict(row)
        amounts["money_nano"] = amounts.get("money_nano", 0) + amounts.get("balance_nano", 0)
        for field in SUMMED:
            sums[field] += amounts.get(field, 0)
    after = last if count == SUMMED_ROWS else None
    return Totals(**sums, digest=digest.hex(), after=after)


def _summed_rows(context: Context, area: str, after: str) -> Iterator[tuple[str, Row]]:
    """Entries and then accounts, each under its name in `after`."""
    if not after.startswith(ACCOUNT_SECTION):
        for name, entry in ENTRIES.range(context, area, after=after.removeprefix(ENTRY_SECTION)):
            yield ENTRY_SECTION + name, entry
        after = ""
    for name, account in ACCOUNTS.range(context, area, after=after.removeprefix(ACCOUNT_SECTION)):
        yield ACCOUNT_SECTION + name, account
