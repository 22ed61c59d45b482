"""did:key: a DID that contains the public key.

W3C CCG, The did:key Method v0.9: `did:key:` and the multibase form (letter z, base58btc) of the
multicodec prefix of the key's kind followed by the key's bytes. Only Ed25519 and P-256 keys are
accepted.

Every key has exactly one DID: base58 is one to one, the two prefixes and the key lengths after them
are fixed, and a key is accepted only in its canonical encoding. Resolving a DID needs no network
and no state. DID documents can be derived from the key and are left out here.
"""

from __future__ import annotations

from functools import lru_cache

from identity.errors import DID_BASE58, DID_CODEC, DID_LENGTH, DID_METHOD
from identity.keys import KEYS_CACHED_MAX, Algorithm, PublicKey

DID_CHARACTERS_MAX = 256  # valid DIDs have 56 or 57; up to 256 the refusal names the wrong kind
_PREFIX = "did:key:"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}

# Multicodec table: ed25519-pub 0xed and p256-pub 0x1200, as unsigned varints.
_KINDS: dict[bytes, Algorithm] = {b"\xed\x01": "Ed25519", b"\x80\x24": "P-256"}
_PREFIXES: dict[Algorithm, bytes] = {algorithm: kind for kind, algorithm in _KINDS.items()}


@lru_cache(maxsize=KEYS_CACHED_MAX)
def did_key(public: PublicKey) -> str:
    """The DID of a key: 56 characters for Ed25519, 57 for P-256."""
    return f"{_PREFIX}z{base58_encode(_PREFIXES[public.algorithm] + public.raw)}"


@lru_cache(maxsize=KEYS_CACHED_MAX)
def resolve_did_key(did: str) -> PublicKey:
    """Return a DID's key; raises `DidRefused` for an invalid DID, `KeyRefused` for its bad key."""
    if len(did) > DID_CHARACTERS_MAX:
        raise DID_LENGTH(count=len(did), limit=DID_CHARACTERS_MAX)
    if not did.startswith(f"{_PREFIX}z"):
        raise DID_METHOD(did=did)
    try:
        content = base58_decode(did.removeprefix(f"{_PREFIX}z"))
    except ValueError:
        raise DID_BASE58(did=did) from None
    algorithm = _KINDS.get(content[:2])
    if algorithm is None:
        raise DID_CODEC(did=did, kind=content[:2].hex())
    return PublicKey.load(algorithm, content[2:])


def verification_method(did: str) -> str:
    """`did#fragment`, which names the only key of the DID in the `kid` of a token.

    Raises the errors that `resolve_did_key` raises.
    """
    resolve_did_key(did)
    return f"{did}#{did.removeprefix(_PREFIX)}"


def base58_encode(content: bytes) -> str:
    """Base58 in Bitcoin's alphabet; each leading zero byte is written as a 1."""
    zeros = len(content) - len(content.lstrip(b"\0"))
    number = int.from_bytes(content, "big")
    letters: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_ALPHABET[digit])
    return "1" * zeros + "".join(reversed(letters))


def base58_decode(text: str) -> bytes:
    """Undo `base58_encode`; raises `ValueError` for a letter outside the alphabet.

    Every text of letters in the alphabet encodes exactly one sequence of bytes. The cost grows
    with the square of the length, so the caller must bound the length.
    """
    rest = text.lstrip("1")
    number = 0
    for letter in rest:
        value = _VALUES.get(letter)
        if value is None:
            raise ValueError("a letter outside base58")
        number = number * 58 + value
    return bytes(len(text) - len(rest)) + number.to_bytes((number.bit_length() + 7) // 8, "big")
