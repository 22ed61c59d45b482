"""Opens a market for each scenario and checks at its end what holds at the end of every one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import count
from pathlib import Path

import pytest

from chaincode.contract import Contract
from ledger_network import port
from ledger_network.embedded.engine import EmbeddedLedger
from tests.contract.cast import MEMBERS, Clock, Engine, HashedLedger, Rules
from tests.contract.market import Market, Opener
from tests.ledger_network.workbench import UnsyncedDisk

CHANNEL = "testing"
SEED = bytes(range(32))


def embedded(folder: Path) -> Engine:
    """Embedded ledgers in a folder; no scenario ends a process, so nothing has to be synced."""
    numbers = count()

    def opened(clock: Clock, contract: port.Contract) -> HashedLedger:
        return EmbeddedLedger.open(
            folder / str(next(numbers)),
            contract=contract,
            channel=CHANNEL,
            members=MEMBERS,
            seed=SEED,
            clock=clock,
            disk=UnsyncedDisk(),
            verifiers=1,
        )

    return opened


ENGINES: dict[str, Callable[[Path], Engine]] = {"embedded": embedded}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """How this run opens ledgers."""
    return ENGINES[request.param](tmp_path)


@pytest.fixture
def open_market(engine: Engine) -> Generator[Opener]:
    """Opens markets; in the end each is checked and closed."""
    opened: list[Market] = []

    def open_one(rules: Rules | None = None, contract: port.Contract | None = None) -> Market:
        market = Market(engine, rules or Rules(), contract or Contract())
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
