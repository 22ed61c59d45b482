"""Wallet files: written whole or not at all, opened by their passphrase and by nothing else."""

from __future__ import annotations

import base64
import fcntl
import json
import resource
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from identity.did import did_key
from identity.errors import KeyRefused, WalletRefused
from identity.keys import PrivateKey, SignatureCheck, verify
from identity.pkcs8 import ROUNDS, ROUNDS_MAX, ROUNDS_MIN
from identity.wallet import FILE_BYTES_MAX, Wallet

PASSPHRASE = "correct horse"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet.json"


def create(path: Path, key: PrivateKey, *, label: str = "first") -> Wallet:
    return Wallet.create(path, PASSPHRASE, key, label=label, rounds=ROUNDS_MIN)


def refusal(path: Path, passphrase: str = PASSPHRASE) -> str | None:
    try:
        Wallet.open(path, passphrase)
    except WalletRefused as refused:
        return refused.code
    return None


def test_wallet_opens_with_the_key_that_was_put_in(path: Path, key: PrivateKey) -> None:
    create(path, key)

    wallet = Wallet.open(path, PASSPHRASE)

    assert wallet.listed == ((did_key(key.public), "first"),)
    assert wallet.current.public == key.public
    signature = wallet.current.sign(b"m")
    assert verify(SignatureCheck(key.public.algorithm, key.public.raw, b"m", signature))


def test_added_key_is_current_and_older_keys_stay(
    path: Path, ed25519: PrivateKey, p256: PrivateKey
) -> None:
    wallet = create(path, ed25519)
    third = PrivateKey.generate()

    assert wallet.add(p256, label="july", rounds=ROUNDS_MIN) == did_key(p256.public)
    wallet.save()
    again = Wallet.open(path, PASSPHRASE)
    again.add(third, rounds=ROUNDS_MIN)
    again.save()

    last = Wallet.open(path, PASSPHRASE)
    assert [entry.label for entry in last.listed] == ["", "july", "first"]
    assert last.current.public == third.public
    for key in (third, p256, ed25519):
        assert last.key(did_key(key.public)).public == key.public


def test_key_that_is_added_and_not_saved_is_not_in_the_file(
    path: Path, ed25519: PrivateKey
) -> None:
    create(path, ed25519).add(PrivateKey.generate(), rounds=ROUNDS_MIN)

    assert len(Wallet.open(path, PASSPHRASE).listed) == 1


def test_file_is_versioned_json_for_its_owner_alone(path: Path, ed25519: PrivateKey) -> None:
    wallet = create(path, ed25519)
    wallet.add(PrivateKey.generate(), rounds=ROUNDS_MIN)
    wallet.save()

    content = json.loads(path.read_bytes())
    assert content["version"] == 1
    assert [set(entry) for entry in content["keys"]] == [{"did", "label", "pkcs8"}] * 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_production_price_of_a_passphrase_is_the_default(ed25519: PrivateKey) -> None:
    pem = ed25519.to_pkcs8(b"correct horse")

    assert ROUNDS == 600_000
    assert PrivateKey.from_pkcs8(pem, b"correct horse").public == ed25519.public


def test_same_key_under_the_same_passphrase_is_never_the_same_text(ed25519: PrivateKey) -> None:
    one, other = (ed25519.to_pkcs8(b"correct horse", rounds=ROUNDS_MIN) for _ in range(2))

    assert one.splitlines()[1:] != other.splitlines()[1:]


@pytest.mark.parametrize("rounds", [ROUNDS_MIN, 2**15 - 1, 2**15, 100_000])
def test_openssl_opens_the_keys(tmp_path: Path, key: PrivateKey, rounds: int) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command is not on this machine; it is the second reader here")
    sealed = tmp_path / "key.pem"
    sealed.write_bytes(key.to_pkcs8(PASSPHRASE.encode(), rounds=rounds))

    def run(*arguments: str) -> bytes:
        command = [openssl, *arguments, "-in", str(sealed)]
        return subprocess.run(command, check=True, capture_output=True).stdout

    assert run("pkcs8", "-passin", f"pass:{PASSPHRASE}") == key.to_pkcs8()
    shown = run("asn1parse").decode()
    for word in (
        "PBES2",
        "PBKDF2",
        "hmacWithSHA256",
        "aes-256-cbc",
        f":{rounds.to_bytes(2 + rounds // 2**16).hex().upper()}",
    ):
        assert word in shown


def test_keys_that_openssl_sealed_are_opened(tmp_path: Path, key: PrivateKey) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command is not on this machine; it is the second writer here")
    plain = tmp_path / "key.pem"
    plain.write_bytes(key.to_pkcs8())
    command = [openssl, "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256"]
    command += ["-iter", "20000", "-passout", f"pass:{PASSPHRASE}", "-in", str(plain)]

    sealed = subprocess.run(command, check=True, capture_output=True).stdout

    assert PrivateKey.from_pkcs8(sealed, PASSPHRASE.encode()).public == key.public


@pytest.mark.parametrize("rounds", [-1, 0, 1, ROUNDS_MIN - 1, ROUNDS_MAX + 1])
def test_too_few_or_too_many_rounds_are_refused(
    path: Path, ed25519: PrivateKey, rounds: int
) -> None:
    with pytest.raises(KeyRefused, match="KEY_ROUNDS"):
        Wallet.create(path, PASSPHRASE, ed25519, rounds=rounds)

    assert not path.exists()


def test_wrong_passphrase_is_refused(path: Path, key: PrivateKey) -> None:
    create(path, key)

    for wrong in ("correct horsf", "Correct horse", "correct horse ", "x" * 200):
        assert refusal(path, wrong) == "WALLET_LOCKED"


@pytest.mark.parametrize("passphrase", ["", "1234567", "é" * 7, "x" * 201])
def test_passphrase_out_of_its_bounds_is_refused(
    path: Path, ed25519: PrivateKey, passphrase: str
) -> None:
    with pytest.raises(WalletRefused, match="WALLET_PASSPHRASE"):
        Wallet.create(path, passphrase, ed25519, rounds=ROUNDS_MIN)
    assert not path.exists()
    assert refusal(path, passphrase) == "WALLET_PASSPHRASE"


@pytest.mark.parametrize("passphrase", ["12345678", "\U0001f600" * 200, "pass\0word"])
def test_passphrase_at_its_bounds_opens(path: Path, ed25519: PrivateKey, passphrase: str) -> None:
    Wallet.create(path, passphrase, ed25519, rounds=ROUNDS_MIN)

    assert refusal(path, passphrase) is None


def test_accent_typed_in_two_ways_is_one_passphrase(path: Path, ed25519: PrivateKey) -> None:
    Wallet.create(path, "caf\u00e9 creme", ed25519, rounds=ROUNDS_MIN)

    assert refusal(path, "cafe\u0301 creme") is None


def test_existing_file_is_never_written_over_by_create(path: Path, ed25519: PrivateKey) -> None:
    path.write_text("a diary")

    with pytest.raises(WalletRefused, match="WALLET_EXISTS"):
        create(path, ed25519)

    assert path.read_text() == "a diary"
    assert list(path.parent.iterdir()) == [path]


def test_wallet_that_another_program_changed_is_not_written_over(
    path: Path, ed25519: PrivateKey
) -> None:
    create(path, ed25519)
    mine, theirs = Wallet.open(path, PASSPHRASE), Wallet.open(path, PASSPHRASE)
    theirs.add(PrivateKey.generate(), label="theirs", rounds=ROUNDS_MIN)
    theirs.save()
    mine.add(PrivateKey.generate(), label="mine", rounds=ROUNDS_MIN)

    with pytest.raises(WalletRefused, match="WALLET_CHANGED"):
        mine.save()

    assert Wallet.open(path, PASSPHRASE).listed == theirs.listed


def test_wallet_that_was_moved_or_is_being_written_is_not_written(
    path: Path, ed25519: PrivateKey
) -> None:
    wallet = create(path, ed25519)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(WalletRefused, match="WALLET_CHANGED"):
            wallet.save()
    wallet.save()
    path.rename(path.with_name("moved"))

    with pytest.raises(WalletRefused, match="WALLET_CHANGED"):
        wallet.save()

    assert not path.exists()


def test_write_that_fails_leaves_the_old_file_and_nothing_else(
    path: Path, ed25519: PrivateKey
) -> None:
    """The limit on a file's size stands in for a full disk: the new file breaks off in the middle."""
    wallet = create(path, ed25519)
    before = path.read_bytes()
    wallet.add(PrivateKey.generate(), rounds=ROUNDS_MIN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            wallet.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    wallet.save()
    assert len(Wallet.open(path, PASSPHRASE).listed) == 2


def test_missing_file_is_refused_by_name(path: Path) -> None:
    assert refusal(path) == "WALLET_MISSING"


def test_any_changed_byte_is_refused_or_changes_neither_key_nor_did(
    path: Path, ed25519: PrivateKey
) -> None:
    """One bit of every byte; only the label and unused bits of the PEM may change unseen."""
    create(path, ed25519)
    content = path.read_bytes()
    unseen = 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        code = refusal(path)
        assert code in {None, "WALLET_DAMAGED", "WALLET_LOCKED"}
        if code is None:
            wallet = Wallet.open(path, PASSPHRASE)
            assert wallet.listed[0].did == did_key(ed25519.public)
            assert wallet.current.public == ed25519.public
            unseen += 1

    assert unseen <= len("first") + 2


def test_file_cut_short_anywhere_is_refused(path: Path, ed25519: PrivateKey) -> None:
    create(path, ed25519)
    content = path.read_bytes()

    for size in range(len(content) - 2):
        path.write_bytes(content[:size])
        assert refusal(path) == "WALLET_DAMAGED"


def test_file_of_another_shape_is_refused(path: Path, ed25519: PrivateKey) -> None:
    create(path, ed25519)
    good = json.loads(path.read_bytes())
    entry = good["keys"][0]
    other_did = did_key(PrivateKey.generate().public)
    plain = {**entry, "pkcs8": ed25519.to_pkcs8().decode()}

    cases: list[tuple[str, object]] = [
        ("WALLET_DAMAGED", {**good, "version": 2}),
        ("WALLET_DAMAGED", {**good, "version": "1"}),
        ("WALLET_DAMAGED", {**good, "more": 1}),
        ("WALLET_DAMAGED", {"keys": good["keys"]}),
        ("WALLET_DAMAGED", {**good, "keys": []}),
        ("WALLET_DAMAGED", {**good, "keys": [entry, entry]}),
        ("WALLET_DAMAGED", {**good, "keys": [{**entry, "more": 1}]}),
        ("WALLET_DAMAGED", {**good, "keys": [{**entry, "did": "did:web:example.org"}]}),
        ("WALLET_DAMAGED", {**good, "keys": [{**entry, "did": other_did}]}),
        ("WALLET_LOCKED", {**good, "keys": [plain]}),
        ("WALLET_LOCKED", {**good, "keys": [{**entry, "pkcs8": ""}]}),
        ("WALLET_LOCKED", {**good, "keys": [{**entry, "pkcs8": "é\0"}]}),
        ("WALLET_DAMAGED", []),
    ]
    for code, content in cases:
        path.write_text(json.dumps(content))
        assert refusal(path) == code, content
    path.write_bytes(b" " * (FILE_BYTES_MAX + 1))
    assert refusal(path) == "WALLET_DAMAGED"


def test_damaged_older_key_is_found_when_it_is_asked_for(
    path: Path, ed25519: PrivateKey, p256: PrivateKey
) -> None:
    wallet = create(path, ed25519)
    wallet.add(p256, rounds=ROUNDS_MIN)
    wallet.save()
    content = json.loads(path.read_bytes())
    content["keys"][1]["pkcs8"] = content["keys"][0]["pkcs8"]
    path.write_text(json.dumps(content))

    damaged = Wallet.open(path, PASSPHRASE)

    assert damaged.current.public == p256.public
    with pytest.raises(WalletRefused, match="WALLET_DAMAGED"):
        damaged.key(did_key(ed25519.public))


def test_key_of_another_did_or_a_second_copy_is_refused(path: Path, ed25519: PrivateKey) -> None:
    wallet = create(path, ed25519)

    with pytest.raises(WalletRefused, match="WALLET_DID_UNKNOWN"):
        wallet.key("did:key:z")
    with pytest.raises(WalletRefused, match="WALLET_DID_TWICE"):
        wallet.add(ed25519, rounds=ROUNDS_MIN)
    with pytest.raises(WalletRefused, match="WALLET_LABEL"):
        wallet.add(PrivateKey.generate(), label="x" * 101, rounds=ROUNDS_MIN)


@pytest.mark.parametrize(
    "pem", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"]
)
def test_unreadable_private_key_is_refused(pem: bytes) -> None:
    with pytest.raises(KeyRefused, match="KEY_UNREADABLE"):
        PrivateKey.from_pkcs8(pem)


@pytest.mark.parametrize("count", [0, 1, 31, 33])
def test_frame_around_an_ed25519_seed_of_another_length_is_refused(count: int) -> None:
    """PKCS#8 (RFC 8410 section 7) that is right in all but the seed."""
    inner = bytes((4, count)) + bytes(count)
    head = bytes.fromhex("020100300506032b6570") + bytes((4, len(inner)))
    der = bytes((0x30, len(head) + len(inner))) + head + inner
    body = base64.b64encode(der).decode()
    pem = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"

    with pytest.raises(KeyRefused, match="KEY_UNREADABLE"):
        PrivateKey.from_pkcs8(pem.encode())


def test_private_key_needs_its_passphrase_and_no_other(ed25519: PrivateKey) -> None:
    sealed = ed25519.to_pkcs8(b"correct horse", rounds=ROUNDS_MIN)

    for pem, passphrase in ((sealed, None), (sealed, b"wrong"), (ed25519.to_pkcs8(), b"any")):
        with pytest.raises(KeyRefused, match="KEY_UNREADABLE"):
            PrivateKey.from_pkcs8(pem, passphrase)


def test_private_key_of_another_kind_is_refused() -> None:
    pem = Ed448PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )

    with pytest.raises(KeyRefused, match="KEY_ALGORITHM"):
        PrivateKey.from_pkcs8(pem)


def test_wallet_hides_its_secrets_in_text(path: Path, ed25519: PrivateKey) -> None:
    wallet = create(path, ed25519)

    assert repr(wallet) == f"<wallet {path} of 1 keys>"
