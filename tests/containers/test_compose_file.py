"""`docker-compose.yaml` is what the generator writes, and gives no service more than it needs."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from ledger_network.fabric.compose import AGREEMENT, compose_file
from ledger_network.fabric.consortium import read_consortium
from tests.house.tree import ROOT

FILE = ROOT / "docker-compose.yaml"
CONSORTIUM = read_consortium()
PLAN: dict[str, Any] = msgspec.yaml.decode(compose_file(CONSORTIUM))
SERVICES: dict[str, dict[str, Any]] = PLAN["services"]


def test_file_is_what_the_generator_writes() -> None:
    command = ".venv/bin/python -m ledger_network.fabric.compose > docker-compose.yaml"

    assert FILE.read_bytes() == compose_file(CONSORTIUM), f"write it anew: {command}"


def test_there_is_a_service_for_each_process_and_one_for_what_is_done_once() -> None:
    assert list(SERVICES) == [*(node.name for node in CONSORTIUM.nodes()), AGREEMENT]


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


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_given_its_own_folder_to_read_and_its_own_volume(name: str) -> None:
    binds = [mount for mount in SERVICES[name]["volumes"] if mount["type"] == "bind"]
    volumes = [mount for mount in SERVICES[name]["volumes"] if mount["type"] == "volume"]

    (bind,) = binds
    own = AGREEMENT if name == AGREEMENT else f"nodes/{name}/config"
    assert bind["source"].endswith("}/" + own)
    assert bind["read_only"] is True
    assert [volume["source"] for volume in volumes] in ([], [f"{name}-data"])


@pytest.mark.parametrize("name", SERVICES)
def test_service_waits_for_what_it_needs_by_itself(name: str) -> None:
    assert not {"depends_on", "healthcheck", "links"} & set(SERVICES[name])


@pytest.mark.parametrize("name", SERVICES)
def test_port_is_published_to_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)
