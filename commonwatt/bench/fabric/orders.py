"""Signed orders through `place_orders` on a Fabric network, committed.

Printed beside the bare verification rate of the machine: each sheet's signature is verified twice,
by two endorsers, so half of that rate is what a network of one machine could reach at best.
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

IN_FLIGHT = 8  # transactions; fewer leave a core idle while a block is cut, more only wait
TRADERS = 1_000
SLOTS = 12  # a round, in each of which every trader orders once
ROUNDS = 5
ORDERS_MIN = 2_500  # a second
BARE_CHECKS = 12_000
MESSAGE_BYTES = 420  # a one-order sheet has about that many bytes under its signature


def fabric_orders() -> list[Figure]:
    """One-order sheets, 500 a transaction, several in flight over four members' gateways."""
    return asyncio.run(_fabric_orders())


async def _fabric_orders() -> list[Figure]:
    rates: list[float] = []
    bare: list[float] = []
    verification = Verification()
    try:
        bare_rate(verification)  # processes started, key loaded
        async with fabric_market(TRADERS) as market:
            for number in range(ROUNDS + 1):
                tokens = await sheets(market, number)
                bare.append(await asyncio.to_thread(bare_rate, verification))
                began = time.perf_counter()
                await market.place(tokens, in_flight=IN_FLIGHT)
                rates.append(len(tokens) / (time.perf_counter() - began))
    finally:
        verification.close()
    measured = rates[1:]  # in the first round every endorser meets every key
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
    """One round's sheets, for the next slots of every trader; market time comes along."""
    first = market.first_slot + number * SLOTS * SLOT_S
    await market.set_time(first - SLOT_S)
    return [
        market.sheet(home, SheetOrder("o1", "buy", slot, [(100_000, 10)]))
        for slot in range(first, first + SLOTS * SLOT_S, SLOT_S)
        for home in range(len(market.cast.homes))
    ]


def bare_rate(verification: Verification) -> float:
    """Signatures a second that all cores verify while the network is idle."""
    key = PrivateKey.from_seed(bytes(32))
    message = bytes(MESSAGE_BYTES)
    check = SignatureCheck("Ed25519", key.public.raw, message, key.sign(message))
    began = time.perf_counter()
    if not all(verification.verify_many([check] * BARE_CHECKS)):
        raise RuntimeError("a signature of the bench does not hold")
    return BARE_CHECKS / (time.perf_counter() - began)
