"""Energy spread by weight over the slots of a gap between two measured boundaries.

A gap may be a year long and each meter of an area may have one of its own. Slots of one weight have the
same quota and the same remainder. So a share is found with a few steps for each different weight, where
sorting all slots of the gap would take one member's transaction too long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from chaincode.units import quota

Weigh = Callable[[int], int]
"""The weight of a slot, never negative, when energy is spread over the slots of a gap."""

GAPS_CACHED_MAX = 64  # 300 KB for each of a year's length


class Gap:
    """The slots of a gap with their weights; if all weights are zero, the slots have equal ones."""

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
