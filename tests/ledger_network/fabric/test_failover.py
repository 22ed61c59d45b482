"""Nodes killed under load, one kind after the other: no acknowledged order lost, none doubled.

How long each stalls the market is a matter of `commonwatt bench fabric-failover`, not of a test.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import AsyncExitStack
from typing import NamedTuple

import msgspec
import pytest

from commonwatt.bench.fabric.failover import (
    SLOTS,
    faults_of,
    kill_leader,
    leading,
    orders_under,
)
from commonwatt.bench.fabric.market import FabricMarket, fabric_market
from commonwatt.demonstration.cast import SLOT_S
from ledger_network.fabric.operations.network import Network
from tests.ledger_network.fabric.grounds import until_well

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


STRIKES = [kill_follower, kill_reading_peer, kill_contract, kill_gateway_peer, kill_leader]
"""All on one market, each with slots of its own; the leader, last, stays away."""


class Struck(NamedTuple):
    """A market and the loop in which everything on it runs."""

    market: FabricMarket
    runner: asyncio.Runner


@pytest.fixture(scope="module")
def struck() -> Generator[Struck]:
    """The market that loses one node after the other."""
    with asyncio.Runner() as runner:
        held = AsyncExitStack()
        try:
            market = runner.run(held.enter_async_context(fabric_market(TRADERS)))
            yield Struck(market, runner)
        finally:
            runner.run(held.aclose())


@pytest.mark.parametrize("number", range(len(STRIKES)), ids=[one.__name__ for one in STRIKES])
def test_no_acknowledged_order_is_lost_or_doubled(number: int, struck: Struck) -> None:
    first_slot = struck.market.first_slot + number * SLOTS * SLOT_S
    market = msgspec.structs.replace(struck.market, first_slot=first_slot)

    async def run() -> list[str]:
        await until_well(market.network)  # the node that was killed before is back
        await market.set_time(first_slot - SLOT_S)
        load = await orders_under(market, STRIKES[number])
        assert load.acknowledged
        return await faults_of(market, load)

    assert struck.runner.run(run()) == []
