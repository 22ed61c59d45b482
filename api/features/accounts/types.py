"""Accounts in the schema: balances, postings with the reason of each amount, certificates."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from enum import Enum

import strawberry
from strawberry import ID

from api.access.table import SIGNED_IN, Viewer
from api.access.visible_rows import own_account, posting_owner, visible_owner, visible_postings
from api.features.accounts.reads import CertificateRecord, ClaimRecord, PostingRecord
from api.graphql.context import Info, require_viewer
from api.graphql.fields import Column, asked, column, node_of, object_type, part, watched
from api.graphql.loaders import grouped, load_together
from api.graphql.pages import Connection, Listing, connect
from api.graphql.scalars import Energy, Money, Price, Time, money
from api.live.subscriptions import Told
from api.services import Services
from chaincode.accounts.posting import kind_of

CURSOR = Column(("sequence",), str)


@strawberry.enum(description="What a line of the books is for.")
class PostingKind(Enum):
    """The purpose of a line of the books, one of the contract's `KINDS`."""

    ENERGY = "ENERGY"
    RESIDUAL = "RESIDUAL"
    SURPLUS = "SURPLUS"
    SPREAD = "SPREAD"
    PENALTY = "PENALTY"
    FEE = "FEE"
    VAT = "VAT"
    DEFAULT = "DEFAULT"
    REPAYMENT = "REPAYMENT"
    CREDIT = "CREDIT"
    DEBIT = "DEBIT"


@strawberry.enum(description="How an amount is computed.")
class PostingRule(Enum):
    """How an amount is computed: a rule of the contract, or PAID for a payment."""

    PRICED = "PRICED"
    TAXED = "TAXED"
    CANCELLED = "CANCELLED"
    CARRIED = "CARRIED"
    REPAID = "REPAID"
    CORRECTED = "CORRECTED"
    PAID = "PAID"


def section_of(kind: str) -> str:
    """Return the section of the rules that a posting follows."""
    return kind_of(kind).section


def kind_name(kind: str) -> str:
    """Return the kind of a posting as the schema names it, without the name of a fee."""
    return kind_of(kind).name.upper()


def fee_of(kind: str) -> str | None:
    """Return the name of the fee that a posting is of; None for any other kind."""
    return kind.partition(":")[2] or None


def price_of(rule: str, rate: int) -> int | None:
    """Return the price per kWh of an amount that is priced."""
    return rate if rule == "priced" else None


def tax_rate_of(rule: str, rate: int) -> int | None:
    """Return the tax rate of an amount that is taxed, ppm."""
    return rate if rule == "taxed" else None


def or_none(text: str) -> str | None:
    """Return the text, or None if it is empty."""
    return text or None


@object_type("What the amount of a posting is computed from.")
class PostingExplanation:
    """The values that the amount of a posting is computed from.

    A priced amount is `quantity` x (`rate` - `inPrice`), a taxed amount is `base` x `taxRate` ppm.
    A cancelled, carried or repaid amount and a payment are `base`. A corrected amount is the amount that is
    due now less `base`.
    """

    kind: PostingKind = column(SIGNED_IN, "kind", by=kind_name)
    fee: str | None = column(SIGNED_IN, "kind", by=fee_of)
    rule: PostingRule = column(SIGNED_IN, "rule", by=str.upper)
    quantity: Energy = column(SIGNED_IN, "quantity_wh")
    rate: Price | None = column(SIGNED_IN, "rule", "rate", by=price_of)
    tax_rate: int | None = column(SIGNED_IN, "rule", "rate", by=tax_rate_of)
    in_price: Price = column(SIGNED_IN, "in_price")
    base: Money = column(SIGNED_IN, "base_nano", by=money)
    reference: str | None = column(SIGNED_IN, "reference", by=or_none)
    retailer: str | None = column(SIGNED_IN, "retailer", by=or_none)
    cause: str = column(SIGNED_IN, "cause")


@object_type("What an account holds in money and in energy certificates.")
class Balance:
    """What an account holds. `amount` is all of it; `available` excludes reservations and claims.

    `claims` is what retailers have paid for the owner and not got back yet.
    """

    owner: strawberry.ID = column(SIGNED_IN, "owner")
    amount: Money = column(SIGNED_IN, "balance_nano", by=money)
    available: Money = column(SIGNED_IN, "available_nano", by=money)
    reserved: Money = column(SIGNED_IN, "reserved_nano", by=money)
    claims: Money = column(SIGNED_IN, "claims_nano", by=money)
    minted: Energy = column(SIGNED_IN, "minted_wh")
    live: Energy = column(SIGNED_IN, "live_wh")
    retired: Energy = column(SIGNED_IN, "retired_wh")
    block: int = column(SIGNED_IN, "block")


@object_type("One line of the books: above zero is received, below zero is paid.")
class Posting:
    """One line of the books. `section` is the section of the rules that the amount follows."""

    id: strawberry.ID = column(SIGNED_IN, *CURSOR.needs, by=CURSOR.make)
    slot: Time | None = column(SIGNED_IN, "slot")
    account: strawberry.ID = column(SIGNED_IN, "account")
    amount: Money = column(SIGNED_IN, "amount_nano", by=money)
    kind: str = column(SIGNED_IN, "kind")
    trade: int | None = column(SIGNED_IN, "trade")
    explanation: PostingExplanation = part(SIGNED_IN, PostingExplanation)
    section: str = column(SIGNED_IN, "kind", by=section_of)
    cause: str = column(SIGNED_IN, "cause")
    block: int = column(SIGNED_IN, "block")


@object_type("What a retailer has paid for a client and not got back yet.")
class Claim:
    """A retailer's claim on a client. It is repaid before the client's account holds anything."""

    id: strawberry.ID = column(SIGNED_IN, "cursor")
    retailer: strawberry.ID = column(SIGNED_IN, "retailer")
    client: strawberry.ID = column(SIGNED_IN, "client")
    amount: Money = column(SIGNED_IN, "amount_nano", by=money)
    block: int = column(SIGNED_IN, "block")


@object_type("Energy certificates of a meter in a slot.")
class Certificate:
    """The certified feed-in of a plant during a slot, and how much of it was retired."""

    id: strawberry.ID = column(SIGNED_IN, "cursor")
    slot: Time = column(SIGNED_IN, "slot")
    meter: strawberry.ID = column(SIGNED_IN, "meter")
    owner: strawberry.ID = column(SIGNED_IN, "owner")
    zone: strawberry.ID = column(SIGNED_IN, "zone")
    source: str = column(SIGNED_IN, "source")
    minted: Energy = column(SIGNED_IN, "minted_wh")
    retired: Energy = column(SIGNED_IN, "retired_wh")
    block: int = column(SIGNED_IN, "block")


async def postings_of(
    services: Services, viewer: Viewer, *, owner: str | None, slot: int | None
) -> Listing[PostingRecord]:
    """Return the postings of an account, newest first."""
    account = await visible_owner(services, viewer, "accounts", owner)
    return Listing(
        lambda first, after: services.read_model.postings_of(
            services.area, account, first=first, after=after, slot=slot
        ),
        lambda: services.read_model.count_postings(services.area, account, slot=slot),
    )


async def certificates_of(
    services: Services, viewer: Viewer, *, owner: str | None
) -> Listing[CertificateRecord]:
    """Return the certificates of an owner's plants, newest first."""
    account = await visible_owner(services, viewer, "certificates", owner)
    return Listing(
        lambda first, after: services.read_model.certificates_of(
            services.area, account, first=first, after=after
        ),
        lambda: services.read_model.count_certificates(services.area, account),
    )


async def claims_of(
    services: Services, viewer: Viewer, *, owner: str | None
) -> Listing[ClaimRecord]:
    """Return the claims that an account holds and those that are held on it."""
    account = await visible_owner(services, viewer, "accounts", owner)
    return Listing(
        lambda first, after: services.read_model.claims_of(
            services.area, account, first=first, after=after
        ),
        lambda: services.read_model.count_claims(services.area, account),
    )


@strawberry.type
class AccountQuery:
    """Queries about accounts."""

    @asked(SIGNED_IN, description="What an account holds; without an owner, the viewer's.")
    async def balance(self, info: Info, owner: ID | None = None) -> Balance:
        """Return what an account holds; without an owner, the viewer's."""
        services = info.context.services
        account = await visible_owner(services, require_viewer(info), "accounts", owner)
        return node_of(Balance, await services.read_model.account(services.area, account))

    @asked(
        SIGNED_IN,
        description="The lines of an account, newest first.",
        listing=postings_of,
        cursor=CURSOR,
    )
    async def postings(
        self,
        info: Info,
        owner: ID | None = None,
        slot: Time | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[Posting]:
        """Return the lines of an account, newest first; without an owner, the viewer's."""
        viewer = require_viewer(info)
        listing = await postings_of(info.context.services, viewer, owner=owner, slot=slot)
        return await connect(
            listing, lambda record: node_of(Posting, record), first=first, after=after
        )

    @asked(SIGNED_IN, description="The claims that an account holds and those held on it.")
    async def claims(
        self, info: Info, owner: ID | None = None, first: int | None = 50, after: str | None = None
    ) -> Connection[Claim]:
        """Return the claims of an account, oldest first; without an owner, the viewer's."""
        viewer = require_viewer(info)
        listing = await claims_of(info.context.services, viewer, owner=owner)
        return await connect(
            listing, lambda record: node_of(Claim, record), first=first, after=after
        )

    @asked(SIGNED_IN, description="Energy certificates of an owner's plants, newest first.")
    async def certificates(
        self, info: Info, owner: ID | None = None, first: int | None = 50, after: str | None = None
    ) -> Connection[Certificate]:
        """Energy certificates of an owner's plants, newest first."""
        viewer = require_viewer(info)
        listing = await certificates_of(info.context.services, viewer, owner=owner)
        return await connect(
            listing, lambda record: node_of(Certificate, record), first=first, after=after
        )


@strawberry.type
class AccountSubscription:
    """Subscriptions to accounts."""

    @watched(SIGNED_IN, description="The viewer's balance, now and after each change.")
    async def my_balance(self, info: Info) -> AsyncGenerator[Balance, None]:
        """Yield the viewer's balance, now and after each change."""
        services, viewer, told = info.context.services, require_viewer(info), Told()
        owner = own_account(viewer)
        with services.subscriptions.open() as changes:
            record = await services.read_model.account(services.area, owner)
            told.is_new(owner, record)
            yield node_of(Balance, record)
            async for change in changes:
                if owner not in change.accounts and owner not in change.traders:
                    continue
                record = await services.read_model.account(services.area, owner)
                if told.is_new(owner, record):
                    yield node_of(Balance, record)


async def postings_of_trade(info: Info, slot: int, number: int) -> list[PostingRecord]:
    """Return the postings of a trade that the viewer may see."""
    services = info.context.services
    viewer = require_viewer(info)

    async def load(trades: list[int]) -> list[list[PostingRecord]]:
        found = await services.read_model.postings_of_trades(
            services.area, slot, trades, owner=posting_owner(viewer)
        )
        visible = await visible_postings(services, viewer, found)
        by_trade = grouped(visible, lambda record: record.trade)
        return [by_trade[trade] for trade in trades]

    return await load_together(info, f"postings_of_trade {slot}", load, number)
