"""The market in dicts, written from the rules of the contract and not from its code.

It knows the dated terms and when each slot opened, what its gate froze, who revealed which seed, who
is locked, which orders stand, which registers are measured, and what each owner was posted and paid.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

from chaincode.area.fees import FeeRow
from chaincode.area.rules import MarketRules
from chaincode.area.tariffs import ResidualPrices
from chaincode.area.vat import Vat
from chaincode.metering.oracles import OracleSet
from tests.chaincode.town import ROOT, SLOT, SLOT_S, ZONES

SLOTS_AHEAD = 9  # more than any rules of the test open before their slot
ZEROS = bytes(32)
T = TypeVar("T")
Shown = tuple[int, int]
"""What a meter shows: Wh of import and of export."""


class Dated(Generic[T]):
    """Versions of a term; each holds from a slot on."""

    def __init__(self) -> None:
        self.versions: dict[int, T] = {}

    def post(self, slot: int, value: T) -> None:
        """Let `value` hold from `slot` on, until the next version."""
        self.versions[slot] = value

    def start(self, slot: int) -> int | None:
        """Where the version begins that holds for a slot."""
        return max((begins for begins in self.versions if begins <= slot), default=None)

    def at(self, slot: int) -> T | None:
        """What holds for a slot."""
        begins = self.start(slot)
        return None if begins is None else self.versions[begins]


class Certificate(NamedTuple):
    """Who holds a meter, where it is and what it may draw and give."""

    holder: str
    zone: str
    import_w: int
    export_w: int
    source: str


class Supplier(NamedTuple):
    """Who supplies a meter, with whose signature."""

    holder: str
    retailer: str
    offtaker: str
    daily_import_wh: int


class Named(NamedTuple):
    """Oracle nodes and the operator that has named them."""

    operator: str
    oracle: OracleSet


class Terms(NamedTuple):
    """All terms of a slot."""

    rules: MarketRules | None
    fees: tuple[FeeRow, ...]
    prices: dict[str, ResidualPrices]
    vats: dict[tuple[str, str], Vat]
    chains: dict[str, str | None]
    oracle: OracleSet | None
    meters: dict[str, tuple[Certificate | None, Supplier | None]]


class Gate(NamedTuple):
    """What a gate froze."""

    paused: frozenset[str]
    locked: frozenset[str]
    seeds: tuple[str, ...]
    deadline_s: int


class Exchanged(NamedTuple):
    """What the old device showed at its end, and the new one at its start."""

    closing: Shown
    opening: Shown


class Model:
    """What the rules say of a market, and what has happened in it."""

    def __init__(self) -> None:
        self.now_s = 0
        self.rules: Dated[MarketRules] = Dated()
        self.fees: Dated[tuple[FeeRow, ...]] = Dated()
        self.prices: defaultdict[str, Dated[list[ResidualPrices]]] = defaultdict(Dated)
        self.vats: defaultdict[tuple[str, str], Dated[Vat]] = defaultdict(Dated)
        self.chains: defaultdict[str, Dated[str | None]] = defaultdict(Dated)
        self.operators: Dated[str] = Dated()
        self.named: Dated[Named] = Dated()
        self.certificates: defaultdict[str, Dated[Certificate | None]] = defaultdict(Dated)
        self.supplies: defaultdict[str, Dated[Supplier | None]] = defaultdict(Dated)
        self.capacities: defaultdict[str, Dated[Shown]] = defaultdict(Dated)
        self.last_resorts: Dated[str] = Dated()
        self.revoked: dict[str, int] = {}
        self.frozen: dict[int, Terms] = {}
        self.paused: set[str] = set()
        self.locked: set[str] = set()
        self.acts = 0
        self.gates: dict[int, Gate] = {}
        self.empty: set[int] = set()
        self.closed_slot = SLOT - SLOT_S
        self.last_deadline_s = 0
        self.shown: dict[tuple[int, str], str] = {}
        self.tips: dict[tuple[str, int], str] = {}
        self.orders: dict[int, dict[str, str]] = {}
        self.contents: dict[tuple[int, str], str] = {}
        self.withdrawn: set[tuple[int, str]] = set()
        self.measured: defaultdict[str, dict[int, Shown]] = defaultdict(dict)
        self.lines: defaultdict[str, list[int]] = defaultdict(list)
        self.ranks: dict[tuple[str, int], str] = {}
        self.exchanged: defaultdict[str, dict[int, Exchanged]] = defaultdict(dict)
        self.worth: Counter[str] = Counter()

    # Time and terms

    def pass_time(self, now_s: int) -> list[int]:
        """Let it be `now_s`; the slots that have opened since, whose terms are frozen now.

        A demonstration's clock may be set back. Slots without orders then open once more.
        """
        for slot in [one for one in self.frozen if now_s < self.opening_s(one)]:
            assert now_s < self.now_s
            assert slot not in self.orders, "a slot with orders is open again"
            del self.frozen[slot]
        self.now_s = now_s
        last = now_s - now_s % SLOT_S + SLOTS_AHEAD * SLOT_S
        slots = range(self.closed_slot + SLOT_S, last + SLOT_S, SLOT_S)
        opened = [s for s in slots if s not in self.frozen and now_s >= self.opening_s(s)]
        for slot in opened:
            self.frozen[slot] = self.terms(slot)
        return opened

    def opening_s(self, slot: int) -> int:
        """When a slot opens by the rules in force for it."""
        return self.rules_of(slot).opening_s(slot)

    def rules_of(self, slot: int) -> MarketRules:
        """The rules of a slot."""
        rules = self.rules.at(slot)
        assert rules is not None
        return rules

    @property
    def newest(self) -> int:
        """The last slot that has opened; the one whose gate closed last where none is open."""
        return max(self.frozen, default=self.closed_slot)

    def has_opened(self, slot: int) -> bool:
        """Whether what holds from `slot` on would hold for a slot that has opened."""
        return max(self.frozen, default=0) >= slot

    def terms(self, slot: int) -> Terms:
        """The terms of a slot as posted so far."""
        return Terms(
            rules=self.rules.at(slot),
            fees=self.fees.at(slot) or (),
            prices={name: self.price(name, slot) for name in self.prices},
            vats={pair: dated.at(slot) or Vat() for pair, dated in self.vats.items()},
            chains={name: dated.at(slot) for name, dated in self.chains.items()},
            oracle=self.oracle(slot),
            meters={name: (self.certificate(name, slot), self.supply(name, slot))
                    for name in self.certificates},
        )  # fmt: skip

    def price(self, retailer: str, slot: int) -> ResidualPrices:
        """The price of a schedule for its slots in turn; the last one holds on."""
        dated = self.prices[retailer]
        begins = dated.start(slot)
        assert begins is not None
        schedule = dated.versions[begins]
        return schedule[min((slot - begins) // SLOT_S, len(schedule) - 1)]

    def oracle(self, slot: int) -> OracleSet | None:
        """The nodes that count: those that the appointed operator has named."""
        named = self.named.at(slot)
        if named is None or named.operator != self.operators.at(slot):
            return None
        return named.oracle

    def certificate(self, meter: str, slot: int) -> Certificate | None:
        """What a meter is certified for."""
        return self.certificates[meter].at(slot)

    def supply(self, meter: str, slot: int) -> Supplier | None:
        """Who supplies a meter; a supply holds for the holder that has agreed to it."""
        supply, certificate = self.supplies[meter].at(slot), self.certificate(meter, slot)
        if supply is None or certificate is None or supply.holder != certificate.holder:
            return None
        return supply

    def meters_of(self, slot: int) -> list[str]:
        """The meters that take part in a slot."""
        return sorted(name for name in self.certificates if self.supply(name, slot) is not None)

    def takes_part(self, meter: str, boundary: int) -> bool:
        """Whether a register of the meter is expected at a boundary."""
        return any(self.supply(meter, slot) for slot in (boundary - SLOT_S, boundary))

    # Gates and the draw

    @property
    def due(self) -> int:
        """The slot whose gate closes next."""
        return self.closed_slot + SLOT_S

    def gate_s(self, slot: int) -> int:
        """When a gate closes."""
        return self.rules_of(slot).gate_s(slot)

    def stopped(self) -> frozenset[str]:
        """The zones without trade: those paused, and all below the root if that is."""
        return frozenset({*self.paused, *(ZONES if ROOT in self.paused else ())})

    def close(self, slot: int) -> None:
        """Close a gate: the book and what clearing uses are frozen."""
        assert slot == self.due
        assert self.now_s >= self.gate_s(slot)
        deadline_s = self.gate_s(slot) + self.rules_of(slot).seed_deadline_s
        self.gates[slot] = Gate(
            paused=self.stopped(),
            locked=frozenset(self.locked),
            seeds=tuple(sorted(name for name, dated in self.chains.items() if dated.at(slot))),
            deadline_s=max(deadline_s, self.last_deadline_s),
        )
        self.last_deadline_s = self.gates[slot].deadline_s
        self.closed_slot = slot

    def close_empty(self, until_slot: int) -> None:
        """Close slots in which nobody has ordered."""
        for slot in range(self.due, until_slot + SLOT_S, SLOT_S):
            assert slot not in self.orders
            assert self.now_s >= self.gate_s(slot)
            deadline_s = self.gate_s(slot) + self.rules_of(slot).seed_deadline_s
            self.last_deadline_s = max(self.last_deadline_s, deadline_s)
            self.empty.add(slot)
        self.closed_slot = until_slot

    def awaits(self, slot: int) -> list[str]:
        """The members that may still reveal for a slot."""
        gate = self.gates[slot]
        if self.now_s >= gate.deadline_s:
            return []
        return [name for name in gate.seeds if (slot, name) not in self.shown]

    def tip(self, member: str, slot: int) -> tuple[int, str]:
        """Where the member's chain for a slot begins, and its link that was revealed last."""
        dated = self.chains[member]
        begins = dated.start(slot)
        assert begins is not None
        anchor = dated.versions[begins]
        assert anchor is not None
        return begins, self.tips.get((member, begins), anchor)

    def reveal(self, member: str, slot: int, seed: str) -> None:
        """Note a link; it must be the next one of the chain, for a slot that awaits it."""
        begins, tip = self.tip(member, slot)
        assert sha256(bytes.fromhex(seed)).hexdigest() == tip
        assert member in self.awaits(slot)
        self.tips[member, begins] = self.shown[slot, member] = seed

    def seed(self, slot: int) -> str:
        """The gate seed."""
        digest = sha256()
        for name in self.gates[slot].seeds:
            shown = self.shown.get((slot, name))
            digest.update(len(name).to_bytes(4, "big") + name.encode())
            digest.update(ZEROS if shown is None else bytes.fromhex(shown))
        return digest.hexdigest()

    # Energy

    def stretch(self, meter: str, slot: int) -> tuple[int, int] | None:
        """The measured boundaries around a slot."""
        line = self.lines[meter]
        place = bisect_right(line, slot)
        return (line[place - 1], line[place]) if 0 < place < len(line) else None

    def passed(self, meter: str, before: int, after: int) -> Iterator[tuple[range, Shown]]:
        """What each device of a meter counted between two boundaries, with the slots of its time."""
        line = self.measured[meter]
        start, first = line[before], before
        for slot, (closing, opening) in sorted(self.exchanged[meter].items()):
            if before <= slot < after:
                yield range(first, slot + SLOT_S, SLOT_S), _minus(closing, start)
                start, first = opening, slot
        yield range(first, after, SLOT_S), _minus(line[after], start)

    def energy(self, meter: str, slot: int) -> tuple[Shown, bool]:
        """The energy of a slot as measured now, and whether it is an estimate."""
        ends = self.stretch(meter, slot)
        if ends is None:
            supply = self.supply(meter, slot)
            assert supply is not None
            return (supply.daily_import_wh // 96, 0), True
        energy = (0, 0)
        for slots, (import_wh, export_wh) in self.passed(meter, *ends):
            if slot in slots:
                place, count = slots.index(slot), len(slots)
                energy = (
                    energy[0] + import_wh // count + (place < import_wh % count),
                    energy[1] + export_wh // count + (place < export_wh % count),
                )
        return energy, False

    def difference(self, meter: str, before: int, after: int) -> Shown:
        """What the registers of a meter say of the time between two boundaries."""
        parts = [energy for _, energy in self.passed(meter, before, after)]
        return sum(part[0] for part in parts), sum(part[1] for part in parts)

    def stretches(self, meter: str, since: int) -> Iterator[tuple[int, int]]:
        """Pairs of measured boundaries between which nothing is measured, those after `since`."""
        line = self.lines[meter]
        yield from pairwise(line[max(0, bisect_right(line, since) - 1) :])

    def moves_final(self, meter: str, boundary: int, now_s: int) -> bool:
        """Whether a register would move energy that is measured already and in part final."""
        line = self.lines[meter]
        place = bisect_right(line, boundary - 1)
        if place == 0 or place == len(line):
            return False
        before = line[place - 1]
        return now_s >= before + SLOT_S + self.rules_of(before).final_s

    def measure(self, meter: str, boundary: int, shown: Shown, rank: str) -> None:
        """Note a register; what the DSO validates takes the place of what the oracle read."""
        place = meter, boundary
        if self.ranks.get(place) in (None, "oracle"):
            known = self.measured[meter].get(boundary)
            assert known in (None, shown) or rank == "dso"
            if known is None:
                insort(self.lines[meter], boundary)
            self.measured[meter][boundary] = shown
            self.ranks[place] = rank

    # Money

    def posted(self, amounts: Mapping[str, int]) -> None:
        """Note what owners were posted or paid."""
        assert sum(amounts.values()) == 0
        self.worth.update(amounts)


def _minus(later: Shown, earlier: Shown) -> Shown:
    return later[0] - earlier[0], later[1] - earlier[1]
