"""The documents that traders sign: order sheets, amendments and cancels.

Each is an intent (see `documents`): it names channel, contract and area, and the second of market
time until which it may be carried, at most the gate of its last slot.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.documents.document import ChannelName, Document
from chaincode.documents.intake import BatchTokens
from chaincode.state import Count, Id, Name, Second, Side, Signed

SHEET_TYP = "commonwatt-sheet+jws"
AMEND_TYP = "commonwatt-amend+jws"
CANCEL_TYP = "commonwatt-cancel+jws"
SHEET_BYTES_MAX = 65_536
ORDERS_PER_SHEET_MAX = 200  # two days of quarter hours
ORDERS_READ_MAX = 1_000  # beyond this a sheet cannot be read; up to this its orders are counted
STEPS_READ_MAX = 10_000  # likewise for the steps of one order

Step = tuple[Signed, Count]
"""A limit price (micro/kWh) and a quantity (Wh)."""
SignedSteps = Annotated[list[Step], msgspec.Meta(max_length=STEPS_READ_MAX)]
"""Steps as a trader signs them; how many an order may have is checked with the order."""


class SheetOrder(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """One order of a sheet; the client chooses its `id`, which is unique per trader and slot.

    `expires_s` is a second of market time; an order that has expired when the gate closes is
    left out of the book.
    """

    id: Id
    side: Side
    slot: Second
    steps: SignedSteps
    expires_s: Second | None = None


class Sheet(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Orders of one trader at one meter, signed by the trader."""

    area: Name
    channel: ChannelName
    contract: ChannelName
    meter: Name
    orders: Annotated[list[SheetOrder], msgspec.Meta(max_length=ORDERS_READ_MAX)]
    v: Literal[1]
    valid_until_s: Second
    zone: Name


class Amend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New steps for an open order; `revision` counts from 1, so no amendment is applied twice."""

    area: Id
    channel: ChannelName
    contract: ChannelName
    id: Id
    revision: Count
    slot: Second
    steps: SignedSteps
    v: Literal[1]
    valid_until_s: Second


class Cancel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The withdrawal of an order; the id of an order that has not come yet is used up by it."""

    area: Id
    channel: ChannelName
    contract: ChannelName
    id: Id
    slot: Second
    v: Literal[1]
    valid_until_s: Second


class TokensArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Signed tokens; a batch takes 500 of them, and 1 MB together."""

    tokens: BatchTokens


def _steps_of_sheet(sheet: Sheet) -> int:
    """The steps in a sheet, at least 1 per order; 0 for a sheet with more orders than allowed."""
    if len(sheet.orders) > ORDERS_PER_SHEET_MAX:
        return 0
    return sum(max(1, len(order.steps)) for order in sheet.orders)


def _steps_of_amend(amend: Amend) -> int:
    return len(amend.steps)


SHEETS = Document(SHEET_TYP, Sheet, bytes_max=SHEET_BYTES_MAX, steps_of=_steps_of_sheet)
AMENDS = Document(AMEND_TYP, Amend, steps_of=_steps_of_amend)
CANCELS = Document(CANCEL_TYP, Cancel)
