"""Newcomers of a demonstration: each gets a home, the same again, until none is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypedDict

import msgspec
import pytest

from api.faults import ApiFault
from api.services import EnrolmentResult, HomeOffer
from chaincode.accounts.statements import AccountAnswer, OwnerArguments
from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from chaincode.errors import Refused
from chaincode.metering.supply import SUPPLY_TYP, SupplyConsent
from chaincode.orders.handlers import TokensAnswer
from chaincode.orders.sheets import SheetOrder, TokensArguments
from commonwatt.demonstration.bidding import sign_sheet
from commonwatt.demonstration.cast import (
    AREA,
    CHANNEL,
    DEPOSIT_NANO,
    HOMES_EMPTY,
    ORGANISATIONS,
    SLOT_S,
    draw_empty_homes,
    found,
    make_cast,
    market_rules,
)
from commonwatt.demonstration.enrolment import Enrolment
from commonwatt.demonstration.signing import sign_hold, sign_join
from commonwatt.demonstration.simulation import START_S, VirtualClock
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import Conflict, Member, Receipt

FIRST_SLOT = START_S + SLOT_S
SEED, HOUSEHOLDS = 5, 3


@asynccontextmanager
async def founded(folder: Path) -> AsyncGenerator[tuple[Overtaken, VirtualClock]]:
    """The market of a demonstration, before its first slot."""
    clock = VirtualClock(START_S)
    ledger = Overtaken.open(
        folder / "ledger",
        contract=Contract(),
        channel=CHANNEL,
        members=[organisation.name for organisation in ORGANISATIONS],
        clock=clock,
    )
    async with ledger:
        rule = ClockArguments(AREA, START_S, START_S, 1)
        await found(ledger, make_cast(SEED, HOUSEHOLDS), first_slot=FIRST_SLOT, clock=rule)
        yield ledger, clock


def newcomer(number: int) -> PrivateKey:
    return PrivateKey.from_seed(bytes([number]) * 32)


class Overtaken(EmbeddedLedger):
    """A ledger on which others are first: what is due happens before the next certified meter."""

    due: Sequence[Callable[[], Awaitable[object]]] = ()

    async def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> Receipt:
        if name == "register_certified_meter" and self.due:
            first, *self.due = self.due
            await first()
        return await super().submit(name, arguments, member=member, transient=transient)


class Signed(TypedDict):
    """The documents of a newcomer."""

    join: str
    hold: str
    supply: str


def signed(key: PrivateKey, offer: HomeOffer) -> Signed:
    """What a newcomer signs for the home that it was offered."""
    place = (AREA, CHANNEL, Contract.name)
    consent = SupplyConsent(
        area=AREA,
        channel=CHANNEL,
        contract=Contract.name,
        from_slot=offer.from_slot,
        meter=offer.meter,
        retailer=offer.retailer,
        v=1,
        valid_until_s=offer.valid_until_s,
    )
    return Signed(
        join=sign_join(key, offer.retailer, place=place, now_s=START_S),
        hold=sign_hold(key, offer.meter, place=place, now_s=START_S),
        supply=sign_compact(key, SUPPLY_TYP, encode(consent)),
    )


async def move_in(enrolment: Enrolment, key: PrivateKey) -> EnrolmentResult:
    """Ask for an offer, sign it, move in."""
    did = did_key(key.public)
    return await enrolment.enrol(did, **signed(key, await enrolment.offer(did)))


def test_empty_homes_have_roofs_and_are_nobodys() -> None:
    homes = draw_empty_homes(SEED, HOUSEHOLDS, HOMES_EMPTY)

    assert len(homes) == HOMES_EMPTY
    assert all(home.profile.pv_column for home in homes)
    assert min(home.number for home in homes) >= HOUSEHOLDS


def test_newcomers_move_in_once_each_trade_and_the_last_finds_no_home(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = draw_empty_homes(SEED, HOUSEHOLDS, HOMES_EMPTY)
        async with founded(tmp_path) as (ledger, clock):
            enrolment = Enrolment(ledger, homes, FIRST_SLOT)
            keys = [newcomer(number) for number in range(HOMES_EMPTY + 1)]
            dids = [did_key(key.public) for key in keys]

            given = await asyncio.gather(*(move_in(enrolment, key) for key in keys[:-1]))

            assert [each.meter for each in given] == [home.meter for home in homes]
            again = Enrolment(ledger, homes, FIRST_SLOT)  # it remembers nothing by itself
            assert (await again.offer(dids[2])).meter == given[2].meter
            assert await again.enrol(dids[2], join="", hold="", supply="") == given[2]
            with pytest.raises(ApiFault, match="All homes") as full:
                await again.offer(dids[-1])
            assert full.value.code == "HOMES_TAKEN"
            asked = OwnerArguments(AREA, dids[0])
            member = Member(given[0].retailer)
            answer = await ledger.evaluate("describe_account", asked, member=member)
            account = msgspec.json.decode(answer, type=AccountAnswer)
            assert account.worth_nano == DEPOSIT_NANO == given[0].deposit_nano

            clock.now_s = market_rules(FIRST_SLOT).opening_s(given[0].from_slot)
            home = msgspec.structs.replace(homes[0], key=keys[0], did=dids[0])
            order = SheetOrder("mine", "sell", given[0].from_slot, [(90_000, 100)])
            token = sign_sheet(home, [order], channel=CHANNEL, contract=Contract.name)
            placed = await ledger.submit("place_orders", TokensArguments([token]), member=member)
            assert [each.code for each in placed.read(TokensAnswer).answers] == ["PLACED"]

    asyncio.run(scene())


def test_newcomer_moves_in_though_others_are_first(tmp_path: Path) -> None:
    async def scene() -> None:
        async with founded(tmp_path) as (ledger, _):

            async def conflict() -> None:
                raise Conflict("others were first")

            ledger.due = [conflict]
            homes = draw_empty_homes(SEED, HOUSEHOLDS, HOMES_EMPTY)
            given = await move_in(Enrolment(ledger, homes, FIRST_SLOT), newcomer(0))

            assert not ledger.due
            assert given.meter == homes[0].meter

    asyncio.run(scene())


def test_newcomer_that_signs_too_late_gets_another_offer(tmp_path: Path) -> None:
    async def scene() -> None:
        async with founded(tmp_path) as (ledger, clock):
            homes = draw_empty_homes(SEED, HOUSEHOLDS, HOMES_EMPTY)
            enrolment, key = Enrolment(ledger, homes, FIRST_SLOT), newcomer(0)
            did = did_key(key.public)
            offer = await enrolment.offer(did)
            clock.now_s = market_rules(FIRST_SLOT).opening_s(offer.from_slot)

            with pytest.raises(ApiFault) as late:
                await enrolment.enrol(did, **signed(key, offer))
            assert late.value.code == "OFFER_OVER"
            later = await move_in(enrolment, key)

            assert later.meter == offer.meter
            assert later.from_slot > offer.from_slot

    asyncio.run(scene())


def test_newcomer_gets_no_home_that_was_offered_to_another(tmp_path: Path) -> None:
    async def scene() -> None:
        async with founded(tmp_path) as (ledger, _):
            homes = draw_empty_homes(SEED, HOUSEHOLDS, HOMES_EMPTY)
            enrolment = Enrolment(ledger, homes, FIRST_SLOT)
            first, second = (did_key(newcomer(number).public) for number in range(2))
            offer = await enrolment.offer(first)

            assert (await enrolment.offer(second)).meter == homes[1].meter
            with pytest.raises(ApiFault) as stolen:
                await enrolment.enrol(second, **signed(newcomer(1), offer))
            assert stolen.value.code == "OFFER_OVER"
            with pytest.raises(ApiFault) as unreadable:
                await enrolment.enrol(second, join="nothing", hold="nothing", supply="nothing")
            assert unreadable.value.code == "TOKEN_UNUSABLE"

    asyncio.run(scene())


def test_newcomer_moves_in_with_documents_of_its_own_alone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with founded(tmp_path) as (ledger, _):
            homes = draw_empty_homes(SEED, HOUSEHOLDS, HOMES_EMPTY)
            enrolment = Enrolment(ledger, homes, FIRST_SLOT)
            keys = [newcomer(number) for number in range(2)]
            dids = [did_key(key.public) for key in keys]
            first, second = [await enrolment.offer(did) for did in dids]
            own = signed(keys[1], second)
            taken = signed(keys[0], first)

            borrowed: Signed = {**own, "hold": taken["hold"]}
            with pytest.raises(Refused) as held:
                await enrolment.enrol(dids[1], **borrowed)
            assert held.value.code == "HOLD_WRONG"
            assert (await enrolment.enrol(dids[1], **own)).meter == second.meter

    asyncio.run(scene())
