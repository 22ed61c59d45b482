"""What must hold of any channel holds of the scripted peers, so that their play is a true one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from ledger_network.fabric.gateway.client import Gateway
from tests.ledger_network.fabric.gateway.scenarios import SCENARIOS
from tests.ledger_network.fabric.gateway.stage import Stage, play


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_scenario(scenario: Callable[[Gateway], Awaitable[None]]) -> None:
    async def scene(stage: Stage) -> None:
        for number in range(4):
            await stage.gateway.submit("market", [b"event", b"%d" % number])

        await scenario(stage.gateway)

    play(scene)
