"""Enrols newcomers of the demonstration: a DID gets a retailer, a metered home and a deposit.

Some homes are empty, but their meters run. A newcomer is offered the next empty home, signs that it
joins the home's retailer, holds the home's meter and agrees to its supply, and moves in. The ledger
knows which homes are taken, so this module keeps no list of them; it only remembers for a while what
it has offered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from api.faults import LEDGER_BUSY, TOKEN_UNUSABLE, Fault
from api.features.orders.writes import submit
from api.services import EnrolmentResult, HomeOffer
from chaincode.accounts.payments import PaymentArguments
from chaincode.area.joining import ParticipantArguments
from chaincode.area.zones import AreaName
from chaincode.errors import ALREADY_REGISTERED, TERMS_FROZEN, Refused
from chaincode.metering.meters import Meter
from chaincode.metering.supply import CONSENTS, SupplyArguments, SupplyConsent
from chaincode.queries.market import AreaAnswer
from chaincode.queries.meters import MetersAnswer, MetersArguments
from commonwatt.demonstration.cast import (
    AREA,
    CONSENT_S,
    DEPOSIT_NANO,
    DSO,
    SLOT_S,
    Home,
    certified_meter,
    market_rules,
)
from identity.jws import TokenRefused
from ledger_network.port import Ledger, Member

SIGNING_S = 10  # real seconds that a newcomer may take to sign what was offered

HOMES_TAKEN = Fault(
    "HOMES_TAKEN", "All homes of this demonstration are taken; start another with --data FOLDER."
)
OFFER_OVER = Fault(
    "OFFER_OVER", "This is not the home that was offered last; ask for an offer again and sign it."
)


class Enrolment:
    """Enrols newcomers, one after the other."""

    def __init__(self, ledger: Ledger, empty: Sequence[Home], first_slot: int) -> None:
        self._ledger = ledger
        self._empty = empty
        self._first_slot = first_slot
        self._offered: dict[str, str] = {}
        self._one_at_a_time = asyncio.Lock()

    async def offer(self, did: str) -> HomeOffer:
        """Offer `did` its own home, or the next empty one that is offered to nobody else."""
        async with self._one_at_a_time:
            taken = await self._taken()
            home = self._held(taken, did) or self._next(taken, did)
            self._offered[home.meter] = did
            from_slot = await self._unopened()
            return HomeOffer(home.meter, home.zone, home.retailer, from_slot, from_slot + CONSENT_S)

    async def enrol(self, did: str, *, join: str, hold: str, supply: str) -> EnrolmentResult:
        """Give `did` the home that it was offered; a DID that is enrolled gets the same answer."""
        async with self._one_at_a_time:
            taken = await self._taken()
            held = self._held(taken, did)
            if held is not None and taken[held.meter].supplies:
                return _result(held, taken[held.meter].supplies[0].from_slot)
            consent = _read(supply)
            home = next((home for home in self._empty if home.meter == consent.meter), None)
            if home is None or self._offered.get(home.meter) != did:
                raise OFFER_OVER()
            return await self._move_in(
                msgspec.structs.replace(home, did=did),
                ParticipantArguments(join),
                None if held is not None else hold,
                SupplyArguments(supply),
                consent.from_slot,
            )

    async def _move_in(
        self,
        home: Home,
        join: ParticipantArguments,
        hold: str | None,
        supply: SupplyArguments,
        from_slot: int,
    ) -> EnrolmentResult:
        """Register, certify and supply a home; without a hold its meter is certified already."""
        retailer = Member(home.retailer)
        await self._register(join, retailer)
        try:
            if hold is not None:
                meter = certified_meter(home, from_slot, hold)
                await submit(self._ledger, "register_certified_meter", meter, Member(DSO, "admin"))
            await submit(self._ledger, "accept_supply", supply, retailer)
        except Refused as refused:
            if refused.code != TERMS_FROZEN.code:
                raise
            raise OFFER_OVER() from None
        deposit = PaymentArguments(AREA, home.did, DEPOSIT_NANO, f"deposit-{home.number}-0")
        await submit(self._ledger, "credit_client", deposit, retailer)
        self._offered.pop(home.meter, None)
        return _result(home, from_slot)

    async def _register(self, join: ParticipantArguments, retailer: Member) -> None:
        try:
            await submit(self._ledger, "register_participant", join, retailer)
        except Refused as refused:
            if refused.code != ALREADY_REGISTERED.code:
                raise

    def _held(self, taken: dict[str, Meter], did: str) -> Home | None:
        """The home of which `did` holds the meter."""
        for home in self._empty:
            meter = taken.get(home.meter)
            version = None if meter is None else meter.versions[-1].value
            if version is not None and version.holder == did:
                return home
        return None

    def _next(self, taken: dict[str, Meter], did: str) -> Home:
        """The home that was offered to `did`, else the next one that nobody has or was offered."""
        empty = [home for home in self._empty if home.meter not in taken]
        if not empty:
            raise HOMES_TAKEN()
        for wanted in (did, None):
            for home in empty:
                if self._offered.get(home.meter) == wanted:
                    return home
        return empty[0]  # the newcomer that was offered it has not signed

    async def _unopened(self) -> int:
        """The first slot that is still unopened when the newcomer has signed."""
        answer = await self._ledger.evaluate("describe_area", AreaName(AREA), member=Member(DSO))
        area = msgspec.json.decode(answer, type=AreaAnswer)
        if area.market_s is None:
            raise LEDGER_BUSY(count=1)
        rate = 1 if area.clock is None else area.clock.rate
        second = area.market_s + SIGNING_S * rate + market_rules(self._first_slot).opens_s
        return max(self._first_slot, second - second % SLOT_S + SLOT_S)

    async def _taken(self) -> dict[str, Meter]:
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


def _read(supply: str) -> SupplyConsent:
    """What a newcomer has signed; the contract verifies the signature."""
    try:
        return CONSENTS.open(supply).payload
    except TokenRefused as refused:
        raise TOKEN_UNUSABLE(reason=refused.sentence) from None


def _result(home: Home, from_slot: int) -> EnrolmentResult:
    return EnrolmentResult(
        meter=home.meter,
        zone=home.zone,
        retailer=home.retailer,
        deposit_nano=DEPOSIT_NANO,
        from_slot=from_slot,
    )
