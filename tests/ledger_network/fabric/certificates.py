"""Certificates that an organisation's authority might have issued, and should not be used."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from chaincode.context import Role
from ledger_network.fabric.consortium.profile import Profile, UserProfile

LATER = timedelta(seconds=10)  # than its authority's certificate, which begins minutes ago
LASTS = timedelta(minutes=1)


def expired(certificate: Path, authority: Path) -> bytes:
    """A certificate (PEM) like `certificate`, of the same key, that ended minutes ago.

    `authority` is the folder with the certificate and the key of who issues it (`*-cert.pem`,
    `priv_sk`).
    """
    like = x509.load_pem_x509_certificate(certificate.read_bytes())
    (own,) = authority.glob("*-cert.pem")
    issuer = x509.load_pem_x509_certificate(own.read_bytes())
    key = load_pem_private_key((authority / "priv_sk").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    begins = issuer.not_valid_before_utc + LATER
    builder = (
        x509.CertificateBuilder()
        .subject_name(like.subject)
        .issuer_name(issuer.subject)
        .public_key(like.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + LASTS)
    )
    for extension in like.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def with_user(profile: Profile, role: Role, user: UserProfile) -> Profile:
    """The profile with other papers for a user."""
    return msgspec.structs.replace(profile, users=profile.users | {role: user})


@contextmanager
def in_place_of(path: Path, content: bytes) -> Generator[None]:
    """A file with another content for a while."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)
