"""Settings: what the environment gives, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaincode.shim import ServerSettings, SettingsFault, TlsFiles

FULL = {
    "CHAINCODE_ID": "book:1234",
    "CHAINCODE_SERVER_ADDRESS": "0.0.0.0:9999",
    "CHAINCODE_TLS_CERT_FILE": "/etc/cc/server.pem",
    "CHAINCODE_TLS_KEY_FILE": "/etc/cc/server.key",
    "CHAINCODE_CLIENT_CA_CERT_FILE": "/etc/cc/clients.pem",
}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in FULL.items() if name not in names}


def test_environment_gives_settings_with_mutual_tls() -> None:
    settings = ServerSettings.from_environment(FULL)

    assert (settings.package_id, settings.address) == ("book:1234", "0.0.0.0:9999")
    assert settings.tls == TlsFiles(
        certificate=Path("/etc/cc/server.pem"),
        key=Path("/etc/cc/server.key"),
        client_roots=Path("/etc/cc/clients.pem"),
    )
    assert not settings.plaintext


def test_plaintext_is_asked_for_by_name() -> None:
    tls = [name for name in FULL if "CERT" in name or "KEY" in name]
    settings = ServerSettings.from_environment(without(*tls) | {"CHAINCODE_TLS_DISABLED": "true"})

    assert settings.plaintext
    assert settings.tls is None


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("empty", [True, False])
def test_missing_variable_is_named(name: str, *, empty: bool) -> None:
    environment = FULL | {name: ""} if empty else without(name)

    with pytest.raises(SettingsFault, match=f"{name} must be set"):
        ServerSettings.from_environment(environment)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict.fromkeys(list(FULL)[2:], ""), "mutual TLS needs a certificate"),
        ({"CHAINCODE_TLS_DISABLED": "true"}, "exclude each other"),
        ({"CHAINCODE_TLS_DISABLED": "yes"}, "true or false, not 'yes'"),
        ({"CHAINCODE_SERVER_ADDRESS": "9999"}, "not host:port"),
        ({"CHAINCODE_SERVER_ADDRESS": ":9999"}, "not host:port"),
        ({"CHAINCODE_SERVER_ADDRESS": "::1:9999"}, "not host:port"),
        ({"CHAINCODE_SERVER_ADDRESS": "host:65536"}, "port '65536'"),
        ({"CHAINCODE_SERVER_ADDRESS": "host:-1"}, "port '-1'"),
        ({"CHAINCODE_SERVER_ADDRESS": "host:٣"}, "port '٣'"),
    ],
)
def test_half_or_contradictory_settings_are_refused(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsFault, match=sentence):
        ServerSettings.from_environment(FULL | changes)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "chaincode.north.example:9999", "[::1]:7052"])
def test_addresses_are_host_and_port(address: str) -> None:
    environment = FULL | {"CHAINCODE_SERVER_ADDRESS": address}

    assert ServerSettings.from_environment(environment).address == address


@pytest.mark.parametrize(
    "limits",
    [
        {"concurrency": 0},
        {"concurrency": 100_000},
        {"waiting_max": -1},
        {"streams_max": 0},
        {"message_bytes_max": 0},
        {"message_bytes_max": 2**31},
        {"reply_timeout_s": 0},
        {"reply_timeout_s": float("inf")},
        {"transaction_timeout_s": -1.0},
        {"transaction_timeout_s": float("nan")},
        {"register_timeout_s": 0.0},
        {"package_id": ""},
    ],
)
def test_limits_without_sense_are_refused(limits: dict[str, object]) -> None:
    name = next(iter(limits)).replace("_id", " id")
    given = {"address": "h:1", "package_id": "p", "plaintext": True} | limits

    with pytest.raises(SettingsFault, match=name):
        ServerSettings(**given)  # pyright: ignore[reportArgumentType] -- what a file may hold
