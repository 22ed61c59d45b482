"""Exactly once: a projection killed at every step ends with what one that lived has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from api.features.reads import open_read_model
from api.live.projection import Projection
from tests.api.read_model.crashes import Deaths
from tests.api.read_model.life import correct, tables_of, trade_and_settle
from tests.contract.stage.cast import DSO, Rules
from tests.contract.stage.embedded_engine import EmbeddedEngine
from tests.contract.stage.market import Market

ROOT = Path(__file__).parents[3]


def test_a_projection_killed_at_every_step_writes_each_event_once(tmp_path: Path, url: str) -> None:
    """In a program of its own: it forks, which a process with threads must not."""
    with EmbeddedEngine(tmp_path / "ledgers") as engine:
        market = Market(engine, Rules())
        trade_and_settle(market)
        correct(market)
        expected = market.run(projected(market, f"sqlite:///{tmp_path / 'whole.sqlite'}"))
        market.close()
    command = [sys.executable, "-W", "error", "-m", "tests.api.read_model.crashes"]

    done = subprocess.run(
        [*command, str(tmp_path / "ledgers" / "0"), url], cwd=ROOT, capture_output=True, check=False
    )

    assert done.stderr.decode() == ""
    deaths = msgspec.json.decode(done.stdout, type=Deaths)
    assert deaths.finished
    assert deaths.moved > 5
    assert deaths.died > 3 * deaths.moved  # at most steps of a batch nothing had moved yet
    with EmbeddedEngine(tmp_path) as engine:
        assert engine.run(held(url)) == expected


async def projected(market: Market, url: str) -> dict[str, list[tuple[object, ...]]]:
    async with await open_read_model(url) as reads:
        await Projection(market.ledger, DSO, reads).catch_up()
        return await tables_of(reads.database)


async def held(url: str) -> dict[str, list[tuple[object, ...]]]:
    async with await open_read_model(url) as reads:
        return await tables_of(reads.database)
