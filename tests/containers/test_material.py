"""What containers are given: each its own, readable for its user, behind a folder that is not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.consortium.definition import read_consortium
from ledger_network.fabric.consortium.placement import NetworkFolder
from ledger_network.fabric.images.compose import AGREEMENT, PACKAGE_ENVIRONMENT
from ledger_network.fabric.images.container_material import make_container_material
from ledger_network.fabric.operations.material import Material, NetworkFault
from tests.own_ports import on_own_ports

CONSORTIUM = read_consortium()
pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    root = tmp_path_factory.mktemp("material") / "network"
    return make_container_material(CONSORTIUM, root, install(), version="1")


def digests(folder: Path) -> dict[str, str]:
    """Every file below `folder` with a digest of its content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def keys(folder: Path) -> set[str]:
    """Digests of the private keys below `folder`."""
    found = [path for path in folder.rglob("*") if path.name.endswith(("_sk", ".key"))]
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_only_the_owner_enters_and_each_service_reads_its_own(material: Material) -> None:
    root = material.folder.root

    assert root.stat().st_mode & 0o077 == 0
    for given in (*(material.folder.config(n) for n in CONSORTIUM.nodes()), root / AGREEMENT):
        paths = [given, *given.rglob("*")]
        assert all(path.stat().st_mode & 0o004 for path in paths), given
        assert not any(path.stat().st_mode & 0o022 for path in paths), given


def test_no_two_services_hold_the_same_private_key(material: Material) -> None:
    folders = [material.folder.config(node) for node in CONSORTIUM.nodes()]
    held = [keys(folder) for folder in (*folders, material.folder.root / AGREEMENT)]

    assert all(held)
    assert sum(map(len, held)) == len(set[str]().union(*held))


def test_agreement_holds_administrators_keys_and_no_authority_s(material: Material) -> None:
    folder = NetworkFolder(material.folder.root / AGREEMENT)

    members = CONSORTIUM.organisations
    signing = [folder.user(member, "Admin") / "msp" / "keystore" for member in members]
    ordering = [folder.orderer_administrator(m) / "tls" for m in members if m.orderers]
    assert keys(folder.root) == set[str]().union(*(keys(each) for each in (*signing, *ordering)))


def test_contract_is_told_the_package_that_its_peer_installs(material: Material) -> None:
    packages = material.deployed().packages

    for node in CONSORTIUM.nodes("contract"):
        told = (material.folder.node(node) / PACKAGE_ENVIRONMENT).read_text("utf-8")
        assert told == f"CHAINCODE_ID={packages[node.name.replace('contract', 'peer', 1)]}\n"


def test_made_again_all_stays_as_it_is(material: Material) -> None:
    before = digests(material.folder.root)

    make_container_material(CONSORTIUM, material.folder.root, install(), version="2")

    assert digests(material.folder.root) == before


def test_folder_of_another_consortium_is_refused(material: Material) -> None:
    with pytest.raises(NetworkFault, match="another consortium"):
        make_container_material(
            on_own_ports(CONSORTIUM), material.folder.root, install(), version="1"
        )
