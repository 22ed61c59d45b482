"""A market on a real embedded ledger, meters that follow curves, and four nodes to be broken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from chaincode.metering.readings import Leaf
from chaincode.metering.reports import REPORT_TYP, ReadingsRecorded, Report, ReportArguments
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
from identity.jws import verify_compact
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import Member
from meter_oracle.drivers.driver import Instruction, RegisterRead
from meter_oracle.faults import MeterFault
from meter_oracle.health.board import MeterHealth, NodeHealth
from meter_oracle.node.assembly import NodeSetup, run_nodes
from meter_oracle.node.polling import PolledMeter
from meter_oracle.peers.certificates import make_certificates
from meter_oracle.peers.ledger_gateway import LEDGER_NAME, LedgerGateway, LedgerView, Submitter
from meter_oracle.peers.transport import TlsFiles
from meter_oracle.schedule import NS_PER_S, Now, Timekeeper
from meter_oracle.settings import MarketSettings, TimingSettings

RATE = 900  # a slot of a quarter of an hour in a second
FIRST_SLOT = START_S + SLOT_S
DEADLINE_S = 40.0
TIMING = TimingSettings(
    skew_ms=250,
    clock_ms_max=5_000,
    lead_ms=100,
    sweep_ms=200,
    patience_ms=200,
    turn_ms=500,
    ask_ms=3_000,
    retry_ms=100,
    keep_slots=40,
)

Alter = Callable[[RegisterRead], RegisterRead]


def unaltered(read: RegisterRead) -> RegisterRead:
    """A meter that says what it counts."""
    return read


class StartingClock:
    """Market time that stands just before the first slot until `start`, then runs."""

    rate = RATE

    def __init__(self) -> None:
        self.market_anchor_s = FIRST_SLOT - 200
        self.real_anchor_s: int | None = None

    def start(self) -> None:
        self.real_anchor_s = int(time.time()) + 1

    def market_ns(self, real_ns: int) -> int:
        passed_ns = 0
        if self.real_anchor_s is not None:
            passed_ns = max(0, real_ns - self.real_anchor_s * NS_PER_S) * RATE
        return self.market_anchor_s * NS_PER_S + passed_ns


class CurveMeter:
    """A meter with constant power that starts at the market's first second."""

    def __init__(self, meter: str, keeper: Timekeeper, import_w: int, export_w: int) -> None:
        self._meter = meter
        self._keeper = keeper
        self.powers = import_w, export_w
        self.alter: Alter = unaltered
        self.silent = False
        self.told: list[tuple[int, int]] = []

    async def read(self) -> RegisterRead:
        await asyncio.sleep(0)
        if self.silent:
            raise MeterFault("METER_SILENT", "it does not answer.")
        at_ns = self._keeper.market_ns()
        import_wh, export_wh = (
            1_000_000 + power_w * (at_ns - START_S * NS_PER_S) // (3_600 * NS_PER_S)
            for power_w in self.powers
        )
        return self.alter(
            RegisterRead(self._meter, "serial", import_wh, export_wh, at_ns, 1, NS_PER_S)
        )

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        self.told.append((limit_w, revert_s))
        return Instruction(
            meter=self._meter, model=704, limit_w=limit_w, revert_s=revert_s, address=0,
            registers=[], sent=False, confirmed=False,
        )  # fmt: skip

    async def close(self) -> None:
        return


class Stand:
    """What a test sees: the ledger, the nodes' meters, what was said of health."""

    def __init__(self, ledger: EmbeddedLedger, cast: Cast, tls: Mapping[str, TlsFiles]) -> None:
        self.ledger = ledger
        self.cast = cast
        self.tls = tls
        self.gateway = LedgerGateway(ledger, AREA, Member(ORACLE))
        self.market = MarketSettings(
            area=AREA, channel=CHANNEL, contract=Contract.name, slot_s=SLOT_S,
            nodes=cast.oracle.nodes, faulty_max=cast.oracle.faulty_max,
        )  # fmt: skip
        self.meters: dict[int, dict[str, CurveMeter]] = {}
        self.said: list[MeterHealth | NodeHealth] = []
        self.clock = StartingClock()
        self.addresses: Mapping[str, str] = {}
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Let market time run, for the nodes and for the ledger."""
        self.clock.start()
        assert self.clock.real_anchor_s is not None
        rule = ClockArguments(AREA, self.clock.real_anchor_s, self.clock.market_anchor_s, RATE)
        await self.ledger.submit("set_clock", rule, member=Member(DSO, "admin"))

    async def health(self, said: MeterHealth | NodeHealth) -> None:
        self.said.append(said)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to be said so that `condition` holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def recorded(self, boundary_s: int, count: int) -> Mapping[str, Leaf]:
        """The readings of a boundary, once the ledger holds at least `count`."""
        async with asyncio.timeout(DEADLINE_S):
            async for happened in self.ledger.events():
                if any(event.name == "readings_recorded" for event in happened.events):
                    leaves = {leaf.meter: leaf for leaf in await self.gateway.readings(boundary_s)}
                    if len(leaves) >= count:
                        return leaves
        raise AssertionError("the ledger's events end")

    async def first_reported(self, count: int, *, after_s: int = 0) -> int:
        """The first boundary after `after_s` of which one report brings `count` readings.

        On a machine that stands still at a boundary its readings are lost, as they are in a market.
        """
        async with asyncio.timeout(DEADLINE_S):
            async for happened in self.ledger.events():
                for event in happened.events:
                    if event.name == "readings_recorded":
                        recorded = msgspec.json.decode(event.data, type=ReadingsRecorded)
                        if recorded.recorded == count and recorded.boundary > after_s:
                            return recorded.boundary
        raise AssertionError("the ledger's events end")

    def opens(self, number: int) -> Callable[[Timekeeper], Sequence[PolledMeter]]:
        def open_all(keeper: Timekeeper) -> Sequence[PolledMeter]:
            self.meters[number] = {
                home.meter: CurveMeter(home.meter, keeper, 700 + 10 * place, 0)
                for place, home in enumerate(self.cast.homes)
            }
            return [PolledMeter(meter, driver) for meter, driver in self.meters[number].items()]

        return open_all

    def setup(
        self,
        number: int,
        *,
        now: Now = time.time_ns,
        submitter: Submitter | None = None,
        view: LedgerView | None = None,
    ) -> NodeSetup:
        """The setup of a node by its number."""
        return NodeSetup(
            key=self.cast.oracle_keys[number],
            tls=self.tls[self.market.nodes[number]],
            meters=self.opens(number),
            submitter=submitter or self.gateway,
            view=view or self.gateway,
            now=now,
        )

    def setups(self, *numbers: int) -> list[NodeSetup]:
        """Honest setups."""
        return [self.setup(number) for number in numbers]

    def states(self, node: int) -> set[str]:
        """What was said of a node by any."""
        did = self.market.nodes[node]
        return {s.state for s in self.said if isinstance(s, NodeHealth) and s.node == did}

    async def signers(self, boundary_s: int) -> list[set[str]]:
        """Who signed each report of a boundary that the ledger has."""
        found: list[set[str]] = []
        position = (await self.ledger.health()).height
        async for happened in self.ledger.events():
            if happened.name == "record_readings":
                tokens = msgspec.json.decode(happened.arguments, type=ReportArguments).tokens
                compacts = [verify_compact(t, typ=REPORT_TYP, bytes_max=8_192) for t in tokens]
                report = msgspec.json.decode(compacts[0].payload, type=Report)
                if report.boundary == boundary_s:
                    found.append({compact.did for compact in compacts})
            if happened.position.block >= position - 1 or len(found) > 0:
                break
        return found

    @asynccontextmanager
    async def running(
        self, setups: Sequence[NodeSetup], elsewhere: Mapping[str, str] | None = None
    ) -> AsyncGenerator[None]:
        up = asyncio.Event()

        async def started(addresses: Mapping[str, str]) -> None:
            self.addresses = addresses
            await self.start()
            up.set()

        task = asyncio.create_task(
            run_nodes(
                self.market,
                TIMING,
                setups,
                rule=self.clock,
                health=self.health,
                elsewhere=elsewhere,
                started=started,
            )
        )
        async with asyncio.timeout(DEADLINE_S):
            await up.wait()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not task.cancelled():
                task.result()


@asynccontextmanager
async def stand(folder: Path, *, households: int = 5) -> AsyncGenerator[Stand]:
    """A founded market whose first slot begins in a moment."""
    cast = make_cast(1, households)
    tls = make_certificates(folder / "tls", [*cast.oracle.nodes, LEDGER_NAME, "stranger"])
    ledger = EmbeddedLedger.open(
        folder / "ledger",
        contract=Contract(),
        channel=CHANNEL,
        members=[organisation.name for organisation in ORGANISATIONS],
    )
    async with ledger:
        before = ClockArguments(AREA, int(time.time()), FIRST_SLOT - SLOT_S, 1)
        await found(ledger, cast, first_slot=FIRST_SLOT, clock=before)
        yield Stand(ledger, cast, tls)
