"""Who pays when a client cannot: the retailer that keeps its account.

Rules of settlement: "What a client cannot pay at settlement is posted to its retailer in the same
step." It is judged once everything else of the slot is posted, so that where a run was cut into
transactions makes no difference.
"""

from __future__ import annotations

from collections.abc import Sequence

from chaincode.accounts.balances import Books
from chaincode.accounts.posting import (
    Posting,
)
from chaincode.consortium.registry import PARTICIPANTS
from chaincode.context import Context
from chaincode.errors import Broken

DEFAULT_NOTE = "what the client cannot pay, carried by its retailer"
DEFAULT_KIND = "default"


def default_postings(context: Context, books: Books, clients: Sequence[str]) -> list[Posting]:
    """What `clients` owe beyond their balances, posted from their retailers' accounts to theirs."""
    books.load(clients)
    debtors = books.balances_below_zero(clients)
    rows = PARTICIPANTS.get_many(context, [(client,) for client, _ in debtors])
    postings: list[Posting] = []
    for (client, balance_nano), row in zip(debtors, rows, strict=True):
        if row is None:
            raise Broken(f"client {client} is no participant")
        for account, nano in ((client, -balance_nano), (row.retailer, balance_nano)):
            postings.append(Posting(account, nano, DEFAULT_KIND, explain=DEFAULT_NOTE))
    return postings
