"""Admits the households of a bench's market, many transactions at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from chaincode.accounts.payments import PaymentArguments
from chaincode.area.joining import ParticipantArguments
from commonwatt.demonstration.cast import (
    AREA,
    DEPOSIT_NANO,
    DSO,
    Home,
    Signing,
    certified_meter,
    supply_of,
)
from ledger_network.port import Conflict, Ledger, Member, Receipt

T = TypeVar("T")


async def at_once(
    items: Iterable[T], act: Callable[[T], Awaitable[Receipt]], *, in_flight: int
) -> list[Receipt]:
    """Call `act` with every item, several at a time; the first exception ends all calls.

    A call that conflicts is repeated: two meters of one group were registered at once, and the
    other one was committed.
    """
    room = asyncio.Semaphore(in_flight)

    async def one(item: T) -> Receipt:
        async with room:
            while True:
                try:
                    return await act(item)
                except Conflict:
                    continue

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


async def admit_homes(
    ledger: Ledger, homes: Sequence[Home], *, first_slot: int, now_s: int, in_flight: int
) -> None:
    """Admit every household, then its meter, its supply and its deposit."""
    sign = Signing(ledger.channel, ledger.contract, now_s=now_s)

    async def admit(home: Home) -> Receipt:
        arguments = ParticipantArguments(sign.join(home))
        return await ledger.submit("register_participant", arguments, member=Member(home.retailer))

    async def certify(home: Home) -> Receipt:
        meter = certified_meter(home, first_slot, sign.hold(home))
        return await ledger.submit("register_certified_meter", meter, member=Member(DSO, "admin"))

    async def supply(home: Home) -> Receipt:
        signed = supply_of(home, first_slot, channel=ledger.channel, contract=ledger.contract)
        return await ledger.submit("accept_supply", signed, member=Member(home.retailer))

    async def deposit(home: Home) -> Receipt:
        payment = PaymentArguments(AREA, home.did, DEPOSIT_NANO, f"deposit-{home.number}-0")
        return await ledger.submit("credit_client", payment, member=Member(home.retailer))

    for step in (admit, certify, supply, deposit):
        await at_once(homes, step, in_flight=in_flight)
