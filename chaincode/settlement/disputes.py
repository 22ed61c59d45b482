"""Disputes: a party of a trade declares that it disagrees, before the slot is final.

A dispute marks the trade and moves no money or energy. An arbitrator's decision and a new
settlement are separate acts. Each party of a trade has a dispute of its own, which it raises at
most once, within 30 days after the slot's end. It may withdraw its dispute, which is final: the old
token, submitted again, does not reopen it. The other party's dispute is not affected.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.area.clock import market_time_s
from chaincode.area.finality import final_at_s
from chaincode.area.intents import require_current
from chaincode.area.zones import get_area
from chaincode.clearing.order_book import trader_of
from chaincode.clearing.run import trade_at
from chaincode.context import Context
from chaincode.documents.document import ChannelName, Document, Token
from chaincode.documents.intake import take
from chaincode.errors import (
    DISPUTE_EXISTS,
    DISPUTE_LATE,
    DISPUTE_NOT_OPEN,
    NOT_PARTY,
)
from chaincode.state import Count, DidName, Id, Row, Second, Table, encode, slot_part

DISPUTE_TYP = "commonwatt-dispute+jws"
REASON_MAX = 500  # characters
DISPUTE_WINDOW_S = 30 * 86_400  # after a slot's end; a slot is not final before

Reason = Annotated[str, msgspec.Meta(max_length=REASON_MAX)]


class DisputeAct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The act that a party signs: the trade by its number in the slot, and the reason."""

    act: Literal["raise", "withdraw"]
    area: Id
    channel: ChannelName
    contract: ChannelName
    reason: Reason
    slot: Second
    trade: Count
    v: Literal[1]
    valid_until_s: Second


class Dispute(Row, frozen=True):
    """A party's dispute of a trade: the reason, and whether the dispute is open."""

    reason: Reason
    open: bool


DISPUTES = Table(62, "disputes by party", Dispute, ("area", "slot", "trade", "did"))


class DisputeArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signed dispute."""

    token: Token


class DisputeAnswer(msgspec.Struct, frozen=True):
    """The trade, and whether the signer's dispute of it is open now."""

    trade: int
    open: bool


class DisputeChanged(msgspec.Struct, frozen=True):
    """The event of a dispute: who raised or withdrew it, and what the party signed."""

    by: DidName
    act: DisputeAct


DISPUTE_ACTS = Document(DISPUTE_TYP, DisputeAct)


def dispute_trade(context: Context, arguments: DisputeArguments) -> DisputeAnswer:
    """Raise or withdraw a dispute with a token signed by one of the trade's parties."""
    signed = take(context, DISPUTE_ACTS, arguments.token)
    act = signed.payload
    trade = trade_at(context, act.area, act.slot, act.trade)
    if signed.did not in (trader_of(trade.buy), trader_of(trade.sell)):
        raise NOT_PARTY(did=signed.did, trade=act.trade)
    names = (act.area, slot_part(act.slot), trade_part(act.trade), signed.did)
    row = DISPUTES.get(context, *names)
    if act.act == "raise":
        if row is not None:
            if row.reason == act.reason:
                return DisputeAnswer(act.trade, open=row.open)
            raise DISPUTE_EXISTS(trade=act.trade, by=signed.did)
        _require_window(context, act)
        dispute = Dispute(reason=act.reason, open=True)
    else:
        if row is None:
            raise DISPUTE_NOT_OPEN(trade=act.trade, by=signed.did)
        if not row.open:
            return DisputeAnswer(act.trade, open=False)
        dispute = msgspec.structs.replace(row, open=False)
    require_current(context, act)
    DISPUTES.put(context, dispute, *names)
    changed = DisputeChanged(signed.did, act)
    context.emit("trade_disputed" if dispute.open else "dispute_withdrawn", encode(changed))
    return DisputeAnswer(act.trade, open=dispute.open)


def _require_window(context: Context, act: DisputeAct) -> None:
    """Refuse a dispute that is raised after its time."""
    area = get_area(context, act.area)
    ends_s = act.slot + area.slot_s
    until_s = min(ends_s + DISPUTE_WINDOW_S, final_at_s(context, area, act.slot))
    now_s = market_time_s(context, act.area)
    if now_s >= until_s:
        raise DISPUTE_LATE(slot=act.slot, until_s=until_s, now_s=now_s)


def trade_part(trade: int) -> str:
    """A trade's number in its slot as part of a key."""
    return f"{trade:08d}"


def disputed_trades(context: Context, area: str, slot: int) -> set[int]:
    """The numbers of a slot's trades that a party disputes now."""
    rows = DISPUTES.range(context, area, slot_part(slot))
    return {int(name.partition("/")[0]) for name, row in rows if row.open}
