"""Writes postings, balances, claims and certificates from payments, settlements and folding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from api.features.batch import Gain
from api.features.event_context import EventContext
from api.read_model.statements import insert, upsert
from chaincode.accounts.payments import Payment, PaymentArguments, PayoutArguments
from chaincode.accounts.posting import Posting
from chaincode.area.intents import PAYOUTS
from chaincode.settlement.settled_slot import MeterSettled
from chaincode.slots.folding import AccountsFolded

PAID = "paid"  # our name for the rule of a payment, which the contract does not explain

ADD_POSTING = insert(
    "posting",
    [
        "sequence", "area", "slot", "number", "account", "amount_nano", "kind", "trade", "rule",
        "quantity_wh", "rate", "in_price", "base_nano", "reference", "retailer",
        "cause", "transaction_id", "block",
    ],
)  # fmt: skip
PUT_CERTIFICATE = upsert(
    "certificate",
    ["owner", "slot", "meter", "area"],
    ["zone", "source", "minted_wh", "retired_wh", "block"],
)
ADD_CLAIM = (
    f"{insert('claim', ['area', 'retailer', 'client', 'amount_nano', 'block'])} "
    "ON CONFLICT (area, client, retailer) DO UPDATE SET "
    "amount_nano = claim.amount_nano + excluded.amount_nano, block = excluded.block"
)
DROP_CERTIFICATES = "DELETE FROM certificate WHERE area = ? AND slot = ?"


def paid(data: msgspec.Raw, at: EventContext) -> None:
    """Post both sides of a payment: the participant's, and that of the submitting retailer."""
    payment = msgspec.json.decode(data, type=Payment)
    reference = _reference(at.happened.arguments, is_payout=payment.amount_nano < 0)
    retailer = at.happened.member
    kind = "credit" if payment.amount_nano > 0 else "debit"
    block = at.happened.position.block
    amounts = ((payment.participant, payment.amount_nano), (retailer, -payment.amount_nano))
    for number, (owner, amount_nano) in enumerate(amounts):
        row = (
            at.batch.next_posting(), payment.area, None, number, owner, amount_nano, kind, None,
            PAID, 0, 0, 0, amount_nano, reference, retailer, at.happened.name,
            at.happened.transaction, block,
        )  # fmt: skip
        at.batch.put(ADD_POSTING, row)
        at.batch.gain(payment.area, owner, Gain(balance_nano=amount_nano), block=block)


def _reference(arguments: bytes, *, is_payout: bool) -> str:
    """Return the reference of a payment; that of a pay-out is in the token of the client."""
    if is_payout:
        token = msgspec.json.decode(arguments, type=PayoutArguments).token
        return PAYOUTS.open(token).payload.reference
    return msgspec.json.decode(arguments, type=PaymentArguments).reference


async def folded(data: msgspec.Raw, at: EventContext) -> None:
    """Post what retailers have paid for clients and what clients have repaid; once."""
    event = msgspec.json.decode(data, type=AccountsFolded)
    ((known,),) = await at.database.rows(
        "SELECT COUNT(*) FROM posting WHERE transaction_id = ? AND slot IS NULL",
        at.happened.transaction,
    )
    if known:
        return
    lines = await at.questions.fold_postings(event.area, event.page)
    for number, (client, retailer) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
        for place, posting in enumerate((client, retailer)):
            told = posting.explanation
            row = (
                at.batch.next_posting(), event.area, None, 2 * number + place, posting.account,
                posting.amount_nano, posting.kind, None, told.rule, 0, 0, 0, told.base_nano, "",
                retailer.account, at.happened.name, at.happened.transaction, at.block,
            )  # fmt: skip
            at.batch.put(ADD_POSTING, row)
            claims_nano = posting.amount_nano if posting is client else 0
            gain = Gain(balance_nano=posting.amount_nano, claims_nano=claims_nano)
            at.batch.gain(event.area, posting.account, gain, block=at.block)
        claim = (event.area, retailer.account, client.account, client.amount_nano, at.block)
        at.batch.put(ADD_CLAIM, claim)


async def certify(at: EventContext, area: str, slot: int, metered: Iterable[MeterSettled]) -> None:
    """Write the certificates of a slot, and subtract what the plants' owners had for it before."""
    for owner, minted_wh, retired_wh in await at.database.rows(
        "SELECT owner, minted_wh, retired_wh FROM certificate WHERE area = ? AND slot = ?",
        area,
        slot,
    ):
        gain = Gain(minted_wh=-minted_wh, live_wh=retired_wh - minted_wh)
        at.batch.gain(area, owner, gain, block=at.block)
    at.batch.put(DROP_CERTIFICATES, (area, slot))
    for meter in metered:
        holding = at.registry.holding(meter.meter, slot)
        if holding is None or not meter.minted_wh:
            continue
        live_wh = meter.minted_wh - meter.retired_wh
        gain = Gain(minted_wh=meter.minted_wh, live_wh=live_wh)
        at.batch.gain(area, holding.holder, gain, block=at.block)
        row = (
            holding.holder, slot, meter.meter, area, meter.zone, meter.source, meter.minted_wh,
            meter.retired_wh, at.block,
        )  # fmt: skip
        at.batch.put(PUT_CERTIFICATE, row)


def _explained(posting: Posting) -> tuple[str, int, int, int, int, str, str]:
    """Return the columns of the contract's explanation; those of a payment are empty."""
    of = posting.explanation
    return of.rule, of.quantity_wh, of.rate, of.in_price, of.base_nano, "", ""


async def post(at: EventContext, area: str, slot: int, postings: Sequence[Posting]) -> None:
    """Add the lines of the books that are not in the tables yet; lines are never changed."""
    ((known,),) = await at.database.rows(
        "SELECT COUNT(*) FROM posting WHERE area = ? AND slot = ?", area, slot
    )
    happened = at.happened
    for number, posting in enumerate(postings[known:], start=known):
        row = (
            at.batch.next_posting(), area, slot, number, posting.account, posting.amount_nano,
            posting.kind, int(posting.trade) if posting.trade else None, *_explained(posting),
            posting.cause or happened.name, happened.transaction, at.block,
        )  # fmt: skip
        at.batch.put(ADD_POSTING, row)
        gain = Gain(balance_nano=posting.amount_nano)
        at.batch.gain(area, posting.account, gain, block=at.block)
