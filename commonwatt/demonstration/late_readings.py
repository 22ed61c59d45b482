"""Corrections of settled slots whose energy has changed, because readings arrived late."""

from __future__ import annotations

import msgspec

from chaincode.metering.reports import ReadingsRecorded
from commonwatt.demonstration.member_duties import MemberDuties
from ledger_network.port import Ledger, Position

READINGS_RECORDED = "readings_recorded"


async def correct_late_readings(ledger: Ledger, duties: MemberDuties) -> None:
    """Have slots corrected when readings change them after they have settled; runs until cancelled."""
    height = (await ledger.health()).height
    async for happened in ledger.events(after=Position(max(0, height - 1), 0)):
        for event in happened.events:
            if event.name == READINGS_RECORDED:
                found = msgspec.json.decode(event.data, type=ReadingsRecorded)
                duties.correct(found.first_slot, found.end_s)
