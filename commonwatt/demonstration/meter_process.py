"""What stands outside in a demonstration: simulated meters and the oracle's nodes, in a process apart.

The meters speak Modbus/TCP, the nodes read them and speak mutual TLS with each other and with the
ledger gateway, which listens in the process of `commonwatt up` and takes what they say of health on
to the API. The field writes one line of JSON when it is ready. It ends when its standard input does,
so it does not outlive who started it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from chaincode.area.clock import Clock
from chaincode.metering.reports import REPORT_TYP, Report
from chaincode.orders.sheets import TOKEN_BYTES_MAX
from commonwatt.demonstration.cast import AREA, ORACLE, SLOT_S, Cast, Home, make_cast
from commonwatt.demonstration.meter_curve import HouseholdCurve, simulated_meter
from commonwatt.demonstration.profiles import simbench_week
from commonwatt.demonstration.running_market import empty_homes
from identity.did import did_key
from identity.jws import parse_compact
from ledger_network.port import Ledger, Member
from meter_oracle.health.api_client import HealthApi
from meter_oracle.node.assembly import NodeSetup, run_nodes, sources_of
from meter_oracle.peers.certificates import make_certificates
from meter_oracle.peers.ledger_gateway import (
    LEDGER_NAME,
    RECORDED,
    LedgerGateway,
    LedgerGatewayServer,
    RemoteLedgerGateway,
    SignedReport,
)
from meter_oracle.peers.transport import TlsFiles
from meter_oracle.settings import ClockSettings, MarketSettings, TimingSettings
from meter_oracle.simulated.device import FaultKind
from meter_oracle.simulated.fleet import Fleet, MarketClock

SECOND_NS = 1_000_000_000
READY_S = 30.0
STOP_S = 5.0


class FieldPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the field is told when it starts; `faults` are meters and what they do wrong."""

    seed: int
    households: int
    first_slot: int
    channel: str
    contract: str
    clock: ClockSettings
    ledger: str
    tls: dict[str, TlsFiles]
    faults: dict[str, FaultKind]


class Ready(msgspec.Struct, frozen=True):
    """The field reads meters now."""

    meters: int


class FieldFailed(Exception):
    """The field did not start, or has ended by itself; the sentence says what it said last."""


class Field:
    """The field as seen from the process that started it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    async def ended(self) -> None:
        """Wait until it has ended by itself, and raise `FieldFailed`."""
        code = await self._process.wait()
        raise FieldFailed(f"The meters' process ended (exit code {code}); see {self._log}.")

    async def ready(self) -> None:
        """Return when meters are read; raises `FieldFailed`."""
        stream = self._process.stdout
        if stream is None:
            raise FieldFailed("The meters' process was started without an output.")
        try:
            async with asyncio.timeout(READY_S):
                line = await stream.readline()
                if not line:
                    await self.ended()
                msgspec.json.decode(line, type=Ready)
        except TimeoutError:
            raise FieldFailed(
                f"The meters' process was not ready within {READY_S:g} s; see {self._log}."
            ) from None

    async def close(self) -> None:
        """End it, and wait until it has."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class ReportedGateway(LedgerGateway):
    """The ledger gateway of the nodes, which tells of each slot that was reported."""

    def __init__(self, ledger: Ledger, reported: Callable[[int], None]) -> None:
        super().__init__(ledger, AREA, Member(ORACLE))
        self._reported = reported

    async def submit(self, report: SignedReport) -> str:
        """As `Submitter` has it."""
        code = await super().submit(report)
        if code == RECORDED:
            payload = parse_compact(
                report.arguments.tokens[0], typ=REPORT_TYP, bytes_max=TOKEN_BYTES_MAX
            ).payload
            self._reported(msgspec.json.decode(payload, type=Report).slot)
        return code


@asynccontextmanager
async def running_field(
    ledger: Ledger,
    cast: Cast,
    *,
    folder: Path,
    seed: int,
    first_slot: int,
    clock: Clock,
    faults: dict[str, FaultKind],
    late: Callable[[int], None],
    api: str,
) -> AsyncGenerator[Field]:
    """A field whose nodes report to `ledger`; `folder` takes its certificates, plan and log.

    `late` is told each slot that is reported, for it may have settled already. What nodes say of
    health goes to the API at the address `api`.
    """
    nodes = cast.oracle.nodes
    tls = await asyncio.to_thread(make_certificates, folder / "tls", [*nodes, LEDGER_NAME])
    gateway = ReportedGateway(ledger, late)
    receiver = HealthApi(api)
    server = LedgerGatewayServer(gateway, tls.pop(LEDGER_NAME), nodes, receiver)
    port = await server.start("127.0.0.1:0")
    try:
        plan = FieldPlan(
            seed=seed,
            households=len(cast.homes),
            first_slot=first_slot,
            channel=ledger.channel,
            contract=ledger.contract,
            clock=ClockSettings(
                real_anchor_s=clock.real_anchor_s,
                market_anchor_s=clock.market_anchor_s,
                rate=clock.rate,
            ),
            ledger=f"127.0.0.1:{port}",
            tls=tls,
            faults=faults,
        )
        path = folder / "field.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(plan)))
        field = await _start(path, folder / "field.log")
        try:
            await field.ready()
            yield field
        finally:
            await field.close()
    finally:
        await server.close()
        await receiver.close()


async def _start(plan: Path, log: Path) -> Field:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "commonwatt.demonstration.meter_process", str(plan)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            start_new_session=True,  # Ctrl-C in a terminal reaches `commonwatt up` alone
        )
    return Field(process, log)


async def work(plan: FieldPlan, output: BinaryIO) -> None:
    """Serve the meters and run the nodes until standard input ends."""
    cast = make_cast(plan.seed, plan.households)
    homes = [*cast.homes, *empty_homes(plan.seed, plan.households)]

    fleet = _fleet(homes, plan)
    await fleet.start(units_per_port=1)
    try:
        for meter, fault in plan.faults.items():
            fleet.order(meter, fault)
        ledgers = {
            did: RemoteLedgerGateway(plan.tls[did], plan.ledger) for did in cast.oracle.nodes
        }
        setups = [
            NodeSetup(
                key=key,
                tls=plan.tls[did],
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
            channel=plan.channel,
            contract=plan.contract,
            slot_s=SLOT_S,
            nodes=cast.oracle.nodes,
            faulty_max=cast.oracle.faulty_max,
        )

        async def ready(_: Mapping[str, str]) -> None:
            output.write(msgspec.json.encode(Ready(len(homes))) + b"\n")
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
    """How long nodes wait where market time runs `rate` times as fast: a slot is soon over."""
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


def _fleet(homes: Sequence[Home], plan: FieldPlan) -> Fleet:
    curve = HouseholdCurve(
        {home.meter: home.profile for home in homes}, simbench_week(), plan.first_slot
    )
    clock = MarketClock(
        plan.clock.real_anchor_s * SECOND_NS,
        plan.clock.market_anchor_s * SECOND_NS,
        plan.clock.rate,
    )
    return Fleet([simulated_meter(home.meter, home.profile) for home in homes], curve, clock)


async def _until_input_ends() -> None:
    """Return when whoever started this process is gone, or says so."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


def main() -> None:
    """Run the field of the plan that is named by the only argument."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=FieldPlan)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us decides when it ends
    asyncio.run(work(plan, sys.stdout.buffer))


if __name__ == "__main__":
    main()
