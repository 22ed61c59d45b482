"""`docker-compose.yaml` is what the generator writes, and gives no service more than it needs."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from commonwatt.deploy.market_compose import (
    API,
    DATABASE,
    DEMONSTRATION,
    LEDGER_GATEWAY,
    MEMBERS,
    METERS,
    ORACLES,
    compose_file,
)
from ledger_network.fabric.consortium.definition import read_consortium
from ledger_network.fabric.images.compose import AGREEMENT
from tests.house.tree import ROOT

FILE = ROOT / "docker-compose.yaml"
CONSORTIUM = read_consortium()
PLAN: dict[str, Any] = msgspec.yaml.decode(compose_file(CONSORTIUM))
SERVICES: dict[str, dict[str, Any]] = PLAN["services"]
NODES = [node.name for node in CONSORTIUM.nodes()]
AROUND = [DATABASE, API, LEDGER_GATEWAY, *ORACLES, METERS, MEMBERS]


def on_network(network: str) -> set[str]:
    """The services that can be reached in a network."""
    return {name for name, service in SERVICES.items() if network in service["networks"]}


def test_file_is_what_the_generator_writes() -> None:
    command = ".venv/bin/python -m commonwatt.deploy.market_compose > docker-compose.yaml"

    assert FILE.read_bytes() == compose_file(CONSORTIUM), f"write it again: {command}"


def test_there_is_a_service_for_each_process_and_one_for_what_is_done_once() -> None:
    assert list(SERVICES) == [*NODES, AGREEMENT, *AROUND]


def test_consortium_without_the_demonstration_s_members_gets_its_own_services_alone() -> None:
    renamed = msgspec.structs.replace(CONSORTIUM.organisations[-1], name="Watchdog")
    other = msgspec.structs.replace(
        CONSORTIUM, organisations=[*CONSORTIUM.organisations[:-1], renamed]
    )

    services = msgspec.yaml.decode(compose_file(other))["services"]

    assert list(services) == [*(node.name for node in other.nodes()), AGREEMENT]


def test_only_what_is_made_up_needs_the_demonstration_s_profile() -> None:
    profiled = {name for name, service in SERVICES.items() if "profiles" in service}

    assert profiled == {METERS, MEMBERS}
    assert all(SERVICES[name]["profiles"] == [DEMONSTRATION] for name in profiled)


def test_database_is_reached_by_the_api_alone() -> None:
    assert on_network("read-model") == {DATABASE, API}
    assert SERVICES[DATABASE]["networks"] == ["read-model"]


def test_oracle_nodes_reach_the_ledger_through_its_side_alone() -> None:
    assert on_network("oracle") == {LEDGER_GATEWAY, *ORACLES}
    assert on_network("field") == {METERS, *ORACLES}
    assert not on_network("consortium") & set(ORACLES)


def test_ledger_s_side_reaches_the_api_and_oracle_nodes_do_not() -> None:
    api = set(SERVICES[API]["networks"])

    assert api & set(SERVICES[LEDGER_GATEWAY]["networks"])
    assert not any(api & set(SERVICES[name]["networks"]) for name in ORACLES)


@pytest.mark.parametrize("name", SERVICES)
def test_service_has_no_privileges(name: str) -> None:
    service = SERVICES[name]

    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges" in service["security_opt"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc"} & set(service)


GO_NODES = [name for name, it in SERVICES.items() if "GOMEMLIMIT" in it.get("environment", {})]


def test_node_collects_memory_before_its_container_is_full() -> None:
    kinds = {name.partition("-")[0].rstrip("0123456789") for name in GO_NODES}

    assert kinds == {"peer", "orderer"}
    for name in GO_NODES:
        limit = SERVICES[name]["environment"]["GOMEMLIMIT"].removesuffix("MiB")
        assert 0 < int(limit) * 2**20 < int(SERVICES[name]["mem_limit"].removesuffix("g")) * 10**9


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_given_its_own_folder_to_read_and_its_own_volume(name: str) -> None:
    binds = [mount for mount in SERVICES[name]["volumes"] if mount["type"] == "bind"]
    volumes = [mount for mount in SERVICES[name]["volumes"] if mount["type"] == "volume"]

    (bind,) = binds
    folders = {AGREEMENT: AGREEMENT} | {service: f"market/{service}" for service in AROUND}
    own = folders.get(name, f"nodes/{name}/config")
    assert bind["source"].endswith("}/" + own)
    assert bind["read_only"] is True
    assert [volume["source"] for volume in volumes] in ([], [f"{name}-data"])
    assert all(volume["source"] in PLAN["volumes"] for volume in volumes)


@pytest.mark.parametrize("name", SERVICES)
def test_service_waits_for_what_it_needs_by_itself(name: str) -> None:
    assert not {"depends_on", "healthcheck", "links"} & set(SERVICES[name])


@pytest.mark.parametrize("name", SERVICES)
def test_port_is_published_to_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        own = re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)
        assert own or port == "127.0.0.1:${COMMONWATT_PORT:-8400}:8400"
