"""States of orders and trades, computed when they are read; the rule is that of the contract.

`chaincode.queries.market` has the same rule over the ledger's rows, and a test compares the two.
"""

from __future__ import annotations

from chaincode.queries.market import OrderState


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
    """The state of an order at market time `now_s`; `phase` is None where no gate has closed."""
    if not is_open:
        return "CANCELLED"
    if phase in (None, "OPEN", "CLOSED", "CLEARING"):
        return "EXPIRED" if expires_s is not None and expires_s <= now_s else "LISTED"
    if not is_matched:
        return "EXPIRED"
    return trade_state(phase or "", slot=slot, disputed=disputed, now_s=now_s)
