"""Disputes: a party of a trade declares that it disagrees, before the slot is final.

A dispute marks the trade and moves no money or energy. An arbitrator's decision and a new
settlement are separate acts. The party that raised a dispute may withdraw it, which is final: the
old token, submitted again, does not reopen the dispute.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.clearing.order_book import trader_of
from chaincode.clearing.run import trade_at
from chaincode.context import Context
from chaincode.documents.document import Document
from chaincode.documents.intake import take
from chaincode.errors import (
    DISPUTE_EXISTS,
    DISPUTE_NOT_OPEN,
    NOT_PARTY,
)
from chaincode.state import Count, Id, Row, Second, Table, encode, slot_part

DISPUTE_TYP = "commonwatt-dispute+jws"
REASON_MAX = 500  # characters


class DisputeAct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The act that a party signs: the trade by its number in the slot, and the reason."""

    act: Literal["raise", "withdraw"]
    area: Id
    channel: str
    contract: str
    reason: Annotated[str, msgspec.Meta(max_length=REASON_MAX)]
    slot: Second
    trade: Count
    v: Literal[1]


class Dispute(Row, frozen=True):
    """A trade's dispute: who raised it, the reason, and whether the dispute is open."""

    by: str
    reason: str
    open: bool


DISPUTES = Table(61, "disputes", Dispute, ("area", "slot", "trade"))


class DisputeArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signed dispute."""

    token: str


class DisputeAnswer(msgspec.Struct, frozen=True):
    """The trade, and whether its dispute is open now."""

    trade: int
    open: bool


DISPUTE_ACTS = Document(DISPUTE_TYP, DisputeAct)


def dispute_trade(context: Context, arguments: DisputeArguments) -> DisputeAnswer:
    """Raise or withdraw a dispute with a token signed by one of the trade's parties."""
    signed = take(context, DISPUTE_ACTS, arguments.token)
    act = signed.payload
    trade = trade_at(context, act.area, act.slot, act.trade)
    if signed.did not in (trader_of(trade.buy), trader_of(trade.sell)):
        raise NOT_PARTY(did=signed.did, trade=act.trade)
    names = (act.area, slot_part(act.slot), trade_part(act.trade))
    row = DISPUTES.get(context, *names)
    if act.act == "raise":
        if row is not None:
            if row.by == signed.did and row.reason == act.reason:
                return DisputeAnswer(act.trade, open=row.open)
            raise DISPUTE_EXISTS(trade=act.trade, by=row.by)
        dispute = Dispute(by=signed.did, reason=act.reason, open=True)
    else:
        if row is None or row.by != signed.did:
            raise DISPUTE_NOT_OPEN(trade=act.trade, by=signed.did)
        dispute = msgspec.structs.replace(row, open=False)
    DISPUTES.put(context, dispute, *names)
    context.emit("trade_disputed" if dispute.open else "dispute_withdrawn", encode(act))
    return DisputeAnswer(act.trade, open=dispute.open)


def trade_part(trade: int) -> str:
    """A trade's number in its slot as part of a key."""
    return f"{trade:08d}"


def disputed_trades(context: Context, area: str, slot: int) -> set[int]:
    """The numbers of a slot's trades whose dispute is open now."""
    rows = DISPUTES.range(context, area, slot_part(slot))
    return {int(name) for name, row in rows if row.open}
