"""Keys: which are taken, which signatures hold; third-party edge cases, each with our outcome.

The small-order test is checked against slow, obvious curve arithmetic: affine points, the addition
law of RFC 8032 section 5.1.4 and a square root.
"""

from __future__ import annotations

import json
import pickle
from hashlib import sha512
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from identity.errors import KeyRefused
from identity.keys import (
    ED25519_FIELD,
    P256_FIELD,
    P256_ORDER,
    PrivateKey,
    PublicKey,
    SignatureCheck,
    verify,
    verify_many,
)

P = ED25519_FIELD
D = -121665 * pow(121666, P - 2, P) % P
L = 2**252 + 27742317777372353535851937790883648493
Point = tuple[int, int]


def add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P) % P


def times(factor: int, point: Point) -> Point:
    total = (0, 1)
    while factor:
        if factor & 1:
            total = add(total, point)
        point = add(point, point)
        factor >>= 1
    return total


def roots(square: int) -> set[int]:
    root = pow(square, (P + 3) // 8, P)
    found = {root, root * pow(2, (P - 1) // 4, P) % P}
    return {sign * each % P for each in found if each * each % P == square for sign in (1, -1)}


def decode(raw: bytes) -> Point | None:
    """RFC 8032 section 5.1.3, step by step."""
    number = int.from_bytes(raw, "little")
    y, parity = number % 2**255, number >> 255
    if y >= P:
        return None
    for x in roots((y * y - 1) * pow(D * y * y + 1, P - 2, P) % P):
        if x % 2 == parity:
            return x, y
    return None


def encode_point(y: int, parity: int) -> bytes:
    return (y + (parity << 255)).to_bytes(32, "little")


def torsion() -> list[Point]:
    """The eight points of small order: the multiples of one of order 8, got as [L] of any point."""
    for y in range(2, 100):
        point = decode(encode_point(y, 0))
        if point is None:
            continue
        eighth = times(L, point)
        if times(4, eighth) != (0, 1):
            return [times(factor, eighth) for factor in range(8)]
    raise AssertionError("no point of order 8 below y = 100")


SMALL_ORDER = torsion()
BASE = next(
    point
    for parity in (0, 1)
    if (point := decode(encode_point(4 * pow(5, P - 2, P) % P, parity))) and point[0] % 2 == 0
)  # RFC 8032 section 5.1: y = 4/5, x even


def code_of(algorithm: str, raw: bytes) -> str:
    try:
        PublicKey.load(algorithm, raw)
    except KeyRefused as refused:
        return refused.code
    return "taken"


def test_there_are_eight_points_of_small_order() -> None:
    assert len(set(SMALL_ORDER)) == 8
    assert all(times(8, point) == (0, 1) for point in SMALL_ORDER)


@pytest.mark.parametrize(("x", "y"), SMALL_ORDER)
def test_points_of_small_order_are_refused(x: int, y: int) -> None:
    assert code_of("Ed25519", encode_point(y, x % 2)) == "KEY_SMALL_ORDER"


def test_other_encodings_of_points_of_small_order_are_refused() -> None:
    """Sign bit set where x is 0; y written as y + p where that fits into 255 bits."""
    zero_x = [encode_point(y, 1) for x, y in SMALL_ORDER if x == 0]
    raised = [
        encode_point(y + P, parity) for _, y in SMALL_ORDER if y + P < 2**255 for parity in (0, 1)
    ]

    assert len(set(zero_x)) == 2
    assert len(set(raised)) == 4  # y = 0 and y = 1, each with both signs
    assert {code_of("Ed25519", raw) for raw in zero_x + raised} == {"KEY_ENCODING"}


def test_all_nineteen_values_of_y_beyond_the_field_are_refused() -> None:
    raws = [encode_point(y, parity) for y in range(P, 2**255) for parity in (0, 1)]

    assert {code_of("Ed25519", raw) for raw in raws} == {"KEY_ENCODING"}


def expected_ed25519(raw: bytes) -> str:
    point = decode(raw)
    if point is None:
        y = int.from_bytes(raw, "little") % 2**255
        return "KEY_ENCODING" if y >= P or y in {1, P - 1} else "KEY_OFF_CURVE"
    return "KEY_SMALL_ORDER" if times(8, point) == (0, 1) else "taken"


@given(st.binary(min_size=32, max_size=32))
def test_arbitrary_bytes_are_judged_as_by_slow_arithmetic(raw: bytes) -> None:
    assert code_of("Ed25519", raw) == expected_ed25519(raw)


def test_small_values_of_y_are_judged_as_by_slow_arithmetic() -> None:
    for y in (*range(60), *range(P - 60, P)):
        for parity in (0, 1):
            raw = encode_point(y, parity)
            assert code_of("Ed25519", raw) == expected_ed25519(raw)


def test_key_of_mixed_order_is_taken() -> None:
    base = decode(PrivateKey.from_seed(bytes(32)).public.raw)
    assert base is not None

    for small in SMALL_ORDER:
        x, y = add(base, small)
        assert code_of("Ed25519", encode_point(y, x % 2)) == "taken"


@pytest.mark.parametrize(
    ("algorithm", "raw", "code"),
    [
        ("Ed25519", b"", "KEY_LENGTH"),
        ("Ed25519", bytes(31), "KEY_LENGTH"),
        ("Ed25519", bytes(33), "KEY_LENGTH"),
        ("P-256", bytes(32), "KEY_LENGTH"),
        ("P-256", bytes(65), "KEY_LENGTH"),
        ("P-256", bytes(33), "KEY_ENCODING"),  # the point at infinity has no compressed form
        ("P-256", b"\x04" + b"\x01" * 32, "KEY_ENCODING"),
        ("P-256", b"\x02" + P256_FIELD.to_bytes(32, "big"), "KEY_ENCODING"),
        ("P-256", b"\x03" + (P256_FIELD + 5).to_bytes(32, "big"), "KEY_ENCODING"),
        ("P-256", b"\x02" + (5).to_bytes(32, "big"), "taken"),
        ("P-256", b"\x02" + (1).to_bytes(32, "big"), "KEY_OFF_CURVE"),
        ("P-384", bytes(49), "KEY_ALGORITHM"),
        ("ed25519", bytes(32), "KEY_ALGORITHM"),
        ("", b"", "KEY_ALGORITHM"),
    ],
)
def test_keys_of_strangers_are_taken_or_refused_by_name(
    algorithm: str, raw: bytes, code: str
) -> None:
    assert code_of(algorithm, raw) == code


def test_public_key_cannot_be_made_without_the_checks() -> None:
    with pytest.raises(KeyRefused, match="KEY_SMALL_ORDER"):
        PublicKey("Ed25519", encode_point(1, 0))


def test_what_is_signed_verifies_and_nothing_else_does(key: PrivateKey) -> None:
    signature = key.sign(b"sheet")
    good = SignatureCheck(key.public.algorithm, key.public.raw, b"sheet", signature)
    other = PrivateKey.generate(key.public.algorithm).public.raw

    checks = [
        good,
        good._replace(message=b"sheeT"),
        good._replace(key=other),
        good._replace(signature=signature[:-1]),
        good._replace(signature=signature + b"\0"),
        good._replace(signature=bytes(64)),
    ]

    assert verify_many(checks) == [True, False, False, False, False, False]
    assert verify_many([]) == []


def test_no_flipped_bit_of_a_signature_verifies(key: PrivateKey) -> None:
    signature = key.sign(b"sheet")
    good = SignatureCheck(key.public.algorithm, key.public.raw, b"sheet", signature)

    for bit in range(512):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not verify(good._replace(signature=bytes(flipped)))


@given(
    st.sampled_from(["Ed25519", "P-256", "none", ""]),
    st.binary(max_size=70) | st.binary(min_size=32, max_size=33),
    st.binary(max_size=70),
    st.binary(max_size=70) | st.binary(min_size=64, max_size=64),
)
def test_garbage_never_verifies_and_never_raises(
    algorithm: str, raw: bytes, message: bytes, signature: bytes
) -> None:
    assert verify(SignatureCheck(algorithm, raw, message, signature)) is False


def test_checks_and_public_keys_travel_between_processes(key: PrivateKey) -> None:
    check = SignatureCheck(key.public.algorithm, key.public.raw, b"m", key.sign(b"m"))

    assert verify(pickle.loads(pickle.dumps(check)))  # noqa: S301 our own bytes
    assert pickle.loads(pickle.dumps(key.public)) == key.public  # noqa: S301 our own bytes


def test_same_seed_gives_the_same_ed25519_key_and_signature() -> None:
    """RFC 8032 section 7.1, test 2."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    raw = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )

    key = PrivateKey.from_seed(seed)

    assert key.public == PublicKey("Ed25519", raw)
    assert key.sign(b"\x72") == signature


@pytest.mark.parametrize("count", [0, 31, 33, 64])
def test_seed_of_another_length_is_refused(count: int) -> None:
    with pytest.raises(KeyRefused, match="KEY_LENGTH"):
        PrivateKey.from_seed(bytes(count))


def test_p256_signs_with_the_smaller_s_and_the_larger_verifies_as_the_standard_says(
    p256: PrivateKey,
) -> None:
    for index in range(32):
        message = bytes([index])
        signature = p256.sign(message)
        s = int.from_bytes(signature[32:], "big")
        larger = signature[:32] + (P256_ORDER - s).to_bytes(32, "big")
        check = SignatureCheck("P-256", p256.public.raw, message, larger)

        assert s <= P256_ORDER // 2
        assert verify(check)
        assert verify(check._replace(signature=signature))


def test_private_key_survives_its_plain_pkcs8_and_hides_in_text(key: PrivateKey) -> None:
    again = PrivateKey.from_pkcs8(key.to_pkcs8())

    assert again.public == key.public
    assert verify(SignatureCheck(key.public.algorithm, key.public.raw, b"m", again.sign(b"m")))
    assert repr(key) == f"<private key of {key.public!r}>"


class Case(NamedTuple):
    """A case of ed25519-speccheck: the verdict of each library alone, and ours on the key."""

    openssl: str
    libsodium: str
    key: str
    why: str

    @property
    def holds(self) -> bool:
        return self.libsodium == "holds" and self.key == "taken"


# Numbered as in the paper's table 5. A: public key, R: first half of the signature, S: second.
SPECCHECK = [
    Case("holds", "fails", "KEY_SMALL_ORDER", "A and R small, S = 0: holds for every message"),
    Case("holds", "fails", "KEY_SMALL_ORDER", "A small, R mixed"),
    Case("holds", "fails", "taken", "A mixed, R small"),
    Case("holds", "holds", "taken", "A and R mixed, both equations hold"),
    Case("fails", "fails", "taken", "holds with the cofactor only"),
    Case(
        "fails", "fails", "taken", "holds with the cofactor only, reduced after multiplying by it"
    ),
    Case("fails", "fails", "taken", "S beyond the order"),
    Case("fails", "fails", "taken", "S far beyond the order"),
    Case("fails", "fails", "taken", "R not canonical, hashed as reduced"),
    Case("fails", "fails", "taken", "R not canonical, hashed as written"),
    Case("fails", "fails", "KEY_ENCODING", "A not canonical, hashed as reduced"),
    Case("holds", "fails", "KEY_ENCODING", "A not canonical, hashed as written"),
]


def openssl_says(raw: bytes, message: bytes, signature: bytes) -> str:
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except InvalidSignature:
        return "fails"
    return "holds"


def libsodium_says(raw: bytes, message: bytes, signature: bytes) -> str:
    try:
        crypto_sign_open(signature + message, raw)
    except BadSignatureError:
        return "fails"
    return "holds"


@pytest.mark.parametrize(("number", "case"), list(enumerate(SPECCHECK)), ids=range(len(SPECCHECK)))
def test_edge_cases_of_ed25519_have_the_outcome_of_their_row(
    vectors: Path, number: int, case: Case
) -> None:
    given_ = json.loads((vectors / "ed25519-speccheck" / "cases.json").read_bytes())[number]
    raw, message, signature = (
        bytes.fromhex(given_[name]) for name in ("pub_key", "message", "signature")
    )

    assert openssl_says(raw, message, signature) == case.openssl
    assert libsodium_says(raw, message, signature) == case.libsodium
    assert code_of("Ed25519", raw) == case.key
    assert verify(SignatureCheck("Ed25519", raw, message, signature)) == case.holds


def test_every_edge_case_has_a_row(vectors: Path) -> None:
    cases = json.loads((vectors / "ed25519-speccheck" / "cases.json").read_bytes())

    assert len(cases) == len(SPECCHECK)


def encoded(point: Point) -> bytes:
    return encode_point(point[1], point[0] % 2)


@pytest.mark.parametrize("nonce", [0, 77])
def test_signatures_with_parts_of_small_order_hold_as_by_slow_arithmetic(nonce: int) -> None:
    """RFC 8032 section 5.1.7 without the cofactor: [S]B = R + [h mod L]A, and R not of small order.

    A and R are given each of the eight parts of small order, which only the holder of the key can do.
    OpenSSL says the same wherever R is not of small order, so members may change the library.
    """
    secret = int.from_bytes(sha512(b"a holder").digest(), "little") % L
    public, nonce_point = times(secret, BASE), times(nonce, BASE)
    seen: set[tuple[bool, bool, str]] = set()
    for small_key in SMALL_ORDER:
        for small_nonce in SMALL_ORDER:
            raw, r = encoded(add(public, small_key)), encoded(add(nonce_point, small_nonce))
            for number in range(8):
                message = bytes([number])
                h = int.from_bytes(sha512(r + raw + message).digest(), "little") % L
                s = (nonce + h * secret) % L
                signature = r + s.to_bytes(32, "little")
                equal = add(small_nonce, times(h % 8, small_key)) == (0, 1)
                holds = equal and nonce != 0
                assert verify(SignatureCheck("Ed25519", raw, message, signature)) == holds
                openssl = openssl_says(raw, message, signature)
                assert openssl == ("holds" if equal else "fails")
                seen.add((equal, holds, openssl))
    assert seen == {(True, nonce != 0, "holds"), (False, False, "fails")}


def test_wycheproof_ed25519_signatures_hold_exactly_where_it_says(vectors: Path) -> None:
    whole = json.loads((vectors / "wycheproof" / "ed25519_test.json").read_bytes())
    count = 0
    for group in whole["testGroups"]:
        raw = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            check = SignatureCheck("Ed25519", raw, message, signature)
            assert verify(check) == (case["result"] == "valid"), case
            count += 1

    assert count == whole["numberOfTests"] > 100


def test_wycheproof_p256_signatures_hold_exactly_where_it_says(vectors: Path) -> None:
    name = "ecdsa_secp256r1_sha256_p1363_test.json"
    whole = json.loads((vectors / "wycheproof" / name).read_bytes())
    count = 0
    for group in whole["testGroups"]:
        x = int(group["publicKey"]["wx"], 16)
        y = int(group["publicKey"]["wy"], 16)
        raw = bytes([2 + y % 2]) + x.to_bytes(32, "big")
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            assert verify(SignatureCheck("P-256", raw, message, signature)) == (
                case["result"] == "valid"
            ), case
            count += 1

    assert count == whole["numberOfTests"] > 200
