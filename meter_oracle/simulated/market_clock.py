"""Market time for meters that run faster than real time, and the registers they show then."""

from __future__ import annotations

from typing import Protocol

import msgspec


class MarketClock(msgspec.Struct, frozen=True):
    """At real time `real_anchor_ns` market time is `market_anchor_ns`, and runs `rate` times as fast.

    Both anchors are nanoseconds UTC. Before the anchor market time stands still, as in the contract.
    """

    real_anchor_ns: int
    market_anchor_ns: int
    rate: int

    def market_ns(self, real_ns: int) -> int:
        """Return market time at the real time `real_ns`."""
        return self.market_anchor_ns + max(0, real_ns - self.real_anchor_ns) * self.rate

    def real_ns(self, market_ns: int) -> int:
        """Return the first real time at which market time is `market_ns`, rounded up."""
        return self.real_anchor_ns - (self.market_anchor_ns - market_ns) // self.rate


class RegisterCurve(Protocol):
    """The registers of meters over market time."""

    def registers(self, meter: str, market_ns: int) -> tuple[int, int]:
        """Return import and export in whole Wh at `market_ns`; neither falls over time."""
        ...
