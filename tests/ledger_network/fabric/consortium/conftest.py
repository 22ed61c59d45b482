"""A network's material, made once by Fabric's own programs and only read by the tests."""

from __future__ import annotations

import pytest

from ledger_network.fabric.consortium.definition import read_consortium
from ledger_network.fabric.consortium.placement import NetworkFolder, Placement
from ledger_network.fabric.operations.material import Material
from tests.ledger_network.fabric.binaries.programs import built_programs


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """The material of the default consortium; nothing of it runs."""
    installed = built_programs()
    root = tmp_path_factory.mktemp("consortium") / "network"
    material = Material(
        read_consortium(), Placement("native", NetworkFolder(root), installed.builder)
    )
    material.make(installed, version="1.0.0")
    return material
