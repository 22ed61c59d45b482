"""Benches of single steps on a Fabric network that is otherwise idle.

`fabric-up` measures from built programs in new folders to the first committed order.
`fabric-latency` measures one order from submit to receipt, which is given when the member's own
peer has committed the order. `fabric-events` measures from a receipt at one member to the event at
another member, each with its own peer, and from the block at the second peer to the event.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

from chaincode.area.clock import ClockArguments
from chaincode.orders.sheets import SheetOrder
from commonwatt.bench.contract.admission import at_once
from commonwatt.bench.fabric.market import FabricMarket, fabric_market
from commonwatt.bench.fabric.network import made_network, open_ledger, profiles, unheard
from commonwatt.bench.figure import Figure
from commonwatt.demonstration.cast import AREA, RETAILERS, SLOT_S, found, make_cast
from commonwatt.demonstration.simulation import START_S
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.operations.network import Network
from ledger_network.port import Member, Position, Receipt

UP_RUNS = 3
UP_MAX_S = 12
TRADERS = 20
SLOTS = 12  # times the traders, this makes 240 orders; the first ones are not counted
WARM_ORDERS = 20
P50_OVER_CUT_MS, P99_OVER_CUT_MS = 50, 200
EVENT_MAX_MS = 100
EVENTS_IN_FLIGHT = 4
WATCH_MAX_S = 300
NO_INDEX = 2**31  # greater than the number of any transaction in a block


def fabric_up() -> list[Figure]:
    """Measure the time from built programs to the first committed order, in new folders."""
    return asyncio.run(_fabric_up())


async def _fabric_up() -> list[Figure]:
    seconds: list[float] = []
    network_s: list[float] = []
    for _ in range(UP_RUNS):
        async with made_network() as network:
            began = time.perf_counter()
            await network.up(unheard)
            network_s.append(time.perf_counter() - began)
            async with await open_ledger(network) as ledger:
                cast = make_cast(1, 1)
                first_slot = START_S + SLOT_S
                rule = ClockArguments(AREA, int(time.time()), START_S, 1)
                await found(ledger, cast, first_slot=first_slot, clock=rule)
                market = FabricMarket(network, ledger, cast, first_slot)
                await _place(market, 0, first_slot)
                seconds.append(time.perf_counter() - began)
    value = statistics.median(seconds)
    return [
        Figure(
            name="fabric-up",
            value=value,
            unit="s",
            spread=(min(seconds), max(seconds)),
            against=(
                f"{statistics.median(network_s):.1f} s until the network is up, then the founding "
                "of the market, one transaction after the other, and an order"
            ),
            reach=f"under {UP_MAX_S} s",
            met=value < UP_MAX_S,
        )
    ]


def fabric_latency() -> list[Figure]:
    """Measure the time from submit to receipt, with one order at a time."""
    return asyncio.run(_fabric_latency())


async def _fabric_latency() -> list[Figure]:
    milliseconds: list[float] = []
    async with fabric_market(TRADERS) as market:
        cut_ms = market.network.consortium.limits.cut_interval_ms
        for home, slot in _turns(market):
            began = time.perf_counter()
            await _place(market, home, slot)
            milliseconds.append((time.perf_counter() - began) * 1000)
    measured = milliseconds[WARM_ORDERS:]
    return [
        _percentile("fabric-latency-p50", measured, 50, cut_ms, P50_OVER_CUT_MS),
        _percentile("fabric-latency-p99", measured, 99, cut_ms, P99_OVER_CUT_MS),
    ]


def _percentile(
    name: str, milliseconds: Sequence[float], percent: int, cut_ms: int, over_ms: int
) -> Figure:
    value = percentile(milliseconds, percent)
    return Figure(
        name=name,
        value=value,
        unit="ms",
        spread=(min(milliseconds), max(milliseconds)),
        against=f"a cut interval of {cut_ms} ms; {len(milliseconds)} orders, one at a time",
        reach=f"under {cut_ms + over_ms} ms",
        met=value < cut_ms + over_ms,
    )


def fabric_events() -> list[Figure]:
    """Measure the time from a receipt to the event of the same transaction."""
    return asyncio.run(_fabric_events())


async def _fabric_events() -> list[Figure]:
    async with fabric_market(TRADERS) as market:
        given, committed, told = await _watched(market)
    after_receipt = [(told[one] - given[one]) * 1000 for one in given]
    after_block = [(told[one] - committed[one]) * 1000 for one in given]
    value = percentile(after_receipt, 99)
    return [
        Figure(
            name="fabric-events",
            value=value,
            unit="ms",
            spread=(min(after_receipt), max(after_receipt)),
            against=(
                f"{len(given)} receipts at the peer of {RETAILERS[0]}, events of another's; p99 "
                f"{percentile(after_block, 99):.1f} ms after that peer has shown the block"
            ),
            reach=f"p99 under {EVENT_MAX_MS} ms",
            met=value < EVENT_MAX_MS,
        )
    ]


async def _watched(
    market: FabricMarket,
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return the times of receipt, filtered block and event of each transaction.

    Filtered block and event come from the same peer, over two streams.
    """
    given: dict[str, float] = {}
    committed: dict[str, float] = {}
    told: dict[str, float] = {}
    turns = list(_turns(market))
    height = (await market.ledger.health()).height

    async def place(turn: tuple[int, int]) -> Receipt:
        receipt = await _place(market, *turn)
        given[receipt.transaction] = time.perf_counter()
        return receipt

    async def watch_events() -> None:
        after = Position(height - 1, NO_INDEX)
        async for happened in market.ledger.events(after=after):
            told[happened.transaction] = time.perf_counter()
            if len(told) == len(turns):
                return

    async def watch_blocks() -> None:
        async with observer(market.network) as gateway:
            endpoint = gateway.endpoints[0]
            async for block in gateway.filtered_blocks(start=height, endpoint=endpoint):
                now = time.perf_counter()
                committed.update((found.id, now) for found in block.transactions)
                if len(committed) == len(turns):
                    return

    async with asyncio.timeout(WATCH_MAX_S), asyncio.TaskGroup() as group:
        group.create_task(watch_events())
        group.create_task(watch_blocks())
        group.create_task(at_once(turns, place, in_flight=EVENTS_IN_FLIGHT))
    return given, committed, told


def observer(network: Network) -> Gateway:
    """Return a client of the member from whose peer a ledger reads its events."""
    first = profiles(network)[0]
    return Gateway(first.identity("client"), first.endpoints, channel=first.channel)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that `percent` of the values do not exceed."""
    return sorted(values)[-(-len(values) * percent // 100) - 1]


def _turns(market: FabricMarket) -> list[tuple[int, int]]:
    """Return household and slot of each order; a household's orders are far apart."""
    slots = range(market.first_slot, market.first_slot + SLOTS * SLOT_S, SLOT_S)
    return [(home, slot) for slot in slots for home in range(TRADERS)]


async def _place(market: FabricMarket, home: int, slot: int) -> Receipt:
    """Place one order of a household."""
    token = market.sheet(home, SheetOrder("o1", "buy", slot, [(100_000, 10)]))
    return await market.place_batch([token], Member(RETAILERS[0]))
