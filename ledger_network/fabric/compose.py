"""`docker-compose.yaml`: the consortium as services, one per process, each with what it needs.

A service sees its own folder of the network's material, read-only, and its own volume; it has no
privileges and no way out of the networks named here. Nothing waits for anything's health: nodes
look for each other by themselves, and what has to be done once is a service that waits for them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ledger_network.fabric.consortium import Consortium, Node, read_consortium
from ledger_network.fabric.node_settings import contract_environment, fabric_environment
from ledger_network.fabric.placement import (
    CONTAINER_CONFIG,
    CONTAINER_DATA,
    NetworkFolder,
    Placement,
)

MATERIAL = "${COMMONWATT_MATERIAL:-./.commonwatt/containers}"
"""Where the network's material lies on the host, as the compose file says it."""
FABRIC_IMAGE, PYTHON_IMAGE = "localhost/commonwatt-fabric", "localhost/commonwatt-python"
TAG = "${COMMONWATT_TAG:-local}"
USER = "10001:10001"
AGREEMENT = "agreement"
PACKAGE_ENVIRONMENT = "package.env"
"""A contract's file beside its folder with the id of its package, which differs by network."""

# Loaded, orderers were seen at 190 MB, peers at 290 MB, contracts at 50 MB and a pool of checkers.
MEMORY = {"orderer": "1g", "peer": "1g", "contract": "1g", AGREEMENT: "512m"}
PROCESSES_MAX = 512  # threads count, and gRPC has many
TEMPORARY = "/tmp:size=64m,mode=1777"  # noqa: S108 a container's own
HEAD = """\
# Written from ledger_network/fabric/consortium.yaml by ledger_network/fabric/compose.py; a test
# holds them together. `commonwatt network compose` makes the material and the images that it names.
# How to run it: docs/guides/containers.md.
"""


def compose_file(consortium: Consortium) -> bytes:
    """The text of the compose file of a consortium."""
    nodes = consortium.nodes()
    plan: dict[str, Any] = {
        "name": consortium.name,
        "services": {node.name: _service(node) for node in nodes} | {AGREEMENT: _agreement()},
        "networks": {"consortium": {"driver": "bridge"}},
        "volumes": {_volume(node): {} for node in nodes if node.kind != "contract"},
        # Services are apart: nothing of the host but the network is shared among them.
        "x-podman": {"in_pod": False},
    }
    return HEAD.encode() + msgspec.yaml.encode(plan)


def package_variables(package: str) -> bytes:
    """The content of a contract's `PACKAGE_ENVIRONMENT`."""
    return f"{PACKAGE_ID}={package}\n".encode()


PACKAGE_ID = "CHAINCODE_ID"


def _service(node: Node) -> dict[str, Any]:
    if node.kind == "contract":
        return _contract(node)
    command = ["orderer"] if node.kind == "orderer" else ["peer", "node", "start"]
    service = _sealed(FABRIC_IMAGE, command, node.kind)
    service |= {
        "environment": fabric_environment(CONTAINER_CONFIG),
        # Settings name files of the folder by their relative names.
        "working_dir": CONTAINER_CONFIG,
        "volumes": [
            _given(f"nodes/{node.name}/config"),
            {"type": "volume", "source": _volume(node), "target": CONTAINER_DATA},
        ],
    }
    if node.kind == "peer":
        # Reached from this machine alone: whoever serves others says so in a file of his own.
        service["ports"] = [f"127.0.0.1:{node.port}:{node.port}"]
    return service


def _contract(node: Node) -> dict[str, Any]:
    service = _sealed(PYTHON_IMAGE, ["contract", "serve"], node.kind)
    return service | {
        "env_file": [f"{MATERIAL}/nodes/{node.name}/{PACKAGE_ENVIRONMENT}"],
        "environment": _contract_variables(node),
        "volumes": [_given(f"nodes/{node.name}/config")],
    }


def _contract_variables(node: Node) -> Mapping[str, str]:
    """What a contract is started with, but for its package, which no file can know beforehand."""
    nowhere = Path(CONTAINER_CONFIG)
    placement = Placement("containers", NetworkFolder(nowhere), nowhere)
    variables = contract_environment(node, placement, "", CONTAINER_CONFIG)
    return {name: value for name, value in variables.items() if name != PACKAGE_ID}


def _agreement() -> dict[str, Any]:
    """What is done once; it ends when orders can be committed, and finds all done the next time."""
    command = ["network", "join", "--material", CONTAINER_CONFIG]
    service = _sealed(PYTHON_IMAGE, command, AGREEMENT)
    return service | {"restart": "on-failure", "volumes": [_given(AGREEMENT)]}


def _sealed(image: str, command: list[str], kind: str) -> dict[str, Any]:
    """A service without privileges: nobody's user, nothing to write but what it is given."""
    return {
        "image": f"{image}:{TAG}",
        "pull_policy": "never",
        "command": command,
        "user": USER,
        "read_only": True,
        "tmpfs": [TEMPORARY],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": PROCESSES_MAX,
        "mem_limit": MEMORY[kind],
        "restart": "unless-stopped",
        "stop_grace_period": "20s",
        "networks": ["consortium"],
    }


def _given(folder: str) -> dict[str, Any]:
    """A folder of the material, to read only."""
    return {
        "type": "bind",
        "source": f"{MATERIAL}/{folder}",
        "target": CONTAINER_CONFIG,
        "read_only": True,
        # A folder that is missing is a mistake, not one to be made by the engine.
        "bind": {"create_host_path": False},
    }


def _volume(node: Node) -> str:
    return f"{node.name}-data"


if __name__ == "__main__":
    named = [Path(argument) for argument in sys.argv[1:]]
    sys.stdout.buffer.write(compose_file(read_consortium(*named)))
