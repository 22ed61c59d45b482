"""Every refusal of identity: provoked here once, explained in the documentation, fit to travel."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from identity import errors
from identity.canonical import encode
from identity.did import base58_encode, did_key, resolve_did_key, verification_method
from identity.errors import IdentityError, RefusalRow
from identity.jws import decode_payload, sign_compact, verify_compact
from identity.keys import PrivateKey, PublicKey
from identity.pkcs8 import ROUNDS_MIN
from identity.wallet import KEYS_MAX, Wallet

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "identity.md"
TYP = "commonwatt-sheet+jws"
KEY = PrivateKey.from_seed(bytes(32))
P256 = PrivateKey.generate("P-256")
DID = did_key(KEY.public)
ROWS: dict[str, RefusalRow[Any]] = {
    name: row for name, row in vars(errors).items() if isinstance(row, RefusalRow)
}


def read(token: str) -> None:
    verify_compact(token, typ=TYP, bytes_max=8_192)


def with_header(**members: str) -> str:
    """An unsigned token; every fault of a header is found before the signature is looked at."""
    header = {"alg": "EdDSA", "kid": verification_method(DID), "typ": TYP, **members}
    _, payload, signature = sign_compact(KEY, TYP, b"{}").split(".")
    return f"{segment(encode(header))}.{payload}.{signature}"


def segment(content: bytes) -> str:
    return sign_compact(KEY, TYP, content).split(".")[1]


def high_s() -> str:
    message, _, _ = sign_compact(P256, TYP, b"{}").rpartition(".")
    signature = segment(b"\x01" * 32 + b"\xf0" * 32)
    return f"{message}.{signature}"


class Paths:
    """Wallet files of a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.wallet = folder / "wallet.json"
        self.other = folder / "other.json"

    def create(self, passphrase: str = "correct horse") -> Wallet:
        return Wallet.create(self.wallet, passphrase, KEY, rounds=ROUNDS_MIN)

    def add(self, label: str = "", key: PrivateKey = P256) -> None:
        self.create().add(key, label=label, rounds=ROUNDS_MIN)

    def twice(self) -> None:
        self.create()
        self.create()

    def damaged(self) -> None:
        self.wallet.write_text("{}")
        Wallet.open(self.wallet, "correct horse")

    def locked(self) -> None:
        self.create()
        Wallet.open(self.wallet, "wrong horses")

    def full(self) -> None:
        """Older keys are opened when asked for only, so copies of one under other DIDs fill it."""
        self.create()
        content = json.loads(self.wallet.read_bytes())
        for index in range(1, KEYS_MAX):
            public = PrivateKey.from_seed(index.to_bytes(32, "big")).public
            content["keys"].append({**content["keys"][0], "did": did_key(public)})
        self.wallet.write_text(json.dumps(content))
        Wallet.open(self.wallet, "correct horse").add(P256, rounds=ROUNDS_MIN)

    def changed(self) -> None:
        wallet = self.create()
        self.wallet.rename(self.other)
        wallet.save()


PROVOKED: dict[str, Callable[[Paths], object]] = {
    "KEY_ALGORITHM": lambda _: PublicKey.load("RSA", b""),
    "KEY_LENGTH": lambda _: PublicKey.load("Ed25519", b""),
    "KEY_ENCODING": lambda _: PublicKey.load("Ed25519", b"\xff" * 32),
    "KEY_OFF_CURVE": lambda _: PublicKey.load("Ed25519", b"\x02" + bytes(31)),
    "KEY_SMALL_ORDER": lambda _: PublicKey.load("Ed25519", bytes(32)),
    "KEY_ROUNDS": lambda _: KEY.to_pkcs8(b"correct horse", rounds=1),
    "KEY_UNREADABLE": lambda _: PrivateKey.from_pkcs8(b""),
    "DID_LENGTH": lambda _: resolve_did_key("did:key:z" + "1" * 248),
    "DID_METHOD": lambda _: resolve_did_key("did:web:example.org"),
    "DID_BASE58": lambda _: resolve_did_key("did:key:z0OIl"),
    "DID_CODEC": lambda _: resolve_did_key("did:key:z" + base58_encode(b"\xec\x01" + bytes(32))),
    "TOKEN_SIZE": lambda _: verify_compact("x" * 9, typ=TYP, bytes_max=8),
    "TOKEN_SEGMENTS": lambda _: read("a.b"),
    "TOKEN_TYP_FORM": lambda _: sign_compact(KEY, "A typ", b""),
    "TOKEN_HEADER_SIZE": lambda _: read(with_header(kid="k" * 999)),
    "TOKEN_BASE64": lambda _: read(f"{sign_compact(KEY, TYP, b'')}=="),
    "TOKEN_HEADER": lambda _: read(with_header(crit="b64")),
    "TOKEN_HEADER_NOT_CANONICAL": lambda _: read(
        f"{segment(encode({'alg': '', 'kid': '', 'typ': ''}) + b' ')}.."
    ),
    "TOKEN_TYP": lambda _: read(with_header(typ="jwt")),
    "TOKEN_KID": lambda _: read(with_header(kid=DID)),
    "TOKEN_ALG": lambda _: read(with_header(alg="none")),
    "TOKEN_SIGNATURE_LENGTH": lambda _: read(f"{with_header()}AAAA"),
    "TOKEN_SIGNATURE_HIGH_S": lambda _: read(high_s()),
    "TOKEN_SIGNATURE": lambda _: read(with_header(alg="Ed25519")),
    "TOKEN_PAYLOAD": lambda _: decode_payload(b"{", msgspec.json.Decoder()),
    "TOKEN_PAYLOAD_NOT_CANONICAL": lambda _: decode_payload(b"{ }", msgspec.json.Decoder()),
    "WALLET_PASSPHRASE": lambda paths: paths.create("short"),
    "WALLET_EXISTS": lambda paths: paths.twice(),
    "WALLET_MISSING": lambda paths: Wallet.open(paths.wallet, "correct horse"),
    "WALLET_DAMAGED": lambda paths: paths.damaged(),
    "WALLET_LOCKED": lambda paths: paths.locked(),
    "WALLET_DID_UNKNOWN": lambda paths: paths.create().key("did:key:z"),
    "WALLET_DID_TWICE": lambda paths: paths.add(key=KEY),
    "WALLET_LABEL": lambda paths: paths.add("x" * 101),
    "WALLET_FULL": lambda paths: paths.full(),
    "WALLET_CHANGED": lambda paths: paths.changed(),
}


def test_every_row_has_its_own_code_and_a_case_here() -> None:
    assert {name: row.code for name, row in ROWS.items()} == {name: name for name in ROWS}
    assert list(PROVOKED) == list(ROWS)


@pytest.mark.parametrize("code", PROVOKED)
def test_every_refusal_is_provoked_and_travels(tmp_path: Path, code: str) -> None:
    with pytest.raises(IdentityError) as refused:
        PROVOKED[code](Paths(tmp_path))

    error = refused.value
    assert (error.code, type(error)) == (code, ROWS[code].kind)
    assert error.sentence[-1] == "."
    assert "{" not in error.sentence
    assert str(error) == f"{code}: {error.sentence}"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 our own bytes
    assert (type(again), again.code, again.sentence) == (type(error), code, error.sentence)


def test_every_refusal_is_explained_in_the_documentation_in_order() -> None:
    _, _, section = PAGE.read_text("utf-8").partition("\n## What is refused\n")
    lines = section.partition("\n## ")[0].splitlines()

    explained = [line.split("`")[1] for line in lines if line.startswith("| `")]

    assert explained == list(ROWS)
