"""Time from a slot's boundary to its committed report: 500 meters, four nodes, TLS, a ledger.

The meters are a fleet on real Modbus/TCP in one process; nodes and ledger run in another process.
The nodes use mutual TLS. Market time is 90 times as fast as real time, so a slot lasts 10 s.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from chaincode.metering.reports import ReadingsRecorded
from commonwatt.bench.figure import Figure
from commonwatt.demonstration.cast import (
    AREA,
    CHANNEL,
    DSO,
    ORACLE,
    ORGANISATIONS,
    SLOT_S,
    Cast,
    found,
    make_cast,
)
from commonwatt.demonstration.simulation import START_S
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import Ledger, Member
from meter_oracle.drivers.sources import ModbusSource
from meter_oracle.node.assembly import NodeSetup, run_nodes, sources_of
from meter_oracle.peers.certificates import make_certificates
from meter_oracle.peers.ledger_gateway import LedgerGateway
from meter_oracle.settings import MarketSettings, TimingSettings
from meter_oracle.simulated.fleet import Fleet, MarketClock, SimulatedMeter

METERS = 500
RATE = 90
SLOTS = 4
AHEAD_S = 8  # real seconds before the first boundary, in which nodes connect to all meters
DEADLINE_S = 120.0
REACH_S = 5.0
FIRST_SLOT = START_S + SLOT_S
NS_PER_S = 1_000_000_000
POWER_W = 600
TIMING = TimingSettings(skew_ms=1_000, lead_ms=2_000, sweep_ms=2_000, patience_ms=1_500)


class ConstantCurve:
    """A curve on which every meter draws the same power all the time."""

    def registers(self, meter: str, market_ns: int) -> tuple[int, int]:
        """Return import and export, Wh; the import begins at a different number for each meter."""
        watt_ns = POWER_W * max(0, market_ns - START_S * NS_PER_S)
        return 1_000 * len(meter) + watt_ns // (3_600 * NS_PER_S), 0


def boundary() -> list[Figure]:
    """Measure the seconds from the boundary until the ledger holds the readings of all meters."""
    return asyncio.run(_boundary())


async def _boundary() -> list[Figure]:
    cast = make_cast(1, METERS)
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        ledger = EmbeddedLedger.open(
            Path(folder) / "ledger",
            contract=Contract(),
            channel=CHANNEL,
            members=[organisation.name for organisation in ORGANISATIONS],
        )
        async with ledger:
            still = ClockArguments(AREA, int(time.time()), FIRST_SLOT - SLOT_S, 1)
            await found(ledger, cast, first_slot=FIRST_SLOT, clock=still)
            seconds = await _measure(ledger, cast, Path(folder))
    value = statistics.median(seconds)
    return [
        Figure(
            name="boundary",
            value=value,
            unit="s",
            spread=(min(seconds), max(seconds)),
            against=f"{METERS} meters on Modbus, 4 nodes, report committed",
            reach=f"under {REACH_S:g} s",
            met=max(seconds) < REACH_S,
        )
    ]


async def _measure(ledger: Ledger, cast: Cast, folder: Path) -> list[float]:
    anchor_s = int(time.time()) + AHEAD_S
    market_s = FIRST_SLOT - RATE * AHEAD_S
    clock = MarketClock(anchor_s * NS_PER_S, market_s * NS_PER_S, RATE)
    rule = ClockArguments(AREA, anchor_s, market_s, RATE)
    await ledger.submit("set_clock", rule, member=Member(DSO, "admin"))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    names = [home.meter for home in cast.homes]
    fleet = context.Process(target=_serve_fleet, args=(names, clock, theirs), daemon=True)
    fleet.start()
    try:
        sources: list[ModbusSource] = await asyncio.to_thread(ours.recv)
        return await _report(ledger, cast, folder, clock, sources)
    finally:
        ours.send(None)
        await asyncio.to_thread(fleet.join, DEADLINE_S)


async def _report(
    ledger: Ledger, cast: Cast, folder: Path, clock: MarketClock, sources: Sequence[ModbusSource]
) -> list[float]:
    """Run four nodes until the first slots are reported; return the seconds that each slot took."""
    nodes = cast.oracle.nodes
    tls = make_certificates(folder / "tls", nodes)
    gateway = LedgerGateway(ledger, AREA, Member(ORACLE))
    market = MarketSettings(
        area=AREA,
        channel=ledger.channel,
        contract=ledger.contract,
        slot_s=SLOT_S,
        nodes=nodes,
        faulty_max=cast.oracle.faulty_max,
    )
    setups = [
        NodeSetup(
            key=key, tls=tls[did], meters=sources_of(sources), submitter=gateway, view=gateway
        )
        for did, key in zip(nodes, cast.oracle_keys, strict=True)
    ]
    running = asyncio.create_task(run_nodes(market, TIMING, setups, rule=clock))
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await _follow(ledger, clock)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _follow(ledger: Ledger, clock: MarketClock) -> list[float]:
    """Follow `SLOTS` reported slots, after a first one during which the nodes still connect."""
    counts: dict[int, int] = {}
    seconds: list[float] = []
    async for happened in ledger.events():
        for event in happened.events:
            if event.name != "readings_recorded":
                continue
            found = msgspec.json.decode(event.data, type=ReadingsRecorded)
            counts[found.boundary] = counts.get(found.boundary, 0) + found.recorded
            if counts[found.boundary] == METERS:
                ended_ns = clock.real_ns(found.boundary * NS_PER_S)
                seconds.append((time.time_ns() - ended_ns) / NS_PER_S)
        if len(seconds) > SLOTS:
            break
    return seconds[1:]


def _serve_fleet(
    names: Sequence[str], clock: MarketClock, pipe: multiprocessing.connection.Connection
) -> None:
    asyncio.run(_fleet(names, clock, pipe))


async def _fleet(
    names: Sequence[str], clock: MarketClock, pipe: multiprocessing.connection.Connection
) -> None:
    meters = [SimulatedMeter(meter=name, serial=f"bench-{name}") for name in names]
    fleet = Fleet(meters, ConstantCurve(), clock)
    await fleet.start()
    pipe.send(fleet.sources())
    await asyncio.to_thread(pipe.recv)
    await fleet.close()
