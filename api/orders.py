"""Carrying signed tokens to the ledger: who may bring which, and what became of each.

A token is a trader's own words under its key; the API passes it on or not and can change nothing
in it. A trader brings its own tokens, a retailer's clerk those of the retailer's clients. What a
stranger signed is answered here; everything else the contract decides, with one answer per token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

import msgspec

from api.access.table import Viewer
from api.faults import LEDGER_BUSY, LEDGER_UNAVAILABLE, OUTCOME_UNKNOWN, REFUSED
from api.services import Services
from chaincode.errors import NOT_OWN_CLIENT, SHEET_UNREADABLE, Refused
from chaincode.orders.handlers import TokenAnswer, TokensAnswer
from chaincode.orders.sheets import (
    AMEND_TYP,
    CANCEL_TYP,
    SHEET_BYTES_MAX,
    SHEET_TYP,
    TOKEN_BYTES_MAX,
    TokensArguments,
)
from identity.jws import Compact, TokenRefused, parse_compact
from ledger_network.port import Conflict, Invalid, Ledger, Member, Receipt, Unknown

ATTEMPTS_MAX = 20  # of a batch that conflicts; each loses only to one that committed
BACK_OFF_S = 0.002  # after the first conflict; doubled each time
BACK_OFF_S_MAX = 0.1
LOOK_UPS_MAX = 40  # of a transaction whose outcome is unknown
LOOK_UP_EVERY_S = 0.25

T = TypeVar("T")

Act = Literal["place_orders", "amend_orders", "cancel_orders"]

NOT_OWN_TOKEN = "NOT_OWN_TOKEN"  # noqa: S105 a code


class Form(NamedTuple):
    """What a token of an act looks like: its `typ` and how long it may be."""

    typ: str
    bytes_max: int


FORMS: Mapping[Act, Form] = {
    "place_orders": Form(SHEET_TYP, SHEET_BYTES_MAX),
    "amend_orders": Form(AMEND_TYP, TOKEN_BYTES_MAX),
    "cancel_orders": Form(CANCEL_TYP, TOKEN_BYTES_MAX),
}


class _Named(msgspec.Struct, frozen=True):
    """The part of any order payload that names one order."""

    id: str
    slot: int


class _Payload(msgspec.Struct, frozen=True):
    """A sheet names several orders, every other token one."""

    id: str = ""
    slot: int = 0
    orders: list[_Named] = []


_payloads = msgspec.json.Decoder(_Payload)


class Carried(NamedTuple):
    """What became of one token.

    `token` is None for one that was not passed on; so are `transaction` and `block`, and they are
    as well where the ledger refused to look at it.
    """

    code: str
    sentence: str
    token: Compact | None = None
    transaction: str | None = None
    block: int | None = None

    @property
    def orders(self) -> Sequence[tuple[int, str]]:
        """Slot and full name of the orders it is about, where the ledger could read it."""
        if self.token is None:
            return ()
        try:
            payload = _payloads.decode(self.token.payload)
        except msgspec.MsgspecError:
            return ()
        named = payload.orders or [_Named(payload.id, payload.slot)]
        return [(order.slot, f"{self.token.did}/{order.id}") for order in named]


async def carry(
    services: Services, viewer: Viewer, act: Act, tokens: Sequence[str]
) -> list[Carried]:
    """Submit the tokens that `viewer` may bring, in one transaction; what became of each, in order.

    Raises `LEDGER_UNAVAILABLE`, `LEDGER_BUSY` or `OUTCOME_UNKNOWN` (`ApiFault`) when the ledger
    gave no answer.
    """
    form = FORMS[act]
    read = [_read(token, form) for token in tokens]
    retailers = await _retailers(services, viewer, read)
    refused = [_refusal(viewer, token, retailers) for token in read]
    batch = [
        (text, token)
        for text, token, answer in zip(tokens, read, refused, strict=True)
        if answer is None and isinstance(token, Compact)
    ]
    if not batch:
        return [answer for answer in refused if answer is not None]
    member = _member(services, viewer, retailers)
    carried = iter(await _answers(services.ledger, act, batch, member))
    return [answer or next(carried) for answer in refused]


def _read(token: str, form: Form) -> Compact | TokenRefused:
    try:
        return parse_compact(token, typ=form.typ, bytes_max=form.bytes_max)
    except TokenRefused as refused:
        return refused


async def _retailers(
    services: Services, viewer: Viewer, read: Sequence[Compact | TokenRefused]
) -> Mapping[str, str]:
    """The retailer of each trader that is a participant, as far as it matters: in one question.

    A clerk may bring what its own retailer's clients signed; of whoever trades for itself only
    the way to the ledger depends on the retailer, and only where members carry for theirs.
    """
    if viewer.role == "RETAILER":
        dids = {token.did for token in read if isinstance(token, Compact)}
    else:
        dids = {viewer.did} if services.carriers else set[str]()
    return await services.read_model.retailers_of(sorted(dids)) if dids else {}


def _refusal(
    viewer: Viewer, token: Compact | TokenRefused, retailers: Mapping[str, str]
) -> Carried | None:
    """Why a token is not passed on; None where it is."""
    if isinstance(token, TokenRefused):
        refused = SHEET_UNREADABLE(reason=token.sentence)
        return Carried(refused.code, refused.sentence)
    if token.did == viewer.did:
        return None
    if viewer.role == "RETAILER":
        retailer = retailers.get(token.did, "nobody here")
        if retailer == viewer.member:
            return None
        refused = NOT_OWN_CLIENT(did=token.did, retailer=retailer)
        return Carried(refused.code, refused.sentence)
    sentence = f"The token is signed by {token.did}, not by you ({viewer.did})."
    return Carried(NOT_OWN_TOKEN, sentence)


def _member(services: Services, viewer: Viewer, retailers: Mapping[str, str]) -> Member:
    if viewer.role == "RETAILER" and viewer.member is not None:
        return Member(viewer.member)
    return Member(services.carrier(retailers.get(viewer.did)))


async def _answers(
    ledger: Ledger, act: Act, batch: Sequence[tuple[str, Compact]], member: Member
) -> list[Carried]:
    """One answer per token; a batch refused as a whole is refused token by token."""
    arguments = TokensArguments([text for text, _ in batch])
    try:
        receipt = await submit(ledger, act, arguments, member)
    except Refused as refused:
        return [Carried(refused.code, refused.sentence, token) for _, token in batch]
    answers: list[TokenAnswer] = receipt.read(TokensAnswer).answers
    return [
        Carried(answer.code, answer.sentence, token, receipt.transaction, receipt.block)
        for answer, (_, token) in zip(answers, batch, strict=True)
    ]


async def submit(ledger: Ledger, name: str, arguments: msgspec.Struct, member: Member) -> Receipt:
    """Submit until it is committed or refused: again after a conflict, looked up when unknown.

    Raises `Refused` (the contract's), or `LEDGER_UNAVAILABLE`, `LEDGER_BUSY`, `OUTCOME_UNKNOWN`.
    """
    pause_s = BACK_OFF_S
    for _ in range(ATTEMPTS_MAX):
        try:
            return await ledger.submit(name, arguments, member=member)
        except Conflict:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, BACK_OFF_S_MAX)
        except Unknown as unknown:
            return await _look_up(ledger, unknown.transaction)
        except Invalid as invalid:
            raise LEDGER_UNAVAILABLE(reason=invalid) from None
    raise LEDGER_BUSY(count=ATTEMPTS_MAX)


async def unless_unavailable(work: Awaitable[T]) -> T:
    """What `work` gives; the ledger's failures in it as faults of the API.

    Raises `LEDGER_UNAVAILABLE`, `LEDGER_BUSY`, `OUTCOME_UNKNOWN`, `REFUSED`.
    """
    try:
        return await work
    except Refused as refused:
        raise REFUSED(code=refused.code, sentence=refused.sentence) from None
    except Conflict:
        raise LEDGER_BUSY(count=1) from None
    except Unknown as unknown:
        raise OUTCOME_UNKNOWN(transaction=unknown.transaction) from None
    except Invalid as invalid:
        raise LEDGER_UNAVAILABLE(reason=invalid) from None


async def _look_up(ledger: Ledger, transaction: str) -> Receipt:
    for _ in range(LOOK_UPS_MAX):
        receipt = await ledger.transaction(transaction)
        if receipt is not None:
            return receipt
        await asyncio.sleep(LOOK_UP_EVERY_S)
    raise OUTCOME_UNKNOWN(transaction=transaction)
