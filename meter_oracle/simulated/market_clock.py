"""Market time for meters that run faster than the world, and the registers they show at it."""

from __future__ import annotations

from typing import Protocol

import msgspec


class MarketClock(msgspec.Struct, frozen=True):
    """At `real_anchor_ns` it is `market_anchor_ns`, and time runs `rate` times as fast.

    Both are nanoseconds UTC. Before its anchor market time stands still, as the contract's does.
    """

    real_anchor_ns: int
    market_anchor_ns: int
    rate: int

    def market_ns(self, real_ns: int) -> int:
        """Market time at real time `real_ns`."""
        return self.market_anchor_ns + max(0, real_ns - self.real_anchor_ns) * self.rate

    def real_ns(self, market_ns: int) -> int:
        """The first real time at which it is `market_ns`, rounded up."""
        return self.real_anchor_ns - (self.market_anchor_ns - market_ns) // self.rate


class RegisterCurve(Protocol):
    """What meters have counted by a market time."""

    def registers(self, meter: str, market_ns: int) -> tuple[int, int]:
        """Import and export in whole Wh at `market_ns`; both never fall as time goes on."""
        ...
