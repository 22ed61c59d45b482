"""What the services around the consortium are given: settings that they take, and keys of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from api.settings import load_settings
from commonwatt.deploy.market_compose import API, DATABASE, LEDGER_GATEWAY, MEMBERS, METERS, ORACLES
from commonwatt.deploy.market_material import make_market_material, market_root
from commonwatt.deploy.staged_market import StagedMarket, read_staged_market, stage_market
from commonwatt.wiring.api_service import read_market
from commonwatt.wiring.ledger_gateway import read_ledger_gateway
from identity.did import did_key
from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.consortium.definition import read_consortium
from ledger_network.fabric.images.container_material import make_container_material
from ledger_network.fabric.operations.material import Material
from meter_oracle.node.assembly import read_key
from meter_oracle.settings import NodeSettings, read_settings

pytestmark = pytest.mark.network

HOUSEHOLDS, SPEED, NOW_S = 3, 90, 1_790_000_000
MARKET = stage_market(HOUSEHOLDS, SPEED, NOW_S)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    root = tmp_path_factory.mktemp("material") / "network"
    made = make_container_material(read_consortium(), root, install(), version="1")
    make_market_material(made, MARKET)
    return made


def node_settings(material: Material) -> list[NodeSettings]:
    """The settings of all nodes, as they read them."""
    return [read_settings(market_root(material) / name / "node.yaml", {}) for name in ORACLES]


def private_keys(folder: Path) -> set[str]:
    """Digests of the private keys below `folder`."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        hashlib.sha256(content).hexdigest()
        for content in (path.read_bytes() for path in files)
        if b"PRIVATE KEY" in content
    }


def test_each_service_has_a_folder_that_it_can_read_and_nobody_write(material: Material) -> None:
    root = market_root(material)

    assert {each.name for each in root.iterdir()} == {
        API, DATABASE, LEDGER_GATEWAY, *ORACLES, METERS, MEMBERS
    }  # fmt: skip
    for path in root.rglob("*"):
        assert path.stat().st_mode & 0o004
        assert not path.stat().st_mode & 0o022


def test_nodes_take_their_settings_and_expect_each_other(material: Material) -> None:
    found = node_settings(material)

    dids = [did_key(read_key(each).public) for each in found]
    assert dids == MARKET.cast().oracle.nodes
    for did, settings in zip(dids, found, strict=True):
        assert {peer.did for peer in settings.peers} == set(dids) - {did}
        assert settings.clock == MARKET.clock
        assert len(settings.meters) == HOUSEHOLDS


def test_certificate_of_a_node_names_its_did(material: Material) -> None:
    for settings in node_settings(material):
        certificate = x509.load_pem_x509_certificate(Path(settings.tls.certificate).read_bytes())
        names = certificate.extensions.get_extension_for_oid(
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME
        ).value
        assert isinstance(names, x509.SubjectAlternativeName)
        did = did_key(read_key(settings).public)
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == [did]


def test_ledger_s_side_answers_the_nodes_and_no_other(material: Material) -> None:
    gateway = read_ledger_gateway(market_root(material) / LEDGER_GATEWAY / "ledger-gateway.yaml")

    assert gateway.nodes == MARKET.cast().oracle.nodes
    assert Path(gateway.profile).is_file()


def test_ledger_s_side_is_told_where_the_api_listens(material: Material) -> None:
    root = market_root(material)
    gateway = read_ledger_gateway(root / LEDGER_GATEWAY / "ledger-gateway.yaml")

    assert gateway.api == f"http://{API}:{load_settings(root / API / 'api.toml').port}"


def test_api_takes_its_settings_and_logs_into_the_database_as_it_was_made(
    material: Material,
) -> None:
    root = market_root(material)
    settings, market = load_settings(root / API / "api.toml"), read_market(root / API / "api.toml")

    password = (root / DATABASE / "password").read_text("ascii")
    assert f":{password}@{DATABASE}:" in settings.read_model.get_secret_value()
    assert password not in str(settings.printable())
    assert [path.name for path in market.profiles] == [
        "NordGrid.json", "GreenPower.json", "CityEnergy.json", "EnergyAuthority.json"
    ]  # fmt: skip
    assert {account.role for account in market.accounts} == {
        "RETAILER", "DSO", "OPERATOR", "REGULATOR"
    }  # fmt: skip


def test_no_two_services_but_the_demonstration_s_hold_the_same_private_key(
    material: Material,
) -> None:
    """`members` acts for everybody, so it holds what others hold."""
    folders = [market_root(material) / name for name in (API, LEDGER_GATEWAY, *ORACLES)]
    held = [private_keys(folder) for folder in folders]

    assert all(held)
    assert sum(map(len, held)) == len(set[str]().union(*held))
    assert not private_keys(market_root(material) / METERS)


def test_api_and_ledger_s_side_hold_no_administrator_s_key(material: Material) -> None:
    members = material.consortium.organisations
    administrators = set[str]().union(
        *(private_keys(material.folder.user(member, "Admin") / "msp") for member in members)
    )

    assert len(administrators) == len(members)
    assert administrators <= private_keys(market_root(material) / MEMBERS)
    for name in (API, LEDGER_GATEWAY, *ORACLES):
        assert not administrators & private_keys(market_root(material) / name)


def test_parts_agree_on_where_each_meter_is_and_what_it_is(material: Material) -> None:
    plan: StagedMarket = read_staged_market(market_root(material) / METERS / "plan.json")

    assert plan == MARKET
    for settings in node_settings(material):
        assert settings.meters == MARKET.sources("meters", 15_020)
        assert [meter.meter for meter in settings.meters] == [
            home.meter for home in plan.cast().homes
        ]


def test_market_that_hurries_begins_in_the_morning_and_another_now() -> None:
    slow = stage_market(HOUSEHOLDS, 1, NOW_S)

    assert slow.clock.market_anchor_s == NOW_S
    assert slow.first_slot(NOW_S + 5_000) > NOW_S + 5_000
    assert MARKET.first_slot(NOW_S + 100) > MARKET.clock.market_anchor_s + 100 * SPEED
    assert MARKET.first_slot(NOW_S) % 900 == 0
