"""`commonwatt network join`: founds the channel of a network of containers, in a container."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from commonwatt.command_line import FAILED, ended
from ledger_network.fabric.consortium.crypto import GenerationFailed
from ledger_network.fabric.consortium.definition import ConsortiumInvalid, read_consortium
from ledger_network.fabric.consortium.placement import NetworkFolder, Placement
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.operations.bootstrap import Bootstrap
from ledger_network.fabric.operations.joining import JoinFailed
from ledger_network.fabric.operations.material import Material
from ledger_network.fabric.runtime.probe import NotReady

WITHIN_S = 300
WITHIN_S_MAX = 86_400


def join(
    material: Annotated[
        Path, typer.Option(help="The folder with the administrators' keys and settings.")
    ],
    within: Annotated[
        int, typer.Option(min=1, max=WITHIN_S_MAX, help="How many seconds to wait for a node.")
    ] = WITHIN_S,
) -> None:
    """Wait for all nodes of a network of containers and found the channel.

    A service of the compose file runs this command. It may run again at any time: it skips what is
    done already. It ends when orders can be committed.
    """
    try:
        asyncio.run(_join(NetworkFolder(material.absolute()), within))
    except (ConsortiumInvalid, OSError) as error:
        raise ended(error) from None
    except (GatewayError, GenerationFailed, JoinFailed, NotReady) as error:
        raise ended(error, FAILED) from None


async def _join(folder: NetworkFolder, within_s: int) -> None:
    consortium = read_consortium(folder.consortium)
    placement = Placement("containers", folder, folder.root)
    bootstrap = Bootstrap(Material(consortium, placement), within_s=within_s, has_logs=False)
    await bootstrap.join(_tell)
    await bootstrap.agree(_tell)
    _tell(f"channel {consortium.channel} takes orders")


def _tell(what: str) -> None:
    typer.echo(what)
