"""How the contract takes signed documents: one, a batch, or one that several DIDs have signed.

Where there are several faults, the refusal names the first in this order: the size of the batch;
size, form and typ of a token; its payload; channel; contract; signature; the steps of all tokens
together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from chaincode.context import Context
from chaincode.documents.document import Destination, Document, Opened, misdirected
from chaincode.errors import (
    BATCH_BYTES,
    BATCH_STEPS,
    BATCH_TOKENS,
    REPORTS_DIFFER,
    SHEET_UNREADABLE,
    SIGNATURE_INVALID,
    Refused,
)
from identity.jws import TokenRefused

BATCH_TOKENS_MAX = 500  # two endorsers verify each token, one after the other
BATCH_BYTES_MAX = 1_048_576  # all tokens of a batch; an eighth of what a block takes
BATCH_STEPS_MAX = 2_000  # steps of all orders of a batch

P = TypeVar("P", bound=Destination)


def take_batch(
    context: Context, document: Document[P], tokens: Sequence[str]
) -> list[Opened[P] | Refused]:
    """Each token's document, or the refusal of that token, in the order given.

    A batch that is too large is refused as a whole. All signatures are verified in one call.
    """
    if len(tokens) > BATCH_TOKENS_MAX:
        raise BATCH_TOKENS(count=len(tokens), limit=BATCH_TOKENS_MAX)
    size = sum(map(len, tokens))
    if size > BATCH_BYTES_MAX:
        raise BATCH_BYTES(count=size, limit=BATCH_BYTES_MAX)
    taken: list[Opened[P] | Refused] = []
    places: list[int] = []
    opened: list[Opened[P]] = []
    for place, token in enumerate(tokens):
        try:
            found = document.open(token)
        except TokenRefused as refused:
            taken.append(SHEET_UNREADABLE(reason=refused.sentence))
            continue
        fault = misdirected(found.payload, context)
        taken.append(found if fault is None else fault)
        if fault is None:
            places.append(place)
            opened.append(found)
    held = context.verify_many([found.check for found in opened])
    for place, found, holds in zip(places, opened, held, strict=True):
        if not holds:
            taken[place] = SIGNATURE_INVALID(did=found.did)
    _check_steps(document, taken)
    return taken


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


def _check_steps(document: Document[P], taken: Sequence[Opened[P] | Refused]) -> None:
    steps_of = document.steps_of
    if steps_of is None:
        return
    steps = sum(steps_of(found.payload) for found in taken if not isinstance(found, Refused))
    if steps > BATCH_STEPS_MAX:
        raise BATCH_STEPS(count=steps, limit=BATCH_STEPS_MAX)
