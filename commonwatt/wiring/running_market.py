"""A running market: its ledger, its cast, and the work of its members.

Market time stands still while the market is off: at each start the clock is anchored at the market
time of the last block.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import msgspec

from chaincode.area.clock import ClockArguments
from chaincode.area.zones import AreaName
from chaincode.queries.market import AreaAnswer, SlotView
from commonwatt.demonstration.cast import AREA, DSO, SLOT_S, Cast, found
from commonwatt.demonstration.duties.members import MemberDuties
from commonwatt.demonstration.market_plan import MarketPlan
from commonwatt.wiring.market_folder import KeptMarket, keep_market
from ledger_network.port import Ledger, Member
from meter_oracle.settings import ClockSettings

HISTORY_SLOTS = 96


class RunningMarket:
    """The ledger, the cast, the members' duties, and the newest slots that have settled."""

    def __init__(self, ledger: Ledger, data: Path, kept: KeptMarket, speed: int) -> None:
        self._data = data
        self._kept = kept
        plan = kept.plan
        self.speed = speed
        self.history: deque[SlotView] = deque(maxlen=HISTORY_SLOTS)
        self.cast: Cast = plan.cast()
        self.empty = plan.empty_homes()
        self.first_slot = plan.first_slot(plan.clock.real_anchor_s)
        self.ledger = ledger
        self.duties = MemberDuties(
            self.ledger, self.cast, self.first_slot, settled=self.history.append
        )

    async def start(self) -> MarketPlan:
        """Found or resume the market and start its clock; return the plan with this clock."""
        now_s = int(time.time())
        if not self._kept.founded:
            begin_s = now_s if self.speed == 1 else self.first_slot - SLOT_S
            rule = ClockArguments(AREA, now_s, begin_s, self.speed)
            await found(self.ledger, self.cast, first_slot=self.first_slot, clock=rule)
            self._kept = msgspec.structs.replace(self._kept, founded=True)
            keep_market(self._data, self._kept)
        market_s = await self._last_market_s()
        if self.speed == 1:
            market_s = max(market_s, now_s)  # a market in real time does not pause
        clock = ClockSettings(real_anchor_s=now_s, market_anchor_s=market_s, rate=self.speed)
        plan = msgspec.structs.replace(self._kept.plan, clock=clock)
        await self.duties.submit("set_clock", plan.clock_arguments(), Member(DSO, "admin"))
        await self.duties.resume()
        self.history.extend(await self.duties.settled_before(HISTORY_SLOTS))
        return plan

    async def work(self) -> None:
        """Do the members' work that is due now."""
        area = await self._area()
        lookahead_s = max(SLOT_S, 2 * self.speed)
        await self.duties.tick(area.market_s or 0, lookahead_s=lookahead_s)

    async def _area(self) -> AreaAnswer:
        answer = await self.ledger.evaluate("describe_area", AreaName(AREA), member=Member(DSO))
        return msgspec.json.decode(answer, type=AreaAnswer)

    async def _last_market_s(self) -> int:
        """Return market time when the last block was made."""
        height = (await self.ledger.health()).height
        block = await self.ledger.block(height - 1)
        clock = (await self._area()).clock
        if block is None or clock is None:
            return self.first_slot - SLOT_S
        return clock.market_s(block.time_s)
