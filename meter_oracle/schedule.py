"""When a node does what: boundaries of slots in market time, whose turn it is to submit.

Slots are of market time. A demonstration's market time runs faster than the clock on the wall, so
everything that waits is told how long in real seconds by the clock rule, again and again, since
the rule may be anchored anew while somebody waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

NS_PER_S = 1_000_000_000
WAIT_S_MAX = 0.5  # after that the rule is asked again: it may have been anchored anew

Now = Callable[[], int]
"""A clock on the wall: nanoseconds UTC."""


class MarketClock(Protocol):
    """The rule by which market time follows real time."""

    @property
    def rate(self) -> int:
        """How many market seconds a real second has; 1 in production."""
        ...

    def market_ns(self, real_ns: int) -> int:
        """Market time at a real time, both nanoseconds UTC."""
        ...


class RealTime:
    """Market time is real time, as it is in production."""

    rate = 1

    def market_ns(self, real_ns: int) -> int:
        """The same nanoseconds."""
        return real_ns


class Timekeeper:
    """A node's own clock under a market's rule."""

    def __init__(self, rule: MarketClock, *, now: Now = time.time_ns) -> None:
        self.rule = rule
        self.now = now

    def market_ns(self) -> int:
        """Market time now, by this node's own clock."""
        return self.rule.market_ns(self.now())

    def left_s(self, market_ns: int) -> float:
        """Real seconds until a market time; not above 0 once it is reached."""
        return (market_ns - self.market_ns()) / self.rule.rate / NS_PER_S

    async def until(self, market_ns: int) -> None:
        """Return when market time has reached `market_ns`."""
        left_s = self.left_s(market_ns)
        while left_s > 0:
            await asyncio.sleep(min(left_s, WAIT_S_MAX))
            left_s = self.left_s(market_ns)

    async def until_ledger(self, market_s: int) -> None:
        """Return when a ledger that counts whole seconds has reached `market_s`, too.

        A transaction's time is in whole seconds, so a fast market's time moves in steps there.
        """
        while self.rule.market_ns(self.now() // NS_PER_S * NS_PER_S) < market_s * NS_PER_S:
            left_s = (NS_PER_S - self.now() % NS_PER_S) / NS_PER_S
            await asyncio.sleep(left_s)

    def boundary_s(self, slot_s: int) -> int:
        """The first boundary of slots of `slot_s` seconds that is still to come (market, s)."""
        return (self.market_ns() // (slot_s * NS_PER_S) + 1) * slot_s


def submit_order(nodes: Sequence[str], slot: int, *, slot_s: int, attempt: int = 0) -> list[str]:
    """The order in which nodes take their turn at a slot: it moves by one with every slot.

    `attempt` counts later reports of the same slot; they begin with the node that comes next, so
    one that is broken does not come first each time.
    """
    first = (slot // slot_s + attempt) % len(nodes)
    return [*nodes[first:], *nodes[:first]]
