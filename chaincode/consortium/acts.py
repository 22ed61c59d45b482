"""Signed acts of those who never submit: here the regulator's, carried by any member.

An act is a compact JWS by the regulator's DID key with a sequence number that counts up by one,
so none is applied twice or left out. Known acts: `lock` and `unlock` of a participant.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.consortium.registry import PARTICIPANTS, regulator_did, set_lock
from chaincode.context import Context
from chaincode.errors import (
    ACT_SEQUENCE,
    PARTICIPANT_UNKNOWN,
    SIGNER_UNKNOWN,
    Refused,
)
from chaincode.orders.sheets import TOKEN_BYTES_MAX, read_tokens
from chaincode.state import Count, Did, Row, Table, encode

ACT_TYP = "commonwatt-act+jws"
REASON_MAX = 500  # characters


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the regulator signs; `sequence` counts from 1."""

    act: Literal["lock", "unlock"]
    channel: str
    contract: str
    participant: Did
    reason: Annotated[str, msgspec.Meta(max_length=REASON_MAX)]
    sequence: Count
    v: Literal[1]


class ActSequence(Row, frozen=True):
    """How many acts of a signer were applied."""

    applied: int


ACTS = Table(60, "acts", ActSequence, ("did",))


class ActArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signed act."""

    token: str


class ActAnswer(msgspec.Struct, frozen=True):
    """The act's number; `applied` is False if it was applied before."""

    sequence: int
    applied: bool


_acts = msgspec.json.Decoder(Act)


def record_act(context: Context, arguments: ActArguments) -> ActAnswer:
    """Verify and apply a signed act of the regulator."""
    read = read_tokens(
        context, [arguments.token], typ=ACT_TYP, bytes_max=TOKEN_BYTES_MAX, decoder=_acts
    )[0]
    if isinstance(read, Refused):
        raise read
    act = read.payload
    if read.did != regulator_did(context):
        raise SIGNER_UNKNOWN(did=read.did)
    row = ACTS.get(context, read.did)
    applied = 0 if row is None else row.applied
    if 1 <= act.sequence <= applied:
        return ActAnswer(act.sequence, applied=False)
    if act.sequence != applied + 1:
        raise ACT_SEQUENCE(sequence=act.sequence, due=applied + 1)
    if PARTICIPANTS.get(context, act.participant) is None:
        raise PARTICIPANT_UNKNOWN(did=act.participant)
    ACTS.put(context, ActSequence(applied=act.sequence), read.did)
    set_lock(context, act.participant, locked=act.act == "lock")
    context.emit("act_recorded", encode(act))
    return ActAnswer(act.sequence, applied=True)
