"""Creates, starts and stops a native network on this machine.

`up` may be called at any time: it keeps existing files and running processes and starts the rest.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from ledger_network.fabric.binaries.install import Installation
from ledger_network.fabric.consortium.definition import Consortium, Node
from ledger_network.fabric.consortium.node_settings import contract_environment, fabric_environment
from ledger_network.fabric.consortium.placement import NetworkFolder, Placement
from ledger_network.fabric.operations.bootstrap import READY_S, Bootstrap, Progress
from ledger_network.fabric.operations.contract_rollout import ContractRollout
from ledger_network.fabric.operations.lifecycle import Definition
from ledger_network.fabric.operations.material import Deployed, Material, NetworkFault
from ledger_network.fabric.runtime.probe import (
    PortTaken,
    attended,
    require_free,
    require_own_free,
    until,
)
from ledger_network.fabric.runtime.processes import (
    Process,
    Processes,
    Wanted,
    read_processes,
    read_wanted,
    write_whole,
)
from ledger_network.fabric.runtime.supervisor import ENDS_WITH_PARENT

DOWN_S = 40.0
WANTED = "wanted.json"
SUPERVISOR = "ledger_network.fabric.runtime.supervisor"
UP = "Bring it up with `commonwatt network up`."


class Network:
    """One network in one folder, as processes of this machine.

    `contract_command` starts a contract service; its environment tells it the rest. Without a
    command the caller has to run the contract and deploy it.
    """

    def __init__(
        self,
        consortium: Consortium,
        root: Path,
        installed: Installation,
        *,
        contract_command: Sequence[str],
        version: str,
        ends_with_us: bool = False,
    ) -> None:
        """With `ends_with_us` the processes end when this process ends, for any reason."""
        self.consortium = consortium
        self.folder = NetworkFolder(root.absolute())
        self.placement = Placement("native", self.folder, installed.builder)
        self.material = Material(consortium, self.placement)
        self._bootstrap = Bootstrap(self.material)
        self.installed = installed
        self._contract_command = list(contract_command)
        self._version = version
        self._ends_with_us = ends_with_us
        self._supervisor: subprocess.Popen[bytes] | None = None  # set if this object started it

    # Making

    def make(self) -> None:
        """Generate keys, channel and settings unless they exist.

        Raises `NetworkFault` when the folder holds the network of another consortium.
        """
        self.material.make(self.installed, version=self._version)

    def deployed(self) -> Deployed:
        """The contract that this network runs."""
        return self.material.deployed()

    def packages(self, sequence: int) -> dict[str, bytes]:
        """The packages of a definition by the names of the peers that install them."""
        return self.material.packages(sequence)

    def definition(self, deployed: Deployed) -> Definition:
        """The definition on which the channel agrees."""
        return self.material.definition(deployed)

    # Processes

    def wanted(self, *deployments: Deployed) -> list[Wanted]:
        """All processes of the network, with the contracts of these deployments."""
        nodes = self.consortium.nodes("orderer", "peer")
        return [self._node(node) for node in nodes] + [
            wanted for deployed in deployments for wanted in self._contracts(deployed)
        ]

    def _node(self, node: Node) -> Wanted:
        """A peer or an orderer."""
        config = self.folder.config(node)
        self.folder.data(node).mkdir(parents=True, exist_ok=True)
        program = str(self.installed.program(node.kind))
        environment, command = fabric_environment(config), [program]
        if node.kind == "peer":
            command = [program, "node", "start"]
        log = str(self.folder.log(node))
        return Wanted(node.name, command, environment, folder=str(config), log=log)

    def _contracts(self, deployed: Deployed) -> list[Wanted]:
        """The contract services of a deployment; empty if they run elsewhere."""
        if not self._contract_command:
            return []
        made: list[Wanted] = []
        nodes = self.consortium.contracts(deployed.sequence)
        for node, package in zip(nodes, deployed.packages.values(), strict=True):
            config = self.folder.config(node)
            environment = contract_environment(node, self.placement, package, config)
            name = contract_process(node, deployed.sequence)
            log = str(self.folder.log(node))
            made.append(Wanted(name, self._contract_command, environment, str(config), log))
        return made

    def processes(self) -> Processes | None:
        """The running processes, None if no supervisor runs."""
        found = read_processes(self.folder.processes)
        return found if found is not None and found.supervisor.is_alive else None

    def died(self) -> str:
        """A sentence if the supervisor died before it ended its processes, else an empty string."""
        found = read_processes(self.folder.processes)
        if found is None or found.supervisor.is_alive or not found.running:
            return ""
        left = len(found.alive)
        its = f"{left} of its {len(found.running)} processes have not ended yet"
        return (
            f"The supervisor of the network at {self.folder.root}, process "
            f"{found.supervisor.pid}, has died; {its if left else 'its processes ended with it'}."
        )

    def _running(self) -> Processes:
        """The running processes. Raises `NetworkFault` if no supervisor runs."""
        running = self.processes()
        if running is None:
            said = self.died() or f"Nothing of the network at {self.folder.root} runs."
            raise NetworkFault(f"{said} {UP}")
        return running

    def _run(self, wanted: Sequence[Wanted]) -> None:
        """Let the supervisor of this folder run exactly `wanted`; start it if necessary.

        Call this in the main thread: a process that ends with its parent ends with the thread that
        started it. Raises `PortTaken` before anything has changed.
        """
        running = self.processes()
        if running is not None:
            self._require_ports(one.name for one in wanted)
            self._write_wanted(wanted)
            running.supervisor.send(signal.SIGHUP)
            return
        require_free(self.consortium.nodes("orderer", "peer"))
        self._write_wanted(wanted)
        path = self.folder.root / WANTED
        if self._supervisor is not None:
            self._supervisor.wait()  # it is dead; this only collects the zombie
        self.folder.processes.unlink(missing_ok=True)
        self._forget_beginnings()
        with (self.folder.root / "supervisor.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [
                    *(sys.executable, "-m", SUPERVISOR, path, self.folder.processes),
                    *([ENDS_WITH_PARENT] if self._ends_with_us else []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder.root,
            )

    def _require_ports(self, names: Iterable[str]) -> None:
        """Raise `PortTaken` when the port of a named node that does not run is in use."""
        nodes = self._by_name()
        for name in names:
            if self._has_process(name):
                continue
            try:
                require_own_free(nodes[name])
            except PortTaken:
                if not self._has_process(name):  # else the node itself has begun to listen
                    raise

    def _has_process(self, name: str) -> bool:
        running = self.processes()
        found = running.named(name) if running else None
        return found is not None and found.process is not None

    def _by_name(self) -> dict[str, Node]:
        """The nodes by process name, with contract services before and after an upgrade."""
        found = {node.name: node for node in self.consortium.nodes("orderer", "peer")}
        sequence = self.deployed().sequence
        for one in (sequence, sequence + 1):
            contracts = self.consortium.contracts(one)
            found |= {contract_process(node, one): node for node in contracts}
        return found

    async def stop(self, name: str, *, at_once: bool = False) -> None:
        """Take one node down until `start` or `up`; on return it has ended.

        `at_once` kills it as a crash would. Raises `NetworkFault` for a name that does not run.
        """
        running = self._running()
        found = running.named(name)
        if found is None:
            raise NetworkFault(
                f"There is no process {name!r} in the network at {self.folder.root}."
            )
        path = self.folder.root / WANTED
        self._write_wanted([one for one in read_wanted(path) if one.name != name])
        if at_once and found.process is not None:
            found.process.send(signal.SIGKILL)
        running.supervisor.send(signal.SIGHUP)
        await self._until_gone({name})

    async def start(self, name: str) -> None:
        """Start a node that was stopped; on return it is well.

        Raises `NetworkFault` for an unknown name, `PortTaken`, `NotReady`.
        """
        running = self._running()
        could_run = self.wanted(self.deployed())
        if name not in {one.name for one in could_run}:
            raise NetworkFault(f"There is no node {name!r} in the network at {self.folder.root}.")
        self._require_ports([name])
        there = {one.name for one in read_wanted(self.folder.root / WANTED)} | {name}
        self._write_wanted([one for one in could_run if one.name in there])
        running.supervisor.send(signal.SIGHUP)
        await attended(self.until_well(self._by_name()[name]), self._unattended)

    async def _until_gone(self, names: set[str]) -> None:
        """Wait until these processes have ended. Raises `NotReady`."""

        async def remaining() -> str:
            now = self.processes()
            left = sorted(name for name in names if now and now.named(name))
            return f"{', '.join(left)} still there" if left else ""

        await until("the supervisor", remaining, within_s=DOWN_S)

    def _write_wanted(self, wanted: Sequence[Wanted]) -> None:
        write_whole(self.folder.root / WANTED, msgspec.json.encode(wanted))

    def _forget_beginnings(self) -> None:
        """Reset nodes that never joined the channel, whose databases are empty.

        A node that ended while it created its databases cannot open them again.
        """
        for node in self.consortium.nodes("peer", "orderer"):
            data = self.folder.data(node)
            chains = "ledgersData/chains/chains" if node.kind == "peer" else "ledger/chains"
            if not (data / chains / self.consortium.channel).exists():
                shutil.rmtree(data, ignore_errors=True)
                data.mkdir(parents=True)

    # Up

    async def _is_ending(self) -> str:
        running = self.processes()
        return "its supervisor is ending" if running is not None and running.is_ending else ""

    async def up(self, progress: Progress) -> None:
        """Bring everything up; on return orders can be committed.

        Raises `NetworkFault`, `PortTaken`, `NotReady`, `JoinFailed`, `GenerationFailed`,
        `GatewayError`.
        """
        progress("keys, channel and settings")
        await asyncio.to_thread(self.make)
        await until("the end of what ran before", self._is_ending, within_s=DOWN_S)
        found = read_processes(self.folder.processes)
        if found is not None and not found.supervisor.is_alive and found.alive:
            progress("the end of what a dead supervisor ran")
            await self._until_ended(found)
        self._run(self.wanted(self.deployed()))
        await attended(self._gather(progress), self._unattended)

    async def _gather(self, progress: Progress) -> None:
        await self._bootstrap.join(progress)
        if self._contract_command:
            await self._bootstrap.agree(progress)

    def _unattended(self) -> str:
        """A sentence if the supervisor is ending or gone, else an empty string."""
        found = read_processes(self.folder.processes)
        if found is None:  # it has just started and written nothing yet, or it has ended
            there = self._supervisor is not None and self._supervisor.poll() is None
        else:
            there = found.supervisor.is_alive
        if there and found is not None and found.is_ending:
            return f"The network at {self.folder.root} is being taken down."
        if there:
            return ""
        return (
            f"The supervisor of the network at {self.folder.root} has ended, and all that it ran "
            f"ends with it; what it said is in supervisor.log there. {UP}"
        )

    def rollout(self) -> ContractRollout:
        """The members' administrators."""
        return ContractRollout(self.consortium, self.placement)

    async def until_well(self, node: Node, *, within_s: float = READY_S) -> None:
        """Wait until a node reports that it is well. Raises `NotReady`."""
        await self._bootstrap.until_well(node, within_s=within_s)

    # Upgrade

    async def upgrade(self, version: str, progress: Progress) -> Deployed:
        """Replace the contract on the running network; the state stays.

        The services of the new definition are started beside the old ones. When the members have
        approved the definition it is committed and applies from that block on. The old services end
        when every gateway reaches the new ones. A transaction that the old contract endorsed and
        that is not yet ordered becomes a conflict. An interrupted upgrade may be repeated.
        """
        self._running()
        return await attended(self._replace(version, progress), self._unattended)

    async def _replace(self, version: str, progress: Progress) -> Deployed:
        old = self.deployed()
        progress("packages")
        new = await asyncio.to_thread(self.material.make_packages, version, old.sequence + 1)
        progress("the new contract's services")
        services = self._contracts(new)
        names = {one.name for one in services}
        # The services of the old contract stay exactly as they were started.
        kept = [one for one in read_wanted(self.folder.root / WANTED) if one.name not in names]
        self._run([*kept, *services])
        contracts = self.consortium.contracts(new.sequence)
        await asyncio.gather(*(self.until_well(node) for node in contracts))
        async with self.rollout() as rollout:
            progress("installed and approved by every member, then committed")
            await rollout.install(self.packages(new.sequence))
            await rollout.agree(self.definition(new), new.packages)
            await asyncio.to_thread(write_whole, self.folder.contracts, msgspec.json.encode(new))
            await rollout.probe(self.consortium.contract, within_s=READY_S)
        progress("the old contract's services end")
        wanted = self.wanted(new)
        self._run(wanted)
        await self._until_gone({one.name for one in kept} - {one.name for one in wanted})
        return new

    # Down

    async def down(self, *, purge: bool, progress: Progress) -> int:
        """End exactly what `up` started; `purge` also removes the folder. Return how many ended."""
        found = read_processes(self.folder.processes)
        ended = 0
        if found is not None:
            ended = len(found.alive)
            progress(f"{ended} processes")
            found.supervisor.send(signal.SIGTERM)
            await self._until_ended(found)
            self.folder.processes.unlink(missing_ok=True)  # else the supervisor is reported as dead
        if purge:
            shutil.rmtree(self.folder.root, ignore_errors=True)
        return ended

    async def _until_ended(self, found: Processes) -> None:
        """Wait for the supervisor, then kill what it should have left behind."""
        deadline_s = time.monotonic() + DOWN_S
        while (left := _remaining(found)) and time.monotonic() < deadline_s:
            if not found.supervisor.is_alive:
                for process in left:
                    process.send(signal.SIGTERM)
            await asyncio.sleep(0.05)
        for process in _remaining(found):
            process.send(signal.SIGKILL)
        if self._supervisor is not None:
            self._supervisor.wait()  # else a zombie would stay until this process ends


def contract_process(node: Node, sequence: int) -> str:
    """The name of a contract service's process; two definitions may run at the same time."""
    return node.name if sequence == 1 else f"{node.name}.{sequence}"


def _remaining(found: Processes) -> list[Process]:
    """The running processes of a network, its supervisor included."""
    return [one for one in (found.supervisor, *found.alive) if one.is_alive]
