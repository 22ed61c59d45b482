"""`commonwatt wallet`: make, show, use and rotate the keys of a wallet file.

The passphrase comes from `--passphrase-file`, else from the environment variable
COMMONWATT_PASSPHRASE; else the command asks for it. No option takes the passphrase itself, because
other users of the machine can read command lines.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from commonwatt.command_line import Json, command_group, ended
from identity.canonical import encode
from identity.errors import IdentityError
from identity.jws import sign_compact
from identity.keys import Algorithm, PrivateKey
from identity.wallet import Wallet

app = command_group("Make, show, use and rotate the keys of a wallet file.")

VARIABLE = "COMMONWATT_PASSPHRASE"

GATE_LEAD_S = 300  # as market rules have it unless they say otherwise

Kind = Literal["sheet", "amend", "cancel", "join", "hold", "payout", "dispute", "act"]
WalletPath = Annotated[Path, typer.Argument(help="The wallet file.", show_default=False)]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="Read the passphrase from the first line of this file.")
]
Label = Annotated[str, typer.Option(help="Your own name for the key, such as 'home 2026'.")]


class WalletView(msgspec.Struct, frozen=True):
    """What `--json` prints of a wallet: its DIDs, the current one first."""

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
    """Make a wallet with one new key; an existing file is never overwritten."""
    secret = _passphrase(passphrase_file, confirm=True)
    try:
        wallet = Wallet.create(path, secret, PrivateKey.generate(algorithm), label=label)
    except (IdentityError, OSError) as error:
        raise ended(error) from None
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
    kind: Annotated[Kind, typer.Option(help="The kind of payload.")],
    did: Annotated[
        str | None, typer.Option(help="Sign with the key of this DID instead of the current key.")
    ] = None,
    gate_lead: Annotated[
        int, typer.Option(min=0, help="How many seconds before a slot its gate closes.")
    ] = GATE_LEAD_S,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Sign a payload: JSON on standard input, the token on standard output.

    The payload is first checked and put into canonical form, so you sign exactly what the contract
    will read. A payload without valid_until_s gets one: orders are valid until the gate of their
    last slot, everything else for a day.
    """
    payloads = import_module("commonwatt.commands.wallet_payloads")
    typ = payloads.KINDS[kind][0]
    text = sys.stdin.buffer.read()
    wallet = _open(path, passphrase_file)
    try:
        payload = encode(payloads.read_payload(kind, text, gate_lead_s=gate_lead))
        key = wallet.current if did is None else wallet.key(did)
        typer.echo(sign_compact(key, typ, payload))
    except msgspec.DecodeError as error:
        raise ended(f"The payload is not a valid {kind}: {error}.") from None
    except IdentityError as error:
        raise ended(error) from None


@app.command(epilog="Example: `commonwatt wallet rotate home.wallet --label 'home, July'`")
def rotate(
    path: WalletPath,
    label: Label = "",
    passphrase_file: PassphraseFile = None,
    *,
    as_json: Json = False,
) -> None:
    """Add a new key to the wallet and make it the current one.

    Your retailer registers the new DID as a new participant; orders of the old DID still settle.
    """
    wallet = _open(path, passphrase_file)
    try:
        wallet.add(PrivateKey.generate(wallet.current.public.algorithm), label=label)
        wallet.save()
    except (IdentityError, OSError) as error:
        raise ended(error) from None
    _print(wallet, as_json=as_json)


def _open(path: Path, passphrase_file: Path | None) -> Wallet:
    secret = _passphrase(passphrase_file, confirm=False)
    try:
        return Wallet.open(path, secret)
    except (IdentityError, OSError) as error:
        raise ended(error) from None


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ended(error) from None
        return lines[0] if lines else ""
    variable = os.environ.get(VARIABLE)
    if variable is not None:
        return variable
    return typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)


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
    Console(emoji=False).print(table)  # rich would draw `:key:` in a DID as an emoji
