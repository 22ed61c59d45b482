"""The documents that traders sign: order sheets, amendments and cancels.

Each is a signed document (see `documents`) and names the channel and the contract that it is for.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.documents.document import Document
from chaincode.state import Count, Id, Name, Second, Side, Signed

SHEET_TYP = "commonwatt-sheet+jws"
AMEND_TYP = "commonwatt-amend+jws"
CANCEL_TYP = "commonwatt-cancel+jws"
SHEET_BYTES_MAX = 65_536
ORDERS_PER_SHEET_MAX = 200  # two days of quarter hours

Step = tuple[Signed, Count]
"""A limit price (micro/kWh) and a quantity (Wh)."""


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
    steps: list[Step]
    expires_s: Second | None = None


class Sheet(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Orders of one trader at one meter, signed by the trader."""

    channel: str
    contract: str
    meter: Name
    orders: list[SheetOrder]
    v: Literal[1]
    zone: Name


class Amend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New steps for an open order; `revision` counts from 1, so no amendment is applied twice."""

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
    """Signed tokens: at most 500, and at most 1 MB together."""

    tokens: Annotated[list[str], msgspec.Meta(min_length=1)]


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
