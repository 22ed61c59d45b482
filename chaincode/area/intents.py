"""What traders sign besides orders and disputes: joins, holds and pay-outs (rules/contract.md, 8.5).

Nothing is registered in a trader's name without its signature. A join names the retailer, a hold
the meter, a pay-out the retailer, the amount and the reference. Each of them is valid for at most
30 days of market time. A join counts from 1, so that an old one cannot be used again; a pay-out is
booked once under its reference; a hold is used when a meter gets a new holder.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from chaincode.area.clock import market_time_s
from chaincode.context import Context
from chaincode.documents.document import (
    INTENT_S_MAX,
    ChannelName,
    Document,
    Intent,
    Token,
    require_timely,
)
from chaincode.documents.intake import take
from chaincode.errors import HOLD_MISSING, HOLD_WRONG
from chaincode.state import INTEGER_MAX, Count, Id, Second

JOIN_TYP = "commonwatt-join+jws"
HOLD_TYP = "commonwatt-hold+jws"
PAYOUT_TYP = "commonwatt-payout+jws"

P = TypeVar("P", bound=Intent)


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trader joins a retailer; `number` counts the trader's joins from 1."""

    area: Id
    channel: ChannelName
    contract: ChannelName
    number: Count
    retailer: Id
    v: Literal[1]
    valid_until_s: Second


class Hold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trader says that it holds a meter, which the DSO then certifies for it."""

    area: Id
    channel: ChannelName
    contract: ChannelName
    meter: Id
    v: Literal[1]
    valid_until_s: Second


class Payout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trader asks its retailer to pay out `amount_nano` from its account, once."""

    amount_nano: Annotated[int, msgspec.Meta(ge=1, le=INTEGER_MAX)]
    area: Id
    channel: ChannelName
    contract: ChannelName
    reference: Id
    retailer: Id
    v: Literal[1]
    valid_until_s: Second


JOINS = Document(JOIN_TYP, Join)
HOLDS = Document(HOLD_TYP, Hold)
PAYOUTS = Document(PAYOUT_TYP, Payout)


def require_current(context: Context, intent: Intent) -> None:
    """Refuse an intent without a gate that is carried too late, or is valid for too long."""
    now_s = market_time_s(context, intent.area)
    require_timely(intent, now_s=now_s, limit_s=now_s + INTENT_S_MAX)


def require_hold(
    context: Context, token: Token | None, *, area: str, meter: str, holder: str
) -> None:
    """Refuse a meter's new holder who has not signed that it holds the meter."""
    if token is None:
        raise HOLD_MISSING(meter=meter, did=holder)
    signed = take(context, HOLDS, token)
    hold = signed.payload
    if (signed.did, hold.area, hold.meter) != (holder, area, meter):
        raise HOLD_WRONG(signer=signed.did, named=hold.meter, did=holder, meter=meter)
    require_current(context, hold)
