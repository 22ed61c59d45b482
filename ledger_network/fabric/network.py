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
from ledger_network.fabric.consortium import Consortium, Node, NodeKind
from ledger_network.fabric.gathering import READY_S, Gathering, Progress
from ledger_network.fabric.install import Installation
from ledger_network.fabric.lifecycle import Definition
from ledger_network.fabric.material import Deployed, Material
from ledger_network.fabric.node_settings import contract_environment, fabric_environment
from ledger_network.fabric.placement import NetworkFolder, Placement
from ledger_network.fabric.probe import require_free
from ledger_network.fabric.processes import (
    Process,
    Processes,
    Wanted,
    read_processes,
    write_whole,
)

DOWN_S = 40.0
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
    ) -> None:
        self.consortium = consortium
        self.folder = NetworkFolder(root.absolute())
        self.placement = Placement("native", self.folder, installed.builder)
        self.material = Material(consortium, self.placement)
        self._gathering = Gathering(self.material)
        self._installed = installed
        self._contract_command = list(contract_command)
        self._version = version
        self._supervisor: subprocess.Popen[bytes] | None = None  # where it was started from here

    # Making

    def make(self) -> None:
        """Generate keys, channel and settings, unless they are there.

        Raises `NetworkFault` when the folder holds the network of another consortium.
        """
        self.material.make(self._installed, version=self._version)

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

    def wanted(self) -> list[Wanted]:
        """All processes of the network."""
        deployed = self.deployed()
        kinds: list[NodeKind] = ["orderer", "peer"]
        if self._contract_command:
            kinds.append("contract")
        return [self._wanted(node, deployed) for node in self.consortium.nodes(*kinds)]

    def _wanted(self, node: Node, deployed: Deployed) -> Wanted:
        config = self.folder.config(node)
        data = self.folder.data(node)
        data.mkdir(parents=True, exist_ok=True)
        environment = fabric_environment(config)
        if node.kind == "orderer":
            command = [str(self._installed.program("orderer"))]
        elif node.kind == "peer":
            command = [str(self._installed.program("peer")), "node", "start"]
        else:
            peer = Node("peer", node.organisation, node.index, node.site)
            command = self._contract_command
            environment = contract_environment(
                node, self.placement, deployed.packages[peer.name], config
            )
        log = self.folder.log(node)
        return Wanted(node.name, command, environment, folder=str(config), log=str(log))

    def processes(self) -> Processes | None:
        """What runs, None where no supervisor does."""
        found = read_processes(self.folder.processes)
        return found if found is not None and found.supervisor.is_alive else None

    def _start(self) -> None:
        """Start the supervisor of this folder, which starts all else."""
        wanted = self.folder.root / "wanted.json"
        write_whole(wanted, msgspec.json.encode(self.wanted()))
        running = self.processes()
        if running is not None:
            running.supervisor.send(signal.SIGHUP)
            return
        require_free(self.consortium.nodes("orderer", "peer"))
        self.folder.processes.unlink(missing_ok=True)
        with (self.folder.root / "supervisor.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", SUPERVISOR, wanted, self.folder.processes],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder.root,
            )

    # Up

    async def up(self, progress: Progress) -> None:
        """Bring everything up; on return orders can be committed.

        Raises `NetworkFault`, `PortTaken`, `NotReady`, `JoinFailed`, `GenerationFailed`.
        """
        progress("keys, channel and settings")
        await asyncio.to_thread(self.make)
        await asyncio.to_thread(self._start)
        await self._gathering.join(progress)
        if self._contract_command:
            await self._gathering.agree(progress)

    def agreement(self) -> Agreement:
        """The members' administrators."""
        return Agreement(self.consortium, self.placement)

    async def until_well(self, node: Node, *, within_s: float = READY_S) -> None:
        """Wait until a node says that it is well. Raises `NotReady`."""
        await self._gathering.until_well(node, within_s=within_s)

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
