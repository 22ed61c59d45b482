"""The file of a node: taken whole or refused with the place; what the command prints of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from commonwatt.commands.oracle import app
from identity.did import did_key
from identity.keys import PrivateKey
from meter_oracle.peers.certificates import make_certificates
from meter_oracle.settings import SettingsInvalid, read_settings

KEYS = [PrivateKey.from_seed(bytes([number]) * 32) for number in range(5)]
NODES = [did_key(key.public) for key in KEYS]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good file with everything it names."""
    make_certificates(tmp_path, NODES[:4])
    (tmp_path / "node.key").write_bytes(KEYS[0].to_pkcs8())
    nodes = "\n".join(f"    - {did}" for did in NODES[:4])
    peers = "\n".join(
        f"  - {{did: '{did}', address: 'localhost:{7000 + n}'}}" for n, did in enumerate(NODES[1:4])
    )
    path = tmp_path / "node.yaml"
    path.write_text(
        f"""market:
  area: lindenhof
  channel: lindenhof-market
  contract: commonwatt
  faulty_max: 1
  nodes:
{nodes}
key: node.key
listen: 127.0.0.1:7100
tls: {{certificate: peer-0.pem, key: peer-0.key, authority: authority.pem}}
ledger: {{address: 'localhost:7200'}}
peers:
{peers}
meters:
  - {{kind: modbus, meter: meter-00000, host: 127.0.0.1, port: 5020}}
  - {{kind: json-rpc, meter: meter-00001, url: 'http://localhost:1', method: read,
      import_at: in, export_at: out}}
""",
        encoding="utf-8",
    )
    return path


def test_paths_are_relative_to_the_file_and_the_environment_wins(file: Path) -> None:
    settings = read_settings(file, {"COMMONWATT_ORACLE_LISTEN": "127.0.0.1:9999"})

    assert settings.key == str(file.parent / "node.key")
    assert settings.tls.authority == str(file.parent / "authority.pem")
    assert settings.listen == "127.0.0.1:9999"
    assert settings.market.quorum == 3
    assert settings.timing.keep_slots == 96
    assert [meter.meter for meter in settings.meters] == ["meter-00000", "meter-00001"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("area: lindenhof", "aera: lindenhof", "aera"),
        ("kind: modbus", "kind: telepathy", "telepathy"),
        ("port: 5020", "port: 70000", "port"),
        ("listen: 127.0.0.1:7100", "listen: nowhere", "nowhere"),
        ("faulty_max: 1", "faulty_max: 2", "needs 7 nodes"),
        ("meter: meter-00001", "meter: meter-00000", "twice"),
        (NODES[3], NODES[2], "twice"),
        ("address: 'localhost:7001'", "address: 'localhost'", "host:port"),
        ("market:", "market: [", "node.yaml"),
    ],
)
def test_a_fault_is_named(file: Path, old: str, new: str, said: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(SettingsInvalid, match=said):
        read_settings(file, {})


def test_a_stranger_among_the_peers_is_refused(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    peer = f"{{did: '{NODES[4]}', address: 'localhost:1'}}"
    file.write_text(text.replace("peers:", f"peers:\n  - {peer}", 1), encoding="utf-8")

    with pytest.raises(SettingsInvalid, match=r"not in market\.nodes"):
        read_settings(file, {})


def test_check_prints_what_was_taken_and_no_key(file: Path) -> None:
    result = CliRunner().invoke(app, ["run", "--config", str(file), "--check"])

    assert result.exit_code == 0
    printed = msgspec.json.decode(result.stdout)
    assert printed["market"]["area"] == "lindenhof"
    assert printed["timing"]["skew_ms"] == 2_000
    assert "PRIVATE" not in result.stdout


def test_a_key_of_no_node_and_a_missing_file_end_with_one_line(file: Path) -> None:
    (file.parent / "node.key").write_bytes(KEYS[4].to_pkcs8())

    stranger = CliRunner().invoke(app, ["run", "--config", str(file), "--check"])
    missing = CliRunner().invoke(app, ["run", "--config", "nowhere.yaml"])

    for result in (stranger, missing):
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
    assert "not one of market.nodes" in stranger.stderr
