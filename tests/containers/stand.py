"""A consortium in containers, as the tests see it: `podman-compose` and what podman says of it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from commonwatt.commands.network_compose import Composed
from commonwatt.deploy.market_compose import DATABASE, DEMONSTRATION, market_services
from commonwatt.deploy.staged_market import StagedMarket, read_staged_market
from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.consortium.definition import Consortium, Node
from ledger_network.fabric.consortium.placement import NetworkFolder, Placement
from ledger_network.fabric.consortium.profile import Profile, profile
from ledger_network.fabric.runtime.probe import until
from ledger_network.fabric.runtime.processes import Process, process_of
from tests.containers.machine import run
from tests.house.tree import ROOT

READY_S = 180.0  # more than twenty services begin at once, on a machine that others use too
TAG = f"test-{os.getpid()}"  # of its own: another checkout may test on the same machine
HOUSEHOLDS = 8
SPEED = 90  # market seconds in a real one: a slot takes ten seconds
PODMAN_COMPOSE = Path(sys.executable).with_name("podman-compose")


class Status(NamedTuple):
    """What the kernel says of a process that runs."""

    user: str
    capabilities: int
    no_new_privileges: bool


class Stand:
    """One project of podman-compose in a folder; `project` is its name."""

    def __init__(self, folder: Path, consortium: Consortium, project: str) -> None:
        self.consortium = consortium
        self.material = folder / "material"
        self.file = folder / "docker-compose.yaml"
        self.project = project
        self.api_port = _free_port()
        self._source = folder / "consortium.yaml"
        self._source.write_bytes(msgspec.yaml.encode(consortium))

    def make(self, base: str) -> Composed:
        """Material, compose file and images, by the command that users type."""
        options = ("--engine", "podman", "--base", base, "--tag", TAG, "--json")
        market = ("--households", str(HOUSEHOLDS), "--speed", str(SPEED))
        places = ("--data", self.material, "--file", self.file, "--consortium", self._source)
        command = (
            sys.executable,
            "-m",
            "commonwatt",
            "network",
            "compose",
            *places,
            *options,
            *market,
        )
        return msgspec.json.decode(run(*command, folder=ROOT), type=Composed)

    def compose(self, *words: str) -> None:
        """What a user types behind `podman-compose`."""
        variables = {
            "COMMONWATT_MATERIAL": str(self.material),
            "COMMONWATT_TAG": TAG,
            "COMMONWATT_PORT": str(self.api_port),
            "COMPOSE_PROFILES": DEMONSTRATION,
        }
        command = (PODMAN_COMPOSE, "-p", self.project, "-f", self.file, *words)
        run(*command, folder=self.file.parent, more=variables)

    def down(self) -> None:
        """Take everything down with its data, unless that is done."""
        if self.left():
            self.compose("down", "-v")

    def inspect(self, service: str) -> dict[str, Any]:
        """What podman knows of a service's container."""
        (found,) = msgspec.json.decode(run("podman", "inspect", self.container(service)))
        return found

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{self.project}_{service}_1"

    def process(self, service: str) -> int:
        """The process of a service that runs, 0 of one that does not."""
        return int(self.inspect(service)["State"]["Pid"])

    def processes(self) -> list[Process]:
        """The processes of all services, with podman's own beside each, which hold its ports."""
        states = [self.inspect(service)["State"] for service in self.services()]
        numbers = [int(state[name]) for state in states for name in ("Pid", "ConmonPid")]
        return [process for number in numbers if (process := process_of(number)) is not None]

    def status(self, service: str) -> Status:
        """What a service's process may do, as the kernel has it."""
        text = Path(f"/proc/{self.process(service)}/status").read_text("ascii")
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        capabilities = [int(fields[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")]
        return Status(fields["Uid"].split()[0], max(capabilities), fields["NoNewPrivs"] == "1")

    async def until_agreed(self) -> None:
        """Wait until what is done once has been done."""

        async def missing() -> str:
            state = self.inspect("agreement")["State"]
            done = state["Status"] == "exited" and state["ExitCode"] == 0
            return "" if done else f"{state['Status']}, {state['ExitCode']}"

        await until("the agreement", missing, within_s=READY_S)

    async def until_replaced(self, service: str, before: int) -> None:
        """Wait until a service runs in another process than `before`."""

        async def missing() -> str:
            found = self.process(service)
            return "" if found not in (0, before) else f"its process is {found}"

        await until(service, missing, within_s=READY_S)

    def profiles(self, *members: str) -> Sequence[Profile]:
        """Ways into the network from this machine, through published ports."""
        builder = install().builder
        placement = Placement("native", NetworkFolder(self.material), builder)
        names = members or [member.name for member in self.consortium.organisations]
        return [profile(self.consortium, name, placement) for name in names]

    def nodes(self) -> list[Node]:
        """All nodes, each a service."""
        return self.consortium.nodes()

    def services(self) -> list[str]:
        """All services that go on running."""
        around = market_services(self.consortium).services
        return [*(node.name for node in self.nodes()), *around]

    def market(self) -> StagedMarket:
        """The market that runs on it."""
        return read_staged_market(self.material / "market.json")

    def selected(self, statement: str) -> list[str]:
        """The rows that a statement selects in the database, fields parted by `|`."""
        words = ("psql", "-h", "/tmp", "-U", "commonwatt", "-d", "commonwatt", "-Atc", statement)  # noqa: S108 the container's own
        return run("podman", "exec", self.container(DATABASE), *words).split()

    def left(self) -> list[str]:
        """What podman has of this project: containers, volumes, networks."""
        label = f"label=io.podman.compose.project={self.project}"
        found: list[str] = []
        for listing in (("ps", "-a"), ("volume", "ls"), ("network", "ls")):
            name = "{{.Names}}" if listing[0] == "ps" else "{{.Name}}"
            found += run("podman", *listing, "--filter", label, "--format", name).split()
        return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
