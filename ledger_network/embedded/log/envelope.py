"""The envelope of a transaction: the submitter and the request, signed by the member's key.

The signature covers the SHA-256 of the envelope and a domain of its own, so the signature is valid
for nothing else. The envelope holds only a digest of transient data. As on Fabric, the id of a
transaction is the SHA-256 of nonce and creator.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from chaincode.context import Role
from identity.keys import PrivateKey, SignatureCheck

NONCE_BYTES = 24
_DOMAIN = b"commonwatt envelope 1\0"


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """The content that a member signs.

    `arguments` is canonical JSON. `transient_hash` is empty without transient data. `creator` is
    the member's public Ed25519 key. `time_s` is in seconds UTC, as the submitter claims.
    """

    channel: str
    contract: str
    version: str
    name: str
    arguments: bytes
    transient_hash: bytes
    member: str
    role: Role
    creator: bytes
    nonce: bytes
    time_s: int


_decoder = msgspec.msgpack.Decoder(Envelope)
_encoder = msgspec.msgpack.Encoder()


def transaction_id(nonce: bytes, creator: bytes) -> str:
    """The id of the transaction with this nonce by this creator, 64 hexadecimal digits."""
    return sha256(nonce + creator).hexdigest()


def transient_hash(transient: Mapping[str, bytes]) -> bytes:
    """SHA-256 of the names and values in the order of the names, each with its length."""
    if not transient:
        return b""
    digest = sha256()
    for name, value in sorted(transient.items()):
        raw = name.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw + len(value).to_bytes(8, "big") + value)
    return digest.digest()


def seal(envelope: Envelope, key: PrivateKey) -> tuple[bytes, bytes]:
    """The envelope's bytes and the signature over them."""
    encoded = _encoder.encode(envelope)
    return encoded, key.sign(_DOMAIN + sha256(encoded).digest())


def open_envelope(encoded: bytes) -> Envelope:
    """The envelope of these bytes; raises `msgspec.ValidationError` or `DecodeError`."""
    return _decoder.decode(encoded)


def signature_check(encoded: bytes, signature: bytes, creator: bytes) -> SignatureCheck:
    """The check that `signature` was made by the creator."""
    return SignatureCheck("Ed25519", creator, _DOMAIN + sha256(encoded).digest(), signature)
