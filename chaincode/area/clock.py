"""Market time: transaction time, or in a demonstration a clock rule applied to it.

Market time only decides whether a transaction is permitted; nothing stored is computed from it.
A demonstration sets a new anchor when it starts (`orders/clock_changes.py`), so that market time
stands still while the demonstration is off.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from chaincode.area.zones import (
    AREAS,
    Area,
)
from chaincode.context import (
    Context,
)
from chaincode.errors import AREA_UNKNOWN, NO_CLOCK
from chaincode.state import SECOND_MAX, Id, Row, Second, Table

RATE_MAX = 100_000  # a slot of 15 minutes in 9 milliseconds

ClockRate = Annotated[int, msgspec.Meta(ge=1, le=RATE_MAX)]


class Clock(Row, frozen=True):
    """Market time = market_anchor_s + (transaction time - real_anchor_s) x rate."""

    real_anchor_s: int
    market_anchor_s: int
    rate: int

    def market_s(self, time_s: int) -> int:
        """Market time at transaction time `time_s`; before the anchor, market time stands still.

        It never passes the last second that a slot can have.
        """
        passed_s = max(0, time_s - self.real_anchor_s) * self.rate
        return min(self.market_anchor_s + passed_s, SECOND_MAX)


CLOCKS = Table(22, "clocks", Clock, ("area",))


class ClockArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Market time is `market_anchor` at `real_anchor` and runs `rate` times as fast from there."""

    area: Id
    real_anchor: Second
    market_anchor: Second
    rate: ClockRate


def market_time_s(context: Context, area: str) -> int:
    """The market time of this transaction in `area`, in seconds UTC."""
    return clock_time_s(
        context, area=AREAS.get(context, area), clock=CLOCKS.get(context, area), name=area
    )


def clock_time_s(context: Context, *, area: Area | None, clock: Clock | None, name: str) -> int:
    """Market time by rows that were read already; a demonstration without a clock is refused."""
    if area is None:
        raise AREA_UNKNOWN(area=name)
    if not area.demonstration:
        return context.time_s
    if clock is None:
        raise NO_CLOCK(area=name)
    return clock.market_s(context.time_s)
