"""Bench of the meters per second that one node reads with our driver, and with pymodbus alone.

500 simulated meters run in another process. Both sides have one connection per meter, read the same
registers, and read all meters at once. Our driver also checks and scales the values and notes their
time.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from pymodbus.client import AsyncModbusTcpClient

from commonwatt.bench.figure import Figure
from meter_oracle.drivers.modbus.link import ModbusLink
from meter_oracle.drivers.modbus.sunspec import discover
from meter_oracle.drivers.opening import open_driver
from meter_oracle.drivers.sources import ModbusSource, SourcesFile

METERS = 500
UNITS = 50  # meters per port
READS = 6  # reads of each meter in a round
PAIRS = 5
REACH = 0.8
DEADLINE_S = 20.0  # all meters are read at once, so the last answer waits for all others
_SIMULATE = "from commonwatt.commands.meter.group import app; app()"


class Round(NamedTuple):
    """The result of one round: reads per second, and microseconds of processor time per read."""

    rate: float
    cpu_us: float


def poll() -> list[Figure]:
    """Measure the Modbus reads per second of both sides, in turn."""
    command = [sys.executable, "-c", _SIMULATE, "simulate", "--meters", str(METERS)]
    command += ["--port", "0", "--units", str(UNITS), "--orders", "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as fleet:
        if fleet.stdin is None or fleet.stdout is None:
            raise RuntimeError("the fleet has no pipes")
        listed = msgspec.json.decode(fleet.stdout.readline(), type=SourcesFile).meters
        sources = [source for source in listed if isinstance(source, ModbusSource)]
        pairs = asyncio.run(_poll(sources))
        fleet.stdin.close()  # the fleet ends when its input is closed
    ratios = [ours.rate / bare.rate for ours, bare in pairs]
    ratio = statistics.median(ratios)
    ours, bare = (
        Round(statistics.median(x.rate for x in side), statistics.median(x.cpu_us for x in side))
        for side in zip(*pairs, strict=True)
    )
    return [
        Figure(
            name="poll",
            value=ratio,
            unit="of pymodbus's rate",
            spread=(min(ratios), max(ratios)),
            against=f"{ours.rate:,.0f} reads/s of {METERS} meters and {ours.cpu_us:.0f} us of "
            f"processor a read; pymodbus alone {bare.rate:,.0f} and {bare.cpu_us:.0f} us",
            reach=f"at least {REACH}",
            met=ratio >= REACH,
        )
    ]


async def _poll(sources: Sequence[ModbusSource]) -> list[tuple[Round, Round]]:
    patient = [
        msgspec.structs.replace(each, late_s=DEADLINE_S, deadline_s=DEADLINE_S) for each in sources
    ]
    drivers = [open_driver(source) for source in patient]
    bare = [await _bare(source) for source in patient]

    async def read_ours(number: int) -> None:
        for _ in range(READS):
            await drivers[number].read()

    async def read_bare(number: int) -> None:
        client, address, count, unit = bare[number]
        for _ in range(READS):
            answer = await client.read_holding_registers(address, count=count, device_id=unit)
            if answer.isError():
                raise RuntimeError(f"pymodbus got {answer}")

    async def rate(read: Sequence[int], *, ours: bool) -> Round:
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        await asyncio.gather(*((read_ours if ours else read_bare)(number) for number in read))
        reads = len(read) * READS
        return Round(
            reads / (time.perf_counter() - began_s),
            (time.process_time() - began_cpu_s) / reads * 1e6,
        )

    everyone = range(len(patient))
    try:
        await rate(everyone, ours=True)  # warm up: connect, and identify the devices
        await rate(everyone, ours=False)
        return [
            (await rate(everyone, ours=True), await rate(everyone, ours=False))
            for _ in range(PAIRS)
        ]
    finally:
        for driver in drivers:
            await driver.close()
        for client, *_ in bare:
            client.close()


async def _bare(source: ModbusSource) -> tuple[AsyncModbusTcpClient, int, int, int]:
    """Return a client of pymodbus, and the registers that our driver reads from the meter."""
    link = ModbusLink(source.host, source.port, source.unit)
    await link.connect()
    found = (await discover(link)).energy()
    link.drop()
    if found is None:
        raise RuntimeError(f"{source.meter} counts nothing")
    model, family = found
    client = AsyncModbusTcpClient(source.host, port=source.port, timeout=DEADLINE_S)
    await client.connect()
    return client, model.address + family.first, family.registers, source.unit
