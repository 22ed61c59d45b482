"""Newcomers of a demonstration: each gets a home, the same again, until none is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from api.faults import ApiFault
from chaincode.accounts.statements import AccountAnswer, OwnerArguments
from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from chaincode.orders.handlers import TokensAnswer
from chaincode.orders.sheets import SheetOrder, TokensArguments
from chaincode.slots.gate import GateArguments
from commonwatt.demonstration.bidding import sign_sheet
from commonwatt.demonstration.cast import (
    AREA,
    CHANNEL,
    DEPOSIT_NANO,
    DSO,
    HOMES_EMPTY,
    ORGANISATIONS,
    SLOT_S,
    draw_empty_homes,
    found,
    make_cast,
    market_rules,
    seed_chain,
)
from commonwatt.demonstration.enrolment import Enrolment
from commonwatt.demonstration.simulation import START_S, VirtualClock
from identity.did import did_key
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


def test_empty_homes_have_roofs_and_are_nobodys() -> None:
    homes = draw_empty_homes(SEED, HOUSEHOLDS, HOMES_EMPTY)

    assert len(homes) == HOMES_EMPTY
    assert all(home.profile.pv_column for home in homes)
    assert min(home.number for home in homes) >= HOUSEHOLDS


def test_newcomers_move_in_once_each_trade_and_the_last_finds_no_home(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = draw_empty_homes(SEED, HOUSEHOLDS, HOMES_EMPTY)
        async with founded(tmp_path) as (ledger, _):
            enrolment = Enrolment(ledger, homes, FIRST_SLOT)
            dids = [did_key(newcomer(number).public) for number in range(HOMES_EMPTY + 1)]

            given = await asyncio.gather(*(enrolment.enrol(did) for did in dids[:-1]))

            assert [each.meter for each in given] == [home.meter for home in homes]
            again = Enrolment(ledger, homes, FIRST_SLOT)  # it remembers nothing by itself
            assert await again.enrol(dids[2]) == given[2]
            with pytest.raises(ApiFault, match="All homes") as full:
                await again.enrol(dids[-1])
            assert full.value.code == "HOMES_TAKEN"
            asked = OwnerArguments(AREA, dids[0])
            member = Member(given[0].retailer)
            answer = await ledger.evaluate("describe_account", asked, member=member)
            account = msgspec.json.decode(answer, type=AccountAnswer)
            assert account.worth_nano == DEPOSIT_NANO == given[0].deposit_nano

            home = msgspec.structs.replace(homes[0], key=newcomer(0), did=dids[0])
            order = SheetOrder("mine", "sell", given[0].from_slot, [(90_000, 100)])
            token = sign_sheet(home, [order], channel=CHANNEL, contract=Contract.name)
            placed = await ledger.submit("place_orders", TokensArguments([token]), member=member)
            assert [each.code for each in placed.read(TokensAnswer).answers] == ["PLACED"]

    asyncio.run(scene())


def test_newcomer_moves_in_though_others_and_a_gate_are_first(tmp_path: Path) -> None:
    async def scene() -> None:
        async with founded(tmp_path) as (ledger, clock):

            async def conflict() -> None:
                raise Conflict("others were first")

            async def close_gate() -> None:
                clock.now_s = market_rules(FIRST_SLOT).gate_s(FIRST_SLOT)
                chain = seed_chain(make_cast(SEED, HOUSEHOLDS), 0)
                arguments = GateArguments(AREA, FIRST_SLOT, chain.before(chain.anchor))
                await ledger.submit("close_gate", arguments, member=Member(DSO))

            ledger.due = [conflict, close_gate]
            homes = draw_empty_homes(SEED, HOUSEHOLDS, HOMES_EMPTY)
            given = await Enrolment(ledger, homes, FIRST_SLOT).enrol(did_key(newcomer(0).public))

            assert not ledger.due
            assert given.from_slot == FIRST_SLOT + SLOT_S

    asyncio.run(scene())
