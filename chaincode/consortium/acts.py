"""Signed acts of the regulator, which submits no transactions: any member submits them.

An act is a compact JWS by the regulator's DID key with a sequence number that counts up by one,
so that no act is applied twice or left out. The acts are `lock` and `unlock` of a participant.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.consortium.organisations import regulator_did
from chaincode.consortium.participants import PARTICIPANTS, set_lock
from chaincode.context import Context
from chaincode.documents.document import (
    ChannelName,
    Document,
    Token,
)
from chaincode.documents.intake import take
from chaincode.errors import (
    ACT_SEQUENCE,
    PARTICIPANT_UNKNOWN,
    SIGNER_UNKNOWN,
)
from chaincode.state import Count, Did, Row, Table, encode

ACT_TYP = "commonwatt-act+jws"
REASON_MAX = 500  # characters


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The act that the regulator signs; `sequence` counts from 1."""

    act: Literal["lock", "unlock"]
    channel: ChannelName
    contract: ChannelName
    participant: Did
    reason: Annotated[str, msgspec.Meta(max_length=REASON_MAX)]
    sequence: Count
    v: Literal[1]


class ActSequence(Row, frozen=True):
    """The number of acts of a signer that were applied."""

    applied: int


ACTS = Table(60, "acts", ActSequence, ("did",))


class ActArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signed act."""

    token: Token


class ActAnswer(msgspec.Struct, frozen=True):
    """The act's number; `applied` is False if the act had been applied before."""

    sequence: int
    applied: bool


ACT_DOCUMENTS = Document(ACT_TYP, Act)


def record_act(context: Context, arguments: ActArguments) -> ActAnswer:
    """Verify and apply a signed act of the regulator."""
    signed = take(context, ACT_DOCUMENTS, arguments.token)
    act = signed.payload
    if signed.did != regulator_did(context):
        raise SIGNER_UNKNOWN(did=signed.did)
    row = ACTS.get(context, signed.did)
    applied = 0 if row is None else row.applied
    if 1 <= act.sequence <= applied:
        return ActAnswer(act.sequence, applied=False)
    if act.sequence != applied + 1:
        raise ACT_SEQUENCE(sequence=act.sequence, due=applied + 1)
    if PARTICIPANTS.get(context, act.participant) is None:
        raise PARTICIPANT_UNKNOWN(did=act.participant)
    ACTS.put(context, ActSequence(applied=act.sequence), signed.did)
    set_lock(context, act.participant, act=act.sequence, locked=act.act == "lock")
    context.emit("act_recorded", encode(act))
    return ActAnswer(act.sequence, applied=True)
