"""Claims: what retailers have paid for clients and get back before the client keeps anything.

When folding leaves a client below zero, the retailers that answer pay the missing amount into the
account and hold claims of that amount on the client: those of the latest causes first, each at
most for what its cause took. When folding leaves a client above zero and claims stand, they are
repaid first, the oldest cause first. So a client never has both a balance and a claim, and its
balance less its claims is the sum of its postings and payments, in whatever order they came.

A claim is a row of its own, and a second row has the sum of a retailer's claims on a client.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from chaincode.accounts.balances import LaneAccounts
from chaincode.accounts.posting import DEFAULT, REPAYMENT, Explanation, Posting
from chaincode.context import Context
from chaincode.errors import Broken
from chaincode.state import Row, Table


class Claim(Row, frozen=True):
    """What a retailer has paid for a client on account of one cause and not got back yet."""

    amount_nano: int


class ClaimSum(Row, frozen=True):
    """The sum of all claims that a retailer holds on a client."""

    amount_nano: int


CLAIMS = Table(36, "claims", Claim, ("area", "client", "cause", "retailer"))
CLAIM_SUMS = Table(37, "claim sums", ClaimSum, ("area", "retailer", "client"))


class Claims:
    """Strikes and repays claims in a transaction of the lane, and keeps the lines that it posts."""

    def __init__(self, context: Context, area: str, accounts: LaneAccounts) -> None:
        self._context = context
        self._area = area
        self._accounts = accounts
        self.postings: list[Posting] = []

    def strike(self, client: str, *, cause: str, retailer: str, nano: int) -> None:
        """Let `retailer` pay `nano` for the client and hold a claim of it."""
        names = (self._area, client, cause, retailer)
        held = CLAIMS.get(self._context, *names)
        before_nano = 0 if held is None else held.amount_nano
        CLAIMS.put(self._context, Claim(amount_nano=before_nano + nano), *names)
        self._move(client, retailer, nano, kind=DEFAULT, cause=cause)

    def repay(self, client: str, *, claims_max: int) -> int:
        """Repay up to `claims_max` claims out of the client's balance; the number of claims."""
        count = 0
        for cause, retailer, claim in list(islice(self._standing(client), claims_max)):
            balance_nano = self._accounts.account(client).balance_nano
            if balance_nano <= 0:
                break
            count += 1
            nano = min(balance_nano, claim.amount_nano)
            names = (self._area, client, cause, retailer)
            if nano == claim.amount_nano:
                CLAIMS.delete(self._context, *names)
            else:
                CLAIMS.put(self._context, Claim(amount_nano=claim.amount_nano - nano), *names)
            self._move(client, retailer, -nano, kind=REPAYMENT, cause=cause)
        return count

    def is_due(self, client: str) -> bool:
        """Whether the client has money that belongs to those who hold claims on it."""
        account = self._accounts.account(client)
        return account.balance_nano > 0 and account.claims_nano > 0

    def _standing(self, client: str) -> Iterator[tuple[str, str, Claim]]:
        for rest, claim in CLAIMS.range(self._context, self._area, client):
            cause, retailer = rest.split("/")
            yield cause, retailer, claim

    def _move(self, client: str, retailer: str, nano: int, *, kind: str, cause: str) -> None:
        """Move `nano` from the retailer to the client, and add it to what the client owes."""
        self._accounts.change(client, balance_nano=nano, claims_nano=nano)
        self._accounts.change(retailer, balance_nano=-nano)
        names = (self._area, retailer, client)
        held = CLAIM_SUMS.get(self._context, *names)
        sum_nano = nano + (0 if held is None else held.amount_nano)
        if sum_nano < 0:
            raise Broken(f"{client} would have repaid {-sum_nano} nano too much to {retailer}")
        if sum_nano:
            CLAIM_SUMS.put(self._context, ClaimSum(amount_nano=sum_nano), *names)
        else:
            CLAIM_SUMS.delete(self._context, *names)
        told = Explanation("carried" if kind == DEFAULT else "repaid", base_nano=abs(nano))
        for account, amount_nano in ((client, nano), (retailer, -nano)):
            self.postings.append(Posting(account, amount_nano, kind, told, cause=cause))
