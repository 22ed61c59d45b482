"""Compact JWS, read strictly: every signed text has exactly one valid spelling.

RFC 7515 section 3.1 with RFC 8037 (EdDSA) and RFC 7518 section 3.4 (ES256), reduced to the tokens
that the project's wallets sign. The header is exactly the canonical JSON of `alg`, `kid` and `typ`.
The `kid` is a did:key and its fragment, so the key comes only from the token. The key's kind fixes
`alg`. The `typ` says what the payload is, so that a signature for one purpose is not valid for
another. Base64url has no padding and no unused bits that are set, and of the two values of s in a
P-256 signature only the smaller is accepted, so that nobody can turn a token into a second valid
token.

`parse_compact` does everything except checking the signature, so that a caller can collect a batch
for `identity.keys.verify_many`. Until the check has succeeded, it is not known whether the `did` of
a `Compact` signed it. The caller decides what a payload means and to which channel it belongs.
Credentials of other issuers (`vc+jwt`, further header members) are not read here.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from functools import lru_cache
from typing import NamedTuple, TypeVar

import msgspec

from identity.canonical import encode
from identity.did import did_key, resolve_did_key, verification_method
from identity.errors import (
    TOKEN_ALG,
    TOKEN_BASE64,
    TOKEN_HEADER,
    TOKEN_HEADER_NOT_CANONICAL,
    TOKEN_HEADER_SIZE,
    TOKEN_KID,
    TOKEN_PAYLOAD,
    TOKEN_PAYLOAD_NOT_CANONICAL,
    TOKEN_SEGMENTS,
    TOKEN_SIGNATURE,
    TOKEN_SIGNATURE_HIGH_S,
    TOKEN_SIGNATURE_LENGTH,
    TOKEN_SIZE,
    TOKEN_TYP,
    TOKEN_TYP_FORM,
    IdentityError,
    TokenRefused,
)
from identity.keys import (
    P256_ORDER,
    SIGNATURE_BYTES,
    Algorithm,
    PrivateKey,
    SignatureCheck,
    verify,
)

__all__ = [
    "TYP_PREFIX",
    "Compact",
    "TokenRefused",
    "decode_payload",
    "parse_compact",
    "sign_compact",
    "verify_compact",
]

TYP_PREFIX = "commonwatt-"  # the beginning of every typ; the caller chooses the rest
HEADER_CHARACTERS_MAX = 512  # valid headers have at most 281, with a kid of 106 and a typ of 64
HEADERS_CACHED_MAX = 16_384  # as many as keys; one per trader and typ, about 1 KB each
REASON_CHARACTERS_MAX = 160  # of a decoder's message, which may quote the input

_TYP = re.compile(r"[a-z0-9.+-]{1,64}")
_ALGS: dict[Algorithm, tuple[str, ...]] = {
    "Ed25519": ("EdDSA", "Ed25519"),  # the names in RFC 8037 and RFC 9864
    "P-256": ("ES256",),
}
_HALF_ORDER = (P256_ORDER // 2).to_bytes(32, "big")

# Translates base64url to base64; letters that only base64 has become a letter that is in neither.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"", b"==", b"=")
# For each length modulo 4, the last letters whose unused low bits are zero (RFC 4648 section 3.5).
# No valid text has a length of 1 modulo 4.
_LAST_LETTERS = (None, b"", b"AQgw", b"AEIMQUYcgkosw048")

T = TypeVar("T")


class Compact(msgspec.Struct, frozen=True):
    """The parts of a token: the claimed signer, the payload, and the check of the signature."""

    did: str
    payload: bytes
    check: SignatureCheck


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


class _Signer(NamedTuple):
    did: str
    algorithm: Algorithm
    key: bytes


def sign_compact(key: PrivateKey, typ: str, payload: bytes) -> str:
    """Return the signed token of a payload; raises `TokenRefused` for a malformed typ."""
    header = _header_of(did_key(key.public), key.public.algorithm, typ)
    message = b".".join((header, _to_base64url(payload)))
    return b".".join((message, _to_base64url(key.sign(message)))).decode("ascii")


def parse_compact(token: str | bytes, *, typ: str, bytes_max: int) -> Compact:
    """Parse a token of at most `bytes_max` bytes and the given typ.

    The signature is not verified. Raises `TokenRefused` for any token that this module would write
    differently, except that `Ed25519` is accepted as `alg` beside `EdDSA`.
    """
    if len(token) > bytes_max:
        raise TOKEN_SIZE(count=len(token), limit=bytes_max)
    if isinstance(token, str):
        token = token.encode("ascii", "replace")  # the mark "?" is not a letter of base64url
    segments = token.split(b".", 3)
    if len(segments) != 3:
        raise TOKEN_SEGMENTS(count=token.count(b".") + 1)
    did, algorithm, key = _read_header(segments[0], typ)
    payload = _from_base64url(segments[1], "payload")
    signature = _from_base64url(segments[2], "signature")
    if len(signature) != SIGNATURE_BYTES:
        raise TOKEN_SIGNATURE_LENGTH(count=len(signature))
    if algorithm == "P-256" and signature[32:] > _HALF_ORDER:
        raise TOKEN_SIGNATURE_HIGH_S()
    message = token[: -1 - len(segments[2])]
    return Compact(did, payload, SignatureCheck(algorithm, key, message, signature))


def verify_compact(token: str | bytes, *, typ: str, bytes_max: int) -> Compact:
    """Parse a token as `parse_compact` does, and verify its signature."""
    compact = parse_compact(token, typ=typ, bytes_max=bytes_max)
    if not verify(compact.check):
        raise TOKEN_SIGNATURE(did=compact.did)
    return compact


def decode_payload(payload: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Return the value of a payload; raises `TokenRefused` if it is not canonical JSON.

    Encoding the value again (`identity.canonical.encode`) has to give the same bytes. This one rule
    excludes duplicate members, white space, other orders, other escapes and members that only
    repeat a default.
    """
    try:
        value = decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TOKEN_PAYLOAD(reason=_printable(error)) from None
    if encode(value) != payload:
        raise TOKEN_PAYLOAD_NOT_CANONICAL()
    return value


@lru_cache(maxsize=HEADERS_CACHED_MAX)
def _header_of(did: str, algorithm: Algorithm, typ: str) -> bytes:
    _check_typ(typ)
    header = _Header(alg=_ALGS[algorithm][0], kid=verification_method(did), typ=typ)
    return _to_base64url(encode(header))


@lru_cache(maxsize=HEADERS_CACHED_MAX)
def _read_header(text: bytes, typ: str) -> _Signer:
    """The signer that a header names; cached, because all tokens of a trader have one header."""
    _check_typ(typ)
    if len(text) > HEADER_CHARACTERS_MAX:
        raise TOKEN_HEADER_SIZE(count=len(text), limit=HEADER_CHARACTERS_MAX)
    content = _from_base64url(text, "header")
    try:
        header = msgspec.json.decode(content, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TOKEN_HEADER(reason=_printable(error)) from None
    if encode(header) != content:
        raise TOKEN_HEADER_NOT_CANONICAL()
    if header.typ != typ:
        raise TOKEN_TYP(typ=header.typ, expected=typ)
    did = header.kid.partition("#")[0]
    try:
        public = resolve_did_key(did)
    except IdentityError as refused:
        raise TOKEN_KID(reason=refused.sentence) from None
    if header.kid != verification_method(did):
        raise TOKEN_KID(reason=f"{header.kid!r} has another fragment.")
    if header.alg not in _ALGS[public.algorithm]:
        raise TOKEN_ALG(alg=header.alg, algorithm=public.algorithm)
    return _Signer(did, public.algorithm, public.raw)


def _check_typ(typ: str) -> None:
    if _TYP.fullmatch(typ) is None:
        raise TOKEN_TYP_FORM(typ=typ)


def _to_base64url(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")


def _from_base64url(text: bytes, part: str) -> bytes:
    rest = len(text) & 3
    last_letters = _LAST_LETTERS[rest]
    if last_letters is not None and text[-1] not in last_letters:
        raise TOKEN_BASE64(part=part)
    try:
        return a2b_base64(text.translate(_TO_BASE64) + _PADDING[rest], strict_mode=True)
    except ValueError:
        raise TOKEN_BASE64(part=part) from None


def _printable(error: Exception) -> str:
    """A decoder's message on one line, cut short because it may quote a long member name."""
    words = str(error)[:REASON_CHARACTERS_MAX]
    return "".join(letter if letter.isprintable() else "?" for letter in words)
