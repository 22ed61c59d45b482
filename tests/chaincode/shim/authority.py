"""Certificates for tests: an authority, servers, peers and submitters, made when asked for."""

from __future__ import annotations

import datetime
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from chaincode.shim import TlsFiles
from chaincode.shim.calls.creator import ATTRIBUTES_OID

NOT_BEFORE = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
NOT_AFTER = datetime.datetime(2049, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority of one organisation."""

    def __init__(self, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = own.public_bytes(Encoding.PEM)

    def issue(
        self,
        name: str,
        *,
        units: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
        extension: bytes | None = None,
    ) -> Pair:
        """A certificate for `localhost` and 127.0.0.1, with units and fabric-ca's attributes."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = _builder(subject, self._name, key.public_key()).add_extension(
            x509.SubjectAlternativeName(hosts), critical=False
        )
        if attributes is not None:
            extension = json.dumps({"attrs": attributes}).encode()
        if extension is not None:
            unknown = x509.UnrecognizedExtension(ATTRIBUTES_OID, extension)
            builder = builder.add_extension(unknown, critical=False)
        return Pair(
            builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )


def write_tls(folder: Path, server: Pair, client_roots: bytes) -> TlsFiles:
    """The three files that a server is configured with."""
    files = TlsFiles(
        certificate=folder / "server.pem",
        key=folder / "server.key",
        client_roots=folder / "clients.pem",
    )
    files.certificate.write_bytes(server.certificate)
    files.key.write_bytes(server.key)
    files.client_roots.write_bytes(client_roots)
    return files


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )
