"""A compose file of the consortium: one service per process, each with the files that it needs.

A service sees its own folder of the network's material, read-only, and its own volume. A service
has no privileges and reaches only the networks named here. No service waits for the health of
another: nodes find each other by themselves, and the one-time setup is a service that waits for the
nodes. The caller adds what else runs beside the consortium.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ledger_network.fabric.consortium.definition import Consortium, Node
from ledger_network.fabric.consortium.node_settings import contract_environment, fabric_environment
from ledger_network.fabric.consortium.placement import (
    CONTAINER_CONFIG,
    CONTAINER_DATA,
    NetworkFolder,
    Placement,
)

MATERIAL = "${COMMONWATT_MATERIAL:-./.commonwatt/containers}"
"""The folder of the network's material on the host, as the compose file names it."""
FABRIC_IMAGE, PYTHON_IMAGE = "localhost/commonwatt-fabric", "localhost/commonwatt-python"
POSTGRES_IMAGE = "localhost/commonwatt-postgres"
TAG = "${COMMONWATT_TAG:-local}"
USER = "10001:10001"
AGREEMENT = "agreement"
PACKAGE_ENVIRONMENT = "package.env"
"""The file, beside a contract's folder, with the id of its package, which differs by network."""

# Under load, orderers used 190 MB, peers 290 MB, contracts 50 MB besides a pool of checkers.
NODE_MEMORY, AGREEMENT_MEMORY = "1g", "512m"
PROCESSES_MAX = 512  # threads count, and gRPC has many
TEMPORARY = "/tmp:size=64m,mode=1777"  # noqa: S108 the container's own folder
CONSORTIUM_NETWORK = "consortium"

Service = dict[str, Any]


class Added(msgspec.Struct, frozen=True):
    """Additions to the consortium's services: services, networks and volumes by their names."""

    services: dict[str, Service] = {}
    networks: dict[str, dict[str, Any]] = {}
    volumes: Sequence[str] = ()


NOTHING = Added()


def compose_text(consortium: Consortium, head: str, added: Added = NOTHING) -> bytes:
    """The text of a consortium's compose file, which begins with the comments in `head`."""
    nodes = consortium.nodes()
    own = {node.name: _service(node) for node in nodes} | {AGREEMENT: _agreement()}
    volumes = [data_volume(node.name) for node in nodes if node.kind != "contract"]
    plan: dict[str, Any] = {
        "name": consortium.name,
        "services": own | added.services,
        "networks": {CONSORTIUM_NETWORK: {"driver": "bridge"}} | added.networks,
        "volumes": {volume: {} for volume in (*volumes, *added.volumes)},
        # Services do not share a pod, so they share nothing but the network.
        "x-podman": {"in_pod": False},
    }
    return head.encode() + msgspec.yaml.encode(plan)


def package_variables(package: str) -> bytes:
    """The content of a contract's `PACKAGE_ENVIRONMENT`."""
    return f"{PACKAGE_ID}={package}\n".encode()


PACKAGE_ID = "CHAINCODE_ID"


def _service(node: Node) -> Service:
    if node.kind == "contract":
        return _contract(node)
    command = ["orderer"] if node.kind == "orderer" else ["peer", "node", "start"]
    service = sealed(FABRIC_IMAGE, command, memory=NODE_MEMORY)
    service |= {
        "environment": fabric_environment(CONTAINER_CONFIG),
        # The settings name files in this folder by relative paths.
        "working_dir": CONTAINER_CONFIG,
        "volumes": [
            given(f"nodes/{node.name}/config"),
            kept(node.name),
        ],
    }
    if node.kind == "peer":
        # The port is open to this machine only; an override file can open it to others.
        service["ports"] = [f"127.0.0.1:{node.port}:{node.port}"]
    return service


def _contract(node: Node) -> Service:
    service = sealed(PYTHON_IMAGE, ["contract", "serve"], memory=NODE_MEMORY)
    return service | {
        "env_file": [f"{MATERIAL}/nodes/{node.name}/{PACKAGE_ENVIRONMENT}"],
        "environment": _contract_variables(node),
        "volumes": [given(f"nodes/{node.name}/config")],
    }


def _contract_variables(node: Node) -> Mapping[str, str]:
    """Return a contract's environment without its package id, which is known only later."""
    nowhere = Path(CONTAINER_CONFIG)
    placement = Placement("containers", NetworkFolder(nowhere), nowhere)
    variables = contract_environment(node, placement, "", CONTAINER_CONFIG)
    return {name: value for name, value in variables.items() if name != PACKAGE_ID}


def _agreement() -> Service:
    """The one-time setup, which ends when orders can be committed; later runs change nothing."""
    command = ["network", "join", "--material", CONTAINER_CONFIG]
    service = sealed(PYTHON_IMAGE, command, memory=AGREEMENT_MEMORY)
    return service | {"restart": "on-failure", "volumes": [given(AGREEMENT)]}


def sealed(
    image: str,
    command: Sequence[str],
    *,
    memory: str,
    networks: Sequence[str] = (CONSORTIUM_NETWORK,),
) -> Service:
    """A service without privileges: its user owns no files and writes to the volumes only.

    `memory` is in the notation of compose files ("1g").
    """
    return {
        "image": f"{image}:{TAG}",
        "pull_policy": "never",
        "command": list(command),
        "user": USER,
        "read_only": True,
        "tmpfs": [TEMPORARY],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": PROCESSES_MAX,
        "mem_limit": memory,
        "restart": "unless-stopped",
        "stop_grace_period": "20s",
        "networks": list(networks),
    }


def given(folder: str) -> dict[str, Any]:
    """A read-only mount of a folder of the material as a service's settings."""
    return {
        "type": "bind",
        "source": f"{MATERIAL}/{folder}",
        "target": CONTAINER_CONFIG,
        "read_only": True,
        # A missing folder is a mistake, so the engine must not create the folder.
        "bind": {"create_host_path": False},
    }


def kept(service: str) -> dict[str, Any]:
    """A mount of a service's own volume, which holds its data."""
    return {"type": "volume", "source": data_volume(service), "target": CONTAINER_DATA}


def data_volume(service: str) -> str:
    """The name of a service's volume."""
    return f"{service}-data"
