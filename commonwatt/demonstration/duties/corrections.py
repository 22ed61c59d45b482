"""Corrections of settled slots whose energy has changed, because readings arrived late."""

from __future__ import annotations

import msgspec

from chaincode.metering.exchanges import MeterExchanged
from chaincode.metering.reports import ReadingsRecorded
from commonwatt.demonstration.duties.members import MemberDuties
from ledger_network.port import Ledger, Position

CHANGES = {"readings_recorded": ReadingsRecorded, "meter_exchanged": MeterExchanged}


async def correct_late_readings(ledger: Ledger, duties: MemberDuties) -> None:
    """Have slots corrected whose energy changed after they settled; runs until cancelled."""
    height = (await ledger.health()).height
    async for happened in ledger.events(after=Position(max(0, height - 1), 0)):
        for event in happened.events:
            change = CHANGES.get(event.name)
            if change is not None:
                found = msgspec.json.decode(event.data, type=change)
                duties.correct(found.first_slot, found.end_s)
