"""Accounts of an area: money and energy certificates in double entry, so every sum is zero.

A credit appends an entry under the area's open epoch and changes no balance, so that many
retailers can pay in at once. Closing a gate also closes the epoch. Then the area's lane, one run
at a time, folds the entries of closed epochs into the balances; nothing else changes a balance. A
debit reserves its amount in the account at once, so that no clearing can spend it before it is
folded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from chaincode.accounts.posting import CREDIT, DEBIT, Posting
from chaincode.area.intents import PAYOUTS, require_current
from chaincode.area.zones import LANES, AreaName, Lane, get_lane
from chaincode.consortium.participants import PARTICIPANTS
from chaincode.context import Context
from chaincode.documents.document import Token
from chaincode.documents.intake import take
from chaincode.errors import (
    AREA_UNKNOWN,
    FUNDS_INSUFFICIENT,
    NOT_OWN_CLIENT,
    PARTICIPANT_UNKNOWN,
    PAYMENT_EXISTS,
    RETAILER_WRONG,
    Broken,
)
from chaincode.state import AccountName, Did, DidName, Id, Name, Row, Table, encode
from chaincode.units import Money

AMOUNT_NANO_MAX = 10**18  # a thousand million currency units in one payment

Amount = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_NANO_MAX)]


class Account(Row, frozen=True, gc=False):
    """What an owner has in an area.

    `reserved_nano` covers matched trades that are not settled yet and pay-outs that are not folded
    yet. Certificates are in Wh: `minted_wh`, for this owner's plants, equals the certificates that
    are live in this account plus those that consumers have retired; `retired_wh` is what this
    owner retired as a consumer.
    """

    balance_nano: int = 0
    reserved_nano: int = 0
    minted_wh: int = 0
    live_wh: int = 0
    retired_wh: int = 0


class Epoch(Row, frozen=True):
    """The area's open epoch, under which new credits are appended."""

    open: int


class Entry(Row, frozen=True, gc=False):
    """A credit or debit that is not folded into its balance yet.

    `reserved_nano` is what the account reserved for a debit; folding releases that reserve.
    """

    amount_nano: int
    reserved_nano: int
    kind: Name


class Payment(Row, frozen=True):
    """A payment between a retailer and its client, identified by the retailer's reference."""

    area: Name
    participant: DidName
    amount_nano: int


ACCOUNTS = Table(30, "accounts", Account, ("area", "owner"))
EPOCHS = Table(31, "epochs", Epoch, ("area",))
ENTRIES = Table(32, "entries", Entry, ("area", "epoch", "owner", "reference"))
PAYMENTS = Table(33, "payments", Payment, ("member", "reference"))


class PayoutArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pay-out that the client has signed."""

    token: Token


class PaymentArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payment of `amount_nano`; each `reference` of the retailer is booked only once."""

    area: Id
    participant: Did
    amount_nano: Amount
    reference: Id


def credit_client(context: Context, arguments: PaymentArguments) -> Payment:
    """Credit a client whose payment the retailer has received outside the ledger."""
    return _pay(context, arguments, arguments.amount_nano, CREDIT)


def debit_client(context: Context, arguments: PayoutArguments) -> Payment:
    """Pay out a client of the calling retailer as the client has signed, at most what is free."""
    signed = take(context, PAYOUTS, arguments.token)
    payout, member = signed.payload, context.caller.member
    if payout.retailer != member:
        raise RETAILER_WRONG(named=payout.retailer, member=member)
    if PAYMENTS.get(context, member, payout.reference) is None:
        require_current(context, payout)
    payment = PaymentArguments(payout.area, signed.did, payout.amount_nano, payout.reference)
    return _pay(context, payment, -payout.amount_nano, DEBIT)


def _pay(context: Context, arguments: PaymentArguments, amount_nano: int, kind: str) -> Payment:
    member = context.caller.member
    lane = get_lane(context, arguments.area)
    participant = PARTICIPANTS.get(context, arguments.participant)
    if participant is None:
        raise PARTICIPANT_UNKNOWN(did=arguments.participant)
    if participant.retailer != member:
        raise NOT_OWN_CLIENT(did=arguments.participant, retailer=participant.retailer)
    payment = Payment(
        area=arguments.area, participant=arguments.participant, amount_nano=amount_nano
    )
    earlier = PAYMENTS.get(context, member, arguments.reference)
    if earlier == payment:
        return payment
    if earlier is not None:
        raise PAYMENT_EXISTS(reference=arguments.reference)
    if amount_nano < 0:
        free_nano = available_nano(context, arguments.area, arguments.participant, lane)
        if free_nano + amount_nano < 0:
            raise FUNDS_INSUFFICIENT(amount_nano=-amount_nano, available_nano=free_nano)
    PAYMENTS.put(context, payment, member, arguments.reference)
    epoch = open_epoch(context, arguments.area)
    reference = f"{member}.{arguments.reference}"
    reserved_nano = max(0, -amount_nano)
    if reserved_nano:
        _reserve(context, arguments.area, arguments.participant, reserved_nano)
    for owner, amount, reserved in (
        (arguments.participant, amount_nano, reserved_nano),
        (member, -amount_nano, 0),
    ):
        entry = Entry(amount_nano=amount, reserved_nano=reserved, kind=kind)
        ENTRIES.put(context, entry, arguments.area, epoch_part(epoch), owner, reference)
    context.emit(kind, encode(payment))
    return payment


def _reserve(context: Context, area: str, owner: str, amount_nano: int) -> None:
    account = ACCOUNTS.get(context, area, owner) or Account()
    reserved_nano = account.reserved_nano + amount_nano
    row = msgspec.structs.replace(account, reserved_nano=reserved_nano)
    ACCOUNTS.put(context, row, area, owner)


def available_nano(context: Context, area: str, owner: str, lane: Lane) -> int:
    """What an owner may take out: balance plus unfolded entries, less what is reserved.

    A pending debit is already part of the reserve, so its entry adds nothing to the sum.
    """
    account = ACCOUNTS.get(context, area, owner) or Account()
    total = account.balance_nano - account.reserved_nano
    for epoch in range(lane.unfolded_epoch, open_epoch(context, area) + 1):
        for _, entry in ENTRIES.range(context, area, epoch_part(epoch), owner):
            total += entry.amount_nano + entry.reserved_nano
    return total


def open_epoch(context: Context, area: str) -> int:
    """The number of the area's open epoch, under which new credits are appended."""
    epoch = EPOCHS.get(context, area)
    return 0 if epoch is None else epoch.open


def close_epoch(context: Context, area: str) -> None:
    """Close the open epoch; a transaction that appends to the epoch at the same time conflicts."""
    EPOCHS.put(context, Epoch(open=open_epoch(context, area) + 1), area)


def epoch_part(epoch: int) -> str:
    """An epoch as part of a key, in text order."""
    return f"{epoch:012d}"


class RunAccounts:
    """The accounts that a run works on, loaded once and written once."""

    def __init__(self, context: Context, area: str) -> None:
        self._context = context
        self._area = area
        self._accounts: dict[str, Account] = {}
        self._before: dict[str, Account | None] = {}
        self._folded = False

    def load(self, owners: Iterable[str]) -> None:
        """Read the accounts of `owners` with one request."""
        missing = list(dict.fromkeys(owner for owner in owners if owner not in self._accounts))
        rows = ACCOUNTS.get_many(self._context, [(self._area, owner) for owner in missing])
        for owner, row in zip(missing, rows, strict=True):
            self._before[owner] = row
            self._accounts[owner] = row or Account()

    def account(self, owner: str) -> Account:
        """The account with the changes that this run has made."""
        if owner not in self._accounts:
            self.load([owner])
        return self._accounts[owner]

    def change(
        self,
        owner: str,
        *,
        balance_nano: int = 0,
        reserved_nano: int = 0,
        minted_wh: int = 0,
        live_wh: int = 0,
        retired_wh: int = 0,
    ) -> None:
        """Add to an account; its reserve and its live certificates never fall below zero."""
        old = self.account(owner)
        new = Account(
            balance_nano=old.balance_nano + balance_nano,
            reserved_nano=old.reserved_nano + reserved_nano,
            minted_wh=old.minted_wh + minted_wh,
            live_wh=old.live_wh + live_wh,
            retired_wh=old.retired_wh + retired_wh,
        )
        if new.reserved_nano < 0 or new.live_wh < 0 or new.minted_wh < 0 or new.retired_wh < 0:
            raise Broken(f"account {owner} in {self._area} would hold {new}")
        self._accounts[owner] = new

    def post(self, postings: Iterable[Posting]) -> None:
        """Book postings, whose amounts must sum to zero."""
        total = 0
        for posting in postings:
            self.change(posting.account, balance_nano=posting.amount_nano)
            total += posting.amount_nano
        if total:
            raise Broken(f"postings in {self._area} sum to {Money(total)}")

    @property
    def touched(self) -> int:
        """The accounts that `write` will write."""
        return len(self._accounts)

    def balances_below_zero(self, owners: Iterable[str]) -> list[tuple[str, int]]:
        """The members of `owners` whose balance is negative, sorted by name."""
        return [
            (owner, self._accounts[owner].balance_nano)
            for owner in sorted(set(owners))
            if owner in self._accounts and self._accounts[owner].balance_nano < 0
        ]

    def write(self) -> None:
        """Write every account that changed, sorted by name."""
        for owner in sorted(self._accounts):
            if self._accounts[owner] != self._before[owner]:
                ACCOUNTS.put(self._context, self._accounts[owner], self._area, owner)
                self._before[owner] = self._accounts[owner]


def fold(context: Context, books: RunAccounts, area: str, *, rows_max: int) -> bool:
    """Fold entries of closed epochs into `books`; return True when no entry is left.

    An epoch that a committed gate has closed takes no more entries, so no phantom can appear.
    """
    lane = LANES.get(context, area)
    if lane is None:
        raise AREA_UNKNOWN(area=area)
    epoch = lane.unfolded_epoch
    rows = 0
    while epoch < open_epoch(context, area):
        for rest, entry in ENTRIES.range(context, area, epoch_part(epoch)):
            if rows == rows_max:
                LANES.put(context, msgspec.structs.replace(lane, unfolded_epoch=epoch), area)
                return False
            owner, reference = rest.split("/")
            books.change(owner, balance_nano=entry.amount_nano, reserved_nano=-entry.reserved_nano)
            ENTRIES.delete(context, area, epoch_part(epoch), owner, reference)
            rows += 1
        epoch += 1
    if epoch != lane.unfolded_epoch:
        LANES.put(context, msgspec.structs.replace(lane, unfolded_epoch=epoch), area)
    return True


class OwnerArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account's area and owner."""

    area: Id
    owner: AccountName


class AccountAnswer(msgspec.Struct, frozen=True):
    """An account as last folded, and what its owner may take out, pending entries included."""

    owner: str
    account: Account
    available_nano: int


def get_account(context: Context, arguments: OwnerArguments) -> AccountAnswer:
    """Return an account; an account without any movement is empty."""
    lane = get_lane(context, arguments.area)
    return AccountAnswer(
        owner=arguments.owner,
        account=ACCOUNTS.get(context, arguments.area, arguments.owner) or Account(),
        available_nano=available_nano(context, arguments.area, arguments.owner, lane),
    )


class Totals(msgspec.Struct, frozen=True):
    """Sums over all accounts of an area: money must sum to 0, and minted = live + retired."""

    accounts: int
    money_nano: int
    reserved_nano: int
    minted_wh: int
    live_wh: int
    retired_wh: int


def sum_accounts(context: Context, arguments: AreaName) -> Totals:
    """Sum the accounts and pending entries of an area, to check that the money sums to zero."""
    lane = get_lane(context, arguments.area)
    count = money = reserved = minted = live = retired = 0
    for _, account in ACCOUNTS.range(context, arguments.area):
        count += 1
        money += account.balance_nano
        reserved += account.reserved_nano
        minted += account.minted_wh
        live += account.live_wh
        retired += account.retired_wh
    for epoch in range(lane.unfolded_epoch, open_epoch(context, arguments.area) + 1):
        for _, entry in ENTRIES.range(context, arguments.area, epoch_part(epoch)):
            money += entry.amount_nano
    return Totals(count, money, reserved, minted, live, retired)
