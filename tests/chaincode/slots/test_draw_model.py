"""The draw against a model that is written from contract.md, part 5, and knows nothing of the code.

Members post chains, close gates, reveal right and wrong links in any order and at any time, and
clear. The model says for each request with which code it is refused, and what the gate seed is.
"""

from __future__ import annotations

from hashlib import sha256
from random import Random

import msgspec
import pytest

from chaincode.area.rule_changes import RulesArguments
from chaincode.area.rules import MarketRules
from chaincode.clearing.empty_slots import EmptyGatesArguments
from chaincode.errors import Refused
from chaincode.queries.market import SlotView
from chaincode.slots.draw import SeedArguments, SeedChainArguments
from chaincode.slots.gate import SlotArguments
from tests.chaincode.town import AREA, DSO, OTHER_DSO, RETAILERS, RULES, SLOT, SLOT_S, START_S, Town

MEMBERS = (DSO, OTHER_DSO, *RETAILERS)
SLOTS = [SLOT + number * SLOT_S for number in range(12)]
EARLY = msgspec.structs.replace(RULES, opens_s=3_000, gate_lead_s=1_200, seed_deadline_s=180)
FIRST = msgspec.structs.replace(RULES, opens_s=1_800, seed_deadline_s=900)
STEPS = 160
ZEROS = bytes(32)


def links(name: str, length: int) -> list[bytes]:
    """A chain in the order of its revealing; the first is the anchor."""
    chain = [sha256(name.encode()).digest()]
    for _ in range(length):
        chain.append(sha256(chain[-1]).digest())
    return chain[::-1]


class DrawModel:
    """What the rules say, in dicts."""

    def __init__(self) -> None:
        self.now_s = START_S
        self.rules: dict[int, MarketRules] = {SLOT: FIRST}
        self.chains: dict[str, dict[int, list[bytes] | None]] = {name: {} for name in MEMBERS}
        self.places: dict[tuple[str, int], int] = {}
        self.closed: dict[int, list[str]] = {}
        self.cleared: set[int] = set()
        self.shown: dict[tuple[int, str], bytes] = {}

    def rules_at(self, slot: int) -> MarketRules:
        return self.rules[max(start for start in self.rules if start <= slot)]

    def gate_s(self, slot: int) -> int:
        return slot - self.rules_at(slot).gate_lead_s

    def has_opened(self, slot: int) -> bool:
        later = [slot, *(start for start in self.rules if start > slot)]
        return any(self.now_s >= one - self.rules_at(one).opens_s for one in later)

    def deadline_s(self, slot: int) -> int:
        """The deadline of the slot, or a later one of a slot whose gate had to close first."""
        before = [one for one in SLOTS if one <= slot]
        return max(self.gate_s(one) + self.rules_at(one).seed_deadline_s for one in before)

    def version(self, member: str, slot: int) -> int | None:
        starts = [start for start in self.chains[member] if start <= slot]
        if not starts or self.chains[member][max(starts)] is None:
            return None
        return max(starts)

    def due(self) -> int:
        return SLOTS[len(self.closed)]

    def post(self, member: str, slot: int, chain: list[bytes] | None) -> str:
        if self.has_opened(slot):
            return "TERMS_FROZEN"
        if chain is None and member == DSO:
            return "SEED_CHAIN_NEEDED"
        if chain is None and self.version(member, slot) is None:
            return "NO_SEED_CHAIN"
        self.chains[member][slot] = chain
        self.places[member, slot] = 0
        return ""

    def close(self, slot: int) -> str:
        if slot in self.closed:
            return "SLOT_PHASE"
        if slot != self.due():
            return "GATE_OUT_OF_ORDER"
        if self.now_s < self.gate_s(slot):
            return "GATE_NOT_DUE"
        self.closed[slot] = [one for one in MEMBERS if self.version(one, slot) is not None]
        return ""

    def may_still_reveal(self, slot: int, member: str) -> bool:
        closed = member in self.closed.get(slot, [])
        missing = (slot, member) not in self.shown
        return closed and missing and self.now_s < self.deadline_s(slot)

    def reveal(self, member: str, slot: int, seed: bytes) -> str:
        if slot not in self.closed:
            return "SLOT_PHASE"
        if member not in self.closed[slot]:
            return "NO_SEED_CHAIN"
        if (slot, member) in self.shown:
            return "SEED_REVEALED"
        if self.now_s >= self.deadline_s(slot):
            return "SEED_LATE"
        if any(self.may_still_reveal(one, member) for one in SLOTS if one < slot):
            return "SEED_OUT_OF_ORDER"
        if seed != self.next_link(member, slot):
            return "SEED_WRONG"
        version = self.version(member, slot)
        assert version is not None
        self.places[member, version] += 1
        self.shown[slot, member] = seed
        return ""

    def next_link(self, member: str, slot: int) -> bytes | None:
        """The pre-image that is due, None when the chain is used up."""
        version = self.version(member, slot)
        chain = None if version is None else self.chains[member][version]
        if version is None or chain is None:
            return None
        place = self.places[member, version] + 1
        return chain[place] if place < len(chain) else None

    def clear(self, slot: int) -> str:
        if slot not in self.closed or slot in self.cleared:
            return "SLOT_PHASE"
        if any(self.may_still_reveal(slot, one) for one in self.closed[slot]):
            return "SEEDS_AWAITED"
        self.cleared.add(slot)
        return ""

    def seed(self, slot: int) -> str:
        text = b""
        for member in sorted(self.closed[slot]):
            name = member.encode()
            text += len(name).to_bytes(4, "big") + name
            text += self.shown.get((slot, member), ZEROS)
        return sha256(text).hexdigest()


class Walk:
    """One random life of a town's draws, beside the model."""

    def __init__(self, number: int) -> None:
        self.choice = Random(number)  # noqa: S311 steps of a test, no secret
        self.model = DrawModel()
        self.town = Town(0, rules=FIRST)
        first = links("dso", 40)
        chain = SeedChainArguments(AREA, SLOT, first[0].hex())
        assert self.code("post_seed_chain", chain, DSO) == self.model.post(DSO, SLOT, first)
        if number % 2:  # the gate of the fifth slot comes with that of the fourth
            start = SLOTS[4]
            self.town.submit("set_market_rules", RulesArguments(AREA, start, EARLY), admin=True)
            self.model.rules[start] = EARLY

    def code(self, name: str, arguments: msgspec.Struct, member: str) -> str:
        changes = self.town.view.kept.changes
        try:
            self.town.submit(name, arguments, member)
        except Refused as refused:
            assert self.town.view.kept.changes == changes
            return refused.code
        return ""

    def step(self) -> None:
        model, choice = self.model, self.choice
        acts = (self.wait, self.close, self.close, self.reveal, self.reveal, self.clear, self.post)
        if len(model.closed) < len(SLOTS):
            choice.choice(acts)()
        else:
            choice.choice((self.wait, self.reveal, self.clear))()

    def wait(self) -> None:
        waits_s = [1, 30, 59, 60, 300, 900]
        if len(self.model.closed) < len(SLOTS):
            waits_s.append(max(0, self.model.gate_s(self.model.due()) - self.model.now_s))
        self.model.now_s += self.choice.choice(waits_s)
        self.town.at(self.model.now_s)

    def close(self) -> None:
        slot = self.model.due() if self.choice.random() < 0.9 else self.choice.choice(SLOTS)
        wanted = self.model.close(slot)
        assert self.code("close_gate", SlotArguments(AREA, slot), self.any_member()) == wanted

    def reveal(self) -> None:
        member = self.any_member()
        recent = [one for one in SLOTS if one <= max(self.model.closed, default=SLOT)][-3:]
        slot = self.choice.choice(recent)
        due = self.model.next_link(member, slot)
        other = sha256(due or b"").digest()
        seed = due if due is not None and self.choice.random() < 0.8 else other
        wanted = self.model.reveal(member, slot, seed)
        assert self.code("reveal_seed", SeedArguments(AREA, slot, seed.hex()), member) == wanted

    def clear(self) -> None:
        slot = SLOTS[min(len(self.model.cleared), len(SLOTS) - 1)]
        wanted = self.model.clear(slot)
        assert self.code("clear_slot", SlotArguments(AREA, slot), self.any_member()) == wanted

    def post(self) -> None:
        member, slot = self.any_member(), self.choice.choice(SLOTS)
        chain = None
        if self.choice.random() < 0.7:
            chain = links(f"{member} {self.choice.random()}", self.choice.choice([1, 2, 30]))
        anchor = None if chain is None else chain[0].hex()
        wanted = self.model.post(member, slot, chain)
        arguments = SeedChainArguments(AREA, slot, anchor)
        assert self.code("post_seed_chain", arguments, member) == wanted

    def any_member(self) -> str:
        return self.choice.choice(MEMBERS)

    def check(self) -> None:
        for slot in self.model.cleared:
            answer = self.town.submit("describe_slot", SlotArguments(AREA, slot))
            view = msgspec.json.decode(answer, type=SlotView)
            assert view.row is not None
            assert view.row.seed == self.model.seed(slot)
            failed = [m for m in view.seeds if (slot, m.member) not in self.model.shown]
            assert view.row.withheld == [state.member for state in failed]
            assert all(state.seed is None for state in failed)


@pytest.mark.parametrize("number", range(40))
def test_any_life_of_the_draw_follows_the_rules(number: int) -> None:
    walk = Walk(number)

    for _ in range(STEPS):
        walk.step()

    walk.check()


def test_the_walks_reach_every_refusal_and_both_ends_of_a_draw() -> None:
    """A model that is never refused, or never draws, would prove nothing."""
    seen: set[str] = set()
    ends: set[bool] = set()

    class Watched(Walk):
        def code(self, name: str, arguments: msgspec.Struct, member: str) -> str:
            seen.add(code := super().code(name, arguments, member))
            return code

    for number in range(40):
        walk = Watched(number)
        for _ in range(STEPS):
            walk.step()
        ends.update(
            all((slot, one) in walk.model.shown for one in walk.model.closed[slot])
            for slot in walk.model.cleared
        )

    assert seen >= {
        "SEED_REVEALED",
        "SEED_LATE",
        "SEED_OUT_OF_ORDER",
        "SEED_WRONG",
        "SEEDS_AWAITED",
        "SEED_CHAIN_NEEDED",
        "NO_SEED_CHAIN",
        "TERMS_FROZEN",
    }
    assert ends == {True, False}


def test_empty_slots_are_cleared_and_their_chains_stand_still() -> None:
    town = Town(0)
    town.at(SLOTS[5])
    town.submit("close_empty_gates", EmptyGatesArguments(AREA, SLOTS[5]))

    town.close_gate(SLOTS[6])
    town.clear(SLOTS[6])

    answer = town.submit("describe_slot", SlotArguments(AREA, SLOTS[6]))
    assert msgspec.json.decode(answer, type=SlotView).row is not None
