"""Benches of the durable embedded ledger: signed orders, a full report."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

import msgspec

from chaincode.metering.reports import LEAVES_MAX, Leaf
from chaincode.orders.sheets import SheetOrder
from commonwatt.bench.contract.yardsticks import check_signatures
from commonwatt.bench.figure import Figure
from commonwatt.bench.market import BenchMarket, bench_market
from commonwatt.demonstration.cast import AREA, ORACLE, SLOT_S
from ledger_network.port import Member
from meter_oracle.agreement.report import make_report, sign_report

CORES = 2
ROUNDS = 5
ROUND_ORDERS = 12_000
TRADERS = 1_500
LEDGER_RATIO_MIN = 0.8


def ledger_orders() -> list[Figure]:
    """Compare signed one-order sheets in the ledger with verification alone on two cores."""
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        return asyncio.run(_ledger_orders())
    finally:
        os.sched_setaffinity(0, before)


async def _ledger_orders() -> list[Figure]:
    ratios: list[float] = []
    rates: list[float] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(CORES, mp_context=context) as pool:
        list(pool.map(check_signatures, [1] * CORES))  # warm up before anything is timed
        async with bench_market(TRADERS) as market:
            await market.place(_sheets(market, 0))  # loads every key, as the ledger does
            for number in range(1, ROUNDS + 1):
                tokens = _sheets(market, number)
                bare_before = await asyncio.to_thread(bare_rate, pool)
                began = time.perf_counter()
                await market.place(tokens)
                rate = len(tokens) / (time.perf_counter() - began)
                bare_after = await asyncio.to_thread(bare_rate, pool)
                ratios.append(rate / ((bare_before + bare_after) / 2))
                rates.append(rate)
    ratio = statistics.median(ratios)
    return [
        Figure(
            name="ledger-orders",
            value=ratio,
            unit="x",
            spread=(min(ratios), max(ratios)),
            against=f"bare verification on both cores; {statistics.median(rates):,.0f} orders a second",
            reach=f"at least {LEDGER_RATIO_MIN} x",
            met=ratio >= LEDGER_RATIO_MIN,
        )
    ]


def _sheets(market: BenchMarket, number: int) -> list[str]:
    """Return one round's sheets, for the next slots of every trader; set market time."""
    slots = ROUND_ORDERS // TRADERS
    first = market.first_slot + number * slots * SLOT_S
    market.clock.now_s = first - SLOT_S
    return [
        market.sheet(home, SheetOrder("o1", "buy", slot, [(100_000, 10)]))
        for slot in range(first, first + slots * SLOT_S, SLOT_S)
        for home in range(TRADERS)
    ]


def bare_rate(pool: ProcessPoolExecutor) -> float:
    """Return the signatures per second of two processes that only verify."""
    began = time.perf_counter()
    list(pool.map(check_signatures, [ROUND_ORDERS // CORES] * CORES))
    return ROUND_ORDERS / (time.perf_counter() - began)


def report() -> list[Figure]:
    """Measure a report of 1,000 meters: check signatures, root and plausibility, store readings."""
    return asyncio.run(_report())


async def _report() -> list[Figure]:
    milliseconds: list[float] = []
    async with bench_market(LEAVES_MAX) as market:
        leaves = [_leaf(market, home, market.first_slot) for home in range(LEAVES_MAX)]
        for _ in range(9):
            boundary = market.clock.now_s = leaves[0].boundary
            body, ordered = make_report(
                leaves,
                area=AREA,
                boundary=boundary,
                oracle=market.cast.oracle,
                channel=market.ledger.channel,
                contract=market.ledger.contract,
            )
            signed = sign_report(body, ordered, market.cast.oracle_keys)
            began = time.perf_counter()
            await market.ledger.submit(
                "record_readings",
                signed.arguments,
                member=Member(ORACLE),
                transient=signed.transient,
            )
            milliseconds.append((time.perf_counter() - began) * 1000)
            leaves = [_next_leaf(leaf) for leaf in leaves]
    value = statistics.median(milliseconds)
    return [
        Figure(
            name="report",
            value=value,
            unit="ms",
            spread=(min(milliseconds), max(milliseconds)),
            against=f"{LEAVES_MAX:,} meters checked and committed",
            reach="under 50 ms",
            met=value < 50,
        )
    ]


def _leaf(market: BenchMarket, home: int, boundary: int) -> Leaf:
    return Leaf(
        boundary=boundary,
        export_wh=0,
        import_wh=1_000_000,
        meter=market.cast.homes[home].meter,
        resolution_wh=1,
        salt=market.cast.draw.bytes32("bench salt", home).hex(),
    )


def _next_leaf(leaf: Leaf) -> Leaf:
    return msgspec.structs.replace(
        leaf, boundary=leaf.boundary + SLOT_S, import_wh=leaf.import_wh + 250
    )
