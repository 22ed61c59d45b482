"""Enrols newcomers of the demonstration: a DID gets a retailer, a metered home and a deposit.

Some homes are empty, but their meters run. A newcomer gets the next empty home. The ledger knows
which homes are taken, so this module keeps no list of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from api.faults import LEDGER_BUSY, Fault
from api.features.orders.writes import submit
from api.services import EnrolmentResult
from chaincode.accounts.payments import PaymentArguments
from chaincode.area.zones import AreaName
from chaincode.consortium.participants import ParticipantArguments
from chaincode.errors import DATED_BEFORE_GATE, Refused
from chaincode.metering.meters import Meter
from chaincode.queries.market import AreaAnswer
from chaincode.queries.meters import MetersAnswer, MetersArguments
from commonwatt.demonstration.cast import (
    AREA,
    DEPOSIT_NANO,
    DSO,
    FOUNDED_ALREADY,
    SLOT_S,
    Home,
    certified_meter,
)
from ledger_network.port import Ledger, Member

GATES_MAX = 8
"""The number of gates that may close between the query for the next slot and its certificate."""

HOMES_TAKEN = Fault(
    "HOMES_TAKEN", "All homes of this demonstration are taken; start another with --data FOLDER."
)


class Enrolment:
    """Enrols newcomers, one after the other."""

    def __init__(self, ledger: Ledger, empty: Sequence[Home], first_slot: int) -> None:
        self._ledger = ledger
        self._empty = empty
        self._first_slot = first_slot
        self._one_at_a_time = asyncio.Lock()

    async def enrol(self, did: str) -> EnrolmentResult:
        """Give `did` a home; a DID that is enrolled already gets the same answer again."""
        async with self._one_at_a_time:
            given = {meter.meter: meter async for meter in self._meters()}
            for home in self._empty:
                held = given.get(home.meter)
                if held is not None and held.versions[-1].value.holder == did:
                    return _result(home, held.versions[0].from_slot)
            home = next((home for home in self._empty if home.meter not in given), None)
            if home is None:
                raise HOMES_TAKEN()
            return await self._move_in(msgspec.structs.replace(home, did=did))

    async def _move_in(self, home: Home) -> EnrolmentResult:
        retailer = Member(home.retailer)
        await self._submit("register_participant", ParticipantArguments(home.did), retailer)
        from_slot = await self._certify(home)
        deposit = PaymentArguments(AREA, home.did, DEPOSIT_NANO, f"deposit-{home.number}-0")
        await self._submit("credit_client", deposit, retailer)
        return _result(home, from_slot)

    async def _certify(self, home: Home) -> int:
        """Have a home's meter certified; return the first slot of the certificate."""
        for _ in range(GATES_MAX):
            from_slot = await self._next_slot()
            meter = certified_meter(home, from_slot)
            try:
                await self._submit("register_certified_meter", meter, Member(DSO, "admin"))
            except Refused as refused:
                if refused.code != DATED_BEFORE_GATE.code:
                    raise
            else:
                return from_slot
        raise LEDGER_BUSY(count=GATES_MAX)

    async def _submit(self, name: str, arguments: msgspec.Struct, member: Member) -> None:
        try:
            await submit(self._ledger, name, arguments, member)
        except Refused as refused:
            if refused.code not in FOUNDED_ALREADY:
                raise

    async def _next_slot(self) -> int:
        """Return the first slot whose gate has not closed."""
        answer = await self._ledger.evaluate("describe_area", AreaName(AREA), member=Member(DSO))
        lane = msgspec.json.decode(answer, type=AreaAnswer).lane
        return max(self._first_slot, lane.closed_slot + SLOT_S)

    async def _meters(self) -> AsyncIterator[Meter]:
        after: str | None = ""
        while after is not None:
            answer = await self._ledger.evaluate(
                "list_meters", MetersArguments(AREA, after), member=Member(DSO)
            )
            page = msgspec.json.decode(answer, type=MetersAnswer)
            for meter in page.meters:
                yield meter
            after = page.after


def _result(home: Home, from_slot: int) -> EnrolmentResult:
    return EnrolmentResult(
        meter=home.meter,
        zone=home.zone,
        retailer=home.retailer,
        deposit_nano=DEPOSIT_NANO,
        from_slot=from_slot,
    )
