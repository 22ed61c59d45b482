"""Bench of the memory of the default network's processes, idle and under a load of orders.

The figure is the proportional set size: a process's own pages and its share of shared pages. It
includes all processes of the network's supervisor and the processes that these have started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from commonwatt.bench.fabric import orders as fabric_orders
from commonwatt.bench.fabric.market import fabric_market
from commonwatt.bench.fabric.network import bench_network
from commonwatt.bench.figure import Figure
from ledger_network.fabric.operations.network import Network
from ledger_network.fabric.runtime.processes import children_of, memory_bytes

TRADERS = 500
ROUNDS = 3
EVERY_S = 0.5
GIB = 2**30
IDLE_MAX_GIB, LOADED_MAX_GIB = 1.5, 3.0


def fabric_memory() -> list[Figure]:
    """Measure the memory of the whole network, idle after its founding and under load."""
    return asyncio.run(_fabric_memory())


async def _fabric_memory() -> list[Figure]:
    async with bench_network() as network:
        idle = held_bytes(network)
    loaded = [idle]
    async with fabric_market(TRADERS) as market:
        watch = asyncio.create_task(_watch(market.network, loaded))
        for number in range(ROUNDS):
            tokens = await fabric_orders.sheets(market, number)
            await market.place(tokens, in_flight=fabric_orders.IN_FLIGHT)
        watch.cancel()
    most = max(loaded, key=lambda held: sum(held.values()))
    return [
        _figure("fabric-memory-idle", idle, IDLE_MAX_GIB),
        _figure("fabric-memory-loaded", most, LOADED_MAX_GIB),
    ]


async def _watch(network: Network, seen: list[dict[str, int]]) -> None:
    while True:
        seen.append(await asyncio.to_thread(held_bytes, network))
        await asyncio.sleep(EVERY_S)


def held_bytes(network: Network) -> dict[str, int]:
    """Return the memory of each process with its children, by name."""
    processes = network.processes()
    if processes is None:
        raise RuntimeError("the network of the bench does not run")
    held = {
        one.name: sum(map(memory_bytes, (one.process.pid, *children_of(one.process.pid))))
        for one in processes.running
        if one.process is not None
    }
    return held | {"supervisor": memory_bytes(processes.supervisor.pid)}


def _figure(name: str, held: Mapping[str, int], limit_gib: float) -> Figure:
    value = sum(held.values()) / GIB
    kinds: dict[str, int] = {}
    for process, size_bytes in held.items():
        kind = process.partition("-")[0]
        kinds[kind] = kinds.get(kind, 0) + size_bytes
    parts = ", ".join(f"{kind}s {size / 2**20:,.0f} MiB" for kind, size in kinds.items())
    return Figure(
        name=name,
        value=value,
        unit="GiB",
        spread=(value, value),
        against=parts,
        reach=f"under {limit_gib} GiB",
        met=value < limit_gib,
    )
