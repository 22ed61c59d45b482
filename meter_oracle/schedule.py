"""The times at which a node acts: slot boundaries in market time, and turns to submit.

Slots are in market time. In a demonstration market time runs faster than real time, so code that waits
asks the clock rule how many real seconds are left. The code asks repeatedly, because the rule may be
given a new anchor in the meantime.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

NS_PER_S = 1_000_000_000
WAIT_S_MAX = 0.5  # then the rule is asked again, because it may have a new anchor

Now = Callable[[], int]
"""A real clock: nanoseconds UTC."""


class ClockRule(Protocol):
    """The rule by which market time follows real time."""

    @property
    def rate(self) -> int:
        """The number of market seconds in a real second; 1 in production."""
        ...

    def market_ns(self, real_ns: int) -> int:
        """Return market time at a real time, both nanoseconds UTC."""
        ...


class RealTime:
    """Market time is real time, as it is in production."""

    rate = 1

    def market_ns(self, real_ns: int) -> int:
        """Return `real_ns` itself."""
        return real_ns


class Timekeeper:
    """A node's own clock under a market's rule."""

    def __init__(self, rule: ClockRule, *, now: Now = time.time_ns) -> None:
        self.rule = rule
        self.now = now

    def market_ns(self) -> int:
        """Return market time now, by this node's own clock."""
        return self.rule.market_ns(self.now())

    def left_s(self, market_ns: int) -> float:
        """Return the real seconds until a market time; 0 or less once it is reached."""
        return (market_ns - self.market_ns()) / self.rule.rate / NS_PER_S

    async def until(self, market_ns: int) -> None:
        """Return when market time has reached `market_ns`."""
        left_s = self.left_s(market_ns)
        while left_s > 0:
            await asyncio.sleep(min(left_s, WAIT_S_MAX))
            left_s = self.left_s(market_ns)

    async def until_ledger(self, market_s: int) -> None:
        """Return when a ledger that counts whole seconds has reached `market_s` too.

        A transaction's time is in whole seconds, so on the ledger a fast market's time moves in steps.
        """
        while self.rule.market_ns(self.now() // NS_PER_S * NS_PER_S) < market_s * NS_PER_S:
            left_s = (NS_PER_S - self.now() % NS_PER_S) / NS_PER_S
            await asyncio.sleep(left_s)

    def boundary_s(self, slot_s: int) -> int:
        """Return the next boundary of slots of `slot_s` seconds (market time, s)."""
        return (self.market_ns() // (slot_s * NS_PER_S) + 1) * slot_s


async def wait_for(event: asyncio.Event, timeout_s: float) -> None:
    """Return when the event is set, or after `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return


def submit_order(nodes: Sequence[str], slot: int, *, slot_s: int, attempt: int = 0) -> list[str]:
    """Return the order in which nodes take their turn at a slot; the order moves by one with every slot.

    `attempt` counts the rounds of the same slot. Each round begins with the next node, so that a broken
    node does not come first every time.
    """
    first = (slot // slot_s + attempt) % len(nodes)
    return [*nodes[first:], *nodes[:first]]
