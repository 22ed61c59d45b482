"""A kind of signed document: a compact JWS whose payload is the canonical JSON of one struct.

Every payload names the channel and the contract that it is for. The signer is the DID whose key
signed the document. What a trader signs is an intent: it also names an area and the second of
market time until which it may be carried (rules/contract.md, 8.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Generic, Protocol, TypeVar

import msgspec

from chaincode.errors import (
    CHANNEL_WRONG,
    CONTRACT_WRONG,
    INTENT_EXPIRED,
    INTENT_TOO_LONG,
    Refused,
)
from identity.jws import Compact, decode_payload, parse_compact
from identity.keys import SignatureCheck, verify

TOKEN_BYTES_MAX = 8_192  # of a token, unless its kind of document sets another limit
INTENT_S_MAX = 30 * 86_400  # how long an intent without a gate may be carried, from now on

Token = Annotated[str, msgspec.Meta(max_length=131_072)]
"""A signed token of any kind; each kind of document has a smaller limit of its own."""
ChannelName = Annotated[str, msgspec.Meta(max_length=250)]
"""The channel or the contract that a document is for; Fabric's names have at most 249 characters."""


class Destination(Protocol):
    """A contract on a channel, which a document names and at which the document arrives."""

    @property
    def channel(self) -> str:
        """The channel's name."""
        ...

    @property
    def contract(self) -> str:
        """The contract's name."""
        ...


class Intent(Destination, Protocol):
    """What a trader signs: carried in `area`, before market time has reached `valid_until_s`."""

    @property
    def area(self) -> str:
        """The area's name."""
        ...

    @property
    def valid_until_s(self) -> int:
        """The second of market time from which the token may not be carried any more."""
        ...


P = TypeVar("P", bound=Destination)


class Opened(msgspec.Struct, Generic[P], frozen=True, gc=False):
    """A document that could be read; `check` is the signature check that proves `did` signed it."""

    did: str
    payload: P
    check: SignatureCheck

    def holds(self) -> bool:
        """Whether `did` made the signature."""
        return verify(self.check)


class Document(Generic[P]):
    """A kind of document: its `typ`, the struct of its payload, and the largest size of its token.

    `steps_of` counts the steps of orders in a payload, for kinds of documents that carry orders.
    """

    def __init__(
        self,
        typ: str,
        payload: type[P],
        *,
        bytes_max: int = TOKEN_BYTES_MAX,
        steps_of: Callable[[P], int] | None = None,
    ) -> None:
        self.typ = typ
        self.payload = payload
        self.bytes_max = bytes_max
        self.steps_of = steps_of
        self._decoder = msgspec.json.Decoder(payload)

    def parse(self, token: str | bytes) -> Compact:
        """Return the parts of a token; raises `TokenRefused` if its size, form or typ is wrong."""
        return parse_compact(token, typ=self.typ, bytes_max=self.bytes_max)

    def open(self, token: str | bytes) -> Opened[P]:
        """Return the document in a token without verifying its signature; raises `TokenRefused`."""
        compact = self.parse(token)
        payload = decode_payload(compact.payload, self._decoder)
        return Opened(compact.did, payload, compact.check)


def misdirected(payload: Destination, here: Destination) -> Refused | None:
    """The reason why a document is not for `here`; None if it is."""
    if payload.channel != here.channel:
        return CHANNEL_WRONG(channel=payload.channel, here=here.channel)
    if payload.contract != here.contract:
        return CONTRACT_WRONG(contract=payload.contract, here=here.contract)
    return None


def is_expired(expires_s: int | None, *, at_s: int) -> bool:
    """Whether something valid before `expires_s` (None: for ever) is no longer valid at `at_s`."""
    return expires_s is not None and expires_s <= at_s


def require_timely(intent: Intent, *, now_s: int, limit_s: int) -> None:
    """Refuse an intent that is carried too late, and one that is valid beyond `limit_s`."""
    if is_expired(intent.valid_until_s, at_s=now_s):
        raise INTENT_EXPIRED(valid_until_s=intent.valid_until_s, now_s=now_s)
    if intent.valid_until_s > limit_s:
        raise INTENT_TOO_LONG(valid_until_s=intent.valid_until_s, limit_s=limit_s)
