"""Joining a retailer: the retailer submits what the trader has signed.

A trader may move to another retailer by a join with the next number. Its locks, orders and
accounts stay with its DID.
"""

from __future__ import annotations

import msgspec

from chaincode.area.intents import JOINS, require_current
from chaincode.consortium.participants import PARTICIPANTS, Participant
from chaincode.context import Accepted, Context
from chaincode.documents.document import Token
from chaincode.documents.intake import take
from chaincode.errors import ALREADY_REGISTERED, JOIN_NUMBER, RETAILER_WRONG
from chaincode.state import encode


class ParticipantArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The join that the client has signed."""

    token: Token


def register_participant(context: Context, arguments: ParticipantArguments) -> Accepted:
    """Admit the signer of a join as a client of the calling retailer."""
    signed = take(context, JOINS, arguments.token)
    join, member = signed.payload, context.caller.member
    if join.retailer != member:
        raise RETAILER_WRONG(named=join.retailer, member=member)
    row = PARTICIPANTS.get(context, signed.did)
    joins = 0 if row is None else row.joins
    if row is not None and (row.retailer, joins) == (member, join.number):
        raise ALREADY_REGISTERED(kind="participant", name=signed.did)
    if join.number != joins + 1:
        raise JOIN_NUMBER(did=signed.did, joins=joins, number=join.number)
    require_current(context, join)
    joined = Participant(did=signed.did, retailer=member, joins=join.number)
    PARTICIPANTS.put(context, joined, signed.did)
    context.emit("participant_registered", encode(joined))
    return Accepted(signed.did)
