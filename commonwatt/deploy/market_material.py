"""Makes the files that the market's services in containers need: settings, keys, profiles.

Each service has its own folder in the material. The keys of the demonstration's people and of the
oracle nodes follow from the plan's seed; the certificates of the nodes, the database's password and
the API's signing key are random and made once. Existing folders are kept; remove them for new ones.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chaincode.context import Role
from commonwatt.demonstration.cast import AREA, DSO, ORACLE, RETAILERS, SLOT_S, Cast
from commonwatt.demonstration.market_plan import MarketPlan
from commonwatt.demonstration.meter_process import timing
from commonwatt.demonstration.personas import REGULATOR, accounts
from commonwatt.deploy.market_compose import (
    API,
    API_PORT,
    DATABASE,
    DATABASE_PORT,
    LEDGER_GATEWAY,
    LEDGER_GATEWAY_PORT,
    MARKET_FOLDER,
    MEMBERS,
    METERS,
    METERS_PORT,
    NODE_PORT,
    ORACLES,
)
from commonwatt.wiring.ledger_gateway import LedgerGatewaySettings
from ledger_network.fabric.consortium.placement import CONTAINER_CONFIG
from ledger_network.fabric.images.container_material import make_readable, stage_profiles
from ledger_network.fabric.operations.material import Material
from meter_oracle.peers.certificates import make_certificates
from meter_oracle.peers.ledger_gateway import LEDGER_NAME
from meter_oracle.peers.transport import TlsFiles
from meter_oracle.settings import (
    LedgerSettings,
    MarketSettings,
    NodeSettings,
    PeerSettings,
)

DATABASE_NAME = "commonwatt"
EVERYWHERE = "0.0.0.0"  # noqa: S104 each service has its own networks
CLIENT: Sequence[Role] = ("client",)
TLS = TlsFiles("tls/certificate.pem", "tls/key.pem", "tls/authority.pem")
"""The names of the TLS files in a service's folder."""


def market_root(material: Material) -> Path:
    """Return the folder that holds the services' folders."""
    return material.folder.root / MARKET_FOLDER


def make_market_material(material: Material, market: MarketPlan) -> None:
    """Make the folders of all services, completely or not at all."""
    root = market_root(material)
    fresh = root.with_name(f"{MARKET_FOLDER}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    people = market.cast()
    password = secrets.token_urlsafe(32)
    _make_database(fresh / DATABASE, password)
    _make_api(fresh / API, material, people, password)
    _make_oracle(fresh, material, market, people)
    plan = msgspec.json.format(msgspec.json.encode(market))
    everybody = [member.name for member in material.consortium.organisations]
    for service in (METERS, MEMBERS):
        (fresh / service).mkdir()
        (fresh / service / "plan.json").write_bytes(plan)
    stage_profiles(material, everybody, fresh / MEMBERS)
    for folder in fresh.iterdir():
        make_readable(folder)
    fresh.rename(root)


def _make_database(folder: Path, password: str) -> None:
    folder.mkdir(parents=True)
    (folder / "password").write_text(password, "ascii")


def _make_api(folder: Path, material: Material, people: Cast, password: str) -> None:
    """Make the files of the API, which submits as the retailers and reads as DSO and regulator."""
    folder.mkdir(parents=True)
    names = [DSO, *RETAILERS, REGULATOR]
    stage_profiles(material, names, folder, roles=CLIENT)
    signing = Ed25519PrivateKey.generate()
    pem = signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "signing-key.pem").write_bytes(pem)
    settings: dict[str, Any] = {
        "api": {
            "host": EVERYWHERE,
            "port": API_PORT,
            "read_model": f"postgres://{DATABASE_NAME}:{password}@{DATABASE}:{DATABASE_PORT}/"
            f"{DATABASE_NAME}",
            "signing_key_file": f"{CONTAINER_CONFIG}/signing-key.pem",
            "log_format": "json",
        },
        "market": {
            "area": AREA,
            "member": DSO,
            "profiles": [f"{CONTAINER_CONFIG}/profiles/{name}.json" for name in names],
            "carriers": {retailer: retailer for retailer in RETAILERS},
            "accounts": [
                {"did": did, "role": each.role, "member": each.member, "name": each.name}
                for did, each in accounts(people).items()
                if each.member is not None
            ],
        },
    }
    (folder / "api.toml").write_text(_toml(settings), "utf-8")


def _toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return tables of texts, numbers, and lists and tables of these as TOML."""
    lines: list[str] = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {_toml_value(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{key} = {_toml_value(inner)}" for key, inner in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, cast("list[Any]", value))) + "]"
    return msgspec.json.encode(value).decode()  # texts and numbers look the same in JSON and TOML


def _make_oracle(root: Path, material: Material, market: MarketPlan, people: Cast) -> None:
    """Make the files of the oracle nodes and of their ledger gateway."""
    nodes = people.oracle.nodes
    authority = root / "authority"
    issued = make_certificates(authority, [*nodes, LEDGER_NAME])
    _make_ledger_gateway(root / LEDGER_GATEWAY, material, nodes, issued[LEDGER_NAME])
    addresses = {did: f"{name}:{NODE_PORT}" for did, name in zip(nodes, ORACLES, strict=True)}
    shared = MarketSettings(
        area=AREA,
        channel=material.consortium.channel,
        contract=material.consortium.contract,
        slot_s=SLOT_S,
        nodes=nodes,
        faulty_max=people.oracle.faulty_max,
    )
    for key, did, name in zip(people.oracle_keys, nodes, ORACLES, strict=True):
        folder = root / name
        _hand_over(issued[did], folder)
        (folder / "node-key.pem").write_bytes(key.to_pkcs8())
        settings = NodeSettings(
            market=shared,
            key="node-key.pem",
            listen=f"{EVERYWHERE}:{NODE_PORT}",
            tls=TLS,
            peers=_peers(addresses, without=did),
            ledger=LedgerSettings(
                address=f"{LEDGER_GATEWAY}:{LEDGER_GATEWAY_PORT}", name=LEDGER_NAME
            ),
            meters=[*market.sources(METERS, METERS_PORT)],
            timing=timing(market.clock.rate),
            clock=market.clock,
        )
        (folder / "node.yaml").write_bytes(msgspec.yaml.encode(settings))
    shutil.rmtree(authority)  # the key is not kept, because new nodes get a new authority


def _make_ledger_gateway(
    folder: Path, material: Material, nodes: list[str], files: TlsFiles
) -> None:
    _hand_over(files, folder)
    stage_profiles(material, [ORACLE], folder, roles=CLIENT)
    settings = LedgerGatewaySettings(
        area=AREA,
        listen=f"{EVERYWHERE}:{LEDGER_GATEWAY_PORT}",
        tls=TLS,
        profile=f"profiles/{ORACLE}.json",
        nodes=nodes,
        api=f"http://{API}:{API_PORT}",
    )
    (folder / "ledger-gateway.yaml").write_bytes(msgspec.yaml.encode(settings))


def _hand_over(files: TlsFiles, folder: Path) -> None:
    """Copy a certificate, its key and the authority's certificate into a service's folder."""
    own = TLS.under(folder)
    for source, target in (
        (files.certificate, own.certificate),
        (files.key, own.key),
        (files.authority, own.authority),
    ):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _peers(addresses: Mapping[str, str], *, without: str) -> list[PeerSettings]:
    others: Iterable[tuple[str, str]] = addresses.items()
    return [PeerSettings(did=did, address=at) for did, at in others if did != without]
