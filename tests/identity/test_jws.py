"""Compact JWS: what is signed is read back, a second library agrees, every variant is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey, OKPKey

from identity.canonical import encode
from identity.did import did_key, verification_method
from identity.errors import TokenRefused
from identity.jws import (
    TYP_PREFIX,
    Compact,
    decode_payload,
    parse_compact,
    sign_compact,
    verify_compact,
)
from identity.keys import P256_ORDER, PrivateKey, verify_many

TYP = f"{TYP_PREFIX}sheet+jws"
PAYLOAD = b'{"channel":"market","orders":[{"id":"a","side":"buy"}],"v":1}'
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def read(token: str | bytes) -> Compact:
    return verify_compact(token, typ=TYP, bytes_max=8_192)


def refusal(token: str | bytes) -> str | None:
    try:
        read(token)
    except TokenRefused as refused:
        return refused.code
    return None


def to_base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed(key: PrivateKey, header: bytes, payload: bytes = PAYLOAD) -> str:
    """A token with any header at all, rightly signed."""
    message = f"{to_base64url(header)}.{to_base64url(payload)}"
    return f"{message}.{to_base64url(key.sign(message.encode()))}"


def good_header(key: PrivateKey) -> dict[str, Any]:
    alg = {"Ed25519": "EdDSA", "P-256": "ES256"}[key.public.algorithm]
    return {"alg": alg, "kid": verification_method(did_key(key.public)), "typ": TYP}


@given(payload=st.binary(max_size=300))
def test_any_payload_is_read_back_with_its_signer(
    ed25519: PrivateKey, p256: PrivateKey, payload: bytes
) -> None:
    for key in (ed25519, p256):
        token = sign_compact(key, TYP, payload)

        for given_ in (token, token.encode()):
            compact = read(given_)
            assert (compact.did, compact.payload) == (did_key(key.public), payload)


def test_header_is_canonical_json_of_three_members(key: PrivateKey) -> None:
    header = from_base64url(sign_compact(key, TYP, PAYLOAD).partition(".")[0])

    assert header == encode(good_header(key))
    assert (
        signed(key, header).partition(".")[0] == sign_compact(key, TYP, PAYLOAD).partition(".")[0]
    )


def test_ed25519_token_of_a_seed_is_the_same_for_ever(ed25519: PrivateKey) -> None:
    assert sign_compact(ed25519, TYP, b"{}") == (
        "eyJhbGciOiJFZERTQSIsImtpZCI6ImRpZDprZXk6ejZNa2VoUmdmN3lKYmdhR2ZZc2RvQXNLZEJQRTNk"
        "ajJDWWhvd1FkY2pxU0pndlZkI3o2TWtlaFJnZjd5SmJnYUdmWXNkb0FzS2RCUEUzZGoyQ1lob3dRZGNq"
        "cVNKZ3ZWZCIsInR5cCI6ImNvbW1vbndhdHQtc2hlZXQrandzIn0.e30.28RiQFAnvPfbgDwUuFkjSY9p"
        "vGu_lRO9zDxJiav9YcVcIyVSMRGWYX5rBn4EHUpLyksdn22LcJrWZ0iL52ISDA"
    )


def test_batch_is_parsed_first_and_verified_together(ed25519: PrivateKey, p256: PrivateKey) -> None:
    tokens = [
        sign_compact(key, TYP, b"%d" % index) for index, key in enumerate((ed25519, p256) * 3)
    ]
    tokens[3] = tokens[3][:-2] + ("BA" if tokens[3][-2:] != "BA" else "CA")

    checks = [parse_compact(token, typ=TYP, bytes_max=8_192).check for token in tokens]

    assert verify_many(checks) == [True, True, True, False, True, True]


def test_other_name_of_eddsa_is_read(ed25519: PrivateKey) -> None:
    header = encode({**good_header(ed25519), "alg": "Ed25519"})

    assert read(signed(ed25519, header)).payload == PAYLOAD


def test_size_cap_counts_the_whole_token(key: PrivateKey) -> None:
    token = sign_compact(key, TYP, PAYLOAD)

    assert verify_compact(token, typ=TYP, bytes_max=len(token)).payload == PAYLOAD
    with pytest.raises(TokenRefused, match="TOKEN_SIZE"):
        verify_compact(token, typ=TYP, bytes_max=len(token) - 1)


@pytest.mark.parametrize("typ", ["", "Sheet", "a b", "é", "a/b", "a" * 65, "a\n", "a_b"])
def test_ill_formed_typ_is_neither_signed_nor_read(key: PrivateKey, typ: str) -> None:
    with pytest.raises(TokenRefused, match="TOKEN_TYP_FORM"):
        sign_compact(key, typ, PAYLOAD)
    with pytest.raises(TokenRefused, match="TOKEN_TYP_FORM"):
        parse_compact(
            signed(key, encode({**good_header(key), "typ": typ})), typ=typ, bytes_max=8_192
        )


def test_token_of_one_typ_is_refused_as_another_before_and_after_it_was_read(
    key: PrivateKey,
) -> None:
    token = sign_compact(key, TYP, PAYLOAD)

    for _ in range(2):
        assert refusal(token) is None
        with pytest.raises(TokenRefused, match="TOKEN_TYP:"):
            parse_compact(token, typ=f"{TYP_PREFIX}cancel+jws", bytes_max=8_192)


HEADERS: list[tuple[str, dict[str, Any]]] = [
    ("TOKEN_ALG", {"alg": "none"}),
    ("TOKEN_ALG", {"alg": "HS256"}),
    ("TOKEN_ALG", {"alg": "ES384"}),
    ("TOKEN_ALG", {"alg": "eddsa"}),
    ("TOKEN_ALG", {"alg": ""}),
    ("TOKEN_HEADER", {"alg": None}),
    ("TOKEN_HEADER", {"alg": 1}),
    ("TOKEN_HEADER", {"kid": ["did:key"]}),
    ("TOKEN_HEADER", {"typ": {}}),
    ("TOKEN_HEADER", {"crit": ["b64"], "b64": False}),
    ("TOKEN_HEADER", {"jku": "https://example.org/keys"}),
    ("TOKEN_HEADER", {"jwk": {"kty": "oct", "k": ""}}),
    ("TOKEN_HEADER", {"x": "y"}),
    ("TOKEN_TYP", {"typ": "JWT"}),
    ("TOKEN_TYP", {"typ": TYP.upper()}),
    ("TOKEN_KID", {"kid": "key-1"}),
    ("TOKEN_KID", {"kid": ""}),
    ("TOKEN_KID", {"kid": "did:web:example.org#key-1"}),
    ("TOKEN_HEADER_SIZE", {"kid": "k" * 512}),
]


@pytest.mark.parametrize(("code", "change"), HEADERS, ids=str)
def test_well_signed_token_with_a_wrong_header_is_refused(
    key: PrivateKey, code: str, change: dict[str, Any]
) -> None:
    assert refusal(signed(key, encode({**good_header(key), **change}))) == code


def test_algorithm_of_the_other_kind_of_key_is_refused(
    ed25519: PrivateKey, p256: PrivateKey
) -> None:
    for key, alg in ((ed25519, "ES256"), (p256, "EdDSA"), (p256, "Ed25519")):
        assert refusal(signed(key, encode({**good_header(key), "alg": alg}))) == "TOKEN_ALG"


def test_kid_has_to_be_the_did_and_its_own_fragment(ed25519: PrivateKey, p256: PrivateKey) -> None:
    did, other = did_key(ed25519.public), did_key(p256.public)
    fragment = did.removeprefix("did:key:")

    for kid in (
        did,
        f"{did}#",
        f"{did}#key-1",
        f"{did}#{other[8:]}",
        f"#{fragment}",
        f"{did}#{fragment}#",
    ):
        header = encode({**good_header(ed25519), "kid": kid})
        assert refusal(signed(ed25519, header)) == "TOKEN_KID", kid


@pytest.mark.parametrize("missing", ["alg", "kid", "typ"])
def test_header_without_one_of_its_members_is_refused(key: PrivateKey, missing: str) -> None:
    header = {name: value for name, value in good_header(key).items() if name != missing}

    assert refusal(signed(key, encode(header))) == "TOKEN_HEADER"


def not_canonical(key: PrivateKey) -> Iterator[bytes]:
    good = good_header(key)
    alg, kid, typ = (json.dumps(good[name]) for name in ("alg", "kid", "typ"))
    yield f'{{"alg":{alg},"alg":{alg},"kid":{kid},"typ":{typ}}}'.encode()
    yield f'{{"alg":"none","alg":{alg},"kid":{kid},"typ":{typ}}}'.encode()
    yield f'{{"alg":{alg},"kid":"x","kid":{kid},"typ":{typ}}}'.encode()
    yield f'{{"typ":{typ},"alg":{alg},"kid":{kid}}}'.encode()
    yield f'{{"alg": {alg},"kid":{kid},"typ":{typ}}}'.encode()
    yield f' {{"alg":{alg},"kid":{kid},"typ":{typ}}}'.encode()
    yield f'{{"alg":{alg},"kid":{kid},"typ":{typ}}}\n'.encode()
    yield encode(good).replace(b'"alg"', b'"\\u0061lg"')
    yield encode(good).replace(b"commonwatt", b"\\u0063ommonwatt")


def test_header_in_another_spelling_is_refused(key: PrivateKey) -> None:
    for header in not_canonical(key):
        assert refusal(signed(key, header)) == "TOKEN_HEADER_NOT_CANONICAL", header


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"{}",
        b"{",
        b"\xff",
        b'{"alg":"\xff"}',
        b"[" * 300,
        b"{}{}",
    ],
)
def test_header_that_is_no_object_is_refused(key: PrivateKey, header: bytes) -> None:
    assert refusal(signed(key, header)) == "TOKEN_HEADER"


def test_words_of_a_stranger_in_a_refusal_are_short_and_printable(key: PrivateKey) -> None:
    header = encode({**good_header(key), "\x1b[31m" + "x" * 100: ""})

    with pytest.raises(TokenRefused) as refused:
        read(signed(key, header))

    assert refused.value.sentence.isprintable()
    assert len(refused.value.sentence) < 300


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("TOKEN_SEGMENTS", "{h}.{p}"),
        ("TOKEN_SEGMENTS", "{h}"),
        ("TOKEN_SEGMENTS", ""),
        ("TOKEN_SEGMENTS", "{h}.{p}.{s}."),
        ("TOKEN_SEGMENTS", ".{h}.{p}.{s}"),
        ("TOKEN_SEGMENTS", "{h}.{p}.{s}.{s}"),
        ("TOKEN_SEGMENTS", "...................."),
        ("TOKEN_HEADER", ".{p}.{s}"),
        ("TOKEN_SIGNATURE", "{h}..{s}"),
        ("TOKEN_SIGNATURE_LENGTH", "{h}.{p}."),
        ("TOKEN_SIGNATURE_LENGTH", "{h}.{p}.AAAA"),
        ("TOKEN_SIGNATURE_LENGTH", "{h}.{p}.AA{s}"),
        ("TOKEN_BASE64", "{h}.{p}.{s}=="),
        ("TOKEN_BASE64", "{h}.{p}.{s}="),
        ("TOKEN_BASE64", "{h}=.{p}.{s}"),
        ("TOKEN_BASE64", "{h}.{p}=.{s}"),
        ("TOKEN_BASE64", "{h}.{p}.{s}\n"),
        ("TOKEN_BASE64", " {h}.{p}.{s}"),
        ("TOKEN_BASE64", "{h}.{p} .{s}"),
        ("TOKEN_BASE64", "{h}.{p}.\t{s}"),
        ("TOKEN_BASE64", "{h}.{p}\r\n.{s}"),
        ("TOKEN_BASE64", "{h}.{p}é.{s}"),
        ("TOKEN_BASE64", "{h}.{p}\ud800.{s}"),
        ("TOKEN_BASE64", "{h}.{p}.{s}\0"),
    ],
)
def test_token_of_another_shape_is_refused(key: PrivateKey, code: str, spoil: str) -> None:
    header, payload, signature = sign_compact(key, TYP, PAYLOAD).split(".")

    assert refusal(spoil.format(h=header, p=payload, s=signature)) == code


def test_letters_of_plain_base64_are_refused(ed25519: PrivateKey) -> None:
    payload = b"\xfb\xff\xbf" * 8  # encodes as -_-_... or +/+/...
    token = sign_compact(ed25519, TYP, payload)
    assert "-_-_" in token

    for plain, url in (("+", "-"), ("/", "_")):
        header, segment, signature = token.split(".")
        message = f"{header}.{segment.replace(url, plain)}"
        other = to_base64url(ed25519.sign(message.encode()))
        assert refusal(f"{message}.{other}") == "TOKEN_BASE64"
        assert refusal(token.replace(url, plain, 1)) == "TOKEN_BASE64"
        assert refusal(f"{header}.{segment}.{signature}") is None


@pytest.mark.parametrize("payload", [b"1", b"12", b"1234", b"12345"])
def test_stray_low_bits_are_refused_in_every_segment(ed25519: PrivateKey, payload: bytes) -> None:
    """All 64 last letters of each segment whose length leaves bits unused: one is taken."""
    segments = sign_compact(ed25519, TYP, payload).split(".")
    for index, segment in enumerate(segments):
        if len(segment) % 4 == 0:
            continue
        same = [
            letter
            for letter in LETTERS
            if from_base64url(segment[:-1] + letter) == from_base64url(segment)
        ]
        assert len(same) in {4, 16}
        for letter in same:
            changed = segments.copy()
            changed[index] = segment[:-1] + letter
            expected = None if letter == segment[-1] else "TOKEN_BASE64"
            assert refusal(".".join(changed)) == expected


def test_larger_s_of_a_p256_signature_is_refused(p256: PrivateKey) -> None:
    message, _, text = sign_compact(p256, TYP, PAYLOAD).rpartition(".")
    signature = from_base64url(text)
    larger = P256_ORDER - int.from_bytes(signature[32:], "big")

    token = f"{message}.{to_base64url(signature[:32] + larger.to_bytes(32, 'big'))}"

    assert refusal(token) == "TOKEN_SIGNATURE_HIGH_S"


def test_no_single_replaced_letter_gives_a_token_that_holds(key: PrivateKey) -> None:
    """Every place of the token, every other letter of base64url, and a few other characters."""
    token = sign_compact(key, TYP, b'{"v":1}')

    for place, right in enumerate(token):
        for letter in f"{LETTERS}.=+/ \n":
            if letter != right:
                assert refusal(token[:place] + letter + token[place + 1 :]) is not None


@settings(max_examples=300)
@given(data=st.data())
def test_no_edited_token_holds(ed25519: PrivateKey, p256: PrivateKey, data: st.DataObject) -> None:
    """A few bytes flipped, put in, cut out, doubled or swapped anywhere."""
    token = sign_compact(data.draw(st.sampled_from([ed25519, p256])), TYP, PAYLOAD).encode()
    edited = bytearray(token)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(edited) - 1))
        edit = data.draw(st.sampled_from(["flip", "insert", "cut", "double", "swap"]))
        if edit == "flip":
            edited[place] ^= 1 << data.draw(st.integers(0, 7))
        elif edit == "insert":
            edited.insert(place, data.draw(st.integers(0, 255)))
        elif edit == "cut":
            del edited[place : place + data.draw(st.integers(1, 8))]
        elif edit == "double":
            edited[place:place] = edited[place : place + 4]
        else:
            other = data.draw(st.integers(0, len(edited) - 1))
            edited[place], edited[other] = edited[other], edited[place]
        if not edited:
            return

    assert (refusal(bytes(edited)) is None) == (bytes(edited) == token)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_arbitrary_input_is_refused_and_never_breaks(token: str | bytes) -> None:
    assert refusal(token) is not None


def test_parts_of_two_tokens_do_not_make_a_third(ed25519: PrivateKey, p256: PrivateKey) -> None:
    one = sign_compact(ed25519, TYP, b"1").split(".")
    for other in (
        sign_compact(ed25519, TYP, b"2").split("."),
        sign_compact(p256, TYP, b"1").split("."),
    ):
        for mix in range(1, 7):
            mixed = [(other if mix >> index & 1 else one)[index] for index in range(3)]
            if mixed not in (one, other):
                assert refusal(".".join(mixed)) in {"TOKEN_SIGNATURE", "TOKEN_SIGNATURE_HIGH_S"}


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    price: int
    wh: int = 0
    note: str | None = None


class Sheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    steps: list[Step]
    v: int


SHEETS = msgspec.json.Decoder(Sheet)
ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


@given(
    st.builds(
        Sheet,
        st.lists(
            st.builds(Step, st.integers(-(2**53), 2**53), st.integers(0, 9), st.none() | st.text())
        ),
        st.integers(-(2**63), 2**64),
    )
)
def test_canonical_payload_is_decoded(sheet: Sheet) -> None:
    assert decode_payload(encode(sheet), SHEETS) == sheet


@pytest.mark.parametrize(
    "payload",
    [
        b'{"steps":[],"v":1,"v":1}',
        b'{"steps":[],"v":2,"v":1}',
        b'{"steps":[{"price":1}],"steps":[],"v":1}',
        b'{"steps":[{"price":1,"price":2}],"v":1}',
        b'{"v":1,"steps":[]}',
        b'{"steps":[],"v":1} ',
        b'\n{"steps":[],"v":1}',
        b'{"steps": [],"v":1}',
        b'{"steps":[ ],"v":1}',
        b'{"\\u0073teps":[],"v":1}',
        b'{"steps":[{"note":"\\u0041","price":1}],"v":1}',
        b'{"steps":[{"note":"\\/","price":1}],"v":1}',
        b'{"steps":[{"note":"\\u000A","price":1}],"v":1}',
        b'{"steps":[{"note":null,"price":1}],"v":1}',
        b'{"steps":[{"price":1,"wh":0}],"v":1}',
        b'{"steps":[{"price":-0}],"v":1}',
    ],
)
def test_payload_in_another_spelling_is_refused(payload: bytes) -> None:
    SHEETS.decode(payload)  # the decoder alone would take it

    with pytest.raises(TokenRefused, match="TOKEN_PAYLOAD_NOT_CANONICAL"):
        decode_payload(payload, SHEETS)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'{"steps":[],"v":"1"}',
        b'{"steps":[],"v":1.0}',
        b'{"steps":[],"v":1e0}',
        b'{"steps":[],"v":01}',
        b'{"steps":[],"v":true}',
        b'{"steps":[],"v":NaN}',
        b'{"steps":[],"v":1,"w":1}',
        b'{"steps":[],"v":1}{}',
        b'{"steps":[],"v":1',
        b'\xef\xbb\xbf{"steps":[],"v":1}',
        b'{"steps":[{"note":"\xff","price":1}],"v":1}',
        b'{"steps":[{"note":"\\ud800","price":1}],"v":1}',
        b'{"steps":[{"note":"\xed\xa0\x80","price":1}],"v":1}',
        b'{"steps":[],"v":' + b"1" * 5_000 + b"}",
        b'{"steps":' + b"[" * 50_000 + b',"v":1}',
        b'{"steps":[],"v":1,"' + b"x" * 5_000 + b'":1}',
    ],
)
def test_payload_that_cannot_be_read_is_refused_in_few_words(payload: bytes) -> None:
    with pytest.raises(TokenRefused) as refused:
        decode_payload(payload, SHEETS)

    assert refused.value.code == "TOKEN_PAYLOAD"
    assert len(refused.value.sentence) < 300


@pytest.mark.parametrize("payload", [b"[" * 50_000, b'{"a":' * 50_000])
def test_deep_payload_of_any_type_is_refused(payload: bytes) -> None:
    with pytest.raises(TokenRefused, match="TOKEN_PAYLOAD"):
        decode_payload(payload, ANY)


def test_deep_payload_that_is_whole_is_refused_or_read_whole() -> None:
    # How deep JSON of no type may go is up to the interpreter; no payload of ours is recursive.
    payload = b"[" * 9_000 + b"]" * 9_000

    try:
        value = decode_payload(payload, ANY)
    except TokenRefused:
        return
    assert encode(value) == payload


@given(st.binary(max_size=80))
def test_arbitrary_payload_is_its_own_canonical_form_or_refused(payload: bytes) -> None:
    try:
        value = decode_payload(payload, ANY)
    except TokenRefused:
        return
    assert encode(value) == payload


def joserfc_key(key: PrivateKey) -> ECKey | OKPKey:
    kind = OKPKey if key.public.algorithm == "Ed25519" else ECKey
    return kind.import_key(key.to_pkcs8())


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # the library would rather say Ed25519
def test_a_second_library_verifies_our_tokens(key: PrivateKey) -> None:
    header = good_header(key)

    found = joserfc_jws.deserialize_compact(
        sign_compact(key, TYP, PAYLOAD), joserfc_key(key), algorithms=[header["alg"]]
    )

    assert (found.payload, found.protected) == (PAYLOAD, header)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # the library would rather say Ed25519
def test_tokens_of_a_second_library_with_our_header_are_read(key: PrivateKey) -> None:
    """It writes header members as they come and does not look for the smaller s."""
    header = good_header(key)
    outcomes: set[str | None] = set()
    for index in range(40):
        payload = b"%d" % index
        token = joserfc_jws.serialize_compact(
            header, payload, joserfc_key(key), algorithms=[header["alg"]]
        )
        signature = from_base64url(token.rpartition(".")[2])
        high = key.public.algorithm == "P-256" and (
            int.from_bytes(signature[32:], "big") > P256_ORDER // 2
        )
        assert refusal(token) == ("TOKEN_SIGNATURE_HIGH_S" if high else None)
        outcomes.add(refusal(token))

    assert None in outcomes
