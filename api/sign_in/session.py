"""Sign-in, sessions and what a request carries.

A wallet asks for a challenge, signs a login (`commonwatt-login+jws` over aud, channel, contract,
iat, nonce, origin; canonical JSON) and gets an access token for ten minutes with a refresh token.
A refresh token is good once: refreshing gives a new pair. One that comes a second time was copied,
so its whole session ends, for the thief and for the owner, who signs in again. Signing out ends
the session at once, its access tokens too.

Sessions live in this process's memory, bounded, and end when it stops; a wallet then signs in anew
without asking its owner. So one API is one process; a second one behind the same address needs
sticky sessions.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from api.access.table import Viewer
from api.faults import Fault
from api.graphql.guard.admission import Admission
from api.services import Role, Services
from api.settings import ApiSettings
from api.sign_in.access_tokens import ACCESS_TOKEN, AccessTokens
from api.sign_in.nonces import Nonces
from identity.did import resolve_did_key
from identity.errors import IdentityError
from identity.jws import TokenRefused, decode_payload, parse_compact
from identity.keys import verify

LOGIN_TYP = "commonwatt-login+jws"
LOGIN_BYTES_MAX = 8_192
CLOCK_SKEW_S = 300  # a browser's clock may be off by minutes; what ends a login is its nonce
SESSIONS_PER_DID_MAX = 10  # devices of one person; the oldest gives way
BEARER = "Bearer "

LOGIN_TOKEN = Fault("LOGIN_TOKEN", "The login token is not taken: {reason}")
LOGIN_AUDIENCE = Fault(
    "LOGIN_AUDIENCE", "The login is for another audience; here it is {audience}."
)
LOGIN_ORIGIN = Fault("LOGIN_ORIGIN", "The login was signed for another origin than this one.")
LOGIN_CHANNEL = Fault(
    "LOGIN_CHANNEL", "The login is for another ledger; here it is {channel}/{contract}."
)
LOGIN_TIME = Fault(
    "LOGIN_TIME", "The login was signed {count} s off this clock; at most {limit} s is taken."
)
LOGIN_SIGNATURE = Fault("LOGIN_SIGNATURE", "The signature of the login does not hold.")
LOGIN_UNKNOWN = Fault(
    "LOGIN_UNKNOWN", "{did} is no participant of this market; a retailer enrols it."
)
CHALLENGE_DID = Fault("ARGUMENT_DID", "A challenge is for a did:key: {reason}")
REFRESH_TOKEN = Fault("UNAUTHENTICATED", "The refresh token is not taken: {reason}. Sign in again.")
SESSIONS_TOO_MANY = Fault("SESSIONS_TOO_MANY", "There are {limit} sessions already; try later.")


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a wallet signs to sign in; `iat` in seconds UTC."""

    aud: str
    channel: str
    contract: str
    iat: int
    nonce: str
    origin: str


class Challenge(NamedTuple):
    """A nonce to sign for an audience; `expires_s` in seconds UTC."""

    nonce: str
    audience: str
    expires_s: int


class Standing(msgspec.Struct, frozen=True):
    """What a DID is here: its role, and the member it acts for, if any."""

    role: Role
    member: str | None


class Issued(msgspec.Struct, frozen=True):
    """A session's tokens; `expires_s` is the end of the access token, seconds UTC."""

    access_token: str
    refresh_token: str
    expires_s: int
    role: Role
    did: str


class _Family(msgspec.Struct):
    """One session: its holder and the refresh token that is good now."""

    viewer: Viewer
    secret_hash: bytes
    began_s: float
    refreshed_s: float


_logins = msgspec.json.Decoder(Login)


class Sessions:
    """Everybody who is signed in. `standing` says what a DID is, None for one nobody knows."""

    def __init__(
        self,
        settings: ApiSettings,
        tokens: AccessTokens,
        nonces: Nonces,
        standing: Callable[[str], Awaitable[Standing | None]],
        now_s: Callable[[], float],
        *,
        channel: str,
        contract: str,
        area: str,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._nonces = nonces
        self._standing = standing
        self._now_s = now_s
        self._channel = channel
        self._contract = contract
        self._area = area
        self._families: OrderedDict[str, _Family] = OrderedDict()  # least lately refreshed first
        self._of_did: dict[str, list[str]] = {}

    def __len__(self) -> int:
        """Sessions that are kept."""
        return len(self._families)

    def challenge(self, did: str) -> Challenge:
        """A nonce for `did`. Raises `ARGUMENT_DID`."""
        try:
            resolve_did_key(did)
        except IdentityError as refused:
            raise CHALLENGE_DID(reason=refused.sentence) from None
        audience = self._settings.own_audience
        nonce, end_s = self._nonces.make(did, audience)
        return Challenge(nonce, audience, end_s)

    async def sign_in(self, token: str, *, origin: str | None) -> Issued:
        """A session for whoever signed `token`; `origin` is the request's header, if it has one.

        Raises a fault whose code begins with `LOGIN_` or `NONCE_`, or `SESSIONS_TOO_MANY`.
        """
        did = self._proven(token, origin)
        standing = await self._standing(did)
        if standing is None:
            raise LOGIN_UNKNOWN(did=did)
        return self._begin(did, standing)

    def refresh(self, refresh_token: str) -> Issued:
        """A new pair for a refresh token that was never used. Raises `UNAUTHENTICATED`."""
        name, _, secret = refresh_token.partition(".")
        family = self._families.get(name)
        if family is None or len(refresh_token) > 128:
            raise REFRESH_TOKEN(reason="its session is over")
        if not secrets.compare_digest(family.secret_hash, _hash(secret)):
            self._end(name)
            raise REFRESH_TOKEN(reason="it was used before, so its session is over")
        now_s = self._now_s()
        if self._is_over(family, now_s):
            self._end(name)
            raise REFRESH_TOKEN(reason="its session is over")
        family.refreshed_s = now_s
        self._families.move_to_end(name)
        return self._issue(name, family)

    def sign_out(self, viewer: Viewer) -> bool:
        """End the viewer's session; whether there was one."""
        return self._end(viewer.family)

    def viewer(self, authorization: str | None) -> Viewer | None:
        """Who asks, by the `Authorization` header; None without one. Raises `UNAUTHENTICATED`."""
        if authorization is None:
            return None
        if not authorization.startswith(BEARER):
            raise ACCESS_TOKEN(reason="it is not sent as Bearer")
        claims = self._tokens.read(authorization.removeprefix(BEARER))
        family = self._families.get(claims.sid)
        if family is None or (family.viewer.did, family.viewer.role) != (claims.sub, claims.role):
            raise ACCESS_TOKEN(reason="its session is over")
        return family.viewer

    def is_alive(self, viewer: Viewer) -> bool:
        """Whether the viewer's session goes on."""
        family = self._families.get(viewer.family)
        return family is not None and not self._is_over(family, self._now_s())

    def _proven(self, token: str, origin: str | None) -> str:
        """The DID that a login token proves; the nonce is used up once the signature holds."""
        try:
            compact = parse_compact(token, typ=LOGIN_TYP, bytes_max=LOGIN_BYTES_MAX)
            login = decode_payload(compact.payload, _logins)
        except TokenRefused as refused:
            raise LOGIN_TOKEN(reason=refused.sentence) from None
        audience = self._settings.own_audience
        if login.aud != audience:
            raise LOGIN_AUDIENCE(audience=audience)
        if (login.channel, login.contract) != (self._channel, self._contract):
            raise LOGIN_CHANNEL(channel=self._channel, contract=self._contract)
        allowed = self._settings.own_origins
        if login.origin not in allowed or (origin is not None and origin != login.origin):
            raise LOGIN_ORIGIN()
        off_s = abs(int(self._now_s()) - login.iat)
        if off_s > CLOCK_SKEW_S:
            raise LOGIN_TIME(count=off_s, limit=CLOCK_SKEW_S)
        if not verify(compact.check):
            raise LOGIN_SIGNATURE()
        self._nonces.use(login.nonce, compact.did, audience)
        return compact.did

    def _begin(self, did: str, standing: Standing) -> Issued:
        self._forget()
        own = self._of_did.setdefault(did, [])
        if len(own) >= SESSIONS_PER_DID_MAX:
            self._end(own[0])
            own = self._of_did.setdefault(did, [])
        if len(self._families) >= self._settings.sessions_max:
            if not own:
                del self._of_did[did]
            raise SESSIONS_TOO_MANY(limit=self._settings.sessions_max)
        name = secrets.token_urlsafe(16)
        now_s = self._now_s()
        viewer = Viewer(did, standing.role, standing.member, self._area, name)
        family = _Family(viewer, b"", now_s, now_s)
        self._families[name] = family
        own.append(name)
        return self._issue(name, family)

    def _issue(self, name: str, family: _Family) -> Issued:
        secret = secrets.token_urlsafe(32)
        family.secret_hash = _hash(secret)
        viewer = family.viewer
        access, end_s = self._tokens.make(
            did=viewer.did, role=viewer.role, family=name, token_id=secrets.token_urlsafe(16)
        )
        return Issued(access, f"{name}.{secret}", end_s, viewer.role, viewer.did)

    def _is_over(self, family: _Family, now_s: float) -> bool:
        settings = self._settings
        return (
            now_s >= family.refreshed_s + settings.refresh_idle_s
            or now_s >= family.began_s + settings.session_s
        )

    def _forget(self) -> None:
        """Drop sessions that are over, from the one least lately refreshed on."""
        now_s = self._now_s()
        while self._families:
            name, family = next(iter(self._families.items()))
            if not self._is_over(family, now_s):
                return
            self._end(name)

    def _end(self, name: str) -> bool:
        family = self._families.pop(name, None)
        if family is None:
            return False
        own = self._of_did[family.viewer.did]
        own.remove(name)
        if not own:
            del self._of_did[family.viewer.did]
        return True


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What the app hands to the schema: who asks, from where, and the document let through."""

    viewer: Viewer | None
    services: Services
    sessions: Sessions
    admission: Admission | None
    origin: str | None = None  # the header of a browser's request


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
