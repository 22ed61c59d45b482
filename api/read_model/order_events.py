"""Orders out of events: the tokens that were submitted, and what became of each.

The contract has verified every token that it answered with PLACED, AMENDED or CANCELLED, so only
their payloads are read here; no question to the ledger is needed. Tokens answered otherwise
changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from api.read_model.batch import Batch
from api.read_model.registry import Registry
from api.read_model.statements import AMEND_ORDER, CANCEL_ORDER, OPEN_SLOT, PUT_ORDER
from chaincode.orders.handlers import OrdersChanged, TokensAnswer
from chaincode.orders.sheets import (
    AMEND_TYP,
    CANCEL_TYP,
    SHEET_BYTES_MAX,
    SHEET_TYP,
    TOKEN_BYTES_MAX,
    Amend,
    Cancel,
    Sheet,
    Step,
    TokensArguments,
)
from identity.jws import parse_compact
from ledger_network.port import CommittedEvents

P = TypeVar("P")

_arguments = msgspec.json.Decoder(TokensArguments)
_answers = msgspec.json.Decoder(TokensAnswer)
_changed = msgspec.json.Decoder(OrdersChanged)
_sheets = msgspec.json.Decoder(Sheet)
_amends = msgspec.json.Decoder(Amend)
_cancels = msgspec.json.Decoder(Cancel)
_steps = msgspec.json.Encoder()


def orders_changed(
    data: msgspec.Raw, happened: CommittedEvents, registry: Registry, batch: Batch
) -> None:
    """A batch of tokens: orders placed, amended or cancelled."""
    changed = _changed.decode(data)
    block = happened.position.block
    for area, slot in changed.slots:
        gate_s = registry.gate_s(area, slot)
        batch.put(OPEN_SLOT, (area, slot, "OPEN", gate_s, 0, 0, 0, 0, 0, 0, block))
        batch.slots.add((area, slot))
    match changed.act:
        case "PLACED":
            _place(happened, registry, batch)
        case "AMENDED":
            for did, amend in _tokens(happened, "AMENDED", AMEND_TYP, _amends):
                key = (did, amend.slot, amend.id, amend.area)
                batch.put(AMEND_ORDER, (*_shown(amend.steps), amend.revision, block, *key))
                batch.traders.add(did)
        case "CANCELLED":
            for did, cancel in _tokens(happened, "CANCELLED", CANCEL_TYP, _cancels):
                key = (did, cancel.slot, cancel.id, cancel.area)
                batch.put(CANCEL_ORDER, (False, block, *key))
                batch.traders.add(did)
        case _:
            pass  # an act of a later contract


def _place(happened: CommittedEvents, registry: Registry, batch: Batch) -> None:
    block = happened.position.block
    rows = batch.rows(PUT_ORDER)
    areas = registry.zone_areas
    placed_s: dict[str, int] = {}
    for did, sheet in _tokens(happened, "PLACED", SHEET_TYP, _sheets, bytes_max=SHEET_BYTES_MAX):
        area = areas[sheet.zone]
        if area not in placed_s:
            placed_s[area] = registry.market_s(area, happened.time_s)
        batch.traders.add(did)
        for order in sheet.orders:
            quantity_wh, highest, lowest, steps = _shown(order.steps)
            limit = highest if order.side == "buy" else lowest
            rows.append(
                (
                    did, order.slot, order.id, area, sheet.meter, sheet.zone, order.side,
                    quantity_wh, limit, steps, order.expires_s, 0, True, 0, 0, False, "",
                    placed_s[area], block,
                )
            )  # fmt: skip


def _tokens(
    happened: CommittedEvents,
    done: str,
    typ: str,
    decoder: msgspec.json.Decoder[P],
    *,
    bytes_max: int = TOKEN_BYTES_MAX,
) -> Iterator[tuple[str, P]]:
    """Signer and payload of the tokens that the contract answered with `done`."""
    tokens = _arguments.decode(happened.arguments).tokens
    answers = _answers.decode(happened.result).answers
    for token, answer in zip(tokens, answers, strict=True):
        if answer.code == done:
            compact = parse_compact(token, typ=typ, bytes_max=bytes_max)
            yield compact.did, decoder.decode(compact.payload)


def _shown(steps: list[Step]) -> tuple[int, int, int, str]:
    """Quantity, highest and lowest limit, and the steps as JSON where there are several."""
    if len(steps) == 1:
        price, quantity_wh = steps[0]
        return quantity_wh, price, price, ""
    limits = [price for price, _ in steps]
    told = _steps.encode(steps).decode()
    return sum(wh for _, wh in steps), max(limits), min(limits), told
