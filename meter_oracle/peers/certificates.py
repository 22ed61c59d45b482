"""Certificates for the nodes of a demonstration: one authority, and one certificate per name.

In production the operators' own authority issues certificates. A peer checks only the authority and
the one URI among the subject alternative names. Each call makes new P-256 keys and writes them into
the folder unencrypted.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meter_oracle.peers.transport import TlsFiles

LIFETIME = datetime.timedelta(days=30)
BACKDATED = datetime.timedelta(minutes=5)  # for peers whose clocks differ


def make_certificates(folder: Path, names: Iterable[str]) -> dict[str, TlsFiles]:
    """Write an authority and a certificate for each of `names` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    key = generate_private_key(SECP256R1())
    subject = _subject("commonwatt oracle demonstration authority")
    authority = _builder(subject, subject, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    signed = authority.sign(key, SHA256())
    authority_file = folder / "authority.pem"
    authority_file.write_bytes(signed.public_bytes(Encoding.PEM))
    return {
        name: _issue(
            folder,
            number,
            name,
            authority=signed,
            authority_key=key,
            authority_file=authority_file,
        )
        for number, name in enumerate(names)
    }


def _issue(
    folder: Path,
    number: int,
    name: str,
    *,
    authority: x509.Certificate,
    authority_key: EllipticCurvePrivateKey,
    authority_file: Path,
) -> TlsFiles:
    key = generate_private_key(SECP256R1())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _builder(_subject(f"peer {number}"), authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name)]), critical=False
        )
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(authority_key, SHA256())
    )
    certificate_file = folder / f"peer-{number}.pem"
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file = folder / f"peer-{number}.key"
    key_file.touch(0o600)
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return TlsFiles(str(certificate_file), str(key_file), str(authority_file))


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
