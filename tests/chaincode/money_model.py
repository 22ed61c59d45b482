"""Accounts, entries and claims in dicts, written from the rules (contract.md, 2 and 3).

Postings, payments and fees are noted under the open epoch. Folding an epoch adds up what each owner
has in it; a client that is left below zero is paid for by those who answer, latest cause first,
and a client that is left above zero repays claims, oldest cause first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

import msgspec


class Noted(msgspec.Struct):
    """What one cause adds to one owner in one epoch."""

    money: int = 0
    reserved: int = 0
    minted: int = 0
    live: int = 0
    retired: int = 0


class Place(NamedTuple):
    """Where something is noted; causes are in order of time."""

    epoch: int
    owner: str
    cause: str
    retailer: str


class Money:
    """All accounts of an area."""

    def __init__(self) -> None:
        self.open = 0
        self.noted: defaultdict[Place, Noted] = defaultdict(Noted)
        self.balance: Counter[str] = Counter()
        self.reserved: Counter[str] = Counter()
        self.minted: Counter[str] = Counter()
        self.live: Counter[str] = Counter()
        self.retired: Counter[str] = Counter()
        self.claims: defaultdict[str, dict[tuple[str, str], int]] = defaultdict(dict)
        self.folded: list[tuple[str, str, int]] = []

    def note(self, owner: str, cause: str, retailer: str = "-", **amounts: int) -> None:
        """Append what a cause adds to what it has appended in this epoch before."""
        entry = self.noted[Place(self.open, owner, cause, retailer)]
        for name, amount in amounts.items():
            setattr(entry, name, getattr(entry, name) + amount)

    def close(self) -> int:
        """Close the open epoch; its number."""
        self.open += 1
        return self.open - 1

    def free(self, owner: str) -> int:
        """Balance less reserve less claims, and less what waits to be taken away."""
        waiting = [noted for place, noted in self.noted.items() if place.owner == owner]
        taken = sum(max(0, -noted.money) + max(0, noted.reserved) for noted in waiting)
        return self.balance[owner] - self.reserved[owner] - self.owes(owner) - taken

    def owes(self, client: str) -> int:
        """All claims on a client."""
        return sum(self.claims[client].values())

    def held_by(self, retailer: str) -> dict[str, int]:
        """What each client owes a retailer."""
        sums: Counter[str] = Counter()
        for client, claims in self.claims.items():
            for (_, holder), amount in claims.items():
                sums[client] += amount * (holder == retailer)
        return {client: amount for client, amount in sums.items() if amount}

    def worth(self, owner: str) -> int:
        """Balance less claims with everything that is noted."""
        waiting = sum(noted.money for place, noted in self.noted.items() if place.owner == owner)
        return self.balance[owner] - self.owes(owner) + waiting

    def fold(self, until: int) -> None:
        """Fold all epochs up to `until`."""
        for epoch in sorted({place.epoch for place in self.noted if place.epoch <= until}):
            for owner in sorted({p.owner for p in self.noted if p.epoch == epoch}):
                self._fold_owner(epoch, owner)

    def _fold_owner(self, epoch: int, owner: str) -> None:
        places = sorted(p for p in self.noted if p.epoch == epoch and p.owner == owner)
        noted = {place: self.noted.pop(place) for place in places}
        for entry in noted.values():
            self.balance[owner] += entry.money
            self.reserved[owner] += entry.reserved
            self.minted[owner] += entry.minted
            self.live[owner] += entry.live
            self.retired[owner] += entry.retired
        if not owner.startswith("did:"):
            return
        for place in reversed(places):
            paid = min(max(0, -self.balance[owner]), max(0, -noted[place].money))
            if paid:
                claim = place.cause, place.retailer
                self.claims[owner][claim] = self.claims[owner].get(claim, 0) + paid
                self._move(owner, place.retailer, paid)
        for claim, amount in sorted(self.claims[owner].items()):
            repaid = min(max(0, self.balance[owner]), amount)
            if repaid:
                self.claims[owner][claim] -= repaid
                self._move(owner, claim[1], -repaid)
        self.claims[owner] = {claim: left for claim, left in self.claims[owner].items() if left}
        assert self.balance[owner] == 0 or not self.owes(owner)

    def _move(self, client: str, retailer: str, amount: int) -> None:
        self.balance[client] += amount
        self.balance[retailer] -= amount
        self.folded.append((client, retailer, amount))
