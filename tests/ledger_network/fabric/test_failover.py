"""Nodes killed under load, one kind after the other: no acknowledged order lost, none doubled.

How long each stalls the market is a matter of `commonwatt bench fabric-failover`, not of a test.
"""

from __future__ import annotations

import asyncio
import signal

import pytest

from commonwatt.bench.fabric.failover import (
    Strike,
    faults_of,
    kill_leader,
    leading,
    orders_under,
)
from commonwatt.bench.fabric.market import fabric_market
from ledger_network.fabric.operations.network import Network

pytestmark = pytest.mark.network

TRADERS = 20


def kill(network: Network, name: str) -> None:
    """Kill a process as a crash would; its supervisor starts it again."""
    running = network.processes()
    found = running.named(name) if running else None
    assert found is not None
    assert found.process is not None
    found.process.send(signal.SIGKILL)


async def kill_follower(network: Network) -> None:
    """An orderer that does not lead."""
    leader = await leading(network)
    names = [node.name for node in network.consortium.nodes("orderer")]
    kill(network, next(name for name in names if name != leader.name))


async def kill_gateway_peer(network: Network) -> None:
    """The peer through which one of the senders submits."""
    kill(network, "peer-cityenergy")


async def kill_reading_peer(network: Network) -> None:
    """A peer that nobody submits through and that endorses nothing."""
    kill(network, "peer-energyauthority")


async def kill_contract(network: Network) -> None:
    """The contract service of an endorsing peer."""
    kill(network, "contract-southgrid")


@pytest.mark.parametrize(
    "strike", [kill_follower, kill_reading_peer, kill_contract, kill_gateway_peer, kill_leader]
)
def test_no_acknowledged_order_is_lost_or_doubled(strike: Strike) -> None:
    async def run() -> list[str]:
        async with fabric_market(TRADERS) as market:
            load = await orders_under(market, strike)
            assert load.acknowledged
            return await faults_of(market, load)

    assert asyncio.run(run()) == []
