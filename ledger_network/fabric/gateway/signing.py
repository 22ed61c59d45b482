"""Identities that sign: a member's certificate, with or without its private key.

Fabric takes ECDSA signatures only in their low-S form: of the two valid signatures of a message,
the one whose S is at most half the group's order. Certificates are renewed while a process runs, so
an identity may be read from files, which are checked again before each use. This module reads no
keys in hardware; their owners sign by the offline flow (`OfflineIdentity`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from fabric_protos.msp import identities_pb2

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CERTIFICATES_MAX = 16  # in one folder of an MSP; more cannot belong to one user

_ECDSA = ec.ECDSA(SHA256())


class BadIdentity(ValueError):
    """Certificate, key or signature that cannot be used; the sentence says which and why."""


class CannotSign(RuntimeError):
    """An identity without a private key was asked to sign."""


def low_s(signature: bytes) -> bytes:
    """`signature` (DER) in the form that Fabric takes; raises `BadIdentity` if it is not DER."""
    try:
        r, s = decode_dss_signature(signature)
    except ValueError as error:
        raise BadIdentity(f"not an ECDSA signature in DER: {error}") from error
    if s <= P256_ORDER // 2:
        return signature
    return encode_dss_signature(r, P256_ORDER - s)


class Credential:
    """A certificate at one moment, and the key that belongs to it when it is here.

    `creator` is the serialised identity that peers see, `msp_id` its organisation. A proposal and
    its transaction are signed by the same credential, even if the files change in the meantime.
    """

    __slots__ = ("_key", "_public", "certificate", "creator", "msp_id")

    def __init__(
        self, msp_id: str, certificate: bytes, key: ec.EllipticCurvePrivateKey | None
    ) -> None:
        self.msp_id = msp_id
        self.certificate = certificate
        self.creator = identities_pb2.SerializedIdentity(
            mspid=msp_id, id_bytes=certificate
        ).SerializeToString()
        self._public = public_key_of(certificate)
        if key is not None and key.public_key() != self._public:
            raise BadIdentity(f"the private key is not that of the certificate of {msp_id}")
        self._key = key

    @property
    def can_sign(self) -> bool:
        """Return whether the key is here."""
        return self._key is not None

    def sign(self, message: bytes) -> bytes:
        """The low-S signature (DER) of SHA-256 of `message`; raises `CannotSign` without a key."""
        if self._key is None:
            raise CannotSign(
                f"only the certificate of {self.msp_id} is here: sign where the key is"
            )
        return low_s(self._key.sign(message, _ECDSA))

    def checked(self, message: bytes, signature: bytes) -> bytes:
        """`signature`, made elsewhere, in low-S form; raises `BadIdentity` if it is invalid."""
        try:
            self._public.verify(signature, message, _ECDSA)
        except InvalidSignature as error:
            raise BadIdentity(
                f"the signature does not hold for the certificate of {self.msp_id}"
            ) from error
        return low_s(signature)


class Identity:
    """A member of the channel; `current()` gives the credential to use now."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    @property
    def msp_id(self) -> str:
        """The organisation that the member belongs to."""
        return self._credential.msp_id

    def current(self) -> Credential:
        """The credential for requests that begin now."""
        return self._credential


class OfflineIdentity(Identity):
    """A member whose key is elsewhere: `certificate` (PEM) only."""

    def __init__(self, msp_id: str, certificate: bytes) -> None:
        super().__init__(Credential(msp_id, certificate, None))


class SigningIdentity(Identity):
    """A member with its key: `certificate` and `key` (PEM, unencrypted ECDSA P-256).

    Raises `BadIdentity` when one of the two cannot be read or they do not belong together.
    """

    def __init__(self, msp_id: str, certificate: bytes, key: bytes) -> None:
        super().__init__(Credential(msp_id, certificate, private_key_of(key)))

    @staticmethod
    def from_files(msp_id: str, certificate: Path, key: Path) -> WatchedIdentity:
        """An identity that follows its files: a renewed certificate is used without a restart."""
        return WatchedIdentity(msp_id, certificate, key)

    @staticmethod
    def from_msp(msp_id: str, folder: Path) -> WatchedIdentity:
        """The same from a user's MSP folder as cryptogen and Fabric CA write it.

        The folder holds `signcerts/` with one certificate and `keystore/` with its key, and
        possibly keys that were used before.
        """
        return WatchedIdentity(msp_id, folder / "signcerts", folder / "keystore")


class _Seen(NamedTuple):
    """Attributes of a file that show a change of its content without reading it."""

    path: Path
    changed_ns: int
    size_bytes: int
    inode: int


class WatchedIdentity(Identity):
    """An identity in files or folders that may be replaced at any time.

    While certificate and key do not belong together (one is replaced, the other not yet) the
    previous pair stays in use.
    """

    def __init__(self, msp_id: str, certificate: Path, key: Path) -> None:
        self._places = (certificate, key)
        self._seen = self._look()
        super().__init__(self._read(msp_id, self._seen))

    def current(self) -> Credential:
        """The credential of the files as they are now; looks at the file system twice."""
        try:
            seen = self._look()
            if seen != self._seen:
                self._credential = self._read(self.msp_id, seen)
                self._seen = seen
        except (OSError, BadIdentity):
            return self._credential
        return self._credential

    def _look(self) -> tuple[tuple[_Seen, ...], tuple[_Seen, ...]]:
        certificate, key = (_files(place) for place in self._places)
        return certificate, key

    @staticmethod
    def _read(msp_id: str, seen: tuple[tuple[_Seen, ...], tuple[_Seen, ...]]) -> Credential:
        certificates, keys = seen
        for certificate in sorted(certificates, key=lambda one: -one.changed_ns):
            pem = certificate.path.read_bytes()
            public = public_key_of(pem)
            for file in keys:
                key = private_key_of(file.path.read_bytes())
                if key.public_key() == public:
                    return Credential(msp_id, pem, key)
        places = ", ".join(str(one.path.parent) for one in (*certificates[:1], *keys[:1]))
        raise BadIdentity(f"no key fits a certificate of {msp_id} in {places}")


def _files(place: Path) -> tuple[_Seen, ...]:
    paths = sorted(place.iterdir())[:CERTIFICATES_MAX] if place.is_dir() else [place]
    found: list[_Seen] = []
    for path in paths:
        facts = path.stat()
        found.append(_Seen(path, facts.st_mtime_ns, facts.st_size, facts.st_ino))
    return tuple(found)


def public_key_of(certificate: bytes) -> ec.EllipticCurvePublicKey:
    """The key that `certificate` (PEM) binds; raises `BadIdentity` unless it is on P-256."""
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise BadIdentity(f"not an X.509 certificate in PEM: {error}") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(
        public.curve, ec.SECP256R1
    ):
        raise BadIdentity("the certificate's key is not an ECDSA P-256 key")
    return public


def private_key_of(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """The key in `pem`, which is not encrypted; raises `BadIdentity` unless it is on P-256."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise BadIdentity(f"not an unencrypted private key in PEM: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadIdentity("the private key is not an ECDSA P-256 key")
    return key


def certificate_hash(certificate: bytes) -> bytes:
    """SHA-256 of a PEM certificate's DER, by which a stream is bound to a TLS connection."""
    der = x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)
    return hashlib.sha256(der).digest()
