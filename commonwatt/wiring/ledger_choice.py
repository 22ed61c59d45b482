"""Opens the ledger that a market runs on: an embedded ledger in this process, or a network."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

from chaincode.contract import Contract
from commonwatt.demonstration.cast import CHANNEL, ORGANISATIONS
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.consortium.definition import Consortium, read_consortium
from ledger_network.fabric.consortium.profile import profile
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.operations.network import Network

ROLES = ("dso", "retailer", "oracle", "regulator")
CONTRACT_COMMAND = (sys.executable, "-m", "commonwatt", "contract", "serve")


class LedgerKind(StrEnum):
    """The kinds of ledger that a market can run on."""

    EMBEDDED = "embedded"
    FABRIC = "fabric"


def demonstration_network(data: Path) -> Network:
    """Return the network of the default consortium in a folder; build Fabric if it is missing.

    Raises `InstallFailed`, and `ConsortiumInvalid` if the consortium's file in the folder is invalid.
    """
    made = data / "consortium.yaml"
    consortium = read_consortium(made) if made.exists() else read_consortium()
    return Network(
        consortium, data, install(), contract_command=CONTRACT_COMMAND, version=Contract.version
    )


def embedded_ledger(data: Path) -> EmbeddedLedger:
    """Open the embedded ledger in a folder, with the demonstration's members."""
    return EmbeddedLedger.open(
        data,
        contract=Contract(),
        channel=CHANNEL,
        members=[organisation.name for organisation in ORGANISATIONS],
    )


async def fabric_ledger(network: Network, *, roles: Collection[str] = ROLES) -> FabricLedger:
    """Open the ledger of a running network, for all members that have one of `roles`.

    Queries read from the members' own peers.
    """
    return await FabricLedger.open(
        [
            profile(network.consortium, member.name, network.placement)
            for member in network.consortium.organisations
            if member.role in roles
        ],
        contract=Contract(),
    )


@asynccontextmanager
async def running(network: Network, progress: Callable[[str], None]) -> AsyncGenerator[Network]:
    """Start a network unless it runs; a network that this call started is stopped at the end."""
    ran_before = network.processes() is not None
    try:
        await network.up(progress)
        yield network
    finally:
        if not ran_before:
            await network.down(purge=False, progress=progress)


def require_demonstration(consortium: Consortium) -> None:
    """Raise `ValueError` unless all members of the demonstration are in the consortium."""
    named = {(organisation.name, organisation.role) for organisation in ORGANISATIONS}
    there = {(member.name, member.role) for member in consortium.organisations}
    if not named <= there:
        missing = ", ".join(sorted(name for name, _ in named - there))
        raise ValueError(f"the demonstration's members are not all in the consortium: {missing}")
