"""A native network on this machine: made, brought up, taken down.

`up` may be called at any time and after anything: what is made already is kept, what runs is left
running, what was done of the channel is found and gone on from.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ledger_network.fabric.agreement import Agreement
from ledger_network.fabric.consortium import Consortium, Node
from ledger_network.fabric.gathering import READY_S, Gathering, Progress
from ledger_network.fabric.install import Installation
from ledger_network.fabric.lifecycle import Definition
from ledger_network.fabric.material import Deployed, Material, NetworkFault
from ledger_network.fabric.node_settings import contract_environment, fabric_environment
from ledger_network.fabric.placement import NetworkFolder, Placement
from ledger_network.fabric.probe import require_free, until
from ledger_network.fabric.processes import (
    Process,
    Processes,
    Wanted,
    read_processes,
    read_wanted,
    write_whole,
)
from ledger_network.fabric.supervisor import ENDS_WITH_PARENT

DOWN_S = 40.0
WANTED = "wanted.json"
SUPERVISOR = "ledger_network.fabric.supervisor"


class Network:
    """One network in one folder, as processes of this machine.

    `contract_command` starts a contract service; it is told the rest by its environment. Without
    one no contract is run or agreed on: whoever serves it elsewhere sees to that.
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
        """`ends_with_us`: the processes end when this one does, however it ends."""
        self.consortium = consortium
        self.folder = NetworkFolder(root.absolute())
        self.placement = Placement("native", self.folder, installed.builder)
        self.material = Material(consortium, self.placement)
        self._gathering = Gathering(self.material)
        self.installed = installed
        self._contract_command = list(contract_command)
        self._version = version
        self._ends_with_us = ends_with_us
        self._supervisor: subprocess.Popen[bytes] | None = None  # where it was started from here

    # Making

    def make(self) -> None:
        """Generate keys, channel and settings, unless they are there.

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
        """What the channel agrees on."""
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
        command = [program, "node", "start"] if node.kind == "peer" else [program]
        log = str(self.folder.log(node))
        return Wanted(node.name, command, fabric_environment(config), folder=str(config), log=log)

    def _contracts(self, deployed: Deployed) -> list[Wanted]:
        """The contract services of a deployment, none where they are run elsewhere."""
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
        """What runs, None where no supervisor does."""
        found = read_processes(self.folder.processes)
        return found if found is not None and found.supervisor.is_alive else None

    def _run(self, wanted: Sequence[Wanted]) -> None:
        """Let the supervisor of this folder run this and nothing else; start it if need be.

        Called in the main thread: a process that ends with its parent ends with the thread that
        started it.
        """
        path = self.folder.root / WANTED
        self._write_wanted(wanted)
        running = self.processes()
        if running is not None:
            running.supervisor.send(signal.SIGHUP)
            return
        require_free(self.consortium.nodes("orderer", "peer"))
        if self._supervisor is not None:
            self._supervisor.wait()  # it is dead: only its remains are waited for
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

    async def stop(self, name: str, *, at_once: bool = False) -> None:
        """Take one node down until `start` or `up`; on return it has ended.

        `at_once` kills it as a crash would. Raises `NetworkFault` for a name that does not run.
        """
        running = self.processes()
        found = running.named(name) if running else None
        if running is None or found is None:
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
        """Start a node that was stopped; on return it is well."""
        nodes = {node.name: node for node in self.consortium.nodes("orderer", "peer")}
        deployed = self.deployed()
        for node in self.consortium.contracts(deployed.sequence):
            nodes[contract_process(node, deployed.sequence)] = node
        running = self.processes()
        if running is None or name not in nodes:
            raise NetworkFault(f"There is no node {name!r} in the network at {self.folder.root}.")
        there = {one.name for one in read_wanted(self.folder.root / WANTED)} | {name}
        self._write_wanted([one for one in self.wanted(deployed) if one.name in there])
        running.supervisor.send(signal.SIGHUP)
        await self.until_well(nodes[name])

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
        """Let peers that never joined begin anew.

        One that was ended while it made its databases cannot open them again; before it has
        joined there is nothing in them.
        """
        for peer in self.consortium.nodes("peer"):
            data = self.folder.data(peer)
            if not (data / "ledgersData/chains/chains" / self.consortium.channel).exists():
                shutil.rmtree(data, ignore_errors=True)
                data.mkdir(parents=True)

    # Up

    async def _is_ending(self) -> str:
        running = self.processes()
        return "its supervisor is ending" if running is not None and running.is_ending else ""

    async def up(self, progress: Progress) -> None:
        """Bring everything up; on return orders can be committed.

        Raises `NetworkFault`, `PortTaken`, `NotReady`, `JoinFailed`, `GenerationFailed`.
        """
        progress("keys, channel and settings")
        await asyncio.to_thread(self.make)
        await until("the end of what ran before", self._is_ending, within_s=DOWN_S)
        self._run(self.wanted(self.deployed()))
        await self._gathering.join(progress)
        if self._contract_command:
            await self._gathering.agree(progress)

    def agreement(self) -> Agreement:
        """The members' administrators."""
        return Agreement(self.consortium, self.placement)

    async def until_well(self, node: Node, *, within_s: float = READY_S) -> None:
        """Wait until a node says that it is well. Raises `NotReady`."""
        await self._gathering.until_well(node, within_s=within_s)

    # Upgrade

    async def upgrade(self, version: str, progress: Progress) -> Deployed:
        """Replace the contract on the running network; the state stays.

        The services of the new definition are started beside the old ones. When its members have
        approved it is committed, and from that block on it is the contract; the old services end
        when every gateway reaches the new. What was endorsed by the old and not yet ordered is a
        conflict, to be submitted again. May be called again when it was cut short.
        """
        if self.processes() is None:
            raise NetworkFault("Nothing runs: bring the network up, then upgrade it.")
        old = self.deployed()
        progress("packages")
        new = await asyncio.to_thread(self.material.make_packages, version, old.sequence + 1)
        progress("the new contract's services")
        services = self._contracts(new)
        names = {one.name for one in services}
        # What serves the old contract stays just as it was started.
        kept = [one for one in read_wanted(self.folder.root / WANTED) if one.name not in names]
        self._run([*kept, *services])
        contracts = self.consortium.contracts(new.sequence)
        await asyncio.gather(*(self.until_well(node) for node in contracts))
        async with self.agreement() as agreement:
            progress("installed and approved by every member, then committed")
            await agreement.install(self.packages(new.sequence))
            await agreement.agree(self.definition(new), new.packages)
            await asyncio.to_thread(write_whole, self.folder.contracts, msgspec.json.encode(new))
            await agreement.probe(self.consortium.contract, within_s=READY_S)
        progress("the old contract's services end")
        wanted = self.wanted(new)
        self._run(wanted)
        await self._until_gone({one.name for one in kept} - {one.name for one in wanted})
        return new

    # Down

    async def down(self, *, purge: bool, progress: Progress) -> int:
        """End exactly what `up` started; with `purge` the folder goes too. How many ended."""
        found = read_processes(self.folder.processes)
        ended = 0
        if found is not None:
            ended = sum(1 for one in found.running if one.process and one.process.is_alive)
            progress(f"{ended} processes")
            found.supervisor.send(signal.SIGTERM)
            await self._until_ended(found)
        if purge:
            shutil.rmtree(self.folder.root, ignore_errors=True)
        return ended

    async def _until_ended(self, found: Processes) -> None:
        """Wait for the supervisor, then kill what it should have left behind."""
        ours: list[Process] = [found.supervisor]
        ours += [one.process for one in found.running if one.process is not None]
        deadline_s = time.monotonic() + DOWN_S
        while any(process.is_alive for process in ours) and time.monotonic() < deadline_s:
            if not found.supervisor.is_alive:
                for process in ours:
                    process.send(signal.SIGTERM)
            await asyncio.sleep(0.05)
        for process in ours:
            process.send(signal.SIGKILL)
        if self._supervisor is not None:
            self._supervisor.wait()  # or its remains would stay until this process ends


def contract_process(node: Node, sequence: int) -> str:
    """The name of a contract service's process: of two definitions both run for a moment."""
    return node.name if sequence == 1 else f"{node.name}.{sequence}"
