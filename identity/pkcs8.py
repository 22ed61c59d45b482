"""PKCS#8 private keys under a passphrase, with a stated number of rounds.

The scheme is PBES2 of RFC 8018 with PBKDF2-HMAC-SHA256 and AES-256-CBC, which OpenSSL writes and
reads. `cryptography` writes the same scheme but fixes the rounds at 2,048, far below what a
passphrase needs today. So this module writes the frame around the ciphertext, and `cryptography`
derives the key, encrypts, and reads the result.
"""

from __future__ import annotations

import base64
import os

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from identity.errors import KEY_ROUNDS

ROUNDS = 600_000  # OWASP Password Storage Cheat Sheet, PBKDF2-HMAC-SHA256
ROUNDS_MIN = 10_000  # NIST SP 800-63B (2017) section 5.1.1.2, for callers that must be quick
ROUNDS_MAX = 2**23 - 1  # takes some seconds; also the largest DER integer of three bytes
_SALT_BYTES = 16
_BLOCK_BYTES = 16

# The contents of object identifiers: RFC 8018 appendices A.2, A.4, B.1.2; NIST assigns that of AES.
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_PBKDF2 = bytes.fromhex("2a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("2a864886f70d0209")
_AES_256_CBC = bytes.fromhex("60864801650304012a")

_SEQUENCE, _INTEGER, _OCTETS, _NULL, _IDENTIFIER = 0x30, 0x02, 0x04, 0x05, 0x06


def encrypt_pkcs8(der: bytes, passphrase: bytes, *, rounds: int) -> bytes:
    """The PEM of `der` (a PKCS#8 PrivateKeyInfo) encrypted under the passphrase.

    Salt and initialisation vector are random numbers of the operating system. Raises `KeyRefused`
    if `rounds` is out of bounds.
    """
    if not ROUNDS_MIN <= rounds <= ROUNDS_MAX:
        raise KEY_ROUNDS(rounds=rounds, least=ROUNDS_MIN, most=ROUNDS_MAX)
    salt = os.urandom(_SALT_BYTES)
    vector = os.urandom(_BLOCK_BYTES)
    key = PBKDF2HMAC(hashes.SHA256(), length=32, salt=salt, iterations=rounds).derive(passphrase)
    padder = padding.PKCS7(8 * _BLOCK_BYTES).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    sealed = encryptor.update(padder.update(der) + padder.finalize()) + encryptor.finalize()
    return _pem(_frame(salt, rounds, vector, sealed))


def _frame(salt: bytes, rounds: int, vector: bytes, sealed: bytes) -> bytes:
    """The EncryptedPrivateKeyInfo (RFC 5958 section 3) with PBES2-params (RFC 8018, A.4)."""
    counted = _der(_INTEGER, rounds.to_bytes(3, "big"))
    if rounds < 2**15:  # DER requires the shortest form
        counted = _der(_INTEGER, rounds.to_bytes(2, "big"))
    derivation = _der(
        _SEQUENCE,
        _der(_IDENTIFIER, _PBKDF2),
        _der(
            _SEQUENCE,
            _der(_OCTETS, salt),
            counted,
            _der(_SEQUENCE, _der(_IDENTIFIER, _HMAC_SHA256), _der(_NULL)),
        ),
    )
    cipher = _der(_SEQUENCE, _der(_IDENTIFIER, _AES_256_CBC), _der(_OCTETS, vector))
    scheme = _der(_SEQUENCE, _der(_IDENTIFIER, _PBES2), _der(_SEQUENCE, derivation, cipher))
    return _der(_SEQUENCE, scheme, _der(_OCTETS, sealed))


def _der(tag: int, *contents: bytes) -> bytes:
    """One DER element; lengths are limited to 65,535, far beyond the length of any key here."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    return bytes((tag, 0x82)) + size.to_bytes(2, "big") + content


def _pem(der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    whole = [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        *lines,
        "-----END ENCRYPTED PRIVATE KEY-----",
        "",
    ]
    return "\n".join(whole).encode()
