"""The process of the simulated meters and the oracle nodes, separate from the market itself.

The meters use Modbus/TCP. The nodes read the meters, and use mutual TLS with each other and with
the ledger gateway, which listens in the process of `commonwatt up` and passes health reports to the
API. This process writes one line of JSON when it is ready. It ends when its standard input is
closed, so it ends with the process that started it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from commonwatt.demonstration.cast import AREA, ORACLE, SLOT_S, Cast
from commonwatt.demonstration.market_plan import MarketPlan
from identity.did import did_key
from ledger_network.port import Ledger, Member
from meter_oracle.health.api_client import HealthApi
from meter_oracle.node.assembly import NodeSetup, run_nodes, sources_of
from meter_oracle.peers.certificates import make_certificates
from meter_oracle.peers.ledger_gateway import (
    LEDGER_NAME,
    LedgerGateway,
    LedgerGatewayServer,
    RemoteLedgerGateway,
)
from meter_oracle.peers.transport import TlsFiles
from meter_oracle.settings import MarketSettings, TimingSettings
from meter_oracle.simulated.device import FaultKind

READY_S = 30.0
STOP_S = 5.0


class MeterProcessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings that the process gets at its start.

    `ledger` is the address of the ledger gateway; `faults` are meters with their faults.
    """

    plan: MarketPlan
    channel: str
    contract: str
    ledger: str
    tls: dict[str, TlsFiles]
    faults: dict[str, FaultKind]


class Ready(msgspec.Struct, frozen=True):
    """The line that the process writes when its nodes read meters."""

    meters: int


class MeterProcessFailed(Exception):
    """The process did not start or has ended by itself; the sentence names its log file."""


class MeterProcess:
    """A running process of meters and nodes, for the process that started it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    async def ended(self) -> None:
        """Wait until the process has ended by itself, and raise `MeterProcessFailed`."""
        code = await self._process.wait()
        raise MeterProcessFailed(f"The meters' process ended (exit code {code}); see {self._log}.")

    async def ready(self) -> None:
        """Return when the meters are read. Raises `MeterProcessFailed`."""
        stream = self._process.stdout
        if stream is None:
            raise MeterProcessFailed("The meters' process was started without an output.")
        try:
            async with asyncio.timeout(READY_S):
                line = await stream.readline()
                if not line:
                    await self.ended()
                msgspec.json.decode(line, type=Ready)
        except TimeoutError:
            raise MeterProcessFailed(
                f"The meters' process was not ready within {READY_S:g} s; see {self._log}."
            ) from None

    async def close(self) -> None:
        """End the process, and wait until it has ended."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running_meter_process(
    ledger: Ledger,
    cast: Cast,
    *,
    folder: Path,
    plan: MarketPlan,
    faults: dict[str, FaultKind],
    api: str,
) -> AsyncGenerator[MeterProcess]:
    """Run a process whose nodes report to `ledger`; `folder` has certificates, settings and log.

    The nodes' health reports are passed on to the API at the address `api`.
    """
    nodes = cast.oracle.nodes
    tls = await asyncio.to_thread(make_certificates, folder / "tls", [*nodes, LEDGER_NAME])
    gateway = LedgerGateway(ledger, AREA, Member(ORACLE))
    receiver = HealthApi(api)
    server = LedgerGatewayServer(gateway, tls.pop(LEDGER_NAME), nodes, receiver)
    port = await server.start("127.0.0.1:0")
    try:
        settings = MeterProcessSettings(
            plan=plan,
            channel=ledger.channel,
            contract=ledger.contract,
            ledger=f"127.0.0.1:{port}",
            tls=tls,
            faults=faults,
        )
        path = folder / "settings.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(settings)))
        process = await _start(path, folder / "process.log")
        try:
            await process.ready()
            yield process
        finally:
            await process.close()
    finally:
        await server.close()
        await receiver.close()


async def _start(settings: Path, log: Path) -> MeterProcess:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "commonwatt.demonstration.meter_process", str(settings)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            start_new_session=True,  # Ctrl-C in a terminal reaches only `commonwatt up`
        )
    return MeterProcess(process, log)


async def work(settings: MeterProcessSettings, output: BinaryIO) -> None:
    """Serve the meters and run the nodes until standard input ends."""
    plan = settings.plan
    cast, fleet = plan.cast(), plan.fleet()
    await fleet.start(units_per_port=1)
    try:
        for meter, fault in settings.faults.items():
            fleet.order(meter, fault)
        ledgers = {
            did: RemoteLedgerGateway(settings.tls[did], settings.ledger)
            for did in cast.oracle.nodes
        }
        setups = [
            NodeSetup(
                key=key,
                tls=settings.tls[did],
                meters=sources_of(fleet.sources()),
                submitter=ledgers[did],
                view=ledgers[did],
                sales=ledgers[did].sales,
                receiver=ledgers[did],
            )
            for key in cast.oracle_keys
            for did in [did_key(key.public)]
        ]
        market = MarketSettings(
            area=AREA,
            channel=settings.channel,
            contract=settings.contract,
            slot_s=SLOT_S,
            nodes=cast.oracle.nodes,
            faulty_max=cast.oracle.faulty_max,
        )

        async def ready(_: Mapping[str, str]) -> None:
            output.write(msgspec.json.encode(Ready(len(fleet.sources()))) + b"\n")
            output.flush()

        nodes = asyncio.create_task(
            run_nodes(market, timing(plan.clock.rate), setups, rule=plan.clock, started=ready)
        )
        try:
            ended = asyncio.create_task(_until_input_ends())
            await asyncio.wait((nodes, ended), return_when=asyncio.FIRST_COMPLETED)
            if nodes.done():
                nodes.result()
        finally:
            nodes.cancel()
            await asyncio.gather(nodes, return_exceptions=True)
            for ledger in ledgers.values():
                await ledger.close()
    finally:
        await fleet.close()


def timing(rate: int) -> TimingSettings:
    """Return the waiting times of nodes for market time that is `rate` times as fast."""
    if rate == 1:
        return TimingSettings()
    slot_ms = SLOT_S * 1000 // rate
    return TimingSettings(
        skew_ms=200,
        clock_ms_max=2_000,
        lead_ms=max(1, min(1_000, slot_ms // 8)),
        sweep_ms=max(1, min(1_500, slot_ms // 8)),
        patience_ms=max(1, min(1_000, slot_ms // 8)),
        turn_ms=max(200, min(2_500, slot_ms // 4)),
        ask_ms=2_000,
        retry_ms=max(500, min(5_000, slot_ms // 2)),
        keep_slots=16,
    )


async def _until_input_ends() -> None:
    """Return when the process that started this one has ended or has closed the pipe."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


def main() -> None:
    """Run with the settings in the file that the only command line argument names."""
    settings = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=MeterProcessSettings)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    asyncio.run(work(settings, sys.stdout.buffer))


if __name__ == "__main__":
    main()
