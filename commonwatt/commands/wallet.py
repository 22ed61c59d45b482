"""`commonwatt wallet`: make, show, use and rotate the keys of a wallet file.

The passphrase comes from `--passphrase-file`, else from the environment variable
COMMONWATT_PASSPHRASE, else it is asked for; it never stands on the command line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from chaincode.consortium.acts import ACT_TYP, Act
from chaincode.orders.sheets import AMEND_TYP, CANCEL_TYP, SHEET_TYP, Amend, Cancel, Sheet
from chaincode.settlement.disputes import DISPUTE_TYP, DisputeAct
from identity.canonical import encode
from identity.errors import IdentityError
from identity.jws import sign_compact
from identity.keys import Algorithm, PrivateKey
from identity.wallet import Wallet

app = typer.Typer(
    help="Make, show, use and rotate the keys of a wallet file.", no_args_is_help=True
)

VARIABLE = "COMMONWATT_PASSPHRASE"

Kind = Literal["sheet", "amend", "cancel", "dispute", "act"]
KINDS: dict[str, tuple[str, type[msgspec.Struct]]] = {
    "sheet": (SHEET_TYP, Sheet),
    "amend": (AMEND_TYP, Amend),
    "cancel": (CANCEL_TYP, Cancel),
    "dispute": (DISPUTE_TYP, DisputeAct),
    "act": (ACT_TYP, Act),
}

WalletPath = Annotated[Path, typer.Argument(help="The wallet file.", show_default=False)]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="Read the passphrase from the first line of this file.")
]
Label = Annotated[str, typer.Option(help="Your own word for the key, such as 'home 2026'.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


class WalletView(msgspec.Struct, frozen=True):
    """A wallet as it is shown: its DIDs, the current one first."""

    path: str
    current: str
    keys: list[dict[str, str]]


@app.command(epilog="Example: `commonwatt wallet create home.wallet --label home`")
def create(
    path: WalletPath,
    label: Label = "",
    algorithm: Annotated[Algorithm, typer.Option(help="The kind of key.")] = "Ed25519",
    passphrase_file: PassphraseFile = None,
    *,
    as_json: Json = False,
) -> None:
    """Make a wallet with one new key; an existing file is never written over."""
    secret = _passphrase(passphrase_file, confirm=True)
    try:
        wallet = Wallet.create(path, secret, PrivateKey.generate(algorithm), label=label)
    except (IdentityError, OSError) as error:
        raise _refused(error) from None
    _print(wallet, as_json=as_json)


@app.command(epilog="Example: `commonwatt wallet show home.wallet --json`")
def show(
    path: WalletPath, passphrase_file: PassphraseFile = None, *, as_json: Json = False
) -> None:
    """List the DIDs of a wallet, the current one first; private keys are never shown."""
    _print(_open(path, passphrase_file), as_json=as_json)


@app.command(
    epilog="Example: `commonwatt wallet sign home.wallet --kind sheet < order.json > order.jws`"
)
def sign(
    path: WalletPath,
    kind: Annotated[Kind, typer.Option(help="What the payload is.")],
    did: Annotated[
        str | None, typer.Option(help="Sign with this key, not the current one.")
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Sign a payload: JSON on standard input, the token on standard output.

    The payload is checked and put into canonical form first, so that what is signed is what the
    contract will read.
    """
    typ, struct = KINDS[kind]
    text = sys.stdin.buffer.read()
    wallet = _open(path, passphrase_file)
    try:
        payload = encode(msgspec.json.decode(text, type=struct))
        key = wallet.current if did is None else wallet.key(did)
        typer.echo(sign_compact(key, typ, payload))
    except msgspec.DecodeError as error:
        sys.stderr.write(f"The payload is no {kind}: {error}\n")
        raise typer.Exit(2) from None
    except IdentityError as error:
        raise _refused(error) from None


@app.command(epilog="Example: `commonwatt wallet rotate home.wallet --label 'home, July'`")
def rotate(
    path: WalletPath,
    label: Label = "",
    passphrase_file: PassphraseFile = None,
    *,
    as_json: Json = False,
) -> None:
    """Put a new key beside the old ones and make it current.

    Your retailer registers the new DID as a new participant; orders of the old one still settle.
    """
    wallet = _open(path, passphrase_file)
    try:
        wallet.add(PrivateKey.generate(wallet.current.public.algorithm), label=label)
        wallet.save()
    except (IdentityError, OSError) as error:
        raise _refused(error) from None
    _print(wallet, as_json=as_json)


def _open(path: Path, passphrase_file: Path | None) -> Wallet:
    secret = _passphrase(passphrase_file, confirm=False)
    try:
        return Wallet.open(path, secret)
    except (IdentityError, OSError) as error:
        raise _refused(error) from None


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise _refused(error) from None
        return lines[0] if lines else ""
    variable = os.environ.get(VARIABLE)
    if variable is not None:
        return variable
    return typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)


def _refused(error: Exception) -> typer.Exit:
    sys.stderr.write(f"{error}\n")
    return typer.Exit(2)


def _print(wallet: Wallet, *, as_json: bool) -> None:
    keys = [{"did": listed.did, "label": listed.label} for listed in wallet.listed]
    view = WalletView(str(wallet.path), keys[0]["did"], keys)
    if as_json:
        typer.echo(msgspec.json.encode(view).decode())
        return
    table = Table(title=str(wallet.path))
    table.add_column("key")
    table.add_column("DID", overflow="fold")
    table.add_column("label")
    for number, key in enumerate(keys):
        table.add_row("current" if number == 0 else "earlier", key["did"], key["label"])
    Console(emoji=False).print(table)  # `:key:` in a DID is no emoji
