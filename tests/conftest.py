"""Settings of all tests: Hypothesis measures no time, and the contract suite keeps to one worker."""

from __future__ import annotations

import pytest
from hypothesis import settings
from xdist.remote import Producer  # pyright: ignore[reportMissingTypeStubs]  # xdist brings none
from xdist.scheduler import (  # pyright: ignore[reportMissingTypeStubs]  # xdist brings none
    LoadScopeScheduling,
)

CONTRACT_SUITE = "tests/contract/"

settings.register_profile("commonwatt", deadline=None)  # machines are shared and noisy
settings.load_profile("commonwatt")


class FileByFile(LoadScopeScheduling):
    """Gives the tests of a file to one worker, and all of the contract suite to one.

    Tests of a file share a network, and the contract suite has one for all its files. xdist's own
    `loadgroup` would do, but xdist 3.8 loses the groups under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return CONTRACT_SUITE if file.startswith(CONTRACT_SUITE) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileByFile | None:
    """Schedule by files where the command line asks for scopes, else as xdist would."""
    return FileByFile(config, log) if config.getoption("dist") == "loadscope" else None
