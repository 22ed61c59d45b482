"""Fabric's own programs for tests that hold our files against what Fabric makes of them."""

from __future__ import annotations

import pytest

from ledger_network.fabric.binaries.install import Installation, installation


def built_programs() -> Installation:
    """The programs of this machine; a test that needs them is passed over where none are built.

    They are not built here: the tests of whole networks do that.
    """
    found = installation()
    if not found.is_complete:
        pytest.skip("Fabric's programs are not built yet: `commonwatt network install`")
    return found
