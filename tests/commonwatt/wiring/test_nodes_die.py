"""Oracle nodes in processes of their own, as operators run them: one is killed, the rest report.

`commonwatt up` keeps its four nodes in one process, with the meters, so there none can be killed by
itself. Here each is a `commonwatt oracle run`; the meters answer Modbus/TCP, the ledger and its TLS
gateways are real. Last, that one process of `up` is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from chaincode.contract import Contract
from chaincode.documents.document import TOKEN_BYTES_MAX
from chaincode.metering.reports import REPORT_TYP, Report, ReportArguments
from commonwatt.demonstration.cast import AREA, CHANNEL, ORACLE, ORGANISATIONS, SLOT_S, Cast, found
from commonwatt.demonstration.market_plan import MarketPlan
from commonwatt.demonstration.meter_process import timing
from commonwatt.demonstration.simulation import START_S
from identity.did import did_key
from identity.jws import verify_compact
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.embedded.recovery.verify import verify
from ledger_network.port import Ledger, Member
from meter_oracle.drivers.sources import MeterSource
from meter_oracle.peers.certificates import make_certificates
from meter_oracle.peers.ledger_gateway import (
    LEDGER_NAME,
    LEDGER_UNAVAILABLE,
    LedgerGateway,
    LedgerGatewayServer,
    SignedReport,
)
from meter_oracle.peers.transport import TlsFiles
from meter_oracle.settings import (
    ClockSettings,
    LedgerSettings,
    MarketSettings,
    NodeSettings,
    PeerSettings,
)
from tests.commonwatt.wiring.running_market import SLOT_LINE, market, slots_of, stop

HOUSEHOLDS = 4
RATE = 450  # a slot in two seconds
BEGIN_S = 3  # until market time runs, for nodes take that long to start
DEADLINE_S = 120
LOCAL = "127.0.0.1"

Submit = Callable[[], Awaitable[str]]
Way = Callable[[str, int, Submit], Awaitable[str]]
"""Told which node submits which slot; carries the submit out or not, and says what it came to."""


class Reported(NamedTuple):
    """A report on the ledger: its boundary, how many meters are in it, who signed it."""

    boundary: int
    meters: int
    signers: frozenset[str]


class NodeGateway(LedgerGateway):
    """The ledger gateway of one node."""

    def __init__(self, ledger: Ledger, node: str, way: Way) -> None:
        super().__init__(ledger, AREA, Member(ORACLE))
        self._node = node
        self._way = way

    async def submit(self, report: SignedReport) -> str:
        """As `Submitter` has it."""
        submit = super().submit
        slot = report_of(report.arguments).boundary
        return await self._way(self._node, slot, lambda: submit(report))


class Oracle:
    """Nodes, each in a process of its own, and the reports of theirs that the ledger has."""

    def __init__(self, ledger: Ledger, files: Mapping[str, Path]) -> None:
        self.reports: list[Reported] = []
        self.nodes = frozenset(files)
        self._events = ledger.events()
        self._files = files
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, *nodes: str) -> None:
        """Start nodes; they read meters as soon as they can."""
        for node in nodes:
            with self._files[node].with_suffix(".log").open("ab") as log:
                self._processes[node] = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "commonwatt", "oracle", "run"),
                    *("--config", str(self._files[node])),
                    stderr=log,
                )

    async def kill(self, *nodes: str) -> None:
        """Kill nodes, which have no time for a word."""
        for node in nodes:
            process = self._processes.pop(node)
            process.kill()
            await process.wait()

    async def kill_all(self) -> None:
        """Kill those that run."""
        await self.kill(*self._processes)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for reports until `holds`."""
        while not holds():
            happened = await anext(self._events)
            if any(event.name == "readings_recorded" for event in happened.events):
                arguments = msgspec.json.decode(happened.arguments, type=ReportArguments)
                self.reports.append(report_of(arguments))

    def signers(self) -> frozenset[str]:
        """Who has signed a report so far."""
        return frozenset[str]().union(*(report.signers for report in self.reports))

    def complete(self) -> Sequence[int]:
        """The boundaries of which all meters are reported, each of them once."""
        counts = Counter[int]()
        for report in self.reports:
            counts[report.boundary] += report.meters
        assert max(counts.values(), default=0) <= HOUSEHOLDS
        return [slot for slot, count in counts.items() if count == HOUSEHOLDS]


@asynccontextmanager
async def four_nodes(folder: Path, way: Way) -> AsyncGenerator[Oracle]:
    """A founded market whose four nodes run; each reaches the ledger by a gateway of its own."""
    clock = ClockSettings(
        real_anchor_s=int(time.time()) + BEGIN_S, market_anchor_s=START_S, rate=RATE
    )
    plan = MarketPlan(seed=1, households=HOUSEHOLDS, counts_from=START_S, clock=clock)
    cast, fleet = plan.cast(), plan.fleet()
    tls = make_certificates(folder, [*cast.oracle.nodes, LEDGER_NAME])
    ledger = EmbeddedLedger.open(
        folder / "ledger",
        contract=Contract(),
        channel=CHANNEL,
        members=[organisation.name for organisation in ORGANISATIONS],
    )
    async with AsyncExitStack() as stack, ledger:
        first_slot = START_S + SLOT_S
        await found(ledger, cast, first_slot=first_slot, clock=plan.clock_arguments())
        await fleet.start()
        stack.push_async_callback(fleet.close)
        gateways: dict[str, str] = {}
        for node in cast.oracle.nodes:
            server = LedgerGatewayServer(NodeGateway(ledger, node, way), tls[LEDGER_NAME], [node])
            gateways[node] = f"{LOCAL}:{await server.start(f'{LOCAL}:0')}"
            stack.push_async_callback(server.close)
        files = settings_files(
            folder, cast, clock=clock, gateways=gateways, tls=tls, meters=fleet.sources()
        )
        oracle = Oracle(ledger, files)
        stack.push_async_callback(oracle.kill_all)
        await oracle.start(*files)
        async with asyncio.timeout(DEADLINE_S):
            yield oracle


def settings_files(
    folder: Path,
    cast: Cast,
    *,
    clock: ClockSettings,
    gateways: Mapping[str, str],
    tls: Mapping[str, TlsFiles],
    meters: Sequence[MeterSource],
) -> Mapping[str, Path]:
    """A file for each node, by DID; `gateways` says where its ledger gateway listens."""
    addresses = dict(zip(gateways, free_addresses(len(gateways)), strict=True))
    files: dict[str, Path] = {}
    for number, key in enumerate(cast.oracle_keys):
        node = did_key(key.public)
        (folder / f"node-{number}.pem").write_bytes(key.to_pkcs8())
        settings = NodeSettings(
            market=MarketSettings(
                area=AREA, channel=CHANNEL, contract=Contract.name, nodes=cast.oracle.nodes
            ),
            key=f"node-{number}.pem",
            listen=addresses[node],
            tls=tls[node],
            peers=[PeerSettings(did=d, address=a) for d, a in addresses.items() if d != node],
            ledger=LedgerSettings(address=gateways[node]),
            meters=list(meters),
            timing=timing(RATE),
            clock=clock,
        )
        files[node] = folder / f"node-{number}.yaml"
        files[node].write_bytes(msgspec.yaml.encode(settings))
    return files


def free_addresses(count: int) -> Sequence[str]:
    """Addresses where nobody listens: nodes must know each other's before they run."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server((LOCAL, 0))) for _ in range(count)]
        return [f"{LOCAL}:{probe.getsockname()[1]}" for probe in probes]


def report_of(arguments: ReportArguments) -> Reported:
    """What a report says, and who signed it."""
    compacts = [
        verify_compact(token, typ=REPORT_TYP, bytes_max=TOKEN_BYTES_MAX)
        for token in arguments.tokens
    ]
    report = msgspec.json.decode(compacts[0].payload, type=Report)
    return Reported(report.boundary, report.count, frozenset(compact.did for compact in compacts))


def turn(slot: int) -> int:
    """Whose turn it is to submit a slot first, as a place among the four nodes."""
    return slot // SLOT_S % 4


@pytest.mark.parametrize("has_arrived", [False, True])
def test_node_killed_while_it_submits_costs_no_slot_and_doubles_none(
    tmp_path: Path, *, has_arrived: bool
) -> None:
    """Its report is lost with it, or recorded without its hearing so. The other three report that
    slot and those after it, whichever node has the first turn; started again it signs as before.
    """
    asyncio.run(_kill_submitter(tmp_path, has_arrived=has_arrived))


async def _kill_submitter(folder: Path, *, has_arrived: bool) -> None:
    killed: dict[str, int] = {}
    is_due = asyncio.Event()

    async def way(node: str, slot: int, submit: Submit) -> str:
        if killed or not is_due.is_set():
            return await submit()
        killed[node] = slot
        code = await submit() if has_arrived else LEDGER_UNAVAILABLE
        await oracle.kill(node)
        return code

    async with four_nodes(folder, way) as oracle:
        await oracle.until(lambda: oracle.signers() == oracle.nodes)
        is_due.set()
        await oracle.until(lambda: bool(killed) and {*killed.values()} <= {*oracle.complete()})
        [(dead, its_slot)] = killed.items()

        def later() -> list[Reported]:
            return [each for each in oracle.reports if each.boundary > its_slot]

        await oracle.until(
            lambda: {turn(slot) for slot in oracle.complete() if slot > its_slot} == {0, 1, 2, 3}
        )
        assert {each.signers for each in later()} == {oracle.nodes - {dead}}

        await oracle.start(dead)
        await oracle.until(lambda: any(dead in each.signers for each in later()))


def test_market_whose_nodes_and_meters_are_killed_says_so_and_goes_on_when_started_again(
    tmp_path: Path,
) -> None:
    with market(tmp_path, "--households", "6") as process:
        seen = slots_of(process, 2)
        (meters,) = children_of(process.pid)
        os.kill(meters, signal.SIGKILL)
        assert process.stdout is not None
        printed = process.stdout.read()
        code = process.wait()
    seen += [match[1] for match in map(SLOT_LINE.match, printed.splitlines()) if match]

    assert code == 1
    assert f"exit code -{signal.SIGKILL.value}" in printed
    assert "start it again" in printed
    assert "Traceback" not in printed
    assert verify(tmp_path / "ledger").fault is None

    with market(tmp_path) as process:
        again = slots_of(process, 1)
        assert stop(process).code == 0
    assert again[0] > seen[-1]


def children_of(process: int) -> list[int]:
    """The processes that a process has started and that run."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]
