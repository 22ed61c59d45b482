"""A running market: its ledger, its cast, and the members' work on it.

Market time stands still while the market is off: on start the clock is anchored where the last
block left it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from chaincode.area.clock import Clock, ClockArguments
from chaincode.area.zones import AreaName
from chaincode.queries.market import AreaAnswer, SlotView
from commonwatt.demonstration.cast import AREA, DSO, SLOT_S, Cast, Home, found, make_cast
from commonwatt.demonstration.enrolment import HOMES_EMPTY
from commonwatt.demonstration.market_plan import MarketPlan, write_plan
from commonwatt.demonstration.member_duties import Operation
from ledger_network.port import Ledger, Member

HISTORY_SLOTS = 96
HOMES_DRAWN = 4  # for each empty home, so that enough of them have a roof


class Market:
    """A running market: ledger, cast, operation, and what has been seen of its slots."""

    def __init__(self, ledger: Ledger, data: Path, plan: MarketPlan, speed: int) -> None:
        self._data = data
        self._plan = plan
        self.speed = speed
        self.history: deque[SlotView] = deque(maxlen=HISTORY_SLOTS)
        self.cast: Cast = make_cast(plan.seed, plan.households)
        self.empty = empty_homes(plan.seed, plan.households)
        self.first_slot = plan.first_slot
        self.ledger = ledger
        self.operation = Operation(
            self.ledger, self.cast, plan.first_slot, settled=self.history.append
        )

    async def start(self) -> Clock:
        """Found or resume the market and let its clock run; the rule it runs by."""
        now_s = int(time.time())
        if not self._plan.founded:
            begin_s = now_s if self.speed == 1 else self._plan.first_slot - SLOT_S
            rule = ClockArguments(AREA, now_s, begin_s, self.speed)
            first_slot = self._plan.first_slot
            await found(self.ledger, self.cast, first_slot=first_slot, clock=rule)
            self._plan = msgspec.structs.replace(self._plan, founded=True)
            write_plan(self._data, self._plan)
        market_s = await self._last_market_s()
        if self.speed == 1:
            market_s = max(market_s, now_s)  # real time does not wait
        rule = ClockArguments(AREA, now_s, market_s, self.speed)
        await self.operation.submit("set_clock", rule, Member(DSO, "admin"))
        await self.operation.resume()
        self.history.extend(await self.operation.settled_before(HISTORY_SLOTS))
        return Clock(real_anchor_s=now_s, market_anchor_s=market_s, rate=self.speed)

    async def work(self) -> None:
        """Do what is due now."""
        area = await self._area()
        lookahead_s = max(SLOT_S, 2 * self.speed)
        await self.operation.tick(area.market_s or 0, lookahead_s=lookahead_s)

    async def _area(self) -> AreaAnswer:
        answer = await self.ledger.evaluate("describe_area", AreaName(AREA), member=Member(DSO))
        return msgspec.json.decode(answer, type=AreaAnswer)

    async def _last_market_s(self) -> int:
        """Market time when the last block was made."""
        height = (await self.ledger.health()).height
        block = await self.ledger.block(height - 1)
        clock = (await self._area()).clock
        if block is None or clock is None:
            return self._plan.first_slot - SLOT_S
        return clock.market_s(block.time_s)


def empty_homes(seed: int, households: int) -> Sequence[Home]:
    """Homes with a roof and a meter that nobody lives in yet, numbered after those of the cast."""
    drawn = make_cast(seed, households + HOMES_DRAWN * HOMES_EMPTY).homes[households:]
    return [home for home in drawn if home.profile.pv_column][:HOMES_EMPTY]
