"""Nodes without a port, without room on their disk, with old papers: doctor names cause and mend."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest

from commonwatt.bench.fabric.network import CONTRACT_COMMAND, on_free_ports, unheard
from commonwatt.demonstration.cast import DSO
from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.consortium.definition import Node, read_consortium
from ledger_network.fabric.operations.doctor import DISK_FREE_MIN, RESTARTS_MANY, Finding, examine
from ledger_network.fabric.operations.network import Network
from ledger_network.fabric.runtime.probe import PortTaken, health, until
from ledger_network.fabric.runtime.processes import Process, Processes, Running, process_of
from tests.ledger_network.fabric.certificates import expired, in_place_of
from tests.ledger_network.fabric.grounds import StandingNetwork

pytestmark = pytest.mark.network

READER = "EnergyAuthority"  # its peer endorses nothing, so that the market goes on without it
NOTICED_S = 40.0
AT_ONCE_S = 15.0  # a quarter of what a node is waited for
DISK_BYTES = DISK_FREE_MIN + 60 * 2**20
ORDERS_MAX = 60  # until a peer without room has noticed


def wrong(network: StandingNetwork) -> list[Finding]:
    """What the doctor finds wrong."""
    return [finding for finding in network.run(examine(network.network)) if not finding.is_well]


async def until_found(network: StandingNetwork, about: str, *words: str) -> Finding:
    """Wait until the doctor finds fault with something in these words."""
    found: list[Finding] = []

    async def missing() -> str:
        found.clear()
        findings = [one for one in await examine(network.network) if not one.is_well]
        found.extend(
            one
            for one in findings
            if one.about == about and all(word in f"{one.sentence} {one.mend}" for word in words)
        )
        return "" if found else f"the doctor says {findings}"

    await until(f"the finding about {about}", missing, within_s=NOTICED_S)
    return found[0]


@contextmanager
def taken(host: str, port: int) -> Generator[None]:
    """Somebody else listens at a port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, port))
        other.listen()
        yield


@pytest.mark.parametrize(("name", "place"), [("peer-greenpower", 1), ("orderer-southgrid", 0)])
def test_network_whose_port_is_taken_does_not_come_up_and_says_which(
    name: str, place: int, tmp_path: Path
) -> None:
    network = Network(
        on_free_ports(read_consortium()),
        tmp_path / "network",
        install(),
        contract_command=CONTRACT_COMMAND,
        version="1",
    )
    node = next(one for one in network.consortium.nodes() if one.name == name)
    port = node.port + place

    with taken(node.site.host, port):
        with pytest.raises(PortTaken) as fault:
            asyncio.run(network.up(unheard))
        findings = asyncio.run(examine(network))

    said = f"{name} needs port {port} on 127.0.0.1, and it cannot be had (Address already in use)"
    assert str(fault.value).startswith(said)
    assert "stop what listens there, or give the node another port" in str(fault.value)
    assert network.processes() is None
    assert [one.sentence.startswith(said) for one in findings if "port" in one.about] == [True]


@pytest.mark.parametrize("kind", ["peer", "contract"])
def test_node_whose_port_was_taken_while_it_was_down_is_not_started_until_it_is_free(
    kind: str, network: StandingNetwork
) -> None:
    """`start` and `up` say so at once and leave all as it is, the other node of the block too."""
    node = network.peer(READER) if kind == "peer" else network.contract(READER)
    said = f"{node.name} needs port {node.port} on {node.site.host}, and it cannot be had"

    async def scene() -> list[Finding]:
        await network.network.stop(node.name)
        before = network.network.processes()
        with taken(node.site.host, node.port):
            async with asyncio.timeout(AT_ONCE_S):
                for again in (network.network.start(node.name), network.network.up(unheard)):
                    with pytest.raises(PortTaken, match=said):
                        await again
            findings = [one for one in await examine(network.network) if not one.is_well]
        assert network.network.processes() == before
        await network.network.start(node.name)
        await network.until_well()
        return findings

    findings = network.run(scene())

    (ports,) = [one for one in findings if one.about.startswith("ports of ")]
    assert ports.about == f"ports of {node.name}"
    assert ports.sentence.startswith(said)
    assert wrong(network) == []


def test_node_that_is_down_while_its_contract_service_runs_has_its_ports(
    network: StandingNetwork,
) -> None:
    """Peer and contract service share a block of ports: they are not taken from each other."""
    node = network.peer(READER)

    async def scene() -> list[Finding]:
        await network.network.stop(node.name)
        findings = await examine(network.network)
        await network.network.start(node.name)
        await network.until_well()
        return findings

    assert [one for one in network.run(scene()) if one.about.startswith("ports of")] == []


def test_port_taken_while_a_node_crashed_is_found_and_the_node_starts_when_it_is_free(
    network: StandingNetwork,
) -> None:
    """The supervisor is held while the node is gone, so that the port is taken before it is back."""
    node = network.peer(READER)

    async def scene() -> Finding:
        processes = network.network.processes()
        assert processes is not None
        found = processes.named(node.name)
        assert found is not None
        crashed = found.process
        assert crashed is not None

        async def paused() -> str:
            now = network.network.processes()
            one = None if now is None else now.named(node.name)
            return "" if one is not None and one.state == "waiting" else f"it is not: {one}"

        processes.supervisor.send(signal.SIGSTOP)
        try:
            crashed.send(signal.SIGKILL)
            await until("its end", lambda: alive(crashed), within_s=NOTICED_S)
            listening = await until_taken(node)
        finally:
            processes.supervisor.send(signal.SIGCONT)
        with listening:
            finding = await until_found(network, node.name, "Another process has its port")
            await until(node.name, paused, within_s=NOTICED_S)
            with pytest.raises(PortTaken, match=f"{node.name} needs port {node.port}"):
                await network.network.up(unheard)
        await network.until_well()
        return finding

    finding = network.run(scene())

    assert "address already in use" in finding.sentence
    network.run(started_anew(network, node))
    assert wrong(network) == []


async def alive(process: Process) -> str:
    """That a process still runs."""
    return f"process {process.pid} runs" if process.is_alive else ""


async def until_taken(node: Node) -> socket.socket:
    """Listen at a node's port as soon as it can be had."""
    other = socket.socket()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    async def missing() -> str:
        try:
            other.bind((node.site.host, node.port))
        except OSError as error:
            return str(error)
        return ""

    await until(f"port {node.port}", missing, within_s=NOTICED_S)
    other.listen()
    return other


def test_node_that_hangs_up_while_it_ends_is_not_well() -> None:
    async def asked() -> str:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            port: int = server.sockets[0].getsockname()[1]
            return await health("127.0.0.1", port)

    assert "no answer at 127.0.0.1" in asyncio.run(asked())


def test_peer_whose_database_is_damaged_is_found_with_its_mend(network: StandingNetwork) -> None:
    node = network.peer(READER)
    database = network.network.folder.data(node) / "ledgersData" / "stateLeveldb" / "CURRENT"

    async def scene() -> Finding:
        await network.network.stop(node.name)
        with in_place_of(database, b"cut"):
            starting = asyncio.create_task(network.network.start(node.name))
            finding = await until_found(network, node.name, "Its database is damaged")
        await starting
        await started_anew(network, node)
        return finding

    finding = network.run(scene())

    assert "Error opening leveldb" in finding.sentence
    assert "commonwatt network down --purge" in finding.mend
    assert wrong(network) == []


async def started_anew(network: StandingNetwork, node: Node) -> None:
    """Stop a node and start it: what was counted of its crashes is forgotten."""
    await network.network.stop(node.name)
    await network.network.start(node.name)
    await network.until_well()


def test_node_that_crashed_often_and_runs_well_since_is_no_fault(network: StandingNetwork) -> None:
    node = network.peer(READER)
    path = network.network.folder.processes
    processes = network.network.processes()
    eldest = process_of(1)
    assert processes is not None
    assert eldest is not None

    def found(process: Process) -> list[str]:
        often = Running(node.name, "running", process, RESTARTS_MANY, "ended with 2")
        others = [one for one in processes.running if one.name != node.name]
        told = Processes(processes.supervisor, [*others, often])
        with in_place_of(path, msgspec.json.encode(told)):
            return [finding.about for finding in wrong(network)]

    assert found(begun_now(eldest)) == [node.name]
    assert found(eldest) == []


def begun_now(process: Process) -> Process:
    """A process as if it had begun at this moment."""
    uptime_s = float(Path("/proc/uptime").read_text("ascii").split()[0])
    ticks = int(uptime_s * os.sysconf("SC_CLK_TCK"))
    return msgspec.structs.replace(process, started_ticks=ticks)


def run(*command: str | Path) -> None:
    """Run a program of the system, which must do what it is asked."""
    subprocess.run(command, check=True)


@asynccontextmanager
async def small_disk(network: StandingNetwork, node: Node) -> AsyncGenerator[Path]:
    """A node's data on a disk of its own that has little more room than the doctor asks for."""
    data = network.network.folder.data(node)
    kept = data.with_name("data.kept")
    await network.network.stop(node.name)
    data.rename(kept)
    data.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", data)
    try:
        shutil.copytree(kept, data, dirs_exist_ok=True)
        await network.network.start(node.name)
        yield data
    finally:
        try:
            await network.network.stop(node.name)
        finally:
            run("umount", "--lazy", data)  # or a process that goes on would keep the disk here
        data.rmdir()
        kept.rename(data)
        await network.network.start(node.name)


def fill(path: Path) -> None:
    """Write a file until there is no room for more."""
    block = bytes(65_536)
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(block)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount the small disk")
def test_full_disk_is_found_the_market_goes_on_and_the_node_after_it_is_freed(
    network: StandingNetwork,
) -> None:
    node = network.peer(READER)

    async def scene() -> tuple[list[Finding], Finding]:
        async with small_disk(network, node) as disk, network.ledger() as ledger:
            ballast = disk / "ballast"
            fill(ballast)
            for _ in range(ORDERS_MAX):
                await network.place(ledger, member=DSO)
                processes = network.network.processes()
                peer = None if processes is None else processes.named(node.name)
                if peer is not None and peer.restarts:
                    break
            crashed = await until_found(network, node.name, "Its disk is full")
            findings = [one for one in await examine(network.network) if not one.is_well]
            ballast.unlink()
            await network.until_well()
            await network.place(ledger, member=DSO)
            return findings, crashed

    findings, crashed = network.run(scene())
    network.run(network.until_well())

    (disk,) = [one for one in findings if one.about == "disk"]
    assert str(network.network.folder.data(node)) in disk.sentence
    assert "has 0 MiB left; nodes on it stop" in disk.sentence
    assert "the nodes then start again by themselves" in disk.mend
    assert "free some space, it then starts again by itself" in crashed.mend
    network.trades_on()


def test_expired_certificate_of_a_node_is_found_with_its_mend(network: StandingNetwork) -> None:
    node = network.peer("SouthGrid")
    certificate = network.network.folder.config(node) / "tls" / "server.crt"
    authority = network.network.folder.organisation(node.organisation) / "tlsca"

    with in_place_of(certificate, expired(certificate, authority)):
        (finding,) = wrong(network)

    assert finding.about == "certificate of peer-southgrid"
    assert str(certificate) in finding.sentence
    assert "was valid until" in finding.sentence
    assert "Have the organisation's authority issue a new one" in finding.mend
    assert wrong(network) == []


def test_node_with_the_certificate_of_another_organisation_is_found(
    network: StandingNetwork,
) -> None:
    folder = network.network.folder
    certificate = folder.config(network.peer("SouthGrid")) / "tls" / "server.crt"
    foreign = folder.config(network.peer(DSO)) / "tls" / "server.crt"

    with in_place_of(certificate, foreign.read_bytes()):
        (finding,) = wrong(network)

    assert finding.about == "certificate of peer-southgrid"
    assert str(certificate) in finding.sentence
    assert "Have the organisation's authority issue a new one" in finding.mend
