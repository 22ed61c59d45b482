"""What the demonstration's members do for the draw of a slot: reveal seeds, post new chains.

The grid operator and both retailers take part, each with chains of its own. A member keeps no notes:
the ledger shows the tip of its chain, and the tip has one place on the chain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import count, islice

import msgspec

from chaincode.errors import SEED_LATE, SEED_REVEALED, Refused
from chaincode.queries.market import SeedChainsAnswer, SeedChainView, SlotView
from chaincode.slots.draw import SeedArguments, SeedChainArguments
from chaincode.slots.gate import SlotArguments
from commonwatt.demonstration.cast import (
    AREA,
    CHAIN_AHEAD_SLOTS,
    CHAIN_LEFT_MIN,
    DSO,
    SEED_HOLDERS,
    SLOT_S,
    Cast,
    seed_chain,
)
from commonwatt.demonstration.seeded_keys import SeedChain
from ledger_network.port import Ledger, Member, Receipt

CHAINS_MAX = 1_000  # chains of one member, which are a hundred years

Submit = Callable[[str, msgspec.Struct, Member], Awaitable[Receipt]]


def submit_to(ledger: Ledger) -> Submit:
    """A plain submit to a ledger on which nobody else works."""

    async def submit(name: str, arguments: msgspec.Struct, member: Member) -> Receipt:
        return await ledger.submit(name, arguments, member=member)

    return submit


class SeedDuties:
    """The members' part in the draws of one ledger."""

    def __init__(self, ledger: Ledger, cast: Cast, submit: Submit) -> None:
        self._ledger = ledger
        self._cast = cast
        self._submit = submit
        self._chains: dict[str, SeedChain] = {}

    async def reveal(self, slot: int) -> None:
        """Reveal the seeds that a closed slot awaits; one that comes too late is withheld."""
        awaited = [state.member for state in (await self._view(slot)).seeds if state.seed is None]
        if not awaited:
            return
        for chain in await self._chains_at(slot):
            if chain.member in awaited and chain.member in SEED_HOLDERS:
                await self._reveal(slot, chain)

    async def _reveal(self, slot: int, shown: SeedChainView) -> None:
        chain = self._chain(shown)
        left = 0 if chain is None else chain.left(shown.tip)
        member = Member(shown.member)
        if chain is not None and left:
            try:
                seed = SeedArguments(AREA, slot, chain.before(shown.tip))
                await self._submit("reveal_seed", seed, member)
            except Refused as refused:
                if refused.code not in (SEED_LATE.code, SEED_REVEALED.code):
                    raise
        if left <= CHAIN_LEFT_MIN:
            await self._post_next(slot + CHAIN_AHEAD_SLOTS * SLOT_S, shown)

    async def _post_next(self, from_slot: int, shown: SeedChainView) -> None:
        """Post the chain that follows, unless another chain holds from there on already."""
        later = await self._chains_at(from_slot)
        if any(chain.anchor == shown.anchor for chain in later):
            following = next(self._numbered(shown.member, after=shown.anchor))
            posted = SeedChainArguments(AREA, from_slot, following.anchor)
            await self._submit("post_seed_chain", posted, Member(shown.member))

    def _chain(self, shown: SeedChainView) -> SeedChain | None:
        """A member's own chain with the anchor on the ledger."""
        if shown.anchor not in self._chains:
            for chain in islice(self._numbered(shown.member), CHAINS_MAX):
                if chain.anchor == shown.anchor:
                    self._chains[shown.anchor] = chain
                    break
        return self._chains.get(shown.anchor)

    def _numbered(self, member: str, *, after: str = "") -> Iterator[SeedChain]:
        """A member's chains in their order; with `after`, those behind the chain of that anchor."""
        chains = (seed_chain(self._cast, member, number) for number in count())
        if after:
            next(chain for chain in chains if chain.anchor == after)
        return chains

    async def _chains_at(self, slot: int) -> list[SeedChainView]:
        answer = await self._ledger.evaluate(
            "list_seed_chains", SlotArguments(AREA, slot), member=Member(DSO)
        )
        return msgspec.json.decode(answer, type=SeedChainsAnswer).chains

    async def _view(self, slot: int) -> SlotView:
        answer = await self._ledger.evaluate(
            "describe_slot", SlotArguments(AREA, slot), member=Member(DSO)
        )
        return msgspec.json.decode(answer, type=SlotView)
