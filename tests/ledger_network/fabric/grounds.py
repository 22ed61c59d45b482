"""Where test networks stand: on free ports, with a founded market, and nothing left afterwards.

Processes, ports and folder of a network are looked for when it has been taken down; whatever is
still there fails the session.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from chaincode.area.clock import ClockArguments
from chaincode.context import Role
from chaincode.contract import Contract
from chaincode.metering.readings import Leaf, reading_key
from chaincode.orders.handlers import TokensAnswer
from chaincode.orders.sheets import SheetOrder, TokensArguments
from commonwatt.bench.fabric.network import CONTRACT_COMMAND, unheard
from commonwatt.demonstration.bidding import sign_sheet
from commonwatt.demonstration.cast import AREA, DSO, SLOT_S, Cast, found, make_cast
from commonwatt.demonstration.simulation import START_S
from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.consortium.definition import (
    Consortium,
    Node,
    Organisation,
    parse_consortium,
    read_consortium,
)
from ledger_network.fabric.consortium.profile import Profile, profile
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.operations.network import Network, contract_process
from ledger_network.fabric.operations.status import NetworkStatus, network_status
from ledger_network.fabric.runtime.probe import PortTaken, require_free, until
from ledger_network.fabric.runtime.processes import Process, Wanted, read_wanted, write_whole
from ledger_network.port import Member, Receipt
from meter_oracle.agreement.report import make_report, sign_report
from meter_oracle.peers.ledger_gateway import SignedReport
from tests.own_ports import on_own_ports

T = TypeVar("T")

CUT_INTERVAL_MS = 50
HOMES = 4
FIRST_SLOT = START_S + SLOT_S
OPENS_S = 86_400
ENDED_SLOTS = 10  # so many from the first on have ended: their meters may be reported
# Open, and its gate more than an hour of market time away.
TRADED_SLOT = FIRST_SLOT + (ENDED_SLOTS + 6) * SLOT_S
TRADED_SLOTS = 2
ENDED_S = 30.0
WELL_S = 40.0
GUEST = Organisation("Visitor", "guest", "visitor.example")
"""A member of the channel that the contract does not know."""
SMALL = """
name: small
fabric: 3.1.1
channel: small-market
contract: commonwatt
organisations:
  - name: NordGrid
    role: dso
    domain: nordgrid.example
    peers: [{port: 17000}]
    orderers: [{port: 18000}, {port: 18010}]
  - name: GreenPower
    role: retailer
    domain: greenpower.example
    peers: [{port: 17010}]
    orderers: [{port: 18020}, {port: 18030}]
policies:
  endorsement: [[dso], [retailer]]
  lifecycle: {roles: [dso, retailer], at_least: %d}
limits: {cut_interval_ms: 50}
"""


class StandingNetwork:
    """A network and its market; all asynchronous work on it runs in one loop."""

    def __init__(self, consortium: Consortium, folder: Path) -> None:
        """For `with`, which brings it up and takes it down. `folder` is there and empty."""
        self.network = Network(
            on_own_ports(consortium),
            folder / "network",
            install(),
            contract_command=CONTRACT_COMMAND,
            version=Contract.version,
            ends_with_us=True,
        )
        self.cast: Cast = msgspec.structs.replace(make_cast(1, HOMES), opens_s=OPENS_S)
        self._runner = asyncio.Runner()
        self._numbers = itertools.count(time.time_ns() // 1_000_000)
        self._reports = itertools.count()
        self._seen: set[Process] = set()

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take down what is up; the folder goes too."""
        self._note()
        self.run(self.network.down(purge=True, progress=unheard))
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of asynchronous work."""
        return self._runner.run(work)

    def up(self) -> None:
        """Bring up what is down."""
        self.run(self.network.up(unheard))
        self._note()

    def _note(self) -> None:
        """Remember what runs, to look for it at the end."""
        running = self.network.processes()
        if running is not None:
            self._seen.add(running.supervisor)
            self._seen.update(one.process for one in running.running if one.process is not None)

    def left(self) -> list[str]:
        """What is still there of a network that was taken down: processes, ports, folder."""
        found = [f"process {one.pid}" for one in self._seen if one.is_alive]
        try:
            require_free(self.consortium.nodes("orderer", "peer"))
        except PortTaken as taken:
            found.append(str(taken))
        if self.network.folder.root.exists():
            found.append(str(self.network.folder.root))
        return found

    # What a client needs

    @property
    def consortium(self) -> Consortium:
        """The consortium, on the ports that it stands on."""
        return self.network.consortium

    @property
    def profiles(self) -> list[Profile]:
        """The profiles of all members, in the order of the consortium's file."""
        return [self.profile(member.name) for member in self.consortium.organisations]

    def profile(self, organisation: str) -> Profile:
        """The profile of a member."""
        return profile(self.consortium, organisation, self.network.placement)

    @asynccontextmanager
    async def ledger(
        self, *profiles: Profile, clock: Callable[[], float] = time.time
    ) -> AsyncGenerator[FabricLedger]:
        """The ledger for some members, for all where none is given."""
        chosen = profiles or self.profiles
        async with await FabricLedger.open(chosen, contract=Contract(), clock=clock) as ledger:
            yield ledger

    def gateway(self, organisation: str, role: Role) -> Gateway:
        """A gateway of a member's user; close it in the loop that it was used in."""
        own = self.profile(organisation)
        return Gateway(own.identity(role), own.endpoints, channel=own.channel, prefer_first=True)

    def peer(self, organisation: str) -> Node:
        """A member's peer."""
        return self.consortium.peers_of(self.consortium.organisation(organisation))[0]

    def contract(self, organisation: str) -> Node:
        """The contract service of a member's peer."""
        sequence = self.network.deployed().sequence
        services = self.consortium.contracts(sequence)
        return next(one for one in services if one.organisation.name == organisation)

    # The market

    async def found(self) -> None:
        """Register everybody; what is there already is passed over."""
        async with self.ledger() as ledger:
            rule = ClockArguments(AREA, int(time.time()), START_S, 1)
            await found(ledger, self.cast, first_slot=FIRST_SLOT, clock=rule)
            later_s = FIRST_SLOT + ENDED_SLOTS * SLOT_S
            rule = ClockArguments(AREA, int(time.time()), later_s, 1)
            await ledger.submit("set_clock", rule, member=Member(DSO, "admin"))

    def order(self) -> TokensArguments:
        """A sheet with an order that nobody has placed before."""
        number = next(self._numbers)
        home = self.cast.homes[number % HOMES]
        slot = TRADED_SLOT + number // HOMES % TRADED_SLOTS * SLOT_S
        order = SheetOrder(f"o{number}", "buy", slot, [(100_000, 10)])
        consortium = self.consortium
        sheet = sign_sheet(home, [order], channel=consortium.channel, contract=consortium.contract)
        return TokensArguments([sheet])

    def report(self) -> SignedReport:
        """The oracle nodes' report of a reading that nobody has recorded: a meter stood still."""
        return self.report_with_key()[0]

    def report_with_key(self) -> tuple[SignedReport, str]:
        """Such a report, and the key that its reading gets in the collection."""
        number = next(self._reports)
        home = self.cast.homes[number % HOMES]
        boundary = FIRST_SLOT + number // HOMES * SLOT_S
        assert boundary <= FIRST_SLOT + ENDED_SLOTS * SLOT_S, (
            "the boundaries to report have run out"
        )
        leaf = Leaf(boundary, 0, 0, home.meter, 1, f"{number:064x}")
        report, leaves = make_report(
            [leaf],
            area=AREA,
            boundary=boundary,
            oracle=self.cast.oracle,
            channel=self.consortium.channel,
            contract=self.consortium.contract,
        )
        signed = sign_report(report, leaves, self.cast.oracle_keys)
        return signed, reading_key(boundary, home.meter)

    async def place(self, ledger: FabricLedger, *, member: str = DSO) -> Receipt:
        """An order, committed; it must be taken."""
        receipt = await ledger.submit("place_orders", self.order(), member=Member(member))
        answer = receipt.read(TokensAnswer)
        assert [one.code for one in answer.answers] == ["PLACED"], answer
        return receipt

    def trades_on(self) -> None:
        """The market takes orders from a DSO and from a retailer."""

        async def both() -> None:
            async with self.ledger() as ledger:
                for member in (DSO, "GreenPower"):
                    await self.place(ledger, member=member)

        self.run(both())

    # Processes

    async def until_well(self) -> NetworkStatus:
        """Wait until every node runs, answers and has caught up; how it is then."""
        return await until_well(self.network)

    def send(self, number: signal.Signals) -> Process:
        """Send a signal to the supervisor, which must run; its process."""
        running = self.network.processes()
        assert running is not None
        self._note()
        running.supervisor.send(number)
        return running.supervisor

    async def ended(self) -> None:
        """Wait until everything that ever ran here has ended."""

        async def missing() -> str:
            alive = [str(one.pid) for one in self._seen if one.is_alive]
            return f"processes {', '.join(alive)} run" if alive else ""

        await until("the end of the network", missing, within_s=ENDED_S)

    @asynccontextmanager
    async def replaced(self, commands: Mapping[str, Sequence[str]]) -> AsyncGenerator[None]:
        """Members' contract services run by other commands, and by their own again afterwards."""
        before = read_wanted(self._wanted)
        nodes = [self.contract(member) for member in commands]
        sequence = self.network.deployed().sequence
        named = {
            contract_process(node, sequence): list(command)
            for node, command in zip(nodes, commands.values(), strict=True)
        }
        changed = [
            msgspec.structs.replace(one, command=named.get(one.name, one.command)) for one in before
        ]
        try:
            await self._rewanted(changed, nodes, list(named))
            yield
        finally:
            await self._rewanted(before, nodes, list(named))

    @property
    def _wanted(self) -> Path:
        return self.network.folder.root / "wanted.json"

    async def _rewanted(self, wanted: list[Wanted], nodes: list[Node], names: list[str]) -> None:
        """Let the supervisor run what is wanted now, and wait for the processes of these names."""
        old = self._of(names)
        running = self.network.processes()
        assert running is not None
        write_whole(self._wanted, msgspec.json.encode(wanted))
        running.supervisor.send(signal.SIGHUP)

        async def missing() -> str:
            late = [
                name
                for name, before, now in zip(names, old, self._of(names), strict=True)
                if now is None or now == before
            ]
            return f"{', '.join(late)} have not been started again" if late else ""

        await until("other contract services", missing, within_s=ENDED_S)
        self._note()
        await asyncio.gather(*(self.network.until_well(node) for node in nodes))

    def _of(self, names: list[str]) -> list[Process | None]:
        running = self.network.processes()
        assert running is not None
        found = [running.named(name) for name in names]
        return [None if one is None else one.process for one in found]


async def until_well(network: Network) -> NetworkStatus:
    """Wait until every node of a network runs, answers and has caught up; how it is then."""
    found: list[NetworkStatus] = []

    async def missing() -> str:
        found[:] = [await network_status(network)]
        late = [node.name for node in found[0].nodes if node.lag]
        return "" if found[0].is_well and not late else str(found[0])

    await until("the whole network", missing, within_s=WELL_S)
    return found[0]


def default_consortium() -> Consortium:
    """The default consortium with a guest; blocks are cut fast, so that tests are."""
    consortium = read_consortium()
    limits = msgspec.structs.replace(consortium.limits, cut_interval_ms=CUT_INTERVAL_MS)
    members = [*consortium.organisations, GUEST]
    return msgspec.structs.replace(consortium, organisations=members, limits=limits)


def small(*, approvals: int = 2) -> Consortium:
    """Half as many processes as the default consortium has; so many members decide on contracts."""
    return parse_consortium((SMALL % approvals).encode())
