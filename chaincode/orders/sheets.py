"""What traders sign: order sheets, amendments, cancels; and how a batch of tokens is read.

Each is a compact JWS whose payload is canonical JSON and names the channel and the contract it
is for; the trader is whoever's DID key signed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Generic, Literal, Protocol, TypeVar

import msgspec

from chaincode.context import Context
from chaincode.errors import (
    BATCH_BYTES,
    BATCH_TOKENS,
    CHANNEL_WRONG,
    CONTRACT_WRONG,
    SHEET_UNREADABLE,
    SIGNATURE_INVALID,
    Refused,
)
from chaincode.state import Count, Id, Name, Second, Side, Signed
from identity.jws import Compact, TokenRefused, decode_payload, parse_compact

SHEET_TYP = "commonwatt-sheet+jws"
AMEND_TYP = "commonwatt-amend+jws"
CANCEL_TYP = "commonwatt-cancel+jws"
TOKENS_MAX = 500  # tokens in a batch: two endorsers verify each of them, one after the other
BATCH_BYTES_MAX = 1_048_576  # all tokens of a batch; an eighth of what a block takes
SHEET_BYTES_MAX = 65_536
TOKEN_BYTES_MAX = 8_192  # any other token

Step = tuple[Signed, Count]
"""A limit price (micro/kWh) and a quantity (Wh)."""


class Payload(Protocol):
    """What every signed payload says of where it is for."""

    @property
    def channel(self) -> str:
        """The channel it is signed for."""
        ...

    @property
    def contract(self) -> str:
        """The contract it is signed for."""
        ...


class SheetOrder(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """One order of a sheet; `id` is the client's, unique per trader and slot.

    `expires_s` is a second of market time: an order that has expired when the gate closes is
    left out of the book.
    """

    id: Id
    side: Side
    slot: Second
    steps: list[Step]
    expires_s: Second | None = None


class Sheet(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Orders of one trader at one meter."""

    channel: str
    contract: str
    meter: Name
    orders: list[SheetOrder]
    v: Literal[1]
    zone: Name


class Amend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New steps for an open order; `revision` counts up from 1, so none is applied twice."""

    area: Id
    channel: str
    contract: str
    id: Id
    revision: Count
    slot: Second
    steps: list[Step]
    v: Literal[1]


class Cancel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The withdrawal of an open order."""

    area: Id
    channel: str
    contract: str
    id: Id
    slot: Second
    v: Literal[1]


class TokensArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Signed tokens, up to 500 and 1 MB together."""

    tokens: Annotated[list[str], msgspec.Meta(min_length=1)]


P = TypeVar("P", bound=Payload)


class Token(msgspec.Struct, Generic[P], frozen=True, gc=False):
    """A payload and the DID whose key signed it."""

    did: str
    payload: P


def read_tokens(
    context: Context,
    tokens: Sequence[str],
    *,
    typ: str,
    bytes_max: int,
    decoder: msgspec.json.Decoder[P],
) -> list[Token[P] | Refused]:
    """Each token's payload, or why that token is refused, in the order given."""
    if len(tokens) > TOKENS_MAX:
        raise BATCH_TOKENS(count=len(tokens), limit=TOKENS_MAX)
    size = sum(map(len, tokens))
    if size > BATCH_BYTES_MAX:
        raise BATCH_BYTES(count=size, limit=BATCH_BYTES_MAX)
    read: list[Token[P] | Refused] = []
    compacts: list[Compact] = []
    places: list[int] = []
    for place, token in enumerate(tokens):
        try:
            compact = parse_compact(token, typ=typ, bytes_max=bytes_max)
            payload = decode_payload(compact.payload, decoder)
        except TokenRefused as refused:
            read.append(SHEET_UNREADABLE(reason=refused.sentence))
            continue
        if payload.channel != context.channel:
            read.append(CHANNEL_WRONG(channel=payload.channel, here=context.channel))
        elif payload.contract != context.contract:
            read.append(CONTRACT_WRONG(contract=payload.contract, here=context.contract))
        else:
            read.append(Token(compact.did, payload))
            compacts.append(compact)
            places.append(place)
    held = context.verify_many([compact.check for compact in compacts])
    for place, compact, holds in zip(places, compacts, held, strict=True):
        if not holds:
            read[place] = SIGNATURE_INVALID(did=compact.did)
    return read
