"""What every test of the gateway client needs: peers over one chain, a client, a clean end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.peers import Limits
from ledger_network.fabric.gateway.signing import Identity, SigningIdentity
from tests.ledger_network.fabric.gateway.papers import user_papers
from tests.ledger_network.fabric.gateway.scripted import Chain, ScriptedPeer

DEADLINE_S = 30.0
ENDING_S = 5.0
NOON = 1_780_000_000.0  # what the clock of tests says
LIMITS = Limits(
    connect_s=2.0,
    status_try_s=0.3,
    status_s=5.0,
    settle_s=5.0,
    retry_first_s=0.01,
    retry_max_s=0.05,
)

Result = TypeVar("Result")


@dataclass
class Stage:
    """Peers of North and South, and a client of both, who prefers North."""

    chain: Chain
    north: ScriptedPeer
    south: ScriptedPeer
    gateway: Gateway

    @property
    def peers(self) -> tuple[ScriptedPeer, ScriptedPeer]:
        return self.north, self.south

    def asked(self, method: str) -> tuple[int, int]:
        """How often North and South were asked."""
        return self.north.asked(method), self.south.asked(method)


def user() -> SigningIdentity:
    return SigningIdentity("NorthMSP", *user_papers())


@asynccontextmanager
async def staged(
    *,
    limits: Limits = LIMITS,
    prefer_first: bool = True,
    identity: Identity | None = None,
    clock: Callable[[], float] = lambda: NOON,
) -> AsyncGenerator[Stage]:
    """A stage; when it is left, everything on it is closed and no task may be left."""
    chain = Chain()
    north, south = ScriptedPeer("NorthMSP", chain), ScriptedPeer("SouthMSP", chain)
    for peer in (north, south):
        await peer.start()
    gateway = Gateway(
        identity or user(),
        [north.endpoint, south.endpoint],
        channel="market",
        clock=clock,
        limits=limits,
        prefer_first=prefer_first,
    )
    try:
        yield Stage(chain, north, south, gateway)
    finally:
        await gateway.close()
        for peer in (north, south):
            await peer.stop()


async def nothing_left() -> None:
    """Every task ends by itself; gRPC's own need a moment after a call is cancelled."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=ENDING_S)
    assert not left, f"tasks that nobody ended: {left}"


def play(scene: Callable[[Stage], Coroutine[Any, Any, Result]], **changes: Any) -> Result:
    """What `scene` returns on a stage of its own; `changes` are those of `staged`."""

    async def whole() -> Result:
        async with asyncio.timeout(DEADLINE_S):
            async with staged(**changes) as stage:
                result = await scene(stage)
            await nothing_left()
            return result

    return asyncio.run(whole())
