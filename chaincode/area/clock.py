"""Market time: an area's clock rule applied to transaction time.

It only permits or refuses; nothing stored derives from it. Rate 1 in production, faster in a
demonstration, which anchors anew when it starts so that time stood still while it was off.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from chaincode.area.rules import RULES
from chaincode.area.zones import (
    get_lane,
    own_area,
)
from chaincode.context import (
    Accepted,
    Context,
)
from chaincode.errors import CLOCK_BACKWARDS, NO_CLOCK
from chaincode.state import Id, Row, Second, Table, at_slot, encode

RATE_MAX = 100_000  # a slot of 15 minutes in 9 milliseconds

ClockRate = Annotated[int, msgspec.Meta(ge=1, le=RATE_MAX)]


class Clock(Row, frozen=True):
    """Market time = market_anchor_s + (transaction time - real_anchor_s) x rate."""

    real_anchor_s: int
    market_anchor_s: int
    rate: int

    def market_s(self, time_s: int) -> int:
        """Market time at transaction time `time_s`; before the anchor it stands still."""
        return self.market_anchor_s + max(0, time_s - self.real_anchor_s) * self.rate


CLOCKS = Table(22, "clocks", Clock, ("area",))


class ClockArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rule: at `real_anchor` it is `market_anchor`, and time runs `rate` times as fast."""

    area: Id
    real_anchor: Second
    market_anchor: Second
    rate: ClockRate


def set_clock(context: Context, arguments: ClockArguments) -> Accepted:
    """Set an area's clock; market time never goes back behind what the market has done.

    That is the earlier anchor and the newest gate that closed: a demonstration that was off may
    go on where it stopped, but what was late stays late.
    """
    area = own_area(context, arguments.area)
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
    """Market time of this transaction in `area`, seconds UTC."""
    clock = CLOCKS.get(context, area)
    if clock is None:
        raise NO_CLOCK(area=area)
    return clock.market_s(context.time_s)
