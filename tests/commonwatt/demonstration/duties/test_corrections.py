"""A slot whose readings come too late: settled on estimates, then corrected by the duties."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from commonwatt.demonstration.cast import AREA, CHANNEL, ORGANISATIONS, SLOT_S, found, make_cast
from commonwatt.demonstration.duties.members import MemberDuties
from commonwatt.demonstration.simulated_reports import SimulatedReports
from commonwatt.demonstration.simulation import START_S, VirtualClock
from ledger_network.embedded.engine import EmbeddedLedger

BEGIN_S = START_S + 11 * 3600  # before noon: roofs give, neighbours take
FIRST_SLOT = BEGIN_S + SLOT_S
DEADLINE_S = 3_600


def test_slot_waits_for_its_deadline_settles_on_estimates_and_is_corrected(tmp_path: Path) -> None:
    async def scene() -> None:
        cast, clock = make_cast(3, 6), VirtualClock(BEGIN_S)
        ledger = EmbeddedLedger.open(
            tmp_path / "ledger",
            contract=Contract(),
            channel=CHANNEL,
            members=[organisation.name for organisation in ORGANISATIONS],
            clock=clock,
        )
        async with ledger:
            rule = ClockArguments(AREA, BEGIN_S, BEGIN_S, 1)
            await found(ledger, cast, first_slot=FIRST_SLOT, clock=rule)
            duties = MemberDuties(ledger, cast, FIRST_SLOT)

            async def work_at(second: int) -> None:
                clock.now_s = second
                await duties.tick(second, last_slot=FIRST_SLOT)

            await work_at(FIRST_SLOT - 600)
            await work_at(FIRST_SLOT + SLOT_S)
            assert (await duties.slot(FIRST_SLOT)).phase == "CLEARED"
            await work_at(FIRST_SLOT + SLOT_S + DEADLINE_S)
            before = await duties.slot(FIRST_SLOT)
            assert before.phase == "SETTLED"
            assert before.settlement is not None
            assert before.settlement.estimated == len(cast.homes)
            assert before.settlement.settled_wh == 0

            await SimulatedReports(ledger, cast, FIRST_SLOT).report(FIRST_SLOT)
            duties.correct(FIRST_SLOT, None)
            await work_at(clock.now_s + 1)

            after = await duties.slot(FIRST_SLOT)
            assert after.phase == "SETTLED"
            assert after.settlement is not None
            assert after.settlement.estimated == 0
            assert after.settlement.settled_wh > 0
            assert after.settlement.postings > before.settlement.postings

    asyncio.run(scene())
