"""Opens a market for each scenario and checks at its end what holds at the end of every one."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.contract.stage.cast import Engine, Rules
from tests.contract.stage.embedded_engine import EmbeddedEngine
from tests.contract.stage.fabric_engine import FabricEngine, SuiteNetwork
from tests.contract.stage.market import Foundings, Market, Opener, Prepare

FABRIC = pytest.param("fabric", marks=pytest.mark.network)


@pytest.fixture(scope="session")
def suite_network(tmp_path_factory: pytest.TempPathFactory) -> Generator[SuiteNetwork]:
    """The consortium that all scenarios on Fabric run on, each under a contract of its own name."""
    with SuiteNetwork(tmp_path_factory.mktemp("suite")) as network:
        yield network


@pytest.fixture(params=["embedded", FABRIC])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Engine]:
    """How this run opens ledgers."""
    if request.param == "embedded":
        with EmbeddedEngine(tmp_path) as embedded:
            yield embedded
    else:
        with EmbeddedEngine(tmp_path / "quick") as quick:
            yield FabricEngine(request.getfixturevalue("suite_network"), tmp_path, quick)


@pytest.fixture(scope="session")
def foundings() -> Foundings:
    """The markets that others begin as."""
    return Foundings()


@pytest.fixture
def open_market(engine: Engine, foundings: Foundings) -> Generator[Opener]:
    """Opens markets; in the end each is checked and closed."""
    opened: list[Market] = []

    def open_one(rules: Rules | None = None, *, prepare: Prepare | None = None) -> Market:
        rules = rules or Rules()
        market = Market(engine, rules, foundings.of(engine, rules, prepare))
        opened.append(market)
        return market

    yield open_one
    try:
        for market in opened:
            market.check_end()
    finally:
        for market in opened:
            market.close()


@pytest.fixture
def market(open_market: Opener) -> Market:
    """A market with the default rules."""
    return open_market()
