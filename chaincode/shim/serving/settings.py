"""The server's settings: address, package id, TLS files and limits.

Mutual TLS is the default: a server does not start unless it has all three files. Plaintext must be
requested explicitly and excludes TLS files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chaincode.shim.faults import SettingsFault

CONCURRENCY_MAX = 1024  # worker threads
WAITING_LIMIT = 100_000
STREAMS_LIMIT = 10_000
MESSAGE_BYTES_LIMIT = 2**31 - 1  # the largest value of gRPC's options
PORT_MAX = 65_535

_ID = "CHAINCODE_ID"
_ADDRESS = "CHAINCODE_SERVER_ADDRESS"
_CERTIFICATE = "CHAINCODE_TLS_CERT_FILE"
_KEY = "CHAINCODE_TLS_KEY_FILE"
_CLIENT_ROOTS = "CHAINCODE_CLIENT_CA_CERT_FILE"
_DISABLED = "CHAINCODE_TLS_DISABLED"


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """PEM files of the server, which are read at the start and again when they change."""

    certificate: Path  # of the server, followed by intermediate certificates
    key: Path  # the server's private key, not encrypted
    client_roots: Path  # authorities whose certificates peers must show


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """All settings of a server; raises `SettingsFault` for invalid ones."""

    address: str  # host:port, where port 0 lets the system choose
    package_id: str  # label:hash, as the peer calculates it
    tls: TlsFiles | None = None
    plaintext: bool = False  # for peers on the same machine or in the same sealed network
    concurrency: int = 32  # transactions that run at once, each on a thread
    waiting_max: int = 256  # transactions that wait for a thread; the next is answered with 503
    streams_max: int = 64  # peers connected at once
    message_bytes_max: int = 100 * 2**20  # in both directions; peers also take 100 MB
    register_timeout_s: float = 10.0  # until a stream is READY
    reply_timeout_s: float = 30.0  # for the reply to one call
    transaction_timeout_s: float = 28.0  # from a transaction's arrival; peers give up after 30

    def __post_init__(self) -> None:
        split_address(self.address)
        if not self.package_id:
            raise SettingsFault(f"the package id is missing ({_ID})")
        if self.tls is None and not self.plaintext:
            raise SettingsFault(
                "mutual TLS needs a certificate, a key and the clients' authority "
                f"({_CERTIFICATE}, {_KEY}, {_CLIENT_ROOTS}); "
                f"plaintext must be asked for ({_DISABLED}=true)"
            )
        if self.tls is not None and self.plaintext:
            raise SettingsFault("TLS files and plaintext exclude each other: remove one of them")
        _check_whole("concurrency", self.concurrency, 1, CONCURRENCY_MAX)
        _check_whole("waiting_max", self.waiting_max, 0, WAITING_LIMIT)
        _check_whole("streams_max", self.streams_max, 1, STREAMS_LIMIT)
        _check_whole("message_bytes_max", self.message_bytes_max, 1024, MESSAGE_BYTES_LIMIT)
        _check_seconds("register_timeout_s", self.register_timeout_s)
        _check_seconds("reply_timeout_s", self.reply_timeout_s)
        _check_seconds("transaction_timeout_s", self.transaction_timeout_s)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ServerSettings:
        """Settings from the variables that chaincode images are usually given.

        CHAINCODE_ID, CHAINCODE_SERVER_ADDRESS, and either CHAINCODE_TLS_CERT_FILE,
        CHAINCODE_TLS_KEY_FILE and CHAINCODE_CLIENT_CA_CERT_FILE or CHAINCODE_TLS_DISABLED=true.
        An empty variable counts as missing. Raises `SettingsFault`, which names what is missing.
        """
        missing = [name for name in (_ID, _ADDRESS) if not environment.get(name)]
        if missing:
            raise SettingsFault(f"{' and '.join(missing)} must be set")
        plaintext = environment.get(_DISABLED, "") or "false"
        if plaintext not in {"true", "false"}:
            raise SettingsFault(f"{_DISABLED} is true or false, not {plaintext!r}")
        return cls(
            address=environment[_ADDRESS],
            package_id=environment[_ID],
            tls=_tls_files(environment),
            plaintext=plaintext == "true",
        )


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`, with an IPv6 host in brackets; raises `SettingsFault` if invalid."""
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or not bare or (":" in host and not (host[0] == "[" and host[-1] == "]")):
        raise SettingsFault(f"the address {address!r} is not host:port ({_ADDRESS})")
    if not (port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
        raise SettingsFault(f"the port {port!r} is not from 0 to {PORT_MAX} ({_ADDRESS})")
    return host, int(port)


def _tls_files(environment: Mapping[str, str]) -> TlsFiles | None:
    names = (_CERTIFICATE, _KEY, _CLIENT_ROOTS)
    missing = [name for name in names if not environment.get(name)]
    if len(missing) == len(names):
        return None
    if missing:
        raise SettingsFault(f"TLS is half configured: {' and '.join(missing)} must be set too")
    return TlsFiles(
        certificate=Path(environment[_CERTIFICATE]),
        key=Path(environment[_KEY]),
        client_roots=Path(environment[_CLIENT_ROOTS]),
    )


def _check_whole(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise SettingsFault(f"{name} is from {least} to {most}, not {value}")


def _check_seconds(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise SettingsFault(f"{name} is a positive number of seconds, not {value}")
