"""did:key: published pairs, one spelling per key, other kinds refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.did import (
    base58_decode,
    base58_encode,
    did_key,
    resolve_did_key,
    verification_method,
)
from identity.errors import DidRefused, IdentityError, KeyRefused
from identity.keys import PrivateKey, PublicKey

# Seed -> DID and (x, parity of y) -> DID from the test vectors of the did:key method.
ED25519_PAIRS = [
    (0, "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"),
    (1, "did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG"),
    (2, "did:key:z6MknGc3ocHs3zdPiJbnaaqDi58NGb4pk1Sp9WxWufuXSdxf"),
    (3, "did:key:z6MkvqoYXQfDDJRv8L4wKzxYeuKyVZBfi9Qo6Ro8MiLH3kDQ"),
    (5, "did:key:z6MkwYMhwTvsq376YBAcJHy3vyRWzBgn5vKfVqqDCgm7XVKU"),
]
P256_PAIRS = [
    (
        "038a0ac59a2d3086e8a12a78fd4773a6d52a0ca61ef6c1419e15a05bcc6dafce7b",
        "did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv",
    ),
    (
        "037f235830dd3defa722ef1aa249d6a0ddbba4f990b0817538933f573640653542",
        "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
    ),
    (
        "0230e4d86041888fcce87bc49a07f35e25612425a2545aafa08b649c981cfa8104",
        "did:key:zDnaeTiq1PdzvZXUaMdezchcMJQpBdH2VN4pgrrEhMCCbmwSb",
    ),
]
OTHER_KINDS = [
    ("did:key:z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9", "8124"),
    ("did:key:z82LkvCwHNreneWpsgPEbV3gu1C6NFJEBg4srfJ5gdxEsMGRJUz2sG9FE42shbn2xkZJh54", "8124"),
    (
        "did:key:z2J9gaYxrKVpdoG9A4gRnmpnRCcxU6agDtFVVBVdn1JedouoZN7SzcyREXXzWgt3gGiwpoHq7K68X4m32D8HgzG8wv3sY5j7",
        "8224",
    ),
    (
        "did:key:z2J9gcGdb2nEyMDmzQYv2QZQcM1vXktvy1Pw4MduSWxGabLZ9XESSWLQgbuPhwnXN7zP7HpTzWqrMTzaY5zWe6hpzJ2jnw4f",
        "8224",
    ),
    ("did:key:z6LShs9GGnqk85isEBzzshkuVWrVKsRp24GnDuHk8QWkARMW", "ec01"),
]
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@pytest.mark.parametrize(("seed", "did"), ED25519_PAIRS)
def test_published_ed25519_seeds_have_their_dids(seed: int, did: str) -> None:
    public = PrivateKey.from_seed(seed.to_bytes(32, "big")).public

    assert did_key(public) == did
    assert resolve_did_key(did) == public


@pytest.mark.parametrize(("point", "did"), P256_PAIRS)
def test_published_p256_points_have_their_dids(point: str, did: str) -> None:
    public = PublicKey.load("P-256", bytes.fromhex(point))

    assert did_key(public) == did
    assert resolve_did_key(did) == public


@pytest.mark.parametrize(("did", "kind"), OTHER_KINDS)
def test_published_dids_of_other_kinds_are_refused_by_their_kind(did: str, kind: str) -> None:
    with pytest.raises(DidRefused, match=f"0x{kind}") as refused:
        resolve_did_key(did)
    assert refused.value.code == "DID_CODEC"


@pytest.mark.parametrize(
    ("content", "text"),
    [  # draft-msporny-base58-03, section 5, and the empty string
        (b"", ""),
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (
            b"The quick brown fox jumps over the lazy dog.",
            "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
        ),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
    ],
)
def test_base58_of_published_samples(content: bytes, text: str) -> None:
    assert base58_encode(content) == text
    assert base58_decode(text) == content


@given(st.binary(max_size=60))
def test_bytes_survive_base58(content: bytes) -> None:
    assert base58_decode(base58_encode(content)) == content


@given(st.text(ALPHABET, max_size=60))
def test_every_base58_text_is_the_only_one_for_its_bytes(text: str) -> None:
    assert base58_encode(base58_decode(text)) == text


def test_one_replaced_letter_names_another_key_or_none(key: PrivateKey) -> None:
    did = did_key(key.public)

    for place in range(len(did)):
        for letter in f"{ALPHABET}0OIl :#/é":
            changed = did[:place] + letter + did[place + 1 :]
            try:
                public = resolve_did_key(changed)
            except IdentityError:
                continue
            assert did_key(public) == changed
            assert (public == key.public) == (changed == did)


@given(st.text(max_size=80) | st.text(ALPHABET, max_size=60).map(lambda text: f"did:key:z{text}"))
def test_arbitrary_text_resolves_only_to_a_key_that_it_spells(text: str) -> None:
    try:
        public = resolve_did_key(text)
    except IdentityError:
        return
    assert did_key(public) == text


@pytest.mark.parametrize(
    "spelling",
    [
        "did:key:z{key} ",
        " did:key:z{key}",
        "did:key:z{key}\n",
        "DID:KEY:z{key}",
        "did:key:Z{key}",
        "did:key:z1{key}",
        "did:key:z{key}1",
        "did:key:u{key}",
        "did:web:z{key}",
        "did:key:z{key}#z{key}",
        "did:key:z{key}?versionId=1",
        "did:key:z",
        "",
    ],
)
def test_other_spellings_of_a_did_are_refused(key: PrivateKey, spelling: str) -> None:
    letters = did_key(key.public).removeprefix("did:key:z")

    with pytest.raises(DidRefused):
        resolve_did_key(spelling.format(key=letters))


def test_did_of_a_bad_key_is_refused_with_the_fault_of_the_key() -> None:
    small_order = b"\xed\x01" + b"\x01" + bytes(31)

    with pytest.raises(KeyRefused, match="KEY_SMALL_ORDER"):
        resolve_did_key(f"did:key:z{base58_encode(small_order)}")


def test_verification_method_repeats_the_key_as_fragment(key: PrivateKey) -> None:
    did = did_key(key.public)

    assert verification_method(did) == f"{did}#{did.removeprefix('did:key:')}"
    with pytest.raises(DidRefused):
        verification_method("did:web:example.org")
