"""Scenarios on a Fabric network: one network, and for each market a contract of its own name.

The peers, orderers, gateways and the shim are the real ones; what is special is where the contract
runs: in this process, so that a scenario may hold a simulation. Beside each ledger runs an embedded
one that is given the same calls: results, refusals, events and public state must be the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar, cast

import msgspec

from chaincode.contract import Contract
from chaincode.errors import Refused
from chaincode.shim.serving.server import ChaincodeServer
from chaincode.shim.serving.settings import ServerSettings, TlsFiles
from identity.verification import Verification
from ledger_network import port
from ledger_network.embedded.recovery.export import export
from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.consortium.definition import parse_consortium
from ledger_network.fabric.consortium.profile import profile
from ledger_network.fabric.ledger.contract_service import contract_handler
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.operations.contract_rollout import ContractRollout, definition
from ledger_network.fabric.operations.network import Network
from ledger_network.port import CommittedEvents, Conflict, Member, Position, Receipt
from tests.contract.stage.cast import Call, Clock
from tests.contract.stage.copying import CopyingContract
from tests.contract.stage.embedded_engine import CHANNEL, EmbeddedEngine, open_embedded
from tests.own_ports import on_own_ports

T = TypeVar("T")
A = TypeVar("A", Receipt, bytes)
Begins: TypeAlias = Callable[[], Coroutine[Any, Any, A]]

YEARS_S = 9_000_000_000  # a scenario's clock is set by hand, so peers have to take any time
READY_S = 60.0
EVENTS_S = 20.0
AGREED_AT_ONCE = 16  # their approvals share blocks
CONSORTIUM = f"""
name: suite
fabric: 3.1.1
channel: {CHANNEL}
contract: commonwatt
organisations:
  - {{name: Dso, role: dso, domain: dso.test, peers: [{{port: 20000}}], orderers: [{{port: 20100}}]}}
  - {{name: OtherDso, role: dso, domain: otherdso.test, peers: [{{port: 20010}}], orderers: [{{port: 20110}}]}}
  - {{name: R1, role: retailer, domain: r1.test, peers: [{{port: 20020}}], orderers: [{{port: 20120}}]}}
  - {{name: R2, role: retailer, domain: r2.test, peers: [{{port: 20030}}], orderers: [{{port: 20130}}]}}
  - {{name: Oracle, role: oracle, domain: oracle.test, peers: [{{port: 20040}}]}}
  - {{name: Reg, role: regulator, domain: reg.test, peers: [{{port: 20050}}]}}
  - {{name: Guest, role: guest, domain: guest.test}}
policies:
  endorsement: [[dso], [retailer]]
  lifecycle: {{roles: [dso, retailer], at_least: 3}}
collections:
  - name: readings
    members: [dso, retailer, oracle, regulator]
    endorsement: [[oracle], [dso]]
limits:
  cut_interval_ms: 20
  time_window_s: {YEARS_S}
"""


class SuiteNetwork:
    """The network of the suite and the contracts that are served to it from here."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._consortium = on_own_ports(parse_consortium(CONSORTIUM.encode()))
        self.network = Network(
            self._consortium,
            folder / "network",
            install(),
            contract_command=(),
            version="1",
            ends_with_us=True,
        )
        self._servers: list[ChaincodeServer] = []
        self._verification = Verification(1)
        self._agreement = ContractRollout(self._consortium, self.network.placement)
        self._names = count(1)
        self._agreed: list[str] = []

    def __enter__(self) -> Self:
        try:
            self.run(self._up())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.run(self._down())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of asynchronous work, in the loop that the contracts are served in too."""
        return self._runner.run(work)

    async def _up(self) -> None:
        await self.network.up(lambda _: None)
        deployed = self.network.deployed()
        for node in self._consortium.nodes("contract"):
            tls = self.network.folder.config(node) / "tls"
            settings = ServerSettings(
                address=node.address,
                package_id=deployed.packages[node.name.replace("contract", "peer", 1)],
                tls=TlsFiles(
                    certificate=tls / "server.crt",
                    key=tls / "server.key",
                    client_roots=tls / "ca.crt",
                ),
            )
            server = ChaincodeServer(
                settings, contract_handler(CopyingContract()), verification=self._verification
            )
            await server.start()
            self._servers.append(server)
        await self._agreement.__aenter__()
        await self._agreement.install(self.network.packages(1))
        name = f"commonwatt-{next(self._names)}"
        await self._agree(name)
        await self._agreement.probe(name, within_s=READY_S)
        self._agreed.append(name)

    async def _down(self) -> None:
        await self._agreement.__aexit__(None, None, None)
        for server in self._servers:
            await server.stop()
        await self.network.down(purge=True, progress=lambda _: None)

    async def contract(self) -> str:
        """The name of a contract that no scenario has had; the members agree on some at a time."""
        if not self._agreed:
            names = [f"commonwatt-{next(self._names)}" for _ in range(AGREED_AT_ONCE)]
            await asyncio.gather(*map(self._agree, names))
            # A gateway finds no endorsers until gossip has told it who serves the contract.
            await asyncio.gather(*(self._agreement.probe(each, within_s=READY_S) for each in names))
            self._agreed += names
        return self._agreed.pop(0)

    async def _agree(self, name: str) -> None:
        agreed = definition(self._consortium, name, version="1", sequence=1)
        await self._agreement.agree(agreed, self.network.deployed().packages)

    async def open(self, clock: Clock, name: str) -> FabricLedger:
        """A ledger of the contract of that name, as all members."""
        profiles = [
            msgspec.structs.replace(
                profile(self._consortium, member.name, self.network.placement), contract=name
            )
            for member in self._consortium.organisations
        ]
        return await FabricLedger.open(profiles, contract=Contract(), clock=clock)


class FabricEngine:
    """Fabric ledgers of one scenario, each with an embedded one in step."""

    def __init__(self, suite: SuiteNetwork, folder: Path, quick: EmbeddedEngine) -> None:
        self._suite = suite
        self._folder = folder
        self.quick = quick

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of asynchronous work."""
        return self._suite.run(work)

    async def open(self, clock: Clock) -> TestedFabric:
        """A new contract on the network."""
        name = await self._suite.contract()
        ledger = await self._suite.open(clock, name)
        height = (await ledger.health()).height
        return TestedFabric(ledger, self._folder / name, clock, Position(height - 1, 0))


class Ended(NamedTuple):
    """How a call ended: its result, or the refusal."""

    result: bytes
    code: str = ""
    sentence: str = ""
    repeatable: bool = False


class TestedFabric:
    """A Fabric ledger in a scenario; whatever it answers, the embedded one must answer too."""

    __test__ = False

    def __init__(self, ledger: FabricLedger, folder: Path, clock: Clock, before: Position) -> None:
        """`before`: nothing of this contract is at this place or before it."""
        self._ledger = ledger
        self._before = before
        self._folder = folder
        self._twin = open_embedded(folder, clock, ledger.contract)
        self._in_turn = asyncio.Lock()
        self._is_at_end = False

    @property
    def channel(self) -> str:
        """The channel's name."""
        return self._ledger.channel

    @property
    def contract(self) -> str:
        """The contract's name."""
        return self._ledger.contract

    async def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> Receipt:
        """Submit to both; Fabric's receipt, or the refusal of both."""

        async def result(ledger: port.Ledger) -> Receipt:
            return await ledger.submit(name, arguments, member=member, transient=transient)

        return await self._same(result(self._ledger), lambda: result(self._twin))

    async def evaluate(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """Ask both; the answer or the refusal of both. At the end the embedded one is asked."""
        if self._is_at_end:
            return await self._twin.evaluate(name, arguments, member=member, transient=transient)

        async def answer(ledger: port.Ledger) -> bytes:
            return await ledger.evaluate(name, arguments, member=member, transient=transient)

        return await self._same(answer(self._ledger), lambda: answer(self._twin))

    async def _same(self, here: Coroutine[Any, Any, A], there: Begins[A]) -> A:
        """How a call ends on Fabric, which must be how it ends on the other ledger.

        What was submitted at once is given to the other one by one. The other is not asked when
        Fabric fails otherwise, so its call is only begun here. A conflict has changed nothing, and only
        Fabric meets it: its transactions of one block were endorsed beside each other.
        """
        try:
            found = await here
        except Refused as failure:
            await self._require(there, fault(failure))
            raise
        await self._require(there, reply(found))
        return found

    async def _require(self, there: Begins[A], expected: Ended) -> None:
        async with self._in_turn:
            assert await ended(there()) == expected

    def events(self, *, after: Position | None = None) -> AsyncGenerator[CommittedEvents]:
        """Fabric's events."""
        return self._ledger.events(after=after)

    async def transaction(self, transaction: str) -> Receipt | None:
        """Fabric's receipt."""
        return await self._ledger.transaction(transaction)

    async def block(self, number: int) -> port.Block | None:
        """Fabric's block."""
        return await self._ledger.block(number)

    async def health(self) -> port.Health:
        """Fabric's health."""
        return await self._ledger.health()

    async def state_hash(self) -> str:
        """The digest of both states."""
        found = await self._ledger.state_hash()
        assert await self._twin.state_hash() == found
        return found

    async def overtake(self, clock: Clock, first: Call, *others: Call) -> Receipt:
        """Let `first` be endorsed, commit the others, then order `first`; the same on both.

        A simulation itself cannot be held here: a peer commits nothing while it simulates.
        """

        async def here() -> Receipt:
            clock.now_s = first.at_s
            endorsed = await self._ledger.endorse(
                first.name, first.arguments, member=Member(first.member)
            )
            for call in others:
                clock.now_s = call.at_s
                member = Member(call.member)
                await self._ledger.submit(call.name, call.arguments, member=member)
            return await self._ledger.commit(endorsed, member=Member(first.member))

        def there() -> Coroutine[Any, Any, Receipt]:
            return self._twin.overtake(clock, first, *others)

        try:
            return await self._same(here(), there)
        except Conflict as failure:
            # Here the others were committed all the same, and the first met them on both.
            await self._require(there, fault(failure))
            raise

    async def check_end(self) -> None:
        """Both ledgers have the same state, so what else is checked is asked of one of them."""
        await self.state_hash()
        self._is_at_end = True

    async def close(self) -> None:
        """Close both; what they told on the way was the same, event by event."""
        await self._twin.close()
        expected = told_by(self._folder)
        try:
            async with asyncio.timeout(EVENTS_S):
                found = await self._told(len(expected))
        finally:
            await self._ledger.close()
        # What was submitted at once may stand in another order.
        assert sorted(found, key=repr) == sorted(expected, key=repr)

    async def _told(self, count: int) -> list[Told]:
        """The first `count` events on Fabric."""
        found: list[Told] = []
        async with contextlib.aclosing(self._ledger.events(after=self._before)) as stream:
            while len(found) < count:
                happened = await anext(stream)
                data = [(one.name, msgspec.json.decode(one.data)) for one in happened.events]
                found.append(Told(happened.name, happened.time_s, data))
        return found


class Told(NamedTuple):
    """What a transaction told: its name, its time, its events with their data."""

    name: str
    time_s: int
    events: list[tuple[str, object]]


def told_by(folder: Path) -> list[Told]:
    """What the transactions of a closed embedded ledger told, in order."""
    return [
        Told(one["name"], one["time_s"], [(e["name"], e["data"]) for e in one["events"]])
        for block in export(folder)
        for one in cast("list[dict[str, Any]]", block["transactions"])
        if one.get("events")
    ]


async def ended(work: Coroutine[Any, Any, Receipt | bytes]) -> Ended:
    """How a call on the embedded ledger ends."""
    try:
        found = await work
    except (Refused, Conflict) as failure:
        return fault(failure)
    return reply(found)


def reply(found: Receipt | bytes) -> Ended:
    """A receipt or an answer as it is compared."""
    return Ended(found if isinstance(found, bytes) else found.result)


def fault(failure: Refused | Conflict) -> Ended:
    """A refusal or a conflict as it is compared; how a conflict is worded is the engine's own."""
    if isinstance(failure, Conflict):
        return Ended(b"", "(conflict)")
    return Ended(b"", failure.code, failure.sentence, failure.repeatable)
