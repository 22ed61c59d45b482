"""Submits signed tokens to the ledger: who may submit which, and what happened to each.

A token is signed with the trader's key; the API can pass it on or refuse it, but cannot change it.
A trader may submit its own tokens, a retailer's clerk those of the retailer's clients. The API
refuses tokens of strangers; the contract decides everything else, with one answer per token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from api.access.table import Viewer
from api.faults import LEDGER_BUSY, LEDGER_UNAVAILABLE, OUTCOME_UNKNOWN, REFUSED
from api.services import Services
from chaincode.documents.document import Document
from chaincode.errors import BATCH_FULL, BY_CODE, NOT_OWN_CLIENT, SHEET_UNREADABLE, Refused
from chaincode.orders.handlers import TokenAnswer, TokensAnswer
from chaincode.orders.sheets import AMENDS, CANCELS, SHEETS, TokensArguments
from identity.jws import Compact, TokenRefused
from ledger_network.port import Conflict, Invalid, Ledger, Member, Receipt, Unknown

ATTEMPTS_MAX = 20  # for a batch that conflicts; at each conflict another transaction has committed
BACK_OFF_S = 0.002  # wait after the first conflict; doubled each time
BACK_OFF_S_MAX = 0.1
LOOK_UPS_MAX = 40  # look-ups of a transaction whose outcome is unknown
LOOK_UP_EVERY_S = 0.25

T = TypeVar("T")

Act = Literal["place_orders", "amend_orders", "cancel_orders"]

NOT_OWN_TOKEN = "NOT_OWN_TOKEN"  # noqa: S105 a code


FORMS: Mapping[Act, Document[Any]] = {
    "place_orders": SHEETS,
    "amend_orders": AMENDS,
    "cancel_orders": CANCELS,
}


class _Named(msgspec.Struct, frozen=True):
    """The part of any order payload that names one order."""

    id: str
    slot: int


class _Payload(msgspec.Struct, frozen=True):
    """A payload: a sheet names several orders, every other token names one."""

    id: str = ""
    slot: int = 0
    orders: list[_Named] = []


_payloads = msgspec.json.Decoder(_Payload)


def remedy_of(code: str) -> str:
    """Return what to do about a refusal with this code; empty for any other answer."""
    if code == NOT_OWN_TOKEN:
        return "Sign in with the wallet that signed the token."
    refusal = BY_CODE.get(code)
    return "" if refusal is None else refusal.remedy


class Carried(NamedTuple):
    """What happened to one token.

    `token` is None if the API did not pass the token on. `transaction` and `block` are None in
    that case too, and if the ledger refused the whole batch.
    """

    code: str
    sentence: str
    token: Compact | None = None
    transaction: str | None = None
    block: int | None = None

    @property
    def remedy(self) -> str:
        """What to do about a refusal; empty for a token that was accepted."""
        return remedy_of(self.code)

    @property
    def orders(self) -> Sequence[tuple[int, str]]:
        """Slot and full name of the orders in the token; empty if it cannot be read."""
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
    """Submit the tokens that `viewer` may submit, and return what happened to each.

    That is one transaction, unless the tokens do not fit into one.

    Raises `LEDGER_UNAVAILABLE`, `LEDGER_BUSY` or `OUTCOME_UNKNOWN` (`ApiFault`) when the ledger
    gave no answer.
    """
    form = FORMS[act]
    read = [_read(token, form) for token in tokens]
    dids = _asked_dids(services, viewer, read)
    retailers = await services.read_model.retailers_of(dids) if dids else {}
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


def _read(token: str, form: Document[Any]) -> Compact | TokenRefused:
    try:
        return form.parse(token)
    except TokenRefused as refused:
        return refused


def _asked_dids(
    services: Services, viewer: Viewer, read: Sequence[Compact | TokenRefused]
) -> list[str]:
    """Return the traders whose retailers matter here, which are then read with one query.

    A clerk may submit what its own retailer's clients signed. For a trader's own tokens the
    retailer only decides which member submits, if members submit for their clients.
    """
    if viewer.role == "RETAILER":
        return sorted({token.did for token in read if isinstance(token, Compact)})
    return [viewer.did] if services.carriers else []


def _refusal(
    viewer: Viewer, token: Compact | TokenRefused, retailers: Mapping[str, str]
) -> Carried | None:
    """Return why a token is not passed on; None if it is passed on."""
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
    """Return one answer per token.

    Tokens that did not fit are sent again in the next transaction, as long as each gets further.
    """
    answers = await _batch_answers(ledger, act, batch, member)
    waiting = _full(answers)
    while waiting:
        later = await _batch_answers(ledger, act, [batch[place] for place in waiting], member)
        for place, answer in zip(waiting, later, strict=True):
            answers[place] = answer
        before, waiting = waiting, _full(answers)
        if len(waiting) == len(before):
            break
    return answers


def _full(answers: Sequence[Carried]) -> list[int]:
    return [place for place, answer in enumerate(answers) if answer.code == BATCH_FULL.code]


async def _batch_answers(
    ledger: Ledger, act: Act, batch: Sequence[tuple[str, Compact]], member: Member
) -> list[Carried]:
    """Submit one batch; if it is refused, each token has that refusal."""
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
    """Submit until committed or refused: retry after a conflict, look up an unknown outcome.

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
    """Return the result of `work`, and raise the ledger's failures as faults of the API.

    Raises `LEDGER_UNAVAILABLE`, `LEDGER_BUSY`, `OUTCOME_UNKNOWN`, `REFUSED`.
    """
    try:
        return await work
    except Refused as refused:
        raise REFUSED(
            code=refused.code, sentence=refused.sentence, remedy=remedy_of(refused.code)
        ) from None
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
