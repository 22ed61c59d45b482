"""How the contract takes signed documents: one, a batch, or one that several DIDs have signed.

Where there are several faults, the refusal names the first in this order: size, form and typ of a
token; its payload; channel; contract; its number of steps; signature.

In a batch whatever is wrong with one token is the answer to that token. A batch takes tokens in the
order given while they fit; the first that does not fit and those behind it are answered
`BATCH_FULL`. Where a batch is cut depends on its tokens alone, and the first token always fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec

from chaincode.context import BYTES_MAX, Context
from chaincode.documents.document import Destination, Document, Opened, misdirected
from chaincode.errors import (
    BATCH_BYTES,
    BATCH_FULL,
    REPORTS_DIFFER,
    SHEET_UNREADABLE,
    SIGNATURE_INVALID,
    STEPS_TOO_MANY,
    Refused,
)
from identity.jws import TokenRefused

BATCH_TOKENS_MAX = 500  # two endorsers verify each token, one after the other
BATCH_BYTES_MAX = 1_048_576  # all tokens that a batch takes; an eighth of what a block takes
BATCH_STEPS_MAX = 2_000  # steps of all orders that a batch takes, and of one token
BATCH_ARGUMENTS_MAX = 2 * BATCH_BYTES_MAX  # what is sent; the rest of a transaction is for rows
BATCH_LENGTH_MAX = 10_000  # tokens that are sent, most of which are then answered BATCH_FULL

BatchTokens = Annotated[
    list[Annotated[str, msgspec.Meta(max_length=BYTES_MAX)]],
    msgspec.Meta(min_length=1, max_length=BATCH_LENGTH_MAX),
]
"""The tokens of a batch; a token beyond the limit of its kind is answered, whatever its size."""

P = TypeVar("P", bound=Destination)


class _Batch:
    """What a batch has taken so far: number, bytes and steps of its tokens."""

    def __init__(self) -> None:
        self._tokens = 0
        self._bytes = 0
        self._steps = 0
        self.is_full = False

    def add_token(self, token: str) -> bool:
        """Whether the token still fits; if it does not, the batch is full."""
        self._tokens += 1
        self._bytes += len(token)
        self.is_full |= self._tokens > BATCH_TOKENS_MAX or self._bytes > BATCH_BYTES_MAX
        return not self.is_full

    def add_steps(self, steps: int) -> bool:
        """Whether the steps of a token still fit; if they do not, the batch is full."""
        self._steps += steps
        self.is_full |= self._steps > BATCH_STEPS_MAX
        return not self.is_full


def take_batch(
    context: Context, document: Document[P], tokens: Sequence[str]
) -> list[Opened[P] | Refused]:
    """Each token's document, or the refusal of that token, in the order given.

    All signatures are verified in one call.
    """
    size = max(context.bytes_used, sum(map(len, tokens)))
    if size > BATCH_ARGUMENTS_MAX:
        raise BATCH_BYTES(count=size, limit=BATCH_ARGUMENTS_MAX)
    batch = _Batch()
    taken = [_opened(batch, document, token, context) for token in tokens]
    opened = [(place, one) for place, one in enumerate(taken) if not isinstance(one, Refused)]
    held = context.verify_many([found.check for _, found in opened])
    for (place, found), holds in zip(opened, held, strict=True):
        if not holds:
            taken[place] = SIGNATURE_INVALID(did=found.did)
    return taken


def _opened(
    batch: _Batch, document: Document[P], token: str, here: Destination
) -> Opened[P] | Refused:
    """A token's document before its signature is verified, or the refusal of the token."""
    if batch.is_full or (len(token) <= document.bytes_max and not batch.add_token(token)):
        return BATCH_FULL()
    try:
        found = document.open(token)
    except TokenRefused as refused:
        return SHEET_UNREADABLE(reason=refused.sentence)
    fault = misdirected(found.payload, here)
    if fault is None and document.steps_of is not None:
        steps = document.steps_of(found.payload)
        if steps > BATCH_STEPS_MAX:
            return STEPS_TOO_MANY(count=steps, limit=BATCH_STEPS_MAX)
        if not batch.add_steps(steps):
            return BATCH_FULL()
    return found if fault is None else fault


def take(context: Context, document: Document[P], token: str) -> Opened[P]:
    """Return the document in one token; raises `Refused`."""
    (taken,) = take_batch(context, document, [token])
    if isinstance(taken, Refused):
        raise taken
    return taken


def take_cosigned(
    context: Context, document: Document[P], tokens: Sequence[str]
) -> tuple[P, list[str]]:
    """Return the payload that all tokens share and the DIDs that signed it; raises `Refused`."""
    try:
        compacts = [document.parse(token) for token in tokens]
        first = document.open(tokens[0])
    except TokenRefused as refused:
        raise SHEET_UNREADABLE(reason=refused.sentence) from None
    if any(compact.payload != compacts[0].payload for compact in compacts):
        raise REPORTS_DIFFER()
    fault = misdirected(first.payload, context)
    if fault is not None:
        raise fault
    held = context.verify_many([compact.check for compact in compacts])
    for compact, holds in zip(compacts, held, strict=True):
        if not holds:
            raise SIGNATURE_INVALID(did=compact.did)
    return first.payload, [compact.did for compact in compacts]
