"""A Fabric network for one bench: the default consortium on free ports, removed afterwards.

All processes and files of the network are removed after the bench, even when a step fails, and on
Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from chaincode.contract import Contract
from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.consortium.definition import (
    PORT_BLOCK,
    Consortium,
    Site,
    read_consortium,
)
from ledger_network.fabric.consortium.profile import Profile, profile
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.operations.network import Network
from ledger_network.fabric.runtime.probe import PortTaken, require_free

PORTS = range(20_000, 31_000, 200)  # first ports to try; Linux gives higher ports to clients
CONTRACT_COMMAND = (sys.executable, "-m", "commonwatt", "contract", "serve")


@asynccontextmanager
async def made_network(*, contract_command: Sequence[str] | None = None) -> AsyncGenerator[Network]:
    """Yield a network that is not started yet; everything that is started is removed at the end.

    `contract_command` starts a contract service; without a command there is no contract.
    """
    installed = await asyncio.to_thread(install)
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        network = Network(
            on_free_ports(read_consortium()),
            Path(folder) / "network",
            installed,
            contract_command=CONTRACT_COMMAND if contract_command is None else contract_command,
            version=Contract.version,
            ends_with_us=True,
        )
        with _ended_by_sigterm():
            try:
                yield network
            finally:
                await network.down(purge=True, progress=unheard)


@asynccontextmanager
async def bench_network() -> AsyncGenerator[Network]:
    """Yield a running network that takes orders."""
    async with made_network() as network:
        await network.up(unheard)
        yield network


def profiles(network: Network) -> list[Profile]:
    """Return the profiles of all members, in the order of the consortium's file."""
    return [
        profile(network.consortium, organisation.name, network.placement)
        for organisation in network.consortium.organisations
    ]


async def open_ledger(network: Network) -> FabricLedger:
    """Return the ledger of a running network, for all of its members."""
    return await FabricLedger.open(profiles(network), contract=Contract())


def on_free_ports(consortium: Consortium, among: range = PORTS) -> Consortium:
    """Return the consortium on a free block of ports; raise `PortTaken` if no block is free.

    `among` are the first ports of the blocks that are tried.
    """
    for first in among:
        moved = _from_port(consortium, first)
        try:
            require_free(moved.nodes("orderer", "peer"))
        except PortTaken:
            continue
        return moved
    raise PortTaken(f"from {among.start} to {among.stop} no ports are free for a network")


def _from_port(consortium: Consortium, first: int) -> Consortium:
    """Return the consortium with the nodes' blocks of ports in order from `first`."""
    ports = iter(range(first, first + PORTS.step, PORT_BLOCK))
    organisations = [
        msgspec.structs.replace(
            organisation,
            peers=[Site(next(ports), site.host) for site in organisation.peers],
            orderers=[Site(next(ports), site.host) for site in organisation.orderers],
        )
        for organisation in consortium.organisations
    ]
    return msgspec.structs.replace(consortium, organisations=organisations)


@contextmanager
def _ended_by_sigterm() -> Generator[None]:
    """Let SIGTERM cancel the task that waits here, so that it cleans up."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is None:
        raise RuntimeError("a network is held by a task")
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def unheard(_: str) -> None:
    """Ignore progress."""
