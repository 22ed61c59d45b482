"""`commonwatt network await`: wait until a network takes orders, then become another command.

Containers start in no particular order. A service that needs the ledger from its first moment waits
for it here, and says on standard error what it waits for, instead of ending and being restarted.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from commonwatt.command_line import FAILED, ended
from commonwatt.wiring.network_readiness import (
    WITHIN_S,
    ProfileUnreadable,
    read_profile,
    until_it_takes_orders,
)
from ledger_network.fabric.consortium.profile import Profile
from ledger_network.fabric.runtime.probe import NotReady, listens, until
from meter_oracle.peers.transport import split_address

WITHIN_S_MAX = 86_400


def await_network(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="The command to become.")
    ],
    *,
    profile: Annotated[
        Path,
        typer.Option(
            help="The profile of a member, as `commonwatt network profile --json` prints it."
        ),
    ],
    listening: Annotated[
        list[str] | None,
        typer.Option(help="HOST:PORT that must accept connections, too; any number of times."),
    ] = None,
    within: Annotated[
        int, typer.Option(min=1, max=WITHIN_S_MAX, help="How many seconds to wait.")
    ] = WITHIN_S,
) -> None:
    """Wait until a network takes orders, then become COMMAND; exit 1 if it takes too long."""
    try:
        addresses = [split_address(address) for address in listening or ()]
        asyncio.run(_await(read_profile(profile), addresses, within))
    except (ProfileUnreadable, ValueError) as error:
        raise ended(error) from None
    except NotReady as error:
        raise ended(error, FAILED) from None
    os.execvp(command[0], command)  # noqa: S606 the command that the caller names


async def _await(profile: Profile, addresses: Sequence[tuple[str, int]], within_s: int) -> None:
    await until_it_takes_orders(profile, within_s=within_s)
    for host, port in addresses:
        await until(f"{host}:{port}", partial(listens, host, port), within_s=within_s)
