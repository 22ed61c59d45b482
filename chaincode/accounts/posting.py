"""A posting: one line of the books of an area. Which postings follow from a trade is decided in
`chaincode/settlement/postings.py`.
"""

from __future__ import annotations

import msgspec


class Posting(msgspec.Struct, frozen=True, gc=False):
    """One line of the books.

    `account` receives `amount_nano` (below zero: pays). `kind` is energy, residual, surplus,
    spread, fee:<kind>, vat or vat:<kind>. `trade` is the id of the trade it comes from, if any.
    `explain` says in words how the amount comes about. `cause` names the correction of the slot
    that posted the difference; empty where the slot was settled first.
    """

    account: str
    amount_nano: int
    kind: str
    trade: str = ""
    explain: str = ""
    cause: str = ""
