"""`commonwatt network await`: wait until a network takes orders, then become another command.

Containers are started in no order. What needs the ledger from its first moment waits for it here
and says on standard error what for, in place of ending and being started again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from chaincode.area.zones import AreaName
from chaincode.contract import Contract
from chaincode.errors import Refused
from commonwatt.demonstration.cast import AREA
from ledger_network.fabric.consortium.profile import Profile
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.runtime.probe import NotReady, listens, until
from ledger_network.port import Conflict, Invalid, Member, Unknown
from meter_oracle.peers.transport import split_address

WITHIN_S = 600  # sixteen services and more begin at once, and a contract is agreed on
WITHIN_S_MAX = 86_400
LOOK_AGAIN_S = 1.0


def await_network(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="What to become then.")
    ],
    *,
    profile: Annotated[
        Path, typer.Option(help="A member's way into the network, as `network profile` prints it.")
    ],
    listening: Annotated[
        list[str] | None,
        typer.Option(help="HOST:PORT where somebody has to listen, too; any number of times."),
    ] = None,
    within: Annotated[
        int, typer.Option(min=1, max=WITHIN_S_MAX, help="How many seconds to wait.")
    ] = WITHIN_S,
) -> None:
    """Wait until a network takes orders, then become COMMAND; exit 1 when it does not in time."""
    try:
        addresses = [split_address(address) for address in listening or ()]
        asyncio.run(_await(read_profile(profile), addresses, within))
    except (ProfileUnreadable, ValueError) as error:
        raise _ended(error, 2) from None
    except NotReady as error:
        raise _ended(error, 1) from None
    os.execvp(command[0], command)  # noqa: S606 the command that the caller names


class ProfileUnreadable(Exception):
    """A file that holds no profile; the sentence says why."""


def read_profile(file: Path) -> Profile:
    """The profile in a file. Raises `ProfileUnreadable`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Profile)
    except OSError as error:
        raise ProfileUnreadable(f"{file} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise ProfileUnreadable(f"{file} is no profile: {error}.") from None


async def until_it_takes_orders(profile: Profile, *, within_s: int = WITHIN_S) -> None:
    """Return when a member's peer answers with the contract. Raises `NotReady`."""
    loop = asyncio.get_running_loop()
    deadline_s, told = loop.time() + within_s, ""
    while missing := await _missing(profile):
        if loop.time() > deadline_s:
            raise NotReady(f"The network took no orders within {within_s} s: {missing}")
        if missing != told:
            told = missing
            sys.stderr.write(f"waiting for the network: {missing}\n")
        await asyncio.sleep(LOOK_AGAIN_S)


async def _await(profile: Profile, addresses: Sequence[tuple[str, int]], within_s: int) -> None:
    await until_it_takes_orders(profile, within_s=within_s)
    for host, port in addresses:
        await until(f"{host}:{port}", partial(listens, host, port), within_s=within_s)


async def _missing(profile: Profile) -> str:
    """Nothing when the contract answers, if only with a refusal, else what is wrong."""
    member = Member(profile.organisation)
    try:
        async with await FabricLedger.open([profile], contract=Contract()) as ledger:
            await ledger.evaluate("describe_area", AreaName(AREA), member=member)
    except Refused:
        return ""
    except (Conflict, Invalid, Unknown, OSError) as fault:
        return str(fault).partition(" (")[0]  # without the ids, which differ each time
    return ""


def _ended(error: Exception, code: int) -> typer.Exit:
    sys.stderr.write(str(error).replace("\n", " ") + "\n")
    return typer.Exit(code)
