"""A member that takes part in the draw of a scenario's market, with a chain of its own."""

from __future__ import annotations

from hashlib import sha256

from chaincode.slots.draw import SeedArguments, SeedChainArguments
from tests.contract.stage.cast import AREA, DSO, seeds
from tests.contract.stage.market import Market

NOTHING = bytes(32)


class SeedMember:
    """A chain in the order of its revealing, and how many of its links were revealed."""

    def __init__(self, name: str, links: list[str]) -> None:
        self.name = name
        self.links = links
        self.revealed = 0

    @property
    def next_seed(self) -> str:
        """The link that is due."""
        return self.links[self.revealed + 1]

    def post(self, market: Market, from_slot: int) -> None:
        """Take part from a slot on."""
        chain = SeedChainArguments(AREA, from_slot, self.links[0])
        market.submit("post_seed_chain", chain, self.name)

    def leave(self, market: Market, from_slot: int) -> None:
        """Take part no more from a slot on."""
        market.submit("post_seed_chain", SeedChainArguments(AREA, from_slot, None), self.name)

    def reveal(self, market: Market, slot: int) -> str:
        """Reveal the link that is due; the link."""
        seed = self.next_seed
        market.submit("reveal_seed", SeedArguments(AREA, slot, seed), self.name)
        self.revealed += 1
        return seed


def member(name: str, origin: str = "") -> SeedMember:
    """A member with a long chain of its own."""
    return SeedMember(name, seeds((origin or name).encode()))


def grid_operator(market: Market) -> SeedMember:
    """The area's DSO with the chain that the market was founded with."""
    return SeedMember(DSO, market.seeds)


def seed_of(revealed: dict[str, str | None]) -> str:
    """The gate seed by contract.md, 5.2: a hash over names with their lengths, and 32 bytes each."""
    text = b""
    for name in sorted(revealed):
        seed = revealed[name]
        text += len(name.encode()).to_bytes(4, "big") + name.encode()
        text += NOTHING if seed is None else bytes.fromhex(seed)
    return sha256(text).hexdigest()
