"""Bench of signed orders that are committed through `place_orders` on a Fabric network.

The result is printed beside the machine's rate of verification alone. Two endorsers verify each
sheet's signature, so a network on one machine can reach at most half of that rate.
"""

from __future__ import annotations

import asyncio
import statistics
import time

from chaincode.orders.sheets import SheetOrder
from commonwatt.bench.fabric.market import FabricMarket, fabric_market
from commonwatt.bench.figure import Figure
from commonwatt.demonstration.cast import SLOT_S
from identity.keys import PrivateKey, SignatureCheck
from identity.verification import Verification

IN_FLIGHT = 8  # with fewer transactions a core is idle while a block is cut; more would only wait
TRADERS = 1_000
SLOTS = 12  # per round; every trader places one order in each
ROUNDS = 5
ORDERS_MIN = 2_500  # per second
BARE_CHECKS = 12_000
MESSAGE_BYTES = 420  # signed bytes of a one-order sheet, about


def fabric_orders() -> list[Figure]:
    """Measure one-order sheets, 500 per transaction, several in flight over four gateways."""
    return asyncio.run(_fabric_orders())


async def _fabric_orders() -> list[Figure]:
    rates: list[float] = []
    bare: list[float] = []
    verification = Verification()
    try:
        bare_rate(verification)  # warm up: processes start and load the key
        async with fabric_market(TRADERS) as market:
            for number in range(ROUNDS + 1):
                tokens = await sheets(market, number)
                bare.append(await asyncio.to_thread(bare_rate, verification))
                began = time.perf_counter()
                await market.place(tokens, in_flight=IN_FLIGHT)
                rates.append(len(tokens) / (time.perf_counter() - began))
    finally:
        verification.close()
    measured = rates[1:]  # warm up: in the first round every endorser loads every key
    value = statistics.median(measured)
    verified = statistics.median(bare)
    return [
        Figure(
            name="fabric-orders",
            value=value,
            unit="orders/s",
            spread=(min(measured), max(measured)),
            against=(
                f"{verified:,.0f} bare verifications a second on all cores, {value / verified:.2f} "
                f"of them orders; {IN_FLIGHT} transactions in flight"
            ),
            reach=f"at least {ORDERS_MIN:,} orders/s",
            met=value >= ORDERS_MIN,
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


def bare_rate(verification: Verification) -> float:
    """Return the signatures per second that all cores verify while the network is idle."""
    key = PrivateKey.from_seed(bytes(32))
    message = bytes(MESSAGE_BYTES)
    check = SignatureCheck("Ed25519", key.public.raw, message, key.sign(message))
    began = time.perf_counter()
    if not all(verification.verify_many([check] * BARE_CHECKS)):
        raise RuntimeError("a signature of the bench does not hold")
    return BARE_CHECKS / (time.perf_counter() - began)
