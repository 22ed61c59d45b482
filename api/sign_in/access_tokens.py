"""Access tokens: what the API signs for a signed-in user, and how strictly it reads them.

PyJWT makes and checks the signature, with only one algorithm (EdDSA). Because PyJWT accepts more
than we want, we check a token first: it has at most 8 KB and three parts, its header equals one of
our own headers byte for byte (so `kid` selects a key from a fixed table, and `alg`, `jku`, `jwk`
and `crit` have no effect), its signature has no padding and no stray bits, and its payload is
encoded exactly as we encode it (so no member is repeated). All claims are required.

A valid token is cached by its text until it ends, because a page sends the same token with every
request. `api.sign_in.session` checks for each request whether the session is still alive.
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
HELD_MAX = 4_096  # tokens in the cache; about 1 KB each
CLAIMS = ("aud", "exp", "iat", "iss", "jti", "role", "sid", "sub")
LEEWAY_S = 0  # the same machine makes and reads the tokens

ACCESS_TOKEN = Fault("UNAUTHENTICATED", "The access token was refused: {reason}. Sign in again.")

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The claims of an access token, in the order in which they are written.

    Times are in seconds UTC; `sid` is the session, `role` the role at sign-in.
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
    """Return the key of a PKCS#8 PEM. Raises `SettingsInvalid` for any other text."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise SettingsInvalid("signing_key: that is no unencrypted PKCS#8 PEM.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsInvalid("signing_key: that is no Ed25519 key.")
    return key


class AccessTokens:
    """Makes and reads access tokens of one audience.

    The first of `keys` signs; tokens of the other, older keys are accepted until they end.
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
        """Return a new token and the second (UTC) at which it ends."""
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
        """Return the claims of a valid token. Raises `UNAUTHENTICATED` for any other text."""
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
                    "verify_exp": False,  # checked below by our own clock, which tests may set
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
    """Return the id of a key: the first half of the SHA-256 of its public key, in hex."""
    return hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:32]


def _header_of(key: Ed25519PrivateKey) -> str:
    """Return the first part of every token of a key, as PyJWT writes it."""
    return jwt.encode(
        {}, key, algorithm=ALGORITHM, headers={"kid": key_id(key), "typ": TYP}
    ).partition(".")[0]


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_only_spelling(part: str) -> bool:
    """Return whether this is the canonical base64url of its bytes, without stray bits."""
    try:
        content = a2b_base64(part.replace("-", "+").replace("_", "/") + "=" * (-len(part) % 4))
    except ValueError:
        return False
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii") == part


def _word(error: Exception) -> str:
    """Return the kind of error, but not the library's message, which may quote the token."""
    return {
        "InvalidSignatureError": "its signature does not hold",
        "InvalidAudienceError": "it is for another audience",
        "InvalidIssuerError": "it is of another issuer",
        "MissingRequiredClaimError": "a claim is missing",
    }.get(type(error).__name__, "it cannot be read")
