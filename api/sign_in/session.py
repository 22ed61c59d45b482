"""Sign-in, sessions, and the viewer of a request.

A wallet requests a challenge, signs a login (`commonwatt-login+jws` over aud, channel, contract,
iat, nonce, origin; canonical JSON) and gets an access token for ten minutes with a refresh token.
A refresh token can be used once and gives a new pair. If a refresh token is used a second time, it
was copied, so its whole session ends for the thief and for the owner, who signs in again. Signing
out ends the session and its access tokens at once.

Sessions are kept in the memory of this process, with a limit, and end when the process stops; a
wallet then signs in again without asking its owner. So one API is one process, and several
processes behind the same address need sticky sessions.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from api.access.table import Viewer
from api.faults import Fault
from api.services import Role
from api.settings import ApiSettings
from api.sign_in.access_tokens import ACCESS_TOKEN, AccessTokens
from api.sign_in.nonces import Nonces
from identity.did import resolve_did_key
from identity.errors import IdentityError
from identity.jws import TokenRefused, decode_payload, parse_compact
from identity.keys import verify

LOGIN_TYP = "commonwatt-login+jws"
LOGIN_BYTES_MAX = 8_192
CLOCK_SKEW_S = 300  # a browser's clock may be off by minutes; the nonce limits a login's life
SESSIONS_PER_DID_MAX = 10  # devices of one person; a new session ends the oldest one
BEARER = "Bearer "

LOGIN_TOKEN = Fault("LOGIN_TOKEN", "The login token was refused: {reason}")
LOGIN_AUDIENCE = Fault(
    "LOGIN_AUDIENCE", "The login is for another audience; here it is {audience}."
)
LOGIN_ORIGIN = Fault("LOGIN_ORIGIN", "The login was signed for another origin.")
LOGIN_CHANNEL = Fault(
    "LOGIN_CHANNEL", "The login is for another ledger; here it is {channel}/{contract}."
)
LOGIN_TIME = Fault(
    "LOGIN_TIME", "The login was signed {count} s off this clock; at most {limit} s is taken."
)
LOGIN_SIGNATURE = Fault("LOGIN_SIGNATURE", "The signature of the login is not valid.")
LOGIN_UNKNOWN = Fault(
    "LOGIN_UNKNOWN", "{did} is no participant of this market; a retailer enrols it."
)
CHALLENGE_DID = Fault("ARGUMENT_DID", "A challenge is for a did:key: {reason}")
REFRESH_TOKEN = Fault("UNAUTHENTICATED", "The refresh token was refused: {reason}. Sign in again.")
SESSIONS_TOO_MANY = Fault("SESSIONS_TOO_MANY", "There are {limit} sessions already; try later.")


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payload that a wallet signs to sign in; `iat` is in seconds UTC."""

    aud: str
    channel: str
    contract: str
    iat: int
    nonce: str
    origin: str


class Challenge(NamedTuple):
    """A nonce to sign for an audience; `expires_s` is in seconds UTC."""

    nonce: str
    audience: str
    expires_s: int


class Standing(msgspec.Struct, frozen=True):
    """The role of a DID in this market, and the member that it acts for, if any."""

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
    """One session: its viewer and the hash of the present refresh token."""

    viewer: Viewer
    secret_hash: bytes
    began_s: float
    refreshed_s: float


_logins = msgspec.json.Decoder(Login)


class Sessions:
    """All sessions. `standing` returns the role of a DID, or None for an unknown DID."""

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
        self._families: OrderedDict[str, _Family] = OrderedDict()  # the oldest refresh first
        self._of_did: dict[str, list[str]] = {}

    def __len__(self) -> int:
        """Return the number of sessions in the memory."""
        return len(self._families)

    def challenge(self, did: str) -> Challenge:
        """Return a challenge for `did`. Raises `ARGUMENT_DID` if `did` is not a did:key."""
        try:
            resolve_did_key(did)
        except IdentityError as refused:
            raise CHALLENGE_DID(reason=refused.sentence) from None
        audience = self._settings.own_audience
        nonce, end_s = self._nonces.make(did, audience)
        return Challenge(nonce, audience, end_s)

    async def sign_in(self, token: str, *, origin: str | None) -> Issued:
        """Begin a session for the DID that signed `token`; `origin` is the request's header.

        Raises a fault whose code begins with `LOGIN_` or `NONCE_`, or `SESSIONS_TOO_MANY`.
        """
        did = self._proven(token, origin)
        standing = await self._standing(did)
        if standing is None:
            raise LOGIN_UNKNOWN(did=did)
        return self._begin(did, standing)

    def refresh(self, refresh_token: str) -> Issued:
        """Return a new pair of tokens for an unused refresh token. Raises `UNAUTHENTICATED`."""
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
        """End the viewer's session; return whether there was one."""
        return self._end(viewer.family)

    def viewer(self, authorization: str | None) -> Viewer | None:
        """Return the viewer, None without a header. Raises `UNAUTHENTICATED` for a bad token."""
        if authorization is None:
            return None
        if not authorization.startswith(BEARER):
            raise ACCESS_TOKEN(reason="it is not sent as Bearer")
        claims = self._tokens.read(authorization.removeprefix(BEARER))
        family = self._families.get(claims.sid)
        if family is None:
            raise ACCESS_TOKEN(reason="its session is over")
        viewer = family.viewer
        if viewer.did != claims.sub or viewer.role != claims.role:
            raise ACCESS_TOKEN(reason="its session is over")
        return viewer

    def is_alive(self, viewer: Viewer) -> bool:
        """Return whether the viewer's session is still alive."""
        family = self._families.get(viewer.family)
        return family is not None and not self._is_over(family, self._now_s())

    def _proven(self, token: str, origin: str | None) -> str:
        """Return the DID that a login token proves; a valid signature uses up the nonce."""
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
        """Drop sessions that are over, beginning with the least recently refreshed one."""
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


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
