"""A founded market on a Fabric network, for the benches that need traders.

The demonstration founds its market with one transaction after another, each of which takes the time
of a block; this module registers many households at a time. Transactions have real time, because
peers accept no other time; the area's clock sets market time.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from chaincode.accounts.payments import PaymentArguments
from chaincode.area.clock import ClockArguments
from chaincode.area.joining import ParticipantArguments
from chaincode.documents.intake import BATCH_TOKENS_MAX
from chaincode.orders.sheets import SheetOrder, TokensArguments
from commonwatt.bench.fabric.network import bench_network, open_ledger
from commonwatt.bench.market import OPENS_S
from commonwatt.demonstration.bidding import sign_sheet
from commonwatt.demonstration.cast import (
    AREA,
    DEPOSIT_NANO,
    DSO,
    FOUNDING_S,
    RETAILERS,
    SLOT_S,
    Cast,
    Home,
    Signing,
    certified_meter,
    found,
    make_cast,
    supply_of,
)
from commonwatt.demonstration.simulation import START_S
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.operations.network import Network
from ledger_network.port import Member, Receipt

SENDERS = (DSO, "SouthGrid", *RETAILERS)
"""The members that may place orders, each through the gateway of its own peer."""
FOUNDING_IN_FLIGHT = 96

T = TypeVar("T")


class FabricMarket(msgspec.Struct):
    """An open ledger on a network, and its cast."""

    network: Network
    ledger: FabricLedger
    cast: Cast
    first_slot: int

    def sheet(self, home: int, order: SheetOrder) -> str:
        """Return a signed one-order sheet of a household by its number."""
        return sign_sheet(
            self.cast.homes[home],
            [order],
            channel=self.ledger.channel,
            contract=self.ledger.contract,
        )

    async def place(self, tokens: Sequence[str], *, in_flight: int) -> list[Receipt]:
        """Place sheets, 500 per transaction, by all senders; raise unless all are placed."""
        members = itertools.cycle(SENDERS)
        batches = [
            (list(tokens[at : at + BATCH_TOKENS_MAX]), Member(next(members)))
            for at in range(0, len(tokens), BATCH_TOKENS_MAX)
        ]
        return await at_once(batches, lambda batch: self.place_batch(*batch), in_flight=in_flight)

    async def place_batch(self, tokens: list[str], member: Member) -> Receipt:
        """Place the sheets of one transaction; raise unless all are placed."""
        receipt = await self.ledger.submit("place_orders", TokensArguments(tokens), member=member)
        if receipt.result.count(b'"PLACED"') != len(tokens):
            raise RuntimeError(f"not every sheet was taken: {receipt.result[:300]!r}")
        return receipt

    async def set_time(self, market_s: int) -> None:
        """Set market time to `market_s`."""
        rule = ClockArguments(AREA, int(time.time()), market_s, 1)
        await self.ledger.submit("set_clock", rule, member=Member(DSO, "admin"))


@asynccontextmanager
async def fabric_market(households: int) -> AsyncGenerator[FabricMarket]:
    """Yield a founded market of `households` households on its own network."""
    async with bench_network() as network, await open_ledger(network) as ledger:
        cast = msgspec.structs.replace(make_cast(1, households), opens_s=OPENS_S)
        first_slot = START_S + SLOT_S
        unopened_s = first_slot - OPENS_S - FOUNDING_S
        rule = ClockArguments(AREA, int(time.time()), unopened_s, 1)

        async def admit() -> None:
            await _register(ledger, cast.homes, first_slot)

        await found(ledger, cast, first_slot=first_slot, clock=rule, admit=admit)
        market = FabricMarket(network, ledger, cast, first_slot)
        await market.set_time(START_S)
        yield market


async def at_once(
    items: Iterable[T], act: Callable[[T], Awaitable[Receipt]], *, in_flight: int
) -> list[Receipt]:
    """Call `act` with every item, several at a time; the first exception ends all calls."""
    room = asyncio.Semaphore(in_flight)

    async def one(item: T) -> Receipt:
        async with room:
            return await act(item)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


async def _register(ledger: FabricLedger, homes: Sequence[Home], first_slot: int) -> None:
    """Admit every household, then its meter, its supply and its deposit."""
    sign = Signing(ledger.channel, ledger.contract, now_s=START_S)

    async def admit(home: Home) -> Receipt:
        arguments = ParticipantArguments(sign.join(home))
        return await ledger.submit("register_participant", arguments, member=Member(home.retailer))

    async def certify(home: Home) -> Receipt:
        return await ledger.submit(
            "register_certified_meter",
            certified_meter(home, first_slot, sign.hold(home)),
            member=Member(DSO, "admin"),
        )

    async def supply(home: Home) -> Receipt:
        signed = supply_of(home, first_slot, channel=ledger.channel, contract=ledger.contract)
        return await ledger.submit("accept_supply", signed, member=Member(home.retailer))

    async def deposit(home: Home) -> Receipt:
        payment = PaymentArguments(AREA, home.did, DEPOSIT_NANO, f"deposit-{home.number}-0")
        return await ledger.submit("credit_client", payment, member=Member(home.retailer))

    for step in (admit, certify, supply, deposit):
        await at_once(homes, step, in_flight=FOUNDING_IN_FLIGHT)
