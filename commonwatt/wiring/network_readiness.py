"""Waits until a Fabric network takes orders, as one member's peer sees it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from chaincode.area.zones import AreaName
from chaincode.contract import Contract
from chaincode.errors import Refused
from commonwatt.demonstration.cast import AREA
from ledger_network.fabric.consortium.profile import Profile
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.runtime.probe import NotReady
from ledger_network.port import Conflict, Invalid, Member, Unknown

WITHIN_S = 600  # sixteen services or more start at once, and the members agree on a contract
LOOK_AGAIN_S = 1.0


class ProfileUnreadable(Exception):
    """The file does not contain a profile; the sentence says why."""


def read_profile(file: Path) -> Profile:
    """Read the profile in a file. Raises `ProfileUnreadable`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Profile)
    except OSError as error:
        raise ProfileUnreadable(f"{file} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise ProfileUnreadable(f"{file} does not hold a profile: {error}.") from None


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


async def _missing(profile: Profile) -> str:
    """Return what is wrong; empty if the contract answers, even with a refusal."""
    member = Member(profile.organisation)
    try:
        async with await FabricLedger.open([profile], contract=Contract()) as ledger:
            await ledger.evaluate("describe_area", AreaName(AREA), member=member)
    except Refused:
        return ""
    except (Conflict, Invalid, Unknown, OSError) as fault:
        return str(fault).partition(" (")[0]  # without ids, which differ each time
    return ""
