"""The payloads that `commonwatt wallet sign` takes, as the contract reads them.

They are in a module of their own, so that `commonwatt wallet show` does not load the contract.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import cast

import msgspec

from chaincode.area.intents import (
    HOLD_TYP,
    JOIN_TYP,
    PAYOUT_TYP,
    Hold,
    Join,
    Payout,
)
from chaincode.consortium.acts import ACT_TYP, Act
from chaincode.orders.sheets import AMEND_TYP, CANCEL_TYP, SHEET_TYP, Amend, Cancel, Sheet
from chaincode.settlement.disputes import DISPUTE_TYP, DisputeAct

VALID_S = 86_400  # of what has no gate, from now on

KINDS: Mapping[str, tuple[str, type[msgspec.Struct]]] = {
    "sheet": (SHEET_TYP, Sheet),
    "amend": (AMEND_TYP, Amend),
    "cancel": (CANCEL_TYP, Cancel),
    "join": (JOIN_TYP, Join),
    "hold": (HOLD_TYP, Hold),
    "payout": (PAYOUT_TYP, Payout),
    "dispute": (DISPUTE_TYP, DisputeAct),
    "act": (ACT_TYP, Act),
}
"""Each kind of payload with the type that its token names, and its fields."""

WITH_A_GATE = ("sheet", "amend", "cancel")
WITHOUT_AN_END = ("act",)


class _Slots(msgspec.Struct):
    """The slots that a payload names: of its orders, or its own."""

    orders: list[_Slots] = []
    slot: int = 0

    @property
    def last(self) -> int:
        """The last slot."""
        return max((order.slot for order in self.orders), default=self.slot)


def read_payload(kind: str, text: bytes, *, gate_lead_s: int) -> msgspec.Struct:
    """The payload of a kind; raises `msgspec.DecodeError`.

    If it names no `valid_until_s`, an order token is valid until the gate of its last slot, which
    closes `gate_lead_s` before the slot, and every other token for a day from now on.
    """
    struct = KINDS[kind][1]
    fields = msgspec.json.decode(text)
    if kind not in WITHOUT_AN_END and isinstance(fields, dict):
        named = cast("dict[str, object]", fields)
        if "valid_until_s" not in named:
            named["valid_until_s"] = (
                msgspec.json.decode(text, type=_Slots).last - gate_lead_s
                if kind in WITH_A_GATE
                else int(time.time()) + VALID_S
            )
            text = msgspec.json.encode(named)
    return msgspec.json.decode(text, type=struct)
