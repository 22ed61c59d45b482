"""Payments between retailers and their clients: entries that no clearing waits for.

A credit adds to the client's account when it is folded. A debit takes away as soon as it is
appended: it may take at most what is free, and later debits and cancellations see it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from chaincode.accounts.balances import ACCOUNTS, Account
from chaincode.accounts.entries import Entry, NewEntries, free_nano, payment_cause, unfolded
from chaincode.accounts.posting import CREDIT, DEBIT
from chaincode.area.intents import PAYOUTS, require_current
from chaincode.area.zones import get_lane
from chaincode.consortium.participants import PARTICIPANTS
from chaincode.context import Context
from chaincode.documents.document import Token
from chaincode.documents.intake import take
from chaincode.errors import (
    FUNDS_INSUFFICIENT,
    NOT_OWN_CLIENT,
    PARTICIPANT_UNKNOWN,
    PAYMENT_EXISTS,
    RETAILER_WRONG,
)
from chaincode.state import Did, DidName, Id, Name, Row, Table, encode

AMOUNT_NANO_MAX = 10**18  # a thousand million currency units in one payment

Amount = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_NANO_MAX)]


class Payment(Row, frozen=True):
    """A payment between a retailer and its client, identified by the retailer's reference."""

    area: Name
    participant: DidName
    amount_nano: int


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
    payment, known = examined(context, arguments, arguments.amount_nano)
    return payment if known else book(context, arguments, payment)


def signed_payout(context: Context, arguments: PayoutArguments) -> PaymentArguments:
    """The payment that a client has signed for the calling retailer."""
    signed = take(context, PAYOUTS, arguments.token)
    payout, member = signed.payload, context.caller.member
    if payout.retailer != member:
        raise RETAILER_WRONG(named=payout.retailer, member=member)
    if PAYMENTS.get(context, member, payout.reference) is None:
        require_current(context, payout)
    return PaymentArguments(payout.area, signed.did, payout.amount_nano, payout.reference)


def examined(
    context: Context, arguments: PaymentArguments, amount_nano: int
) -> tuple[Payment, bool]:
    """The payment, and whether it was booked before; a wrong one is refused."""
    member = context.caller.member
    get_lane(context, arguments.area)
    participant = PARTICIPANTS.get(context, arguments.participant)
    if participant is None:
        raise PARTICIPANT_UNKNOWN(did=arguments.participant)
    if participant.retailer != member:
        raise NOT_OWN_CLIENT(did=arguments.participant, retailer=participant.retailer)
    payment = Payment(
        area=arguments.area, participant=arguments.participant, amount_nano=amount_nano
    )
    earlier = PAYMENTS.get(context, member, arguments.reference)
    if earlier is not None and earlier != payment:
        raise PAYMENT_EXISTS(reference=arguments.reference)
    return payment, earlier is not None


def book(context: Context, arguments: PaymentArguments, payment: Payment) -> Payment:
    """Append the entries of a payment; a debit of more than is free is refused."""
    member, client, nano = context.caller.member, payment.participant, payment.amount_nano
    if nano < 0:
        account = ACCOUNTS.get(context, payment.area, client) or Account()
        available_nano = free_nano(account, unfolded(context, payment.area, client))
        if available_nano + nano < 0:
            raise FUNDS_INSUFFICIENT(amount_nano=-nano, available_nano=max(0, available_nano))
    PAYMENTS.put(context, payment, member, arguments.reference)
    cause = payment_cause(member, arguments.reference)
    entries = NewEntries(context, payment.area, cause)
    entries.add(client, Entry(money_nano=nano), retailer=member)
    entries.add(member, Entry(money_nano=-nano))
    entries.write()
    context.emit(CREDIT if nano > 0 else DEBIT, encode(payment))
    return payment
