"""A kind of signed document: a compact JWS whose payload is canonical JSON of one struct.

Every payload names the channel and the contract that it is for. The signer is the DID whose key
signed it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from chaincode.errors import CHANNEL_WRONG, CONTRACT_WRONG, Refused
from identity.jws import Compact, decode_payload, parse_compact
from identity.keys import SignatureCheck, verify

TOKEN_BYTES_MAX = 8_192  # of a token, unless its kind of document says otherwise


class Destination(Protocol):
    """A contract on a channel: what a document names, and where it arrives."""

    @property
    def channel(self) -> str:
        """The channel's name."""
        ...

    @property
    def contract(self) -> str:
        """The contract's name."""
        ...


P = TypeVar("P", bound=Destination)


class Opened(msgspec.Struct, Generic[P], frozen=True, gc=False):
    """A document that could be read; `check` is what would prove that `did` signed it."""

    did: str
    payload: P
    check: SignatureCheck

    def holds(self) -> bool:
        """Whether the signature is one by `did`."""
        return verify(self.check)


class Document(Generic[P]):
    """A kind of document: its `typ`, the struct of its payload, how large its token may be.

    `steps_of` counts the steps of orders in a payload, for kinds that carry any.
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
        """The parts of a token; raises `TokenRefused` where size, form or typ is wrong."""
        return parse_compact(token, typ=self.typ, bytes_max=self.bytes_max)

    def open(self, token: str | bytes) -> Opened[P]:
        """The document in a token; raises `TokenRefused`. Its signature is not verified."""
        compact = self.parse(token)
        payload = decode_payload(compact.payload, self._decoder)
        return Opened(compact.did, payload, compact.check)


def misdirected(payload: Destination, here: Destination) -> Refused | None:
    """Why a document is not for `here`; None where it is."""
    if payload.channel != here.channel:
        return CHANNEL_WRONG(channel=payload.channel, here=here.channel)
    if payload.contract != here.contract:
        return CONTRACT_WRONG(contract=payload.contract, here=here.contract)
    return None


def is_expired(expires_s: int | None, *, at_s: int) -> bool:
    """Whether what holds before `expires_s` (None: for ever) no longer holds at `at_s`."""
    return expires_s is not None and expires_s <= at_s
