"""`commonwatt wallet` through its command line, and what it signs through the strict reader."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from chaincode.area.intents import JOIN_TYP, Join
from chaincode.orders.sheets import SHEET_TYP, Sheet
from commonwatt.cli import app
from commonwatt.commands.wallet import VARIABLE, WalletView
from identity.jws import decode_payload, verify_compact

SHEET = (
    b'{"zone": "z", "v": 1, "meter": "m", "contract": "commonwatt", "channel": "c", "area": "a",'
    b' "orders": [{"id": "o", "side": "buy", "slot": 900, "steps": [[100, 5]]}]}'
)


@pytest.fixture
def wallet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wallet made by the command, its passphrase in the environment."""
    monkeypatch.setenv(VARIABLE, "correct horse")
    path = tmp_path / "home.wallet"
    made = CliRunner().invoke(app, ["wallet", "create", str(path), "--label", "home"])
    assert made.exit_code == 0, made.output
    return path


def shown(path: Path) -> WalletView:
    """The wallet as `show --json` prints it."""
    result = CliRunner().invoke(app, ["wallet", "show", str(path), "--json"])
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout, type=WalletView)


def test_signed_sheet_is_canonical_and_by_the_current_key(wallet: Path) -> None:
    result = CliRunner().invoke(
        app, ["wallet", "sign", str(wallet), "--kind", "sheet"], input=SHEET
    )

    compact = verify_compact(result.stdout.strip(), typ=SHEET_TYP, bytes_max=8192)
    assert compact.did == shown(wallet).current
    sheet = decode_payload(compact.payload, msgspec.json.Decoder(Sheet))
    assert sheet.orders[0].steps == [(100, 5)]


@pytest.mark.parametrize(
    ("options", "written", "until_s"),
    [
        ((), b"", 600),
        (("--gate-lead", "60"), b"", 840),
        ((), b', "valid_until_s": 70', 70),
    ],
)
def test_sheet_is_valid_until_the_gate_of_its_last_slot_unless_it_says_otherwise(
    wallet: Path, options: tuple[str, ...], written: bytes, until_s: int
) -> None:
    result = CliRunner().invoke(
        app,
        ["wallet", "sign", str(wallet), "--kind", "sheet", *options],
        input=SHEET[:-1] + written + b"}",
    )

    compact = verify_compact(result.stdout.strip(), typ=SHEET_TYP, bytes_max=8192)
    sheet = decode_payload(compact.payload, msgspec.json.Decoder(Sheet))
    assert sheet.valid_until_s == until_s


def test_join_that_names_no_end_is_valid_for_a_day(wallet: Path) -> None:
    join = b'{"area": "a", "channel": "c", "contract": "commonwatt", "number": 1, "retailer": "R", "v": 1}'
    result = CliRunner().invoke(app, ["wallet", "sign", str(wallet), "--kind", "join"], input=join)

    compact = verify_compact(result.stdout.strip(), typ=JOIN_TYP, bytes_max=8192)
    signed = decode_payload(compact.payload, msgspec.json.Decoder(Join))
    assert signed.valid_until_s > 86_400


def test_payload_of_another_kind_is_refused_with_its_field(wallet: Path) -> None:
    result = CliRunner().invoke(
        app, ["wallet", "sign", str(wallet), "--kind", "cancel"], input=SHEET
    )

    assert result.exit_code == 2
    assert result.stderr.startswith("The payload is not a valid cancel: ")
    assert result.stdout == ""


def test_rotate_puts_a_new_key_beside_the_old_one(wallet: Path) -> None:
    before = shown(wallet)

    result = CliRunner().invoke(app, ["wallet", "rotate", str(wallet), "--label", "July"])

    after = shown(wallet)
    assert result.exit_code == 0
    assert after.current != before.current
    assert [key["did"] for key in after.keys] == [after.current, before.current]
    earlier = CliRunner().invoke(
        app,
        ["wallet", "sign", str(wallet), "--kind", "sheet", "--did", before.current],
        input=SHEET,
    )
    assert verify_compact(earlier.stdout.strip(), typ=SHEET_TYP, bytes_max=8192).did == (
        before.current
    )


def test_existing_wallet_is_never_written_over(wallet: Path) -> None:
    content = wallet.read_bytes()

    result = CliRunner().invoke(app, ["wallet", "create", str(wallet)])

    assert result.exit_code == 2
    assert "WALLET_EXISTS" in result.stderr
    assert wallet.read_bytes() == content


def test_wrong_passphrase_ends_with_a_sentence(
    wallet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "battery staple")

    result = CliRunner().invoke(app, ["wallet", "show", str(wallet)])

    assert result.exit_code == 2
    assert "WALLET_LOCKED" in result.stderr


def test_passphrase_file_comes_before_the_environment(wallet: Path, tmp_path: Path) -> None:
    other = tmp_path / "passphrase"
    other.write_text("battery staple\n", encoding="utf-8")

    result = CliRunner().invoke(
        app, ["wallet", "show", str(wallet), "--passphrase-file", str(other)]
    )

    assert result.exit_code == 2
    assert "WALLET_LOCKED" in result.stderr
