"""One network for all tests that need the real one; nothing of it may be left afterwards."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.ledger_network.fabric.grounds import StandingNetwork, default_consortium


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Generator[StandingNetwork]:
    """The default consortium, up, with a founded market."""
    standing = StandingNetwork(default_consortium(), tmp_path_factory.mktemp("fabric"))
    with standing:
        standing.run(standing.found())
        standing.run(standing.until_well())  # every peer has the market, also for other clients
        yield standing
    assert standing.left() == []
