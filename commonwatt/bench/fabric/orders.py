"""Bench of signed orders that are committed through `place_orders` on a Fabric network.

The result is printed beside the machine's rate of verification alone. Two endorsers verify each
sheet's signature, so a network on one machine can reach at most half of that rate.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from chaincode.orders.sheets import SheetOrder
from commonwatt.bench.fabric.market import FabricMarket, fabric_market
from commonwatt.bench.figure import Figure
from commonwatt.bench.ledger import CORES, bare_rate
from commonwatt.demonstration.cast import SLOT_S

IN_FLIGHT = 8  # with fewer transactions a core is idle while a block is cut; more would only wait
TRADERS = 1_000
SLOTS = 12  # per round; every trader places one order in each
ROUNDS = 5
RATIO_MIN = 0.2


def fabric_orders() -> list[Figure]:
    """Measure one-order sheets, 500 per transaction, several in flight over four gateways."""
    return asyncio.run(_fabric_orders())


async def _fabric_orders() -> list[Figure]:
    rates: list[float] = []
    bare: list[float] = []
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        bare_rate(pool)  # warm up: processes start and load the key
        async with fabric_market(TRADERS) as market:
            for number in range(ROUNDS + 1):
                tokens = await sheets(market, number)
                bare.append(await asyncio.to_thread(bare_rate, pool))
                began = time.perf_counter()
                await market.place(tokens, in_flight=IN_FLIGHT)
                rates.append(len(tokens) / (time.perf_counter() - began))
    measured = rates[1:]  # warm up: in the first round every endorser loads every key
    verified = statistics.median(bare)
    ratios = [rate / verified for rate in measured]
    ratio = statistics.median(ratios)
    return [
        Figure(
            name="fabric-orders",
            value=ratio,
            unit="x",
            spread=(min(ratios), max(ratios)),
            against=(
                f"bare verification on {CORES} cores; {statistics.median(measured):,.0f} orders a "
                f"second, {IN_FLIGHT} transactions in flight"
            ),
            reach=f"at least {RATIO_MIN} x",
            met=ratio >= RATIO_MIN,
        )
    ]


async def sheets(market: FabricMarket, number: int) -> list[str]:
    """Return one round's sheets, for the next slots of every trader; set market time."""
    first = market.first_slot + number * SLOTS * SLOT_S
    await market.set_time(first - SLOT_S)
    return [
        market.sheet(home, SheetOrder("o1", "buy", slot, [(100_000, 10)]))
        for slot in range(first, first + SLOTS * SLOT_S, SLOT_S)
        for home in range(len(market.cast.homes))
    ]
