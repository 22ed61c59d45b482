"""The state of an order and of a trade: the one rule, for the contract and for every reader.

A state is a function of the order's row, its slot's phase, its trades and market time. It is
stored nowhere, so it cannot disagree with them.
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

    `disputed` is whether any of its trades is.
    """
    if not is_open:
        return "CANCELLED"
    if phase in (None, "OPEN", "CLOSED", "CLEARING"):
        return "EXPIRED" if is_expired(expires_s, at_s=now_s) else "LISTED"
    if not is_matched:
        return "EXPIRED"
    return trade_state(phase or "", slot=slot, disputed=disputed, now_s=now_s)
