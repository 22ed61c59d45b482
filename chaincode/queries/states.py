"""The states of orders and trades, computed the same way in the contract and in every client.

A state is a function of the order's row, its slot's phase, its trades and market time. A state is
not stored, so it cannot contradict the rows that it is computed from.
"""

from __future__ import annotations

from typing import Literal

from chaincode.documents.document import is_expired

OrderState = Literal[
    "LISTED", "MATCHED", "EXECUTING", "SETTLED", "DISPUTED", "EXPIRED", "CANCELLED"
]


def trade_state(phase: str, *, slot: int, disputed: bool, now_s: int) -> OrderState:
    """The state of a trade of a slot in `phase` at market time `now_s`."""
    if disputed:
        return "DISPUTED"
    if phase in ("SETTLED", "CORRECTING"):
        return "SETTLED"
    return "EXECUTING" if now_s >= slot else "MATCHED"


def order_state(
    phase: str | None,
    *,
    slot: int,
    is_open: bool,
    is_matched: bool,
    disputed: bool,
    expires_s: int | None,
    now_s: int,
) -> OrderState:
    """The state of an order at market time `now_s`; `phase` is None before the gate closes.

    `disputed` says whether any trade of the order is disputed.
    """
    if not is_open:
        return "CANCELLED"
    if phase in (None, "OPEN", "CLOSED", "CLEARING"):
        return "EXPIRED" if is_expired(expires_s, at_s=now_s) else "LISTED"
    if not is_matched:
        return "EXPIRED"
    return trade_state(phase or "", slot=slot, disputed=disputed, now_s=now_s)
