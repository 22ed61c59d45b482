"""A founded market on a Fabric network, for the benches that need traders.

The demonstration founds its market with one transaction after another, each of which takes the time
of a block; this module registers many households at a time. Transactions have real time, because
peers accept no other time; the area's clock sets market time.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import msgspec

from chaincode.area.clock import ClockArguments
from chaincode.documents.intake import BATCH_TOKENS_MAX
from chaincode.orders.sheets import SheetOrder, TokensArguments
from commonwatt.bench.contract.admission import admit_homes, at_once
from commonwatt.bench.fabric.network import bench_network, open_ledger
from commonwatt.bench.market import OPENS_S
from commonwatt.demonstration.bidding import sign_sheet
from commonwatt.demonstration.cast import (
    AREA,
    DSO,
    FOUNDING_S,
    RETAILERS,
    SLOT_S,
    Cast,
    found,
    make_cast,
)
from commonwatt.demonstration.simulation import START_S
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.operations.network import Network
from ledger_network.port import Member, Receipt

SENDERS = (DSO, "SouthGrid", *RETAILERS)
"""The members that may place orders, each through the gateway of its own peer."""
FOUNDING_IN_FLIGHT = 96


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
            await admit_homes(
                ledger,
                cast.homes,
                first_slot=first_slot,
                now_s=START_S,
                in_flight=FOUNDING_IN_FLIGHT,
            )

        await found(ledger, cast, first_slot=first_slot, clock=rule, admit=admit)
        market = FabricMarket(network, ledger, cast, first_slot)
        await market.set_time(START_S)
        yield market
