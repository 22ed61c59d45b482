"""Enrols newcomers of the demonstration: a DID gets a retailer, a metered home and a deposit.

Some homes are empty, but their meters run. A newcomer is offered the next empty home, and signs
that it joins the home's retailer and holds the home's meter. The ledger knows which homes are taken,
so this module keeps no list of them, and an offer reserves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from api.faults import LEDGER_BUSY, Fault
from api.features.orders.writes import submit
from api.services import EnrolmentResult, HomeOffer
from chaincode.accounts.balances import PaymentArguments
from chaincode.area.intents import HOLDS
from chaincode.area.joining import ParticipantArguments
from chaincode.area.zones import AreaName
from chaincode.errors import DATED_BEFORE_GATE, SHEET_UNREADABLE, SIGNATURE_INVALID, Refused
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
from identity.jws import TokenRefused
from ledger_network.port import Ledger, Member

GATES_MAX = 8
"""The number of gates that may close between the query for the next slot and its certificate."""

HOMES_TAKEN = Fault(
    "HOMES_TAKEN", "All homes of this demonstration are taken; start another with --data FOLDER."
)
HOME_TAKEN = Fault(
    "HOME_TAKEN", "Meter {meter} is not free any more, or it never was; ask for another offer."
)


class Enrolment:
    """Enrols newcomers, one after the other."""

    def __init__(self, ledger: Ledger, empty: Sequence[Home], first_slot: int) -> None:
        self._ledger = ledger
        self._empty = empty
        self._first_slot = first_slot
        self._one_at_a_time = asyncio.Lock()

    async def offer(self, did: str) -> HomeOffer:
        """The home that `did` has, or the next empty one."""
        given = await self._given()
        own = self._own(did, given)
        home = own or next((home for home in self._empty if home.meter not in given), None)
        if home is None:
            raise HOMES_TAKEN()
        return HomeOffer(meter=home.meter, zone=home.zone, retailer=home.retailer)

    async def enrol(self, did: str, *, join: str, hold: str) -> EnrolmentResult:
        """Give `did` the home whose meter it holds; an enrolled DID gets the same answer again."""
        async with self._one_at_a_time:
            given = await self._given()
            own = self._own(did, given)
            if own is not None:
                return _result(own, given[own.meter].versions[0].from_slot)
            meter = _held_meter(did, hold)
            home = next((home for home in self._empty if home.meter == meter), None)
            if home is None or meter in given:
                raise HOME_TAKEN(meter=meter)
            return await self._move_in(msgspec.structs.replace(home, did=did), join, hold)

    def _own(self, did: str, given: Mapping[str, Meter]) -> Home | None:
        for home in self._empty:
            held = given.get(home.meter)
            if held is not None and held.versions[-1].value.holder == did:
                return home
        return None

    async def _move_in(self, home: Home, join: str, hold: str) -> EnrolmentResult:
        retailer = Member(home.retailer)
        await self._submit("register_participant", ParticipantArguments(join), retailer)
        from_slot = await self._certify(home, hold)
        deposit = PaymentArguments(AREA, home.did, DEPOSIT_NANO, f"deposit-{home.number}-0")
        await self._submit("credit_client", deposit, retailer)
        return _result(home, from_slot)

    async def _certify(self, home: Home, hold: str) -> int:
        """Have a home's meter certified; return the first slot of the certificate."""
        for _ in range(GATES_MAX):
            from_slot = await self._next_slot()
            meter = certified_meter(home, from_slot, hold)
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

    async def _given(self) -> dict[str, Meter]:
        """Return the certified meters by name."""
        return {meter.meter: meter async for meter in self._meters()}

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


def _held_meter(did: str, hold: str) -> str:
    """Return the meter that `did` says to hold, before anything is registered."""
    try:
        opened = HOLDS.open(hold)
    except TokenRefused as refused:
        raise SHEET_UNREADABLE(reason=refused.sentence) from None
    if opened.did != did or not opened.holds():
        raise SIGNATURE_INVALID(did=did)
    return opened.payload.meter


def _result(home: Home, from_slot: int) -> EnrolmentResult:
    return EnrolmentResult(
        meter=home.meter,
        zone=home.zone,
        retailer=home.retailer,
        deposit_nano=DEPOSIT_NANO,
        from_slot=from_slot,
    )
