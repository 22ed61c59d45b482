"""Access tokens: what the API signs for whoever has signed in, and how strictly it reads them.

PyJWT with one algorithm (EdDSA) makes and checks the signature. It also takes what we do not
want, so a token is looked at first: at most 8 KB, three parts, its header one of our own byte for
byte (so `kid` picks a key from a fixed table, and `alg`, `jku`, `jwk` and `crit` have no say), no
padding and no stray bits in its signature, and a payload in the one form that we write (so no
member twice). The signing time, the end, audience, issuer, subject, id and session must be there.

A token that held is remembered by its text until it ends, since a page sends the same one with
every question; whether its session still is alive is asked each time (`api.sign_in.session`).
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import a2b_base64
from collections import OrderedDict
from collections.abc import Callable, Sequence

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from api.faults import Fault
from api.settings import SettingsInvalid

TYP = "at+jwt"  # RFC 9068
ALGORITHM = "EdDSA"
TOKEN_BYTES_MAX = 8_192
HELD_MAX = 4_096  # tokens remembered; about 1 KB each
CLAIMS = ("aud", "exp", "iat", "iss", "jti", "role", "sid", "sub")
LEEWAY_S = 0  # one machine makes and reads them

ACCESS_TOKEN = Fault("UNAUTHENTICATED", "The access token is not taken: {reason}. Sign in again.")

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an access token says; members in the order in which they are written.

    Seconds UTC; `sid` is the session, `role` the role at sign-in.
    """

    aud: str
    exp: int
    iat: int
    iss: str
    jti: str
    role: str
    sid: str
    sub: str


_claims = msgspec.json.Decoder(Claims)


def load_signing_key(pem: bytes) -> Ed25519PrivateKey:
    """The key of a PKCS#8 PEM. Raises `SettingsInvalid` for any other file."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise SettingsInvalid("signing_key: that is no unencrypted PKCS#8 PEM.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsInvalid("signing_key: that is no Ed25519 key.")
    return key


class AccessTokens:
    """Makes and reads access tokens of one audience.

    `keys`: the first one signs; older ones are read until their last token has ended.
    """

    def __init__(
        self,
        keys: Sequence[Ed25519PrivateKey],
        now_s: Callable[[], float],
        *,
        audience: str,
        life_s: int,
    ) -> None:
        self._now_s = now_s
        self._audience = audience
        self._life_s = life_s
        self._signing = keys[0]
        self._headers = {_header_of(key): key.public_key() for key in keys}
        self._held: OrderedDict[str, Claims] = OrderedDict()

    def make(self, *, did: str, role: str, family: str, token_id: str) -> tuple[str, int]:
        """A token, and the second (UTC) it ends at."""
        now_s = int(self._now_s())
        claims = Claims(
            aud=self._audience,
            exp=now_s + self._life_s,
            iat=now_s,
            iss=self._audience,
            jti=token_id,
            role=role,
            sid=family,
            sub=did,
        )
        token = jwt.encode(
            msgspec.to_builtins(claims),
            self._signing,
            algorithm=ALGORITHM,
            headers={"kid": key_id(self._signing), "typ": TYP},
        )
        return token, claims.exp

    def read(self, token: str) -> Claims:
        """What a token says. Raises `UNAUTHENTICATED` for every other text."""
        held = self._held.get(token)
        if held is not None:
            if self._now_s() >= held.exp:
                del self._held[token]
                raise ACCESS_TOKEN(reason="it has ended")
            return held
        claims = self._checked(token)
        if len(self._held) >= HELD_MAX:
            self._held.popitem(last=False)
        self._held[token] = claims
        return claims

    def _checked(self, token: str) -> Claims:
        if len(token) > TOKEN_BYTES_MAX:
            raise ACCESS_TOKEN(reason=f"it has more than {TOKEN_BYTES_MAX} bytes")
        if _FORM.fullmatch(token) is None:
            raise ACCESS_TOKEN(reason="it is no compact JWS")
        header, payload, signature = token.split(".")
        key = self._headers.get(header)
        if key is None:
            raise ACCESS_TOKEN(reason="its header is not one of this API")
        if not _is_only_spelling(signature) or not _is_only_spelling(payload):
            raise ACCESS_TOKEN(reason="its base64url has stray bits")
        try:
            jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._audience,
                leeway=LEEWAY_S,
                options={
                    "require": list(CLAIMS),
                    "verify_exp": False,  # by our clock, below, which tests may set
                    "verify_iat": False,
                    "strict_aud": True,
                },
            )
            claims = _claims.decode(_decoded(payload))
        except (jwt.PyJWTError, msgspec.MsgspecError) as error:
            raise ACCESS_TOKEN(reason=_word(error)) from None
        if msgspec.json.encode(claims) != _decoded(payload):
            raise ACCESS_TOKEN(reason="its payload is not in the form that is signed here")
        now_s = self._now_s()
        if claims.iat > now_s:
            raise ACCESS_TOKEN(reason="it is of the future")
        if now_s >= claims.exp:
            raise ACCESS_TOKEN(reason="it has ended")
        if claims.exp - claims.iat > self._life_s:
            raise ACCESS_TOKEN(reason="it holds longer than any")
        return claims


def key_id(key: Ed25519PrivateKey) -> str:
    """The name of a key in the table: half of the SHA-256 of its public half."""
    return hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:32]


def _header_of(key: Ed25519PrivateKey) -> str:
    """The first part of every token of a key, as PyJWT writes it."""
    return jwt.encode(
        {}, key, algorithm=ALGORITHM, headers={"kid": key_id(key), "typ": TYP}
    ).partition(".")[0]


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_only_spelling(part: str) -> bool:
    """Whether no other text of base64url has the same bytes."""
    try:
        content = a2b_base64(part.replace("-", "+").replace("_", "/") + "=" * (-len(part) % 4))
    except ValueError:
        return False
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii") == part


def _word(error: Exception) -> str:
    """The kind of fault, never the library's sentence, which may quote the token."""
    return {
        "InvalidSignatureError": "its signature does not hold",
        "InvalidAudienceError": "it is for another audience",
        "InvalidIssuerError": "it is of another issuer",
        "MissingRequiredClaimError": "a claim is missing",
    }.get(type(error).__name__, "it cannot be read")
