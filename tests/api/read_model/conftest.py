"""Markets on an embedded ledger, and read models on each database that is supported."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.api.postgres import Postgres, running_postgres
from tests.contract.stage.cast import Rules
from tests.contract.stage.embedded_engine import EmbeddedEngine
from tests.contract.stage.market import Market


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """A PostgreSQL of this test run."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'read-model.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """The address of an empty SQLite database, where it makes no difference which it is."""
    return f"sqlite:///{tmp_path / 'read-model.sqlite'}"


@pytest.fixture
def market(tmp_path: Path) -> Generator[Market]:
    """A founded market on an embedded ledger."""
    with open_market(tmp_path / "ledgers") as opened:
        yield opened


@pytest.fixture
def other_market(tmp_path: Path) -> Generator[Market]:
    """Another one under the same names."""
    with open_market(tmp_path / "others") as opened:
        yield opened


@contextmanager
def open_market(folder: Path) -> Generator[Market]:
    with EmbeddedEngine(folder) as engine:
        opened = Market(engine, Rules())
        try:
            yield opened
        finally:
            opened.close()
