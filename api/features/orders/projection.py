"""Writes orders from events, which hold the submitted tokens and the contract's answers.

The contract has verified every token that it answered with PLACED, AMENDED or CANCELLED, so only
the payloads of these tokens are read here, without a query to the ledger. Tokens with other
answers changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from api.features.batch import Batch
from api.features.event_context import EventContext
from api.features.registry import Registry
from api.read_model.statements import insert, upsert
from chaincode.clearing.run import MatchedTrade, SlotCleared
from chaincode.documents.document import Destination, Document
from chaincode.orders.handlers import OrdersChanged, TokensAnswer
from chaincode.orders.sheets import (
    AMENDS,
    CANCELS,
    SHEETS,
    Amend,
    Cancel,
    Sheet,
    Step,
    TokensArguments,
)
from ledger_network.port import CommittedEvents

P = TypeVar("P", bound=Destination)

_arguments = msgspec.json.Decoder(TokensArguments)
_answers = msgspec.json.Decoder(TokensAnswer)
_changed = msgspec.json.Decoder(OrdersChanged)
_sheets = msgspec.json.Decoder(Sheet)
_amends = msgspec.json.Decoder(Amend)
_cancels = msgspec.json.Decoder(Cancel)
_steps = msgspec.json.Encoder()


PUT_ORDER = upsert(
    "order_row",
    ["trader", "slot", "client_id", "area"],
    [
        "meter", "zone", "side", "quantity_wh", "limit_price", "steps", "expires_s", "revision",
        "open", "matched_wh", "settled_wh", "disputed", "left_out", "placed_s", "block",
    ],
)  # fmt: skip
_ORDER_KEY = "WHERE trader = ? AND slot = ? AND client_id = ? AND area = ?"
AMEND_ORDER = (
    "UPDATE order_row SET quantity_wh = ?, "
    "limit_price = CASE WHEN side = 'buy' THEN CAST(? AS BIGINT) ELSE CAST(? AS BIGINT) END, "
    "steps = ?, revision = ?, block = ? "
    f"{_ORDER_KEY}"
)
CANCEL_ORDER = f"UPDATE order_row SET open = ?, block = ? {_ORDER_KEY}"
LEAVE_OUT_ORDER = f"UPDATE order_row SET left_out = ?, block = ? {_ORDER_KEY}"
MATCH_ORDER = f"UPDATE order_row SET matched_wh = ?, settled_wh = ?, block = ? {_ORDER_KEY}"
DISPUTE_ORDER = (
    "UPDATE order_row SET disputed = EXISTS (SELECT 1 FROM trade WHERE trade.area = order_row.area "
    "AND trade.slot = order_row.slot AND trade.disputed "
    f"AND (trade.buy_order = ? OR trade.sell_order = ?)), block = ? {_ORDER_KEY}"
)

SLOT_SUMS = ("settled_wh", "residual_wh", "surplus_wh", "minted_wh", "retired_wh", "estimated")
SLOT_COLUMNS = ("area", "slot", "phase", "gate_s", *SLOT_SUMS, "block")
OPEN_SLOT = f"{insert('slot', SLOT_COLUMNS)} ON CONFLICT (area, slot) DO NOTHING"


def orders_changed(data: msgspec.Raw, at: EventContext) -> None:
    """Write the orders that a batch of tokens placed, amended or cancelled."""
    happened, registry, batch = at.happened, at.registry, at.batch
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
            for did, amend in _tokens(happened, "AMENDED", AMENDS, _amends):
                key = (did, amend.slot, amend.id, amend.area)
                batch.put(AMEND_ORDER, (*_shown(amend.steps), amend.revision, block, *key))
                batch.traders.add(did)
        case "CANCELLED":
            for did, cancel in _tokens(happened, "CANCELLED", CANCELS, _cancels):
                key = (did, cancel.slot, cancel.id, cancel.area)
                batch.put(CANCEL_ORDER, (False, block, *key))
                batch.traders.add(did)
        case _:
            pass  # an event of a later contract


def _place(happened: CommittedEvents, registry: Registry, batch: Batch) -> None:
    block = happened.position.block
    rows = batch.rows(PUT_ORDER)
    areas = registry.zone_areas
    placed_s: dict[str, int] = {}
    for did, sheet in _tokens(happened, "PLACED", SHEETS, _sheets):
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
    document: Document[P],
    decoder: msgspec.json.Decoder[P],
) -> Iterator[tuple[str, P]]:
    """Yield signer and payload of the tokens that the contract answered with `done`."""
    tokens = _arguments.decode(happened.arguments).tokens
    answers = _answers.decode(happened.result).answers
    for token, answer in zip(tokens, answers, strict=True):
        if answer.code == done:
            compact = document.parse(token)
            yield compact.did, decoder.decode(compact.payload)


def _shown(steps: list[Step]) -> tuple[int, int, int, str]:
    """Return quantity, highest and lowest limit, and the steps as JSON if there are several."""
    if len(steps) == 1:
        price, quantity_wh = steps[0]
        return quantity_wh, price, price, ""
    limits = [price for price, _ in steps]
    told = _steps.encode(steps).decode()
    return sum(wh for _, wh in steps), max(limits), min(limits), told


async def leave_out(at: EventContext, event: SlotCleared) -> None:
    """Mark open orders that are not in a book, with the reasons that the ledger gives."""
    area, slot = event.area, event.slot
    in_books = {zone.zone: zone.orders for zone in event.zones}
    placed: dict[str, list[tuple[str, str]]] = {}
    for zone, trader, client_id in await at.database.rows(
        "SELECT zone, trader, client_id FROM order_row WHERE slot = ? AND area = ? AND open",
        slot,
        area,
    ):
        placed.setdefault(zone, []).append((trader, client_id))
    traders: set[str] = set()
    for zone, orders in placed.items():
        if len(orders) == in_books.get(zone, 0):
            continue
        names: set[str] = set()
        if zone in in_books:
            names = await at.questions.orders_in_book(area, slot, zone)
        traders.update(did for did, client_id in orders if f"{did}/{client_id}" not in names)
    for did in sorted(traders):
        reasons = await at.questions.reasons(area, slot, did)
        for client_id, reason in sorted(reasons.items()):
            at.batch.put(LEAVE_OUT_ORDER, (reason, at.block, did, slot, client_id, area))
        at.batch.traders.add(did)


def match(
    at: EventContext, area: str, slot: int, trades: Iterable[MatchedTrade], *, settled: bool
) -> None:
    """Update what each order has matched and settled over all its trades."""
    sums: dict[str, tuple[int, int]] = {}
    for trade in trades:
        settled_wh = (trade.settled_wh or 0) if settled else 0
        for step in (trade.buy, trade.sell):
            matched_before_wh, settled_before_wh = sums.get(order_of(step), (0, 0))
            sums[order_of(step)] = (
                matched_before_wh + trade.quantity_wh,
                settled_before_wh + settled_wh,
            )
    rows = at.batch.rows(MATCH_ORDER)
    for name, (matched_wh, settled_wh) in sums.items():
        did, _, client_id = name.partition("/")
        rows.append((matched_wh, settled_wh, at.block, did, slot, client_id, area))
        at.batch.traders.add(did)


def order_of(step: str) -> str:
    """Return the order's full name from the name of one of its steps."""
    return step.partition("#")[0]
