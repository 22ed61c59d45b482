"""A browser for the whole run, the built dashboard, and the double that draws its pages."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from api.server.dashboard_build import FOLDER, build
from tests.browser.double import Double, served
from tests.browser.looks import launch

expect.set_options(timeout=20_000)  # a first page of a new browser, on a machine with other work
AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def dist() -> Path:
    return build(lambda _: None)


@pytest.fixture(scope="session")
def axe(dist: Path) -> Path:
    """axe-core, which the build has installed with the rest."""
    assert dist.is_dir()
    return AXE


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """A browser for a module: as long as it is there, no other event loop can run in this thread."""
    with ExitStack() as stack:
        yield launch(stack)


@pytest.fixture
def double(dist: Path) -> Double:
    return Double(dist)


@pytest.fixture
def address(double: Double) -> Generator[str]:
    with served(double) as found:
        yield found
