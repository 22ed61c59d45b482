"""The server's side of mutual TLS, with matching files that are read again when they change.

Every new connection uses the current files; open connections keep the keys that they began with.
Files that do not match, for example during a renewal, change nothing: the server keeps using the
last matching files and logs one warning for each such state.
"""

from __future__ import annotations

import logging
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from chaincode.shim.faults import SettingsFault
from chaincode.shim.serving.settings import TlsFiles

logger = logging.getLogger("chaincode.shim")

Stamp = tuple[tuple[int, int, int], ...]


class TlsMaterial:
    """The certificate and key for new connections, which gRPC's threads request."""

    def __init__(self, files: TlsFiles) -> None:
        """Raise `SettingsFault` when a file is missing, unreadable or does not match."""
        self._files = files
        self._stamp = _stamp(files)
        self._current = _load(files)

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials for a server port; clients must present a certificate of the authority."""
        return grpc.dynamic_ssl_server_credentials(
            self._current, self._latest, require_client_authentication=True
        )

    def _latest(self) -> grpc.ServerCertificateConfiguration:
        """The current files if they have changed and match; otherwise the previous files."""
        try:
            stamp = _stamp(self._files)
            if stamp != self._stamp:
                self._stamp = stamp
                self._current = _load(self._files)
                logger.info("new connections use the new TLS files")
        except SettingsFault as fault:
            logger.warning("the new TLS files are not used and the old ones stay in use: %s", fault)
        return self._current


def _stamp(files: TlsFiles) -> Stamp:
    found: list[tuple[int, int, int]] = []
    for path in (files.certificate, files.key, files.client_roots):
        try:
            status = path.stat()
        except OSError as fault:
            raise SettingsFault(f"{path} cannot be read: {fault.strerror}") from fault
        found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def _load(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    certificate = _read(files.certificate)
    key = _read(files.key)
    roots = _read(files.client_roots)
    first = _certificates(files.certificate, certificate)[0]
    _certificates(files.client_roots, roots)
    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise SettingsFault(f"{files.key} holds no private key without a passphrase") from fault
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != first.public_key().public_bytes(*form):
        raise SettingsFault(f"the key in {files.key} is not that of {files.certificate}")
    return grpc.ssl_server_certificate_configuration([(key, certificate)], roots)


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as fault:
        raise SettingsFault(f"{path} holds no certificate in PEM") from fault


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise SettingsFault(f"{path} cannot be read: {fault.strerror}") from fault
