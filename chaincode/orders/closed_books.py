"""Money at stake in closed books: a client's orders whose gate has closed and that may take cover.

Between a gate and the end of its clearing, the money of a client with orders in that slot is not
free: the clearing takes cover as of the gate, whatever is paid out or reserved behind the gate.
"""

from __future__ import annotations

from itertools import islice

from chaincode.accounts.balances import folding_of
from chaincode.accounts.entries import hold_fee
from chaincode.accounts.payments import Payment, PayoutArguments, book, examined, signed_payout
from chaincode.context import Context
from chaincode.errors import PAYOUT_WAITS
from chaincode.orders.order_batch import ORDERS
from chaincode.slots.gate import GATES
from chaincode.state import slot_part

CLOSED_SLOTS_MAX = 200  # closed slots that are searched for a client's orders


def debit_client(context: Context, arguments: PayoutArguments) -> Payment:
    """Pay out a client of the calling retailer as the client has signed, at most what is free.

    Refused while the client has orders in a closed slot that has not cleared.
    """
    payout = signed_payout(context, arguments)
    payment, known = examined(context, payout, -payout.amount_nano)
    if known:
        return payment
    slot = slot_at_stake(context, payout.area, payout.participant)
    if slot is not None:
        raise PAYOUT_WAITS(did=payout.participant, slot=slot)
    return book(context, payout, payment)


def fee_held(context: Context, *, area: str, slot: int, owner: str, fee_nano: int) -> int:
    """Reserve a cancellation fee as far as free money reaches; return the reserved part."""
    if not fee_nano or slot_at_stake(context, area, owner) is not None:
        return 0
    return hold_fee(context, area=area, slot=slot, owner=owner, fee_nano=fee_nano)


def slot_at_stake(context: Context, area: str, owner: str) -> int | None:
    """The first closed slot that has not cleared and that has open orders of the owner.

    Where more slots wait than are searched, it is the last one searched.
    """
    cleared = slot_part(folding_of(context, area).cleared_slot)
    gates = GATES.range(context, area, after=cleared)
    waiting = [name for name, _ in islice(gates, CLOSED_SLOTS_MAX)]
    rows = ORDERS.get_many(context, [(area, name, owner) for name in waiting])
    for name, row in zip(waiting, rows, strict=True):
        if row is not None and any(order.open for order in row.orders):
            return int(name)
    return int(waiting[-1]) if len(waiting) == CLOSED_SLOTS_MAX else None
