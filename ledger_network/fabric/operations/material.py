"""The files of a network before anything runs: keys, channel, settings, contract packages.

The files lie in one folder and are the same for native processes and containers, except for
addresses. Existing files are kept: a network keeps the keys that it was founded with.
"""

from __future__ import annotations

import msgspec

from ledger_network.fabric.binaries.install import Installation
from ledger_network.fabric.consortium.channel_config import make_channel
from ledger_network.fabric.consortium.crypto import make_crypto
from ledger_network.fabric.consortium.definition import Consortium, parse_consortium
from ledger_network.fabric.consortium.node_settings import make_node_folders
from ledger_network.fabric.consortium.package import contract_package, package_id
from ledger_network.fabric.consortium.placement import Placement
from ledger_network.fabric.operations.contract_rollout import definition
from ledger_network.fabric.operations.lifecycle import Definition
from ledger_network.fabric.runtime.processes import write_whole


class NetworkFault(Exception):
    """The network cannot be brought up or taken down as asked; the sentence says why."""


class Deployed(msgspec.Struct, frozen=True):
    """The contract that a network runs: its definition's version and sequence, who runs what."""

    version: str
    sequence: int
    packages: dict[str, str]


class Material:
    """The files of one network in the folder of its placement."""

    def __init__(self, consortium: Consortium, placement: Placement) -> None:
        self.consortium = consortium
        self.placement = placement
        self.folder = placement.folder

    def make(self, installed: Installation, *, version: str) -> None:
        """Generate keys, channel and settings unless they exist; `version` is the contract's.

        Raises `NetworkFault` when the folder holds the network of another consortium, and
        `GenerationFailed`.
        """
        folder = self.folder
        if folder.consortium.exists():
            made = parse_consortium(folder.consortium.read_bytes(), str(folder.consortium))
            if made != self.consortium:
                raise NetworkFault(
                    f"The network in {folder.root} was made from another consortium's file: pass "
                    "that file, take the network down with --purge, or use another --data."
                )
            return
        folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_crypto(self.consortium, folder, installed)
        make_channel(self.consortium, self.placement, installed)
        make_node_folders(self.consortium, self.placement, installed)
        packages = self.make_packages(version, 1)
        write_whole(folder.contracts, msgspec.json.encode(packages))
        write_whole(folder.consortium, msgspec.yaml.encode(self.consortium))

    def make_packages(self, version: str, sequence: int) -> Deployed:
        """Write every peer's package of a contract; this deploys nothing."""
        label = f"{self.consortium.contract}_{version}.{sequence}"
        packages: dict[str, str] = {}
        peers = self.consortium.nodes("peer")
        for peer, contract in zip(peers, self.consortium.contracts(sequence), strict=True):
            content = contract_package(label, peer, contract, self.placement)
            path = self.folder.package(peer, sequence)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            packages[peer.name] = package_id(label, content)
        return Deployed(version, sequence, packages)

    def deployed(self) -> Deployed:
        """The contract that this network runs."""
        return msgspec.json.decode(self.folder.contracts.read_bytes(), type=Deployed)

    def packages(self, sequence: int) -> dict[str, bytes]:
        """The packages of a definition by the names of the peers that install them."""
        return {
            peer.name: self.folder.package(peer, sequence).read_bytes()
            for peer in self.consortium.nodes("peer")
        }

    def definition(self, deployed: Deployed) -> Definition:
        """The definition on which the channel agrees."""
        return definition(
            self.consortium,
            self.consortium.contract,
            version=deployed.version,
            sequence=deployed.sequence,
        )
