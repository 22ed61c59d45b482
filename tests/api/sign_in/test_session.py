"""Sign-in: what a login must say, nonces that are good once, tokens read strictly, rotation."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws as joserfc_jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

from api.access.table import Viewer
from api.faults import ApiFault
from api.settings import ApiSettings
from api.sign_in.access_tokens import TOKEN_BYTES_MAX, TYP, AccessTokens, key_id
from api.sign_in.nonces import Nonces
from api.sign_in.session import (
    CLOCK_SKEW_S,
    LOGIN_TYP,
    SESSIONS_PER_DID_MAX,
    Issued,
    Login,
    Sessions,
    Standing,
)
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey

ORIGIN = "https://market.example"
CHANNEL, CONTRACT, AREA = "channel", "commonwatt", "street"
BEGIN_S = 1_800_000_000
ANNA = PrivateKey.from_seed(bytes(31) + b"\1")
BEN = PrivateKey.from_seed(bytes(31) + b"\2")
CLERK = PrivateKey.from_seed(bytes(31) + b"\3")
API_KEY = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\4")
STANDINGS = {
    did_key(ANNA.public): Standing("HOUSEHOLD", None),
    did_key(CLERK.public): Standing("RETAILER", "GreenPower"),
}


class Clock:
    """The second that it is."""

    def __init__(self) -> None:
        self.now_s = float(BEGIN_S)

    def __call__(self) -> float:
        return self.now_s


class Desk:
    """Sign-in of one API with a clock that stands until it is moved."""

    def __init__(self, *, sessions_max: int = 1_000, used_max: int = 1_000) -> None:
        self.clock = Clock()
        self.settings = ApiSettings(origins=(ORIGIN,), sessions_max=sessions_max)
        self.tokens = AccessTokens([API_KEY], self.clock, audience=ORIGIN, life_s=600)
        self.nonces = Nonces(self.clock, life_s=120, used_max=used_max)
        self.sessions = Sessions(
            self.settings,
            self.tokens,
            self.nonces,
            self._standing,
            self.clock,
            channel=CHANNEL,
            contract=CONTRACT,
            area=AREA,
        )

    @staticmethod
    async def _standing(did: str) -> Standing | None:
        return STANDINGS.get(did)

    def login(self, key: PrivateKey = ANNA, /, **changed: object) -> Login:
        """What a wallet signs for a new nonce; `changed` members say something else."""
        challenge = self.sessions.challenge(did_key(key.public))
        said: dict[str, object] = {
            "aud": challenge.audience,
            "channel": CHANNEL,
            "contract": CONTRACT,
            "iat": int(self.clock.now_s),
            "nonce": challenge.nonce,
            "origin": ORIGIN,
        }
        return Login(**{**said, **changed})  # pyright: ignore[reportArgumentType]  # faults wanted

    def sign_in(
        self, login: Login, key: PrivateKey = ANNA, *, origin: str | None = ORIGIN
    ) -> Issued:
        """A session for a login that `key` signs."""
        token = sign_compact(key, LOGIN_TYP, encode(login))
        return asyncio.run(self.sessions.sign_in(token, origin=origin))

    def session(self, key: PrivateKey = ANNA) -> Issued:
        """A new session of `key`."""
        return self.sign_in(self.login(key), key)

    def viewer(self, access_token: str) -> Viewer | None:
        """Who sends the access token."""
        return self.sessions.viewer(f"Bearer {access_token}")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def code_of(work: Callable[[], object]) -> str | None:
    """The code by which `work` is refused, None where it is not."""
    try:
        work()
    except ApiFault as fault:
        return fault.code
    return None


def test_wallet_signs_in_and_is_known_by_its_access_token(desk: Desk) -> None:
    issued = desk.session()

    viewer = desk.viewer(issued.access_token)

    assert viewer is not None
    assert (viewer.did, viewer.role, viewer.member) == (did_key(ANNA.public), "HOUSEHOLD", None)
    assert issued.expires_s == BEGIN_S + 600


def test_wallet_with_a_p256_key_signs_in(desk: Desk) -> None:
    key = PrivateKey.generate("P-256")
    STANDINGS[did_key(key.public)] = Standing("HOUSEHOLD", None)

    assert desk.session(key).did == did_key(key.public)


def test_clerk_acts_for_its_member(desk: Desk) -> None:
    viewer = desk.viewer(desk.session(CLERK).access_token)

    assert viewer is not None
    assert (viewer.role, viewer.member) == ("RETAILER", "GreenPower")


def test_no_header_is_a_stranger(desk: Desk) -> None:
    assert desk.sessions.viewer(None) is None


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"aud": "https://other.example"}, "LOGIN_AUDIENCE"),
        ({"channel": "another"}, "LOGIN_CHANNEL"),
        ({"contract": "another"}, "LOGIN_CHANNEL"),
        ({"origin": "https://other.example"}, "LOGIN_ORIGIN"),
        ({"origin": ORIGIN + ":443"}, "LOGIN_ORIGIN"),
        ({"iat": BEGIN_S - CLOCK_SKEW_S - 1}, "LOGIN_TIME"),
        ({"iat": BEGIN_S + CLOCK_SKEW_S + 1}, "LOGIN_TIME"),
        ({"nonce": "A" * 54}, "NONCE_UNKNOWN"),
        ({"nonce": ""}, "NONCE_UNKNOWN"),
        ({"nonce": "é" * 54}, "NONCE_UNKNOWN"),
        ({"iat": "soon"}, "LOGIN_TOKEN"),
    ],
)
def test_login_that_says_something_else_is_refused(
    desk: Desk, changed: dict[str, object], code: str
) -> None:
    login = desk.login(**changed)

    assert code_of(lambda: desk.sign_in(login)) == code


def test_login_sent_by_a_page_of_another_origin_is_refused(desk: Desk) -> None:
    login = desk.login()

    assert code_of(lambda: desk.sign_in(login, origin="https://evil.example")) == "LOGIN_ORIGIN"


def test_login_of_a_program_needs_no_origin_header(desk: Desk) -> None:
    assert desk.sign_in(desk.login(), origin=None).role == "HOUSEHOLD"


def test_login_is_refused_for_another_typ_and_an_altered_payload(desk: Desk) -> None:
    login = desk.login()
    sheet = sign_compact(ANNA, "commonwatt-sheet+jws", encode(login))
    header, _, signature = sign_compact(ANNA, LOGIN_TYP, encode(login)).split(".")
    other = urlsafe_b64encode(encode(desk.login())).rstrip(b"=").decode()

    for token, code in (
        (sheet, "LOGIN_TOKEN"),
        (f"{header}.{other}.{signature}", "LOGIN_SIGNATURE"),
    ):
        assert code_of(lambda t=token: asyncio.run(desk.sessions.sign_in(t, origin=None))) == code


def test_login_with_a_member_twice_is_refused(desk: Desk) -> None:
    login = encode(desk.login())
    twice = login.replace(b'{"aud"', b'{"aud":"x","aud"', 1)
    token = sign_compact(ANNA, LOGIN_TYP, twice)

    assert code_of(lambda: asyncio.run(desk.sessions.sign_in(token, origin=None))) == "LOGIN_TOKEN"


def test_login_of_nobody_known_is_refused(desk: Desk) -> None:
    login = desk.login(BEN)

    assert code_of(lambda: desk.sign_in(login, BEN)) == "LOGIN_UNKNOWN"


def test_nonce_is_good_once(desk: Desk) -> None:
    login = desk.login()
    desk.sign_in(login)

    assert code_of(lambda: desk.sign_in(login)) == "NONCE_USED"


def test_of_logins_that_come_at_once_one_is_taken(desk: Desk) -> None:
    token = sign_compact(ANNA, LOGIN_TYP, encode(desk.login()))

    async def at_once() -> list[object]:
        tries = [desk.sessions.sign_in(token, origin=None) for _ in range(20)]
        return list(await asyncio.gather(*tries, return_exceptions=True))

    answers = asyncio.run(at_once())

    assert sum(isinstance(answer, Issued) for answer in answers) == 1
    refused = [answer for answer in answers if isinstance(answer, ApiFault)]
    assert {fault.code for fault in refused} == {"NONCE_USED"}


def test_nonce_ends_after_two_minutes(desk: Desk) -> None:
    login = desk.login()
    desk.clock.now_s += 120

    assert code_of(lambda: desk.sign_in(login)) == "NONCE_EXPIRED"


def test_nonce_of_one_wallet_is_none_for_another(desk: Desk) -> None:
    nonce = desk.login(ANNA).nonce
    login = desk.login(CLERK, nonce=nonce)

    assert code_of(lambda: desk.sign_in(login, CLERK)) == "NONCE_UNKNOWN"


def test_second_spelling_of_a_nonce_is_none(desk: Desk) -> None:
    login = desk.login()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(login.nonce[-1])
    assert last % 4 == 0  # 40 bytes leave bits of the last letter unused
    other = desk.login(
        nonce=login.nonce[:-1]
        + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last + 1]
    )

    assert code_of(lambda: desk.sign_in(other)) == "NONCE_UNKNOWN"


def test_asking_for_challenges_leaves_nothing_behind(desk: Desk) -> None:
    for _ in range(1_000):
        desk.sessions.challenge(did_key(BEN.public))

    assert len(desk.nonces) == 0
    assert len(desk.sessions) == 0


def test_used_nonces_are_bounded_and_forgotten_when_they_have_ended() -> None:
    desk = Desk(used_max=3)
    for _ in range(3):
        desk.session()

    assert code_of(desk.session) == "SIGN_INS_TOO_MANY"

    desk.clock.now_s += 121
    desk.session()
    assert len(desk.nonces) == 1


def test_challenge_for_what_is_no_did_is_refused(desk: Desk) -> None:
    assert code_of(lambda: desk.sessions.challenge("did:web:example")) == "ARGUMENT_DID"


def test_nonces_have_128_random_bits(desk: Desk) -> None:
    nonces = {desk.sessions.challenge(did_key(ANNA.public)).nonce for _ in range(100)}

    heads = {urlsafe_b64decode(nonce + "==")[:16] for nonce in nonces}
    assert len(heads) == 100


# Access tokens


def claims(**changed: object) -> dict[str, object]:
    """What a token of Anna's says, changed; None leaves a member out."""
    said: dict[str, object] = {
        "aud": ORIGIN,
        "exp": BEGIN_S + 600,
        "iat": BEGIN_S,
        "iss": ORIGIN,
        "jti": "id",
        "role": "HOUSEHOLD",
        "sid": "family",
        "sub": did_key(ANNA.public),
        **changed,
    }
    return {name: value for name, value in said.items() if value is not None}


def signed(payload: dict[str, object] | bytes, **headers: object) -> str:
    """A token under the API's own key, whatever it says."""
    header: dict[str, object] = {"alg": "EdDSA", "kid": key_id(API_KEY), "typ": TYP, **headers}
    content = (
        payload
        if isinstance(payload, bytes)
        else json.dumps(payload, separators=(",", ":")).encode()
    )
    parts = [json.dumps(header, separators=(",", ":"), sort_keys=True).encode(), content]
    message = b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = urlsafe_b64encode(API_KEY.sign(message)).rstrip(b"=")
    return b".".join((message, signature)).decode()


def test_token_in_the_form_that_is_signed_here_is_read(desk: Desk) -> None:
    """The ground of the tests below: what they change is what is refused."""
    assert desk.tokens.read(signed(claims())).sub == did_key(ANNA.public)


def test_access_token_is_a_jws_to_another_library(desk: Desk) -> None:
    public = OKPKey.import_key(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": urlsafe_b64encode(API_KEY.public_key().public_bytes_raw()).rstrip(b"=").decode(),
        }
    )

    with pytest.warns(SecurityWarning):  # RFC 9864 renames EdDSA; PyJWT knows the old name alone
        found = joserfc_jws.deserialize_compact(
            desk.session().access_token, public, algorithms=["EdDSA"]
        )

    assert json.loads(found.payload)["role"] == "HOUSEHOLD"


@pytest.mark.parametrize("missing", ["aud", "exp", "iat", "iss", "jti", "role", "sid", "sub"])
def test_token_without_a_claim_is_refused(desk: Desk, missing: str) -> None:
    token = signed(claims(**{missing: None}))

    assert code_of(lambda: desk.tokens.read(token)) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.example"},
        {"aud": [ORIGIN]},
        {"aud": [ORIGIN, "https://other.example"]},
        {"iss": "https://other.example"},
        {"exp": BEGIN_S},
        {"exp": BEGIN_S + 100_000},
        {"exp": str(BEGIN_S + 600)},
        {"exp": BEGIN_S + 600.5},
        {"iat": BEGIN_S + 1},
        {"nbf": BEGIN_S},
        {"admin": True},
    ],
)
def test_token_that_says_something_else_is_refused(desk: Desk, changed: dict[str, object]) -> None:
    assert code_of(lambda: desk.tokens.read(signed(claims(**changed)))) == "UNAUTHENTICATED"


def test_token_with_a_member_twice_is_refused(desk: Desk) -> None:
    """PyJWT takes the last of two: HOUSEHOLD would become DSO."""
    plain = json.dumps(claims(), separators=(",", ":"))
    twice = plain.replace('"role":"HOUSEHOLD"', '"role":"HOUSEHOLD","role":"DSO"').encode()

    taken = jwt.decode(
        signed(twice),
        API_KEY.public_key(),
        ["EdDSA"],
        options={"verify_exp": False, "verify_iat": False},
        audience=ORIGIN,
    )
    assert taken["role"] == "DSO"
    assert code_of(lambda: desk.tokens.read(signed(twice))) == "UNAUTHENTICATED"


def test_token_with_padding_or_stray_bits_is_refused(desk: Desk) -> None:
    """PyJWT takes a signature with a trailing `==`: two texts would be one token."""
    token = desk.session().access_token
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = token[:-1] + letters[letters.index(token[-1]) + 1]

    for text in (f"{token}==", stray, f" {token}", f"{token}\n", f"{token}.", token.encode().hex()):
        assert code_of(lambda t=text: desk.tokens.read(t)) == "UNAUTHENTICATED", text


@pytest.mark.parametrize(
    "headers",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "Ed25519"},
        {"typ": "JWT"},
        {"kid": "another"},
        {"kid": "../../etc/passwd"},
        {"jku": "https://evil.example/keys"},
        {"jwk": {"kty": "OKP"}},
        {"crit": ["b64"], "b64": False},
    ],
)
def test_token_with_another_header_is_refused(desk: Desk, headers: dict[str, object]) -> None:
    assert code_of(lambda: desk.tokens.read(signed(claims(), **headers))) == "UNAUTHENTICATED"


def test_token_signed_by_another_key_is_refused(desk: Desk) -> None:
    header = {"kid": key_id(API_KEY), "typ": TYP}
    other = jwt.encode(claims(), Ed25519PrivateKey.generate(), "EdDSA", header)
    curve = jwt.encode(claims(), generate_private_key(SECP256R1()), "ES256", header)
    public = API_KEY.public_key().public_bytes_raw()
    secret = jwt.encode(claims(), public, "HS256", header)

    for token in (other, curve, secret):
        assert code_of(lambda t=token: desk.tokens.read(t)) == "UNAUTHENTICATED"


def test_token_of_more_than_8_kb_is_not_looked_at(desk: Desk) -> None:
    token = signed(claims(jti="x" * TOKEN_BYTES_MAX))

    with pytest.raises(ApiFault, match="8192 bytes"):
        desk.tokens.read(token)


def test_token_ends_after_ten_minutes_though_it_is_remembered(desk: Desk) -> None:
    token = desk.session().access_token
    assert desk.viewer(token) is not None

    desk.clock.now_s += 600

    assert code_of(lambda: desk.viewer(token)) == "UNAUTHENTICATED"


def test_token_of_an_older_key_is_read_while_the_key_is_listed(desk: Desk) -> None:
    new = Ed25519PrivateKey.generate()
    both = AccessTokens([new, API_KEY], desk.clock, audience=ORIGIN, life_s=600)
    only = AccessTokens([new], desk.clock, audience=ORIGIN, life_s=600)

    assert both.read(signed(claims())).jti == "id"
    assert code_of(lambda: only.read(signed(claims()))) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "bearer x", "Basic eDp5", "Bearer  x", "Bearer x y"]
)
def test_header_that_is_no_bearer_token_is_refused(desk: Desk, header: str) -> None:
    assert code_of(lambda: desk.sessions.viewer(header)) == "UNAUTHENTICATED"


def test_token_of_a_session_that_is_over_is_refused(desk: Desk) -> None:
    """A signature alone is not enough: the session has to be alive."""
    assert code_of(lambda: desk.viewer(signed(claims()))) == "UNAUTHENTICATED"


# Refresh and sign-out


def test_refresh_gives_a_new_pair_of_the_same_session(desk: Desk) -> None:
    first = desk.session()
    desk.clock.now_s += 300

    second = desk.sessions.refresh(first.refresh_token)

    assert second.expires_s == BEGIN_S + 900
    assert second.refresh_token != first.refresh_token
    assert desk.viewer(first.access_token) == desk.viewer(second.access_token)


def test_refresh_token_used_twice_ends_the_session_for_both(desk: Desk) -> None:
    """A thief and an owner cannot be told apart: neither goes on."""
    first = desk.session()
    other = desk.session()
    second = desk.sessions.refresh(first.refresh_token)

    assert code_of(lambda: desk.sessions.refresh(first.refresh_token)) == "UNAUTHENTICATED"

    assert code_of(lambda: desk.sessions.refresh(second.refresh_token)) == "UNAUTHENTICATED"
    assert code_of(lambda: desk.viewer(second.access_token)) == "UNAUTHENTICATED"
    assert desk.viewer(other.access_token) is not None


@pytest.mark.parametrize("token", ["", ".", "a.b", "x" * 10_000, "\ud800.a", "é.é"])
def test_refresh_token_that_was_never_given_is_refused(desk: Desk, token: str) -> None:
    assert code_of(lambda: desk.sessions.refresh(token)) == "UNAUTHENTICATED"


def test_session_without_a_refresh_ends(desk: Desk) -> None:
    issued = desk.session()
    desk.clock.now_s += desk.settings.refresh_idle_s

    assert code_of(lambda: desk.sessions.refresh(issued.refresh_token)) == "UNAUTHENTICATED"
    assert len(desk.sessions) == 0


def test_session_ends_however_often_it_is_refreshed(desk: Desk) -> None:
    issued = desk.session()
    for _ in range(desk.settings.session_s // 40_000):
        desk.clock.now_s += 40_000
        issued = desk.sessions.refresh(issued.refresh_token)
    desk.clock.now_s += 40_000

    assert code_of(lambda: desk.sessions.refresh(issued.refresh_token)) == "UNAUTHENTICATED"


def test_sign_out_ends_access_and_refresh_at_once(desk: Desk) -> None:
    issued = desk.session()
    viewer = desk.viewer(issued.access_token)
    assert viewer is not None

    assert desk.sessions.sign_out(viewer)

    assert not desk.sessions.is_alive(viewer)
    assert not desk.sessions.sign_out(viewer)
    assert code_of(lambda: desk.viewer(issued.access_token)) == "UNAUTHENTICATED"
    assert code_of(lambda: desk.sessions.refresh(issued.refresh_token)) == "UNAUTHENTICATED"


def test_oldest_session_of_a_wallet_gives_way(desk: Desk) -> None:
    first = desk.session()
    for _ in range(SESSIONS_PER_DID_MAX):
        desk.session()

    assert len(desk.sessions) == SESSIONS_PER_DID_MAX
    assert code_of(lambda: desk.viewer(first.access_token)) == "UNAUTHENTICATED"


def test_sessions_are_bounded_and_the_signed_in_stay() -> None:
    desk = Desk(sessions_max=1)
    issued = desk.session()

    assert code_of(lambda: desk.session(CLERK)) == "SESSIONS_TOO_MANY"

    assert desk.viewer(issued.access_token) is not None
    desk.clock.now_s += desk.settings.refresh_idle_s
    assert desk.session(CLERK).role == "RETAILER"
