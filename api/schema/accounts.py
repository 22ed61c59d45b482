"""Accounts in the schema: balances, postings with the reason of each amount, certificates."""

from __future__ import annotations

import strawberry
from strawberry import ID

from api.read_model.records import AccountRecord, CertificateRecord, PostingRecord
from api.schema.scalars import Energy, Money, Time, money
from chaincode.accounts.posting import kind_of


@strawberry.type(description="What an account holds in money and in energy certificates.")
class Balance:
    """What an account holds. `amount` is all of it, `available` what no trade has reserved."""

    owner: strawberry.ID
    amount: Money
    available: Money
    reserved: Money
    minted: Energy
    live: Energy
    retired: Energy
    block: int


@strawberry.type(description="One line of the books: above zero is received, below zero is paid.")
class Posting:
    """One line of the books. `explain` says how the amount comes about, `rule` by which rule."""

    id: strawberry.ID
    slot: Time | None
    account: strawberry.ID
    amount: Money
    kind: str
    trade: int | None
    explain: str
    rule: str
    cause: str
    block: int


@strawberry.type(description="Energy certificates of a meter in a slot.")
class Certificate:
    """What a plant was certified to have given in a slot, and what of it was used up."""

    id: strawberry.ID
    slot: Time
    meter: strawberry.ID
    owner: strawberry.ID
    zone: strawberry.ID
    source: str
    minted: Energy
    retired: Energy
    block: int


def rule_of(kind: str) -> str:
    """The name of the rule behind a posting."""
    return kind_of(kind).section


def posting_node(record: PostingRecord) -> Posting:
    """A line of the books."""
    return Posting(
        id=ID(record.cursor),
        slot=None if record.slot is None else Time(record.slot),
        account=ID(record.account),
        amount=money(record.amount_nano),
        kind=record.kind,
        trade=record.trade,
        explain=record.explain,
        rule=rule_of(record.kind),
        cause=record.cause,
        block=record.block,
    )


def balance_node(record: AccountRecord) -> Balance:
    """An account."""
    return Balance(
        owner=ID(record.owner),
        amount=money(record.balance_nano),
        available=money(record.available_nano),
        reserved=money(record.reserved_nano),
        minted=Energy(record.minted_wh),
        live=Energy(record.live_wh),
        retired=Energy(record.retired_wh),
        block=record.block,
    )


def certificate_node(record: CertificateRecord) -> Certificate:
    """Certificates of a slot at a meter."""
    return Certificate(
        id=ID(record.cursor),
        slot=Time(record.slot),
        meter=ID(record.meter),
        owner=ID(record.owner),
        zone=ID(record.zone),
        source=record.source,
        minted=Energy(record.minted_wh),
        retired=Energy(record.retired_wh),
        block=record.block,
    )
