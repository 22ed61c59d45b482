"""Market time: an area's clock rule applied to transaction time.

Market time only decides whether a transaction is permitted; nothing stored is computed from it.
The rate is 1 in production and higher in a demonstration. A demonstration sets a new anchor when
it starts, so that market time stands still while the demonstration is off.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from chaincode.area.rules import RULES
from chaincode.area.zones import (
    AREAS,
    Area,
    get_lane,
    own_area,
)
from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.errors import AREA_UNKNOWN, CLOCK_BACKWARDS, CLOCK_REAL, NO_CLOCK
from chaincode.state import Id, Row, Second, Table, at_slot, encode

RATE_MAX = 100_000  # a slot of 15 minutes in 9 milliseconds

ClockRate = Annotated[int, msgspec.Meta(ge=1, le=RATE_MAX)]


class Clock(Row, frozen=True):
    """Market time = market_anchor_s + (transaction time - real_anchor_s) x rate."""

    real_anchor_s: int
    market_anchor_s: int
    rate: int

    def market_s(self, time_s: int) -> int:
        """Market time at transaction time `time_s`; before the anchor, market time stands still."""
        return self.market_anchor_s + max(0, time_s - self.real_anchor_s) * self.rate


CLOCKS = Table(22, "clocks", Clock, ("area",))


class ClockArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Market time is `market_anchor` at `real_anchor` and runs `rate` times as fast from there."""

    area: Id
    real_anchor: Second
    market_anchor: Second
    rate: ClockRate


def set_clock(context: Context, arguments: ClockArguments) -> Accepted:
    """Set an area's clock; market time never goes back before events of the market.

    The new anchor may not lie before the previous anchor or before the newest gate that closed. A
    demonstration may continue where it stopped, but a deadline that has passed stays passed.
    """
    area = own_area(context, arguments.area)
    if not area.demonstration:
        raise CLOCK_REAL(area=area.area)
    floor_s = 0
    clock = CLOCKS.get(context, area.area)
    if clock is not None:
        floor_s = clock.market_anchor_s
    closed_slot = get_lane(context, area.area).closed_slot
    rules_row = RULES.get(context, area.area)
    rules = None if rules_row is None else at_slot(rules_row.versions, closed_slot)
    if rules is not None and closed_slot:
        floor_s = max(floor_s, rules.gate_s(closed_slot))
    if arguments.market_anchor < floor_s:
        raise CLOCK_BACKWARDS(market_anchor=arguments.market_anchor, floor_s=floor_s)
    row = Clock(
        real_anchor_s=arguments.real_anchor,
        market_anchor_s=arguments.market_anchor,
        rate=arguments.rate,
    )
    CLOCKS.put(context, row, area.area)
    context.emit("clock_set", encode(arguments))
    return Accepted(area.area)


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
