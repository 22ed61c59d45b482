"""Identities: signatures as Fabric takes them, pairs that belong together, files that change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ledger_network.fabric.gateway.signing import (
    P256_ORDER,
    BadIdentity,
    CannotSign,
    OfflineIdentity,
    SigningIdentity,
    low_s,
)
from tests.ledger_network.fabric.gateway.papers import Papers, issued, user_papers
from tests.ledger_network.fabric.gateway.scripted import check


def with_high_s(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, max(s, P256_ORDER - s))


def test_every_signature_is_low_s_and_holds() -> None:
    credential = SigningIdentity("NorthMSP", *user_papers()).current()

    for number in range(64):
        message = str(number).encode()
        assert check(credential.creator, message, credential.sign(message)) == "NorthMSP"


def test_low_s_turns_only_the_high_one() -> None:
    signature = SigningIdentity("NorthMSP", *user_papers()).current().sign(b"m")

    assert low_s(signature) == signature
    assert low_s(with_high_s(signature)) == signature
    with pytest.raises(BadIdentity, match="DER"):
        low_s(b"no signature")


def test_signature_made_elsewhere_is_checked_and_brought_to_low_s() -> None:
    signature = SigningIdentity("NorthMSP", *user_papers()).current().sign(b"m")
    offline = OfflineIdentity("NorthMSP", user_papers().certificate).current()

    assert offline.checked(b"m", with_high_s(signature)) == signature
    with pytest.raises(BadIdentity, match="does not hold"):
        offline.checked(b"other", signature)
    with pytest.raises(CannotSign, match="NorthMSP"):
        offline.sign(b"m")


def other_kinds() -> list[tuple[bytes, bytes]]:
    certificate, key = user_papers()
    p384 = ec.generate_private_key(ec.SECP384R1())
    edwards = Ed25519PrivateKey.generate()
    pem = [
        one.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for one in (p384, edwards)
    ]
    return [
        (certificate, pem[0]),
        (certificate, pem[1]),
        (certificate, b"no key"),
        (b"no certificate", key),
        (certificate, issued("other").key),
    ]


@pytest.mark.parametrize("number", range(5))
def test_pair_that_cannot_sign_for_the_channel_is_refused(number: int) -> None:
    with pytest.raises(BadIdentity):
        SigningIdentity("NorthMSP", *other_kinds()[number])


def place(folder: Path, papers: Papers, *, at: int) -> None:
    """An MSP folder with `papers` as cryptogen writes it; `at` is when, in seconds."""
    for name, pem in (("signcerts", papers.certificate), ("keystore", papers.key)):
        (folder / name).mkdir(exist_ok=True)
        file = folder / name / f"{at}.pem"
        file.write_bytes(pem)
        os.utime(file, (at, at))


def test_renewed_certificate_is_used_from_then_on(tmp_path: Path) -> None:
    first, second = issued("user"), issued("user")
    place(tmp_path, first, at=1)
    identity = SigningIdentity.from_msp("NorthMSP", tmp_path)
    before = identity.current()

    place(tmp_path, second, at=2)

    assert before.certificate == first.certificate
    assert identity.current().certificate == second.certificate
    assert check(before.creator, b"m", before.sign(b"m"))


def test_half_a_renewal_changes_nothing(tmp_path: Path) -> None:
    first, second = issued("user"), issued("user")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(first.certificate)
    key.write_bytes(first.key)
    identity = SigningIdentity.from_files("NorthMSP", certificate, key)

    certificate.write_bytes(second.certificate)
    half = identity.current()
    key.unlink()
    without = identity.current()
    key.write_bytes(second.key)

    assert half.certificate == without.certificate == first.certificate
    assert identity.current().certificate == second.certificate


def test_folder_without_a_pair_is_refused(tmp_path: Path) -> None:
    place(tmp_path, Papers(issued("a").certificate, issued("b").key), at=1)

    with pytest.raises(BadIdentity, match="no key fits"):
        SigningIdentity.from_msp("NorthMSP", tmp_path)
