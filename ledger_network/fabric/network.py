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
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ledger_network.fabric import joining
from ledger_network.fabric.agreement import Agreement, definition, directly
from ledger_network.fabric.channel_config import make_channel
from ledger_network.fabric.consortium import (
    ADMIN_PORT,
    Consortium,
    Node,
    NodeKind,
    parse_consortium,
)
from ledger_network.fabric.crypto import make_crypto
from ledger_network.fabric.install import Installation
from ledger_network.fabric.lifecycle import Definition
from ledger_network.fabric.node_settings import (
    contract_environment,
    fabric_environment,
    make_node_folders,
)
from ledger_network.fabric.package import contract_package, package_id
from ledger_network.fabric.placement import NetworkFolder, Placement
from ledger_network.fabric.probe import health, listens, require_free, until
from ledger_network.fabric.processes import (
    Process,
    Processes,
    Wanted,
    read_processes,
    write_whole,
)
from ledger_network.fabric.profile import profile

READY_S = 60.0
DOWN_S = 40.0
SUPERVISOR = "ledger_network.fabric.supervisor"

Progress = Callable[[str], None]


class NetworkFault(Exception):
    """The network cannot be brought up or taken down as asked; the sentence says why."""


class Deployed(msgspec.Struct, frozen=True):
    """The contract that a network runs: its definition's version and sequence, who runs what."""

    version: str
    sequence: int
    packages: dict[str, str]


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
        self._installed = installed
        self._contract_command = list(contract_command)
        self._version = version

    # Making

    def make(self) -> None:
        """Generate keys, channel and settings, unless they are there.

        Raises `NetworkFault` when the folder holds the network of another consortium.
        """
        folder = self.folder
        if folder.consortium.exists():
            made = parse_consortium(folder.consortium.read_bytes(), str(folder.consortium))
            if made != self.consortium:
                raise NetworkFault(
                    f"The network in {folder.root} was made of another consortium's file: name "
                    "that one, take the network down with --purge, or use another --data."
                )
            return
        folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_crypto(self.consortium, folder, self._installed)
        make_channel(self.consortium, self.placement, self._installed)
        make_node_folders(self.consortium, self.placement, self._installed)
        packages = self._packages(self._version, 1)
        write_whole(folder.contracts, msgspec.json.encode(packages))
        write_whole(folder.consortium, msgspec.yaml.encode(self.consortium))

    def deployed(self) -> Deployed:
        """The contract that this network runs."""
        return msgspec.json.decode(self.folder.contracts.read_bytes(), type=Deployed)

    def _packages(self, version: str, sequence: int) -> Deployed:
        label = f"{self.consortium.contract}_{version}.{sequence}"
        packages: dict[str, str] = {}
        for peer in self.consortium.nodes("peer"):
            content = contract_package(label, peer, self._contract_of(peer), self.placement)
            path = self.package_path(peer, sequence)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            packages[peer.name] = package_id(label, content)
        return Deployed(version, sequence, packages)

    def package_path(self, peer: Node, sequence: int) -> Path:
        """Where a peer's package of a definition lies."""
        return self.folder.root / "packages" / f"{peer.name}.{sequence}.tar.gz"

    def _contract_of(self, peer: Node) -> Node:
        return Node("contract", peer.organisation, peer.index, peer.site)

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
            subprocess.Popen(
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
        genesis = await asyncio.to_thread(self.folder.genesis.read_bytes)
        orderers, peers = self.consortium.nodes("orderer"), self.consortium.nodes("peer")
        progress(f"{len(orderers)} orderers")
        await asyncio.gather(*(self._join_orderer(node, genesis) for node in orderers))
        progress(f"{len(peers)} peers")
        await asyncio.gather(*(self._join_peer(node, genesis) for node in peers))
        if not self._contract_command:
            return
        async with self.agreement() as agreement:
            progress("the contract")
            await self._deploy(agreement)
            progress("peers find each other")
            await agreement.probe(self.consortium.contract, within_s=READY_S)

    def agreement(self) -> Agreement:
        """The members' administrators."""
        return Agreement(self.consortium, self.placement)

    async def _join_orderer(self, node: Node, genesis: bytes) -> None:
        await self.until_well(node)
        host = self.placement.host(node)
        # Its administration service is there some moments after its health is.
        port = node.port + ADMIN_PORT
        await until(node.name, lambda: listens(host, port), within_s=READY_S)
        config = self.folder.config(node)
        await asyncio.to_thread(joining.join_orderer, node, host, config, genesis)

    async def _join_peer(self, node: Node, genesis: bytes) -> None:
        await self.until_well(node)
        own = profile(self.consortium, node.organisation.name, self.placement)
        async with directly(node, self.placement) as channel:
            await joining.join_peer(channel, own.identity("admin").current(), genesis)

    async def until_well(self, node: Node, *, within_s: float = READY_S) -> None:
        """Wait until a node says that it is well. Raises `NotReady`."""
        path = "/metrics" if node.kind == "contract" else "/healthz"
        host = self.placement.host(node)
        log = self.folder.log(node)
        await until(
            node.name,
            lambda: health(host, node.operations_port, path),
            within_s=within_s,
            log=log,
        )

    async def _deploy(self, agreement: Agreement) -> None:
        """Install, approve and commit the contract where that is not done."""
        contracts = self.consortium.nodes("contract")
        await asyncio.gather(*(self.until_well(node) for node in contracts))
        deployed = self.deployed()
        there = await agreement.committed(self.consortium.contract)
        if there != (deployed.version, deployed.sequence):
            packages = self.packages(deployed.sequence)
            await agreement.install(packages)
            await agreement.agree(self.definition(deployed), deployed.packages)

    def packages(self, sequence: int) -> dict[str, bytes]:
        """The packages of a definition by the names of the peers that install them."""
        return {
            peer.name: self.package_path(peer, sequence).read_bytes()
            for peer in self.consortium.nodes("peer")
        }

    def definition(self, deployed: Deployed) -> Definition:
        """What the channel agrees on."""
        return definition(
            self.consortium,
            self.consortium.contract,
            version=deployed.version,
            sequence=deployed.sequence,
        )

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
