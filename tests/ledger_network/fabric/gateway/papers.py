"""Certificates and keys of tests: members of organisations, and TLS servers on this machine."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_ISSUED = datetime(2020, 1, 1, tzinfo=UTC)
_YEARS = timedelta(days=36_500)


class Papers(NamedTuple):
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


def issued(name: str) -> Papers:
    """A new certificate that vouches for itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    local = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_ISSUED)
        .not_valid_after(_ISSUED + _YEARS)
        .add_extension(local, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Papers(certificate.public_bytes(Encoding.PEM), pem)


@cache
def tls_papers() -> Papers:
    """The papers of every scripted peer."""
    return issued("peer")


@cache
def user_papers() -> Papers:
    """The papers of the user of most tests."""
    return issued("user")
