"""Places of a network's files, and addresses of its nodes, as processes here or in containers.

Native processes and containers start from the same generated files. Everything that differs between
the two is here: host names, addresses to listen at, and where a node finds its data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ledger_network.fabric.consortium.definition import Node, Organisation

CONTAINER_CONFIG = "/etc/commonwatt"
CONTAINER_DATA = "/var/lib/commonwatt"
CONTAINER_BUILDER = "/opt/commonwatt/builder"


@dataclass(frozen=True)
class NetworkFolder:
    """The folder of one network, and the places of the files in the folder."""

    root: Path

    @property
    def consortium(self) -> Path:
        """The file of the consortium that the network was made from."""
        return self.root / "consortium.yaml"

    @property
    def crypto(self) -> Path:
        """Keys and certificates of every organisation."""
        return self.root / "crypto"

    @property
    def configtx(self) -> Path:
        """The channel's configuration, for configtxgen."""
        return self.root / "configtx.yaml"

    @property
    def genesis(self) -> Path:
        """The channel's first block."""
        return self.root / "channel.block"

    @property
    def processes(self) -> Path:
        """The file in which the supervisor tells other processes what it runs."""
        return self.root / "processes.json"

    @property
    def contracts(self) -> Path:
        """The file that says which contract package each organisation runs."""
        return self.root / "contracts.json"

    def node(self, node: Node) -> Path:
        """The folder with everything that belongs to one node."""
        return self.root / "nodes" / node.name

    def config(self, node: Node) -> Path:
        """The folder with a node's settings, MSP and TLS files, and nothing of other nodes."""
        return self.node(node) / "config"

    def data(self, node: Node) -> Path:
        """The folder with a node's ledger and state."""
        return self.node(node) / "data"

    def log(self, node: Node) -> Path:
        """The file with a node's output."""
        return self.node(node) / "log"

    def organisation(self, organisation: Organisation) -> Path:
        """The crypto material of an organisation's peers and users."""
        return self.crypto / "peerOrganizations" / organisation.domain

    def orderer_organisation(self, organisation: Organisation) -> Path:
        """The crypto material of an organisation's orderers."""
        return self.crypto / "ordererOrganizations" / f"orderers.{organisation.domain}"

    def node_material(self, node: Node) -> Path:
        """The folder with the output of cryptogen for one node: `msp` and `tls`."""
        if node.kind == "orderer":
            return self.orderer_organisation(node.organisation) / "orderers" / node.hostname
        return self.organisation(node.organisation) / "peers" / node.hostname

    def user(self, organisation: Organisation, user: str) -> Path:
        """The folder with the output of cryptogen for a user (`Admin`, `User1`)."""
        folder = self.organisation(organisation) / "users"
        return folder / f"{user}@{organisation.domain}"

    def orderer_administrator(self, organisation: Organisation) -> Path:
        """The same folder for the administrator of an organisation's orderers."""
        name = f"Admin@orderers.{organisation.domain}"
        return self.orderer_organisation(organisation) / "users" / name

    def package(self, peer: Node, sequence: int) -> Path:
        """A peer's contract package of a definition."""
        return self.root / "packages" / f"{peer.name}.{sequence}.tar.gz"

    def tls_root(self, node: Node) -> Path:
        """The root certificate of the TLS certificate that a node shows."""
        return self.node_material(node) / "tls" / "ca.crt"


@dataclass(frozen=True)
class Placement:
    """The placement of a network's nodes."""

    kind: Literal["native", "containers"]
    folder: NetworkFolder
    builder: Path

    def host(self, node: Node) -> str:
        """The host at which others reach a node; in containers, the name of the node's service."""
        return node.site.host if self.kind == "native" else node.name

    def listen(self, node: Node) -> str:
        """The host at which a node listens."""
        return node.site.host if self.kind == "native" else "0.0.0.0"  # noqa: S104 within its own network

    def data(self, node: Node) -> str:
        """The folder in which a node keeps its data, as the node sees it."""
        return str(self.folder.data(node)) if self.kind == "native" else CONTAINER_DATA

    @property
    def builder_path(self) -> str:
        """The folder in which a peer finds its external builder."""
        return str(self.builder) if self.kind == "native" else CONTAINER_BUILDER
