"""Compares our Python shim with Fabric's Go shim, by the same chaincode on both, on one network.

The twins run in turn. Each twin is one process that serves every peer, under its own definition
with the same policy. Evaluated calls go to one peer only, so the processor time of a twin is the
time of its calls.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from commonwatt.bench.fabric import shim_twin
from commonwatt.bench.fabric.network import made_network, profiles, unheard
from commonwatt.bench.figure import Figure
from ledger_network.fabric.binaries.install import find_go
from ledger_network.fabric.consortium.definition import Node, Site
from ledger_network.fabric.consortium.node_settings import contract_environment
from ledger_network.fabric.consortium.package import contract_package, package_id
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.operations.contract_rollout import definition
from ledger_network.fabric.operations.network import Network
from ledger_network.fabric.runtime.probe import listens, until

ROWS = 500
IN_FLIGHT = 32
ROUNDS = 5
EVALUATIONS, PUTS = 200, 200  # calls of each twin in a round
EVALUATED_MIN, PUT_MIN = 0.5, 0.9
READY_S = 60.0
STOP_S = 10.0
GO_SOURCES = Path(__file__).parent / "go_chaincode"
PORTS_BEYOND = {"python": 2, "go": 4}  # an unused port within the block of the first peer


class Twin(NamedTuple):
    """One of the two twins, with the name of its definition and its process."""

    name: str
    pid: int


class Round(NamedTuple):
    """The result of one round of a twin: calls per second, processor seconds per call."""

    rate: float
    cpu_s: float


def fabric_shim() -> list[Figure]:
    """Measure calls of 500 gets and 500 puts, evaluated with 32 in flight, and submitted puts."""
    return asyncio.run(_fabric_shim())


async def _fabric_shim() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        program = Path(folder) / "twin"
        await asyncio.to_thread(_build, program)
        async with AsyncExitStack() as held:
            network = await held.enter_async_context(made_network(contract_command=()))
            await network.up(unheard)
            ours = await held.enter_async_context(
                _twin(network, "python", [sys.executable, "-m", shim_twin.__name__])
            )
            theirs = await held.enter_async_context(_twin(network, "go", [str(program)]))
            first = profiles(network)[0]
            gateway = await held.enter_async_context(
                Gateway(
                    first.identity("client"),
                    first.endpoints,
                    channel=first.channel,
                    prefer_first=True,
                )
            )
            for twin in (ours, theirs):
                await _ready(gateway, twin)
            evaluated = await _in_turn(ours, theirs, lambda twin: _evaluate(gateway, twin))
            submitted = await _in_turn(ours, theirs, lambda twin: _submit(gateway, twin))
    return _figures(evaluated, submitted)


def _build(program: Path) -> None:
    """Build the Go twin as a static program, with the installed toolchain."""
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"]
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOWORK="off")
    subprocess.run(
        [find_go(), "build", *flags, "-o", program, "."],
        check=True,
        cwd=GO_SOURCES,
        env=environment,
    )


@asynccontextmanager
async def _twin(network: Network, name: str, command: Sequence[str]) -> AsyncGenerator[Twin]:
    """Yield a running twin that is installed on every peer and approved by all members."""
    consortium, placement = network.consortium, network.placement
    peer = consortium.nodes("peer")[0]
    site = Site(peer.site.port + PORTS_BEYOND[name], peer.site.host)
    node = Node("contract", peer.organisation, peer.index, site)
    content = contract_package(name, peer, node, placement)
    package = package_id(name, content)
    environment = contract_environment(node, placement, package, placement.folder.config(node))
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        await until(name, lambda: listens(site.host, node.port), within_s=READY_S)
        async with network.rollout() as rollout:
            peers = [one.name for one in consortium.nodes("peer")]
            await rollout.install(dict.fromkeys(peers, content))
            agreed = definition(consortium, name, version="1", sequence=1)
            await rollout.agree(agreed, dict.fromkeys(peers, package))
        yield Twin(name, process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(gateway: Gateway, twin: Twin) -> None:
    """Write the rows that will be read, as soon as enough peers know each other."""

    async def missing() -> str:
        try:
            await gateway.submit(twin.name, _touch(twin))
        except GatewayError as error:
            return str(error)
        return ""

    await until(twin.name, missing, within_s=READY_S)


async def _in_turn(
    ours: Twin, theirs: Twin, run: Callable[[Twin], Awaitable[Round]]
) -> list[tuple[Round, Round]]:
    """Run rounds of both twins in turn; the first pair only warms up."""
    pairs = [(await run(ours), await run(theirs)) for _ in range(ROUNDS + 1)]
    return pairs[1:]


async def _evaluate(gateway: Gateway, twin: Twin) -> Round:
    peer = gateway.endpoints[0]

    async def call(_: int) -> None:
        await gateway.evaluate(twin.name, _touch(twin), organisations=[peer.msp_id], endpoint=peer)

    return await _timed(twin, call, EVALUATIONS)


async def _submit(gateway: Gateway, twin: Twin) -> Round:
    round_s = time.time()

    async def call(number: int) -> None:
        key = f"put/{round_s}/{number}"
        await gateway.submit(twin.name, [b"put", b"1", key.encode()])

    return await _timed(twin, call, PUTS)


async def _timed(twin: Twin, call: Callable[[int], Awaitable[None]], calls: int) -> Round:
    """Make a number of calls, 32 in flight."""
    room = asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int) -> None:
        async with room:
            await call(number)

    used_s, began = _cpu_s(twin.pid), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            group.create_task(one(number))
    seconds = time.perf_counter() - began
    return Round(calls / seconds, (_cpu_s(twin.pid) - used_s) / calls)


def _touch(twin: Twin) -> list[bytes]:
    return [b"touch", str(ROWS).encode(), twin.name.encode()]


def _cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used so far."""
    text = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    fields = text.rpartition(")")[
        2
    ].split()  # the name of a process may contain blanks and brackets
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _figures(
    evaluated: Sequence[tuple[Round, Round]], submitted: Sequence[tuple[Round, Round]]
) -> list[Figure]:
    ours_s = statistics.median(ours.cpu_s for ours, _ in evaluated)
    theirs_s = statistics.median(theirs.cpu_s for _, theirs in evaluated)
    told = f"{ROWS} gets and {ROWS} puts evaluated, {IN_FLIGHT} in flight"
    return [
        _figure(
            "fabric-shim-rate",
            [ours.rate / theirs.rate for ours, theirs in evaluated],
            f"Fabric's Go shim: {told}, {_rates(evaluated)}",
            EVALUATED_MIN,
        ),
        _figure(
            "fabric-shim-cpu",
            [theirs.cpu_s / ours.cpu_s for ours, theirs in evaluated],
            f"Fabric's Go shim, its time over ours: {told}, {ours_s * 1000:.2f} ms and "
            f"{theirs_s * 1000:.2f} ms of the chaincode's process a call",
            EVALUATED_MIN,
        ),
        _figure(
            "fabric-shim-put",
            [ours.rate / theirs.rate for ours, theirs in submitted],
            f"Fabric's Go shim: single puts submitted, {_rates(submitted)}",
            PUT_MIN,
        ),
    ]


def _rates(pairs: Sequence[tuple[Round, Round]]) -> str:
    ours = statistics.median(ours.rate for ours, _ in pairs)
    theirs = statistics.median(theirs.rate for _, theirs in pairs)
    return f"{ours:,.0f} and {theirs:,.0f} a second"


def _figure(name: str, ratios: Sequence[float], against: str, reach_min: float) -> Figure:
    value = statistics.median(ratios)
    return Figure(
        name=name,
        value=value,
        unit="x",
        spread=(min(ratios), max(ratios)),
        against=against,
        reach=f"at least {reach_min} x",
        met=value >= reach_min,
    )
