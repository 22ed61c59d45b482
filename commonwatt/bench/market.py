"""A large market on a durable embedded ledger, for the benches that need one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import structs

from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from chaincode.documents.intake import BATCH_STEPS_MAX, BATCH_TOKENS_MAX
from chaincode.orders.sheets import SheetOrder, TokensArguments
from commonwatt.bench.contract.admission import admit_homes
from commonwatt.demonstration.bidding import sign_sheet
from commonwatt.demonstration.cast import (
    AREA,
    CHANNEL,
    ORGANISATIONS,
    RETAILERS,
    SLOT_S,
    Cast,
    found,
    make_cast,
)
from commonwatt.demonstration.simulation import START_S, VirtualClock
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import Member

OPENS_S = 86_400  # orders are placed in many slots at once
IN_FLIGHT = 6  # batches submitted at once; more would only wait for the cores
FOUNDING_IN_FLIGHT = 64  # small transactions, which share blocks


class BenchMarket(msgspec.Struct):
    """An open ledger, its cast and its clock."""

    ledger: EmbeddedLedger
    cast: Cast
    clock: VirtualClock
    first_slot: int
    folder: Path

    def sheet(self, home: int, order: SheetOrder) -> str:
        """Return a signed one-order sheet of a household by its number."""
        return self.sheet_of(home, [order])

    def sheet_of(self, home: int, orders: list[SheetOrder]) -> str:
        """Return a signed sheet of a household by its number."""
        return sign_sheet(self.cast.homes[home], orders, channel=CHANNEL, contract=Contract.name)

    async def place(self, tokens: Sequence[str], *, steps_each: int = 1) -> None:
        """Place sheets in batches, several in flight; raise unless all are placed."""
        size = min(BATCH_TOKENS_MAX, BATCH_STEPS_MAX // steps_each)
        room = asyncio.Semaphore(IN_FLIGHT)

        async def send(batch: list[str]) -> None:
            async with room:
                receipt = await self.ledger.submit(
                    "place_orders", TokensArguments(batch), member=Member(RETAILERS[0])
                )
            if receipt.result.count(b'"PLACED"') != len(batch):
                raise RuntimeError("the ledger did not take every sheet of the bench")

        starts = range(0, len(tokens), size)
        await asyncio.gather(*(send(list(tokens[at : at + size])) for at in starts))


@asynccontextmanager
async def bench_market(
    households: int, *, cast: Cast | None = None, contract: Contract | None = None
) -> AsyncGenerator[BenchMarket]:
    """Yield a founded market of `households` in a folder that is removed at the end.

    `cast` replaces the households that are drawn, `contract` the plain contract.
    """
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as parent:
        folder = Path(parent) / "ledger"
        clock = VirtualClock(START_S)
        cast = cast or structs.replace(make_cast(1, households), opens_s=OPENS_S)
        ledger = EmbeddedLedger.open(
            folder,
            contract=contract or Contract(),
            channel=CHANNEL,
            members=[organisation.name for organisation in ORGANISATIONS],
            clock=clock,
        )
        async with ledger:
            first_slot = START_S + SLOT_S
            rule = ClockArguments(AREA, START_S, START_S, 1)

            async def admit() -> None:
                await admit_homes(
                    ledger,
                    cast.homes,
                    first_slot=first_slot,
                    now_s=START_S,
                    in_flight=FOUNDING_IN_FLIGHT,
                )

            await found(ledger, cast, first_slot=first_slot, clock=rule, admit=admit)
            yield BenchMarket(ledger, cast, clock, first_slot, folder)
