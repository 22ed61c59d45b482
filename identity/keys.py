"""Keys and signatures: Ed25519 checked by libsodium, all else by the library `cryptography`.

A single library decides whether a signature of an algorithm is valid, because libraries disagree on
edge cases and members of a consortium that used different ones would endorse differently. libsodium
(through PyNaCl) checks an Ed25519 signature in about half of the time of OpenSSL. Behind the checks of
keys below, the two differ in one case: libsodium refuses a signature whose R has small order. In
addition, this module checks public keys:

- only the canonical encoding of a key is accepted, and only a point on the curve;
- an Ed25519 key of small order is refused (eight times the point is the neutral element). Under
  such a key one signature is valid for many messages, so a signature proves nothing;
- an Ed25519 key of mixed order (a point of full order plus a point of small order) is accepted. Its
  holder cannot find two messages for one signature, libsodium decides such signatures in the same
  way everywhere (RFC 8032 without the cofactor), and detecting such a key costs milliseconds. Each
  edge case has a row in `tests/identity/test_keys.py`.

P-256 signatures are over SHA-256, as the 64 bytes r || s. `sign` returns the smaller of the two
values of s; `verify` accepts both, as the standard does. Where a signature must have only one form,
the reader refuses the larger value, as `identity.jws` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from identity.errors import (
    KEY_ALGORITHM,
    KEY_ENCODING,
    KEY_LENGTH,
    KEY_OFF_CURVE,
    KEY_SMALL_ORDER,
    KEY_UNREADABLE,
    KeyRefused,
)
from identity.pkcs8 import ROUNDS, encrypt_pkcs8

Algorithm = Literal["Ed25519", "P-256"]

ED25519_KEY_BYTES = 32
P256_KEY_BYTES = 33  # a compressed point: 2 or 3 for the parity of y, then x
SIGNATURE_BYTES = 64  # of both algorithms
KEYS_CACHED_MAX = 16_384  # at most 2 KB each; a local market has fewer traders

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # SEC 2, 2.4.2
P256_FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
ED25519_FIELD = 2**255 - 19  # RFC 8032 section 5.1
_ED25519_D = -121665 * pow(121666, -1, ED25519_FIELD) % ED25519_FIELD

_Loaded = bytes | EllipticCurvePublicKey  # an Ed25519 key that is checked stays as it is


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that has been checked; `raw` is its canonical encoding.

    `raw` has 32 bytes for Ed25519 and 33 (a compressed point) for P-256. Equal keys are equal
    values.
    """

    algorithm: Algorithm
    raw: bytes

    def __post_init__(self) -> None:
        _load(self.algorithm, self.raw)

    @classmethod
    def load(cls, algorithm: str, raw: bytes) -> PublicKey:
        """Return the key of untrusted bytes; raises `KeyRefused` if they are not a valid key."""
        if algorithm in ("Ed25519", "P-256"):
            return cls(algorithm, raw)
        raise KEY_ALGORITHM(algorithm=algorithm)


class SignatureCheck(NamedTuple):
    """The data to check one signature, as plain values that can be sent between processes."""

    algorithm: str
    key: bytes
    message: bytes
    signature: bytes


def verify(check: SignatureCheck) -> bool:
    """Whether the signature is valid; False also for a malformed key or signature.

    The same check gives the same answer in every process and on every machine.
    """
    algorithm, raw, message, signature = check
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        key = _load(algorithm, raw)
        if isinstance(key, bytes):
            crypto_sign_open(signature + message, key)
        else:
            r = int.from_bytes(signature[:32], "big")
            s = int.from_bytes(signature[32:], "big")
            key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
    except (KeyRefused, InvalidSignature, BadSignatureError):
        return False
    return True


def verify_many(checks: Iterable[SignatureCheck]) -> list[bool]:
    """The result of `verify` for each check, in the order given."""
    return [verify(check) for check in checks]


class PrivateKey:
    """A private key and its public key. Its text form shows only the public key."""

    __slots__ = ("_secret", "public")

    def __init__(self, secret: Ed25519PrivateKey | EllipticCurvePrivateKey) -> None:
        self._secret = secret
        if isinstance(secret, Ed25519PrivateKey):
            self.public = PublicKey("Ed25519", secret.public_key().public_bytes_raw())
        elif isinstance(secret.curve, SECP256R1):
            point = secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
            self.public = PublicKey("P-256", point)
        else:
            raise KEY_ALGORITHM(algorithm=secret.curve.name)

    @classmethod
    def generate(cls, algorithm: Algorithm = "Ed25519") -> PrivateKey:
        """Return a new key from the operating system's random numbers."""
        if algorithm == "Ed25519":
            return cls(Ed25519PrivateKey.generate())
        return cls(generate_private_key(SECP256R1()))

    @classmethod
    def from_seed(cls, seed: bytes) -> PrivateKey:
        """Return the one Ed25519 key of a 32-byte seed (RFC 8032 section 5.1.5)."""
        if len(seed) != ED25519_KEY_BYTES:
            raise KEY_LENGTH(algorithm="Ed25519", count=len(seed), expected=ED25519_KEY_BYTES)
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pkcs8(cls, pem: bytes, passphrase: bytes | None = None) -> PrivateKey:
        """Return the key of a PKCS#8 PEM; give a passphrase if and only if the PEM is encrypted.

        Raises `KeyRefused` for a PEM that is damaged, contains another kind of key, or is not
        opened by the passphrase.
        """
        try:
            secret = load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
            # TypeError means a passphrase for a plain key, or no passphrase for an encrypted key.
            # InternalError is OpenSSL's answer to a key of the wrong length inside the frame. The
            # library's message is dropped, because it differs between versions and does not help.
            raise KEY_UNREADABLE() from None
        if isinstance(secret, Ed25519PrivateKey | EllipticCurvePrivateKey):
            return cls(secret)
        raise KEY_ALGORITHM(algorithm=type(secret).__name__)

    def to_pkcs8(self, passphrase: bytes | None = None, *, rounds: int = ROUNDS) -> bytes:
        """Return a PKCS#8 PEM, encrypted as in `identity.pkcs8` if a passphrase is given."""
        if passphrase is None:
            return self._secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        der = self._secret.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return encrypt_pkcs8(der, passphrase, rounds=rounds)

    def sign(self, message: bytes) -> bytes:
        """Return 64 bytes: the Ed25519 signature, or r || s with the smaller s for P-256."""
        if isinstance(self._secret, Ed25519PrivateKey):
            return self._secret.sign(message)
        r, s = decode_dss_signature(self._secret.sign(message, ECDSA(SHA256())))
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")

    def __repr__(self) -> str:
        return f"<private key of {self.public}>"


@lru_cache(maxsize=KEYS_CACHED_MAX)
def _load(algorithm: str, raw: bytes) -> _Loaded:
    """Check a key and return what the library takes; this costs as much as verifying."""
    if algorithm == "Ed25519":
        _check_ed25519(raw)
        return raw
    if algorithm != "P-256":
        raise KEY_ALGORITHM(algorithm=algorithm)
    if len(raw) != P256_KEY_BYTES:
        raise KEY_LENGTH(algorithm=algorithm, count=len(raw), expected=P256_KEY_BYTES)
    if raw[0] not in (2, 3) or int.from_bytes(raw[1:], "big") >= P256_FIELD:
        raise KEY_ENCODING(algorithm=algorithm, key=raw.hex())
    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    except ValueError:
        raise KEY_OFF_CURVE(algorithm=algorithm, key=raw.hex()) from None


def _check_ed25519(raw: bytes) -> None:
    """Refuse bytes that are not the canonical encoding of a point of more than small order.

    The library checks the point only when it verifies, and it accepts several encodings. An
    encoding is y with the parity of x in the top bit (RFC 8032 section 5.1.3). The encoding is
    canonical if y is reduced, and the bit is clear where x is 0. On the curve
    -x^2 + y^2 = 1 + d x^2 y^2, x^2 is (y^2 - 1) / (d y^2 + 1). So y belongs to a point if this
    quotient is a square, which is the case if the product of numerator and denominator is a square.
    The eight points of small order are the points that three doublings take to the neutral element
    (0, 1), so this function needs no list of them.
    """
    if len(raw) != ED25519_KEY_BYTES:
        raise KEY_LENGTH(algorithm="Ed25519", count=len(raw), expected=ED25519_KEY_BYTES)
    encoded = int.from_bytes(raw, "little")
    y = encoded & (2**255 - 1)
    above, below = y * y - 1, _ED25519_D * y * y + 1  # below is never 0: -1/d is no square
    if y >= ED25519_FIELD or (above % ED25519_FIELD == 0 and encoded >> 255):
        raise KEY_ENCODING(algorithm="Ed25519", key=raw.hex())
    if pow(above * below, (ED25519_FIELD - 1) // 2, ED25519_FIELD) > 1:  # Euler's criterion
        raise KEY_OFF_CURVE(algorithm="Ed25519", key=raw.hex())
    top, bottom = y, 1
    for _ in range(3):
        top, bottom = _doubled_y(top, bottom)
    if top == bottom:
        raise KEY_SMALL_ORDER(algorithm="Ed25519", key=raw.hex())


def _doubled_y(top: int, bottom: int) -> tuple[int, int]:
    """The y of twice a point as a fraction, computed from the point's y as a fraction.

    The formula is (y^2 + x^2) / (1 - d x^2 y^2), with x^2 replaced as in `_check_ed25519`. The
    divisor is never 0, because the addition law of the curve is complete.
    """
    a, b = top * top % ED25519_FIELD, bottom * bottom % ED25519_FIELD
    d_a, twice_b = _ED25519_D * a % ED25519_FIELD, 2 * b
    return (
        (a * (d_a + twice_b) - b * b) % ED25519_FIELD,
        (b * (b + 2 * d_a) - a * d_a) % ED25519_FIELD,
    )
