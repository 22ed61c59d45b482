"""Keys and certificates of a new network, made by Fabric's cryptogen.

Each organisation has a CA for its peers and users, and a second one for its orderers if it runs
any. For a network that lasts longer than a demonstration, the members put certificates of their own
CAs into the same folders.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ledger_network.fabric.binaries.install import Installation
from ledger_network.fabric.consortium.definition import Consortium, Node
from ledger_network.fabric.consortium.placement import NetworkFolder

USERS = 1  # besides the administrator: the user as which an organisation's servers submit


class GenerationFailed(Exception):
    """A program of Fabric refused its input; the sentence quotes what the program printed."""


def make_crypto(consortium: Consortium, folder: NetworkFolder, installed: Installation) -> None:
    """Generate all keys and certificates of the network. Raises `GenerationFailed`."""
    shutil.rmtree(folder.crypto, ignore_errors=True)
    plan = folder.root / "crypto.yaml"
    plan.write_bytes(msgspec.yaml.encode(crypto_plan(consortium)))
    run_program(
        [installed.program("cryptogen"), "generate", "--config", plan, "--output", folder.crypto]
    )


def crypto_plan(consortium: Consortium) -> dict[str, Any]:
    """Return the input of cryptogen."""
    orderers = [
        {
            "Name": organisation.orderer_msp,
            "Domain": f"orderers.{organisation.domain}",
            "EnableNodeOUs": True,
            "Specs": [
                _host(node)
                for node in consortium.nodes("orderer")
                if node.organisation == organisation
            ],
        }
        for organisation in consortium.organisations
        if organisation.orderers
    ]
    members = [
        {
            "Name": organisation.msp,
            "Domain": organisation.domain,
            "EnableNodeOUs": True,
            "Specs": [
                _host(node)
                for node in consortium.nodes("peer", "contract")
                if node.organisation == organisation
            ],
            "Users": {"Count": USERS},
        }
        for organisation in consortium.organisations
    ]
    return {"OrdererOrgs": orderers, "PeerOrgs": members}


def _host(node: Node) -> dict[str, Any]:
    """Return a node's entry: its certificate covers its host and its service's container name."""
    names = dict.fromkeys(["localhost", "127.0.0.1", node.site.host, node.name])
    return {"Hostname": node.hostname.partition(".")[0], "SANS": list(names)}


def run_program(command: Sequence[str | Path], *, config: Path | None = None) -> str:
    """Run one of Fabric's programs and return its output. Raises `GenerationFailed`."""
    environment = {"FABRIC_LOGGING_SPEC": "error", "PATH": ""}
    if config is not None:
        environment["FABRIC_CFG_PATH"] = str(config)
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        name = Path(command[0]).name
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise GenerationFailed(f"{name} ended with {done.returncode}: {last}")
    return done.stdout
