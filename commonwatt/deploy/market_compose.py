"""Writes `docker-compose.yaml`: the consortium, the oracle, the API and its PostgreSQL.

Oracle nodes can reach each other and the ledger gateway; of these only the gateway connects to
Fabric. The API can reach the peers and the database, which no other service can reach. Simulated
meters and the members' daily work are in the profile `demonstration`, because members of a real
market have their own systems for this work. A consortium without the demonstration's members gets
only its Fabric services.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from commonwatt.demonstration.cast import DSO, ORACLE_NODES
from commonwatt.wiring.ledger_choice import require_demonstration
from ledger_network.fabric.consortium.definition import Consortium, read_consortium
from ledger_network.fabric.consortium.placement import CONTAINER_CONFIG
from ledger_network.fabric.images.compose import (
    CONSORTIUM_NETWORK,
    NOTHING,
    POSTGRES_IMAGE,
    PYTHON_IMAGE,
    Added,
    Service,
    compose_text,
    data_volume,
    given,
    kept,
    sealed,
)

HEAD = """\
# Written from ledger_network/fabric/consortium.yaml by commonwatt/deploy/market_compose.py; a test holds
# them together. `commonwatt network compose` makes the material and the images that it names.
# How to run it: docs/guides/containers.md.
"""
MARKET_FOLDER = "market"
"""The folder of the material that holds the folders of these services."""

API, DATABASE, LEDGER_GATEWAY, METERS, MEMBERS = (
    "api",
    "database",
    "ledger-gateway",
    "meters",
    "members",
)
ORACLES = tuple(f"oracle-{number}" for number in range(1, ORACLE_NODES + 1))
DEMONSTRATION = "demonstration"
API_PORT, DATABASE_PORT, LEDGER_GATEWAY_PORT, NODE_PORT = 8400, 5432, 7001, 7000
METERS_PORT = 15_020  # the first port; each meter has its own port
READ_MODEL, FIELD, ORACLE_NETWORK = "read-model", "field", "oracle"
PUBLISHED = "${COMMONWATT_PORT:-8400}"
"""The port of the dashboard on this machine, as the compose file names it."""

# Measured with 24 households: nodes and ledger gateway 60 MB, API 150, members 120, meters 80.
MEMORY = {API: "1g", DATABASE: "512m", LEDGER_GATEWAY: "512m", METERS: "512m", MEMBERS: "512m"}
ORACLE_MEMORY = "512m"


def compose_file(consortium: Consortium) -> bytes:
    """Return the compose file of a consortium and of its market's services."""
    return compose_text(consortium, HEAD, market_services(consortium))


def has_market(consortium: Consortium) -> bool:
    """Return whether a consortium has the members that the demonstration's market needs."""
    try:
        require_demonstration(consortium)
    except ValueError:
        return False
    return True


def market_services(consortium: Consortium) -> Added:
    """Return the services that run beside the nodes of a consortium."""
    if not has_market(consortium):
        return NOTHING
    services = {
        DATABASE: _database(),
        API: _api(),
        LEDGER_GATEWAY: _python(
            LEDGER_GATEWAY,
            ["oracle", "ledger-gateway", "--config", f"{CONTAINER_CONFIG}/ledger-gateway.yaml"],
            (CONSORTIUM_NETWORK, ORACLE_NETWORK),
        ),
        **{name: _oracle(name) for name in ORACLES},
        METERS: _demonstration(METERS, (FIELD,)),
        MEMBERS: _demonstration(MEMBERS, (CONSORTIUM_NETWORK,)),
    }
    networks: dict[str, dict[str, Any]] = {
        name: {"driver": "bridge", "internal": True} for name in (READ_MODEL, FIELD, ORACLE_NETWORK)
    }
    return Added(services, networks, [data_volume(DATABASE)])


def market_folder(service: str) -> str:
    """Return the folder of a service, relative to the material's folder."""
    return f"{MARKET_FOLDER}/{service}"


def _database() -> Service:
    service = sealed(POSTGRES_IMAGE, [], memory=MEMORY[DATABASE], networks=(READ_MODEL,))
    del service["command"]  # the image has its own command
    service["volumes"] = [given(market_folder(DATABASE)), kept(DATABASE)]
    return service | {"stop_signal": "SIGINT"}  # PostgreSQL ends its sessions and stops at once


def _api() -> Service:
    config = f"{CONTAINER_CONFIG}/api.toml"
    command = ["network", "await", "--profile", f"{CONTAINER_CONFIG}/profiles/{DSO}.json"]
    command += ["--listening", f"{DATABASE}:{DATABASE_PORT}"]
    command += ["--", "commonwatt", "api", "serve", "--config", config]
    service = _python(API, command, (CONSORTIUM_NETWORK, READ_MODEL))
    origins = ", ".join(f'"http://{host}:{PUBLISHED}"' for host in ("127.0.0.1", "localhost"))
    return service | {
        "environment": {"COMMONWATT_API_ORIGINS": f"[{origins}]"},
        "ports": [f"127.0.0.1:{PUBLISHED}:{API_PORT}"],
    }


def _oracle(name: str) -> Service:
    command = ["oracle", "run", "--config", f"{CONTAINER_CONFIG}/node.yaml"]
    return _python(name, command, (ORACLE_NETWORK, FIELD))


def _demonstration(name: str, networks: tuple[str, ...]) -> Service:
    command = ["demonstration", name, "--plan", f"{CONTAINER_CONFIG}/plan.json"]
    return _python(name, command, networks) | {"profiles": [DEMONSTRATION]}


def _python(name: str, command: list[str], networks: tuple[str, ...]) -> Service:
    memory = MEMORY.get(name, ORACLE_MEMORY)
    service = sealed(PYTHON_IMAGE, command, memory=memory, networks=networks)
    return service | {"volumes": [given(market_folder(name))]}


if __name__ == "__main__":
    named = [Path(argument) for argument in sys.argv[1:]]
    sys.stdout.buffer.write(compose_file(read_consortium(*named)))
