"""Payment for clients that cannot pay: the retailer that keeps a client's account pays.

Rules of settlement: "What a client cannot pay at settlement is posted to its retailer in the same
step." The amount is computed once everything else of the slot is posted, so that it does not depend
on how the run was cut into transactions.
"""

from __future__ import annotations

from collections.abc import Sequence

from chaincode.accounts.balances import RunAccounts
from chaincode.accounts.posting import DEFAULT, Explanation, Posting
from chaincode.consortium.participants import PARTICIPANTS
from chaincode.context import Context
from chaincode.errors import Broken


def default_postings(context: Context, books: RunAccounts, clients: Sequence[str]) -> list[Posting]:
    """Postings by which retailers pay what their `clients` owe beyond the clients' balances."""
    books.load(clients)
    debtors = books.balances_below_zero(clients)
    rows = PARTICIPANTS.get_many(context, [(client,) for client, _ in debtors])
    postings: list[Posting] = []
    for (client, balance_nano), row in zip(debtors, rows, strict=True):
        if row is None:
            raise Broken(f"client {client} is no participant")
        told = Explanation("carried", base_nano=-balance_nano)
        for account, nano in ((client, -balance_nano), (row.retailer, balance_nano)):
            postings.append(Posting(account, nano, DEFAULT, told))
    return postings
