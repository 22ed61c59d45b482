"""Setting a demonstration's clock: how far back and how far ahead market time may be set.

A clock set back would let a slot that has opened open once more, and its terms be changed below
the orders in it. A clock set far ahead would make gates due by the million. The rows of orders say
which slots may not be unopened, so this stands above them.
"""

from __future__ import annotations

from chaincode.area.clock import CLOCKS, Clock, ClockArguments
from chaincode.area.history import HISTORIES
from chaincode.area.rules import OPENS_S_MAX, RULES, rules_at
from chaincode.area.zones import get_lane, own_area
from chaincode.context import Accepted, Context
from chaincode.errors import CLOCK_AHEAD, CLOCK_BACKWARDS, CLOCK_REAL
from chaincode.orders.order_batch import ORDERS
from chaincode.state import SECOND_MAX, SLOT_DIGITS, SLOT_PART_MAX, encode, slot_part

JUMP_S_MAX = OPENS_S_MAX + 86_400  # past the newest gate: enough to wait for any slot to open


def set_clock(context: Context, arguments: ClockArguments) -> Accepted:
    """Set a demonstration's clock; market time never goes back before events of the market.

    The new anchor may not lie before the previous anchor, before the newest gate that closed, or
    before the opening of a slot that has orders. Market time may not jump to more than
    `JUMP_S_MAX` after that gate, or after the gate of the first slot.
    """
    area = own_area(context, arguments.area)
    if not area.demonstration:
        raise CLOCK_REAL(area=area.area)
    row = Clock(
        real_anchor_s=arguments.real_anchor,
        market_anchor_s=arguments.market_anchor,
        rate=arguments.rate,
    )
    clock = CLOCKS.get(context, area.area)
    history = HISTORIES.get(context, area.area)
    floor_s = 0 if clock is None else clock.market_anchor_s
    limit_s = SECOND_MAX
    if clock is not None and history is not None:
        closed = get_lane(context, area.area).closed_slot
        slot = closed or history.first_slot
        gate_s = rules_at(context, area.area, slot).gate_s(slot)
        if closed:
            floor_s = max(floor_s, gate_s)
        floor_s = max(floor_s, _opened_s(context, area.area, row.market_s(context.time_s)))
        limit_s = max(clock.market_s(context.time_s), gate_s + JUMP_S_MAX)
    if arguments.market_anchor < floor_s:
        raise CLOCK_BACKWARDS(market_anchor=arguments.market_anchor, floor_s=floor_s)
    now_s = row.market_s(context.time_s)
    if now_s > limit_s:
        raise CLOCK_AHEAD(market_s=now_s, limit_s=limit_s)
    CLOCKS.put(context, row, area.area)
    context.emit("clock_set", encode(arguments))
    return Accepted(area.area)


def _opened_s(context: Context, area: str, now_s: int) -> int:
    """The opening of a slot that has orders and would not be open at `now_s`; 0 without one."""
    end = SLOT_PART_MAX
    for begins, row in RULES.from_newest(context, area):
        unopened = max(begins, now_s + row.rules.opens_s + 1)
        for key, _ in ORDERS.range(context, area, after=slot_part(unopened - 1)):
            slot = int(key[:SLOT_DIGITS])
            if slot < end:
                return row.rules.opening_s(slot)
            break
        if begins <= now_s:
            break
        end = begins
    return 0
