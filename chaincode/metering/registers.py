"""The energy of a slot as one function of a meter's measured registers.

Rules of the contract: "Registers, not differences". A reading is what a meter's registers show at a
slot boundary, and the energy of a slot is the difference of the registers at its two ends. Where
boundaries in between were not measured, the energy between two measured ones is spread over the
slots of the gap by weight. So the energies of neighbouring slots neither overlap nor leave a gap,
and the slots between two measured boundaries always sum to the difference of the registers.

The functions are pure. Energies are Wh; a slot or boundary is its start in seconds UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import msgspec

from chaincode.units import quota

Weigh = Callable[[int], int]
"""The weight of a slot, never negative, when energy is spread over the slots of a gap."""

GAPS_CACHED_MAX = 64  # 300 KB for each of a year's length


class Registers(msgspec.Struct, frozen=True, gc=False):
    """What a meter's registers show, Wh; `generation_wh` is None without a generation register."""

    import_wh: int
    export_wh: int
    generation_wh: int | None = None

    def since(self, earlier: Registers) -> Registers:
        """The energy that has passed since the same device showed `earlier`.

        The generation is None where one of the two does not show it.
        """
        generation_wh = None
        if self.generation_wh is not None and earlier.generation_wh is not None:
            generation_wh = self.generation_wh - earlier.generation_wh
        return Registers(
            self.import_wh - earlier.import_wh, self.export_wh - earlier.export_wh, generation_wh
        )


class Exchange(NamedTuple):
    """A device replaced during `slot`: the old one's last registers, the new one's first ones."""

    slot: int
    closing: Registers
    opening: Registers


class Measured(NamedTuple):
    """The registers at a measured boundary."""

    boundary: int
    registers: Registers


class Stretch(NamedTuple):
    """The energy that one device counted while the slots from `first` to `last` ran."""

    first: int
    last: int
    energy: Registers


class Gap:
    """The slots of a gap with their weights; if all weights are zero, the slots have equal ones.

    A gap may be a year long and each meter of an area may have one of its own. Slots of one weight
    have the same quota and the same remainder. So a share is found with a few steps for each
    different weight; sorting all slots would take too long for one transaction.
    """

    def __init__(self, slots: range, weigh: Weigh) -> None:
        self._slots = slots
        self._weights = [weigh(slot) for slot in slots]
        if not any(self._weights):
            self._weights = [1] * len(slots)
        self._sum = sum(self._weights)
        self._counts = sorted(Counter(self._weights).items())

    def share(self, slot: int, total_wh: int) -> int:
        """The part of `total_wh` that `slot` gets, in Wh, by largest remainder.

        Each slot gets the whole part of its quota. The rest is given, one Wh each, to the slots with
        the largest remainders; of equal remainders the earlier slot takes its Wh first. A negative
        total is spread by magnitude.
        """
        magnitude_wh = abs(total_wh)
        quotas = {weight: quota(magnitude_wh, weight, self._sum) for weight, _ in self._counts}
        left_wh = magnitude_wh - sum(quotas[weight][0] * count for weight, count in self._counts)
        index = self._slots.index(slot)
        share_wh, remainder = quotas[self._weights[index]]
        left_wh -= sum(count for weight, count in self._counts if quotas[weight][1] > remainder)
        if left_wh > 0:
            earlier = self._weights[:index]
            equal = [weight for weight, _ in self._counts if quotas[weight][1] == remainder]
            share_wh += sum(earlier.count(weight) for weight in equal) < left_wh
        return share_wh if total_wh >= 0 else -share_wh


def gaps_by(weigh: Weigh) -> Callable[[range], Gap]:
    """The gaps of one weighing by their slots; those asked for last are kept."""

    @lru_cache(maxsize=GAPS_CACHED_MAX)
    def gap(slots: range) -> Gap:
        return Gap(slots, weigh)

    return gap


class Weights(NamedTuple):
    """The weighted gaps for the import register and for both others."""

    imports: Callable[[range], Gap]
    exports: Callable[[range], Gap]


def stretches(
    before: Measured, after: Measured, exchanges: Sequence[Exchange], *, slot_s: int
) -> Iterator[Stretch]:
    """The stretches between two measured boundaries, one for each device in between.

    `exchanges` are those in the slots from `before.boundary` on and before `after.boundary`, in
    order. The slot of an exchange belongs to two stretches.
    """
    starts = [before, *(Measured(one.slot, one.opening) for one in exchanges)]
    ends = [
        *(Measured(one.slot, one.closing) for one in exchanges),
        Measured(after.boundary - slot_s, after.registers),
    ]
    for start, end in zip(starts, ends, strict=True):
        yield Stretch(start.boundary, end.boundary, end.registers.since(start.registers))


def energy_between(
    slot: int,
    before: Measured,
    after: Measured,
    exchanges: Sequence[Exchange],
    weights: Weights,
    *,
    slot_s: int,
) -> Registers:
    """The energy of `slot`, which lies between two measured boundaries.

    Import, export and generation are each spread over the slots of their stretch by weight, by
    largest remainder; of equal remainders the earlier slot takes its unit first. If all weights
    are zero, the slots have equal weights. The generation is None if a stretch does not show it.
    """
    imports = exports = generation = 0
    generated = True
    for first, last, energy in stretches(before, after, exchanges, slot_s=slot_s):
        if not first <= slot <= last:
            continue
        slots = range(first, last + slot_s, slot_s)
        imports += share_of(slot, energy.import_wh, slots, weights.imports)
        exports += share_of(slot, energy.export_wh, slots, weights.exports)
        if energy.generation_wh is None:
            generated = False
        else:
            generation += share_of(slot, energy.generation_wh, slots, weights.exports)
    return Registers(imports, exports, generation if generated else None)


def share_of(slot: int, total_wh: int, slots: range, gap_of: Callable[[range], Gap]) -> int:
    """The part of `total_wh` that `slot` gets when it is spread over `slots` by weight."""
    if len(slots) == 1 or not total_wh:
        return total_wh
    return gap_of(slots).share(slot, total_wh)


def runs_back(points: Sequence[Registers]) -> bool:
    """Whether any register of one device falls from one of `points` to the next."""
    for earlier, later in pairwise(points):
        passed = later.since(earlier)
        generation_wh = passed.generation_wh or 0
        if min(passed.import_wh, passed.export_wh, generation_wh) < 0:
            return True
    return False
