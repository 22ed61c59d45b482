"""A supervisor that is ended or killed at any time: nothing is left, and `up` goes on from there."""

from __future__ import annotations

import contextlib
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest

from chaincode.errors import Refused
from chaincode.registry import InitialiseArguments
from chaincode.zones import Accepted, AreaArguments
from commonwatt.demonstration import DSO, ORGANISATIONS
from identity.did import did_key
from ledger_network.fabric.consortium import Consortium, parse_consortium
from ledger_network.fabric.probe import until
from ledger_network.port import Member
from tests.ledger_network.fabric.grounds import ENDED_S, StandingNetwork

pytestmark = pytest.mark.network

INTERRUPTIONS = 5
UP_MAX_S = 120.0
STOPPED = 130  # how a command ends on Ctrl-C
UP_S = 4.0  # what a first `up` of the small network takes, about
SMALL = b"""
name: small
fabric: 3.1.1
channel: small-market
contract: commonwatt
organisations:
  - name: NordGrid
    role: dso
    domain: nordgrid.example
    peers: [{port: 17000}]
    orderers: [{port: 18000}, {port: 18010}]
  - name: GreenPower
    role: retailer
    domain: greenpower.example
    peers: [{port: 17010}]
    orderers: [{port: 18020}, {port: 18030}]
policies:
  endorsement: [[dso], [retailer]]
  lifecycle: {roles: [dso, retailer], at_least: 2}
limits: {cut_interval_ms: 50}
"""


def small() -> Consortium:
    """Half as many processes as the default consortium has."""
    return parse_consortium(SMALL)


@pytest.fixture
def fresh(tmp_path: Path) -> Generator[StandingNetwork]:
    """A small network of which nothing exists yet; nothing is left of it."""
    standing = StandingNetwork(small(), tmp_path)
    try:
        yield standing
    finally:
        standing.close()
    assert standing.left() == []


async def register_area(network: StandingNetwork) -> None:
    """Something new, committed."""
    area = f"area-{secrets.token_hex(6)}"
    async with network.ledger() as ledger:
        admin = Member(DSO, "admin")
        regulator = did_key(network.cast.regulator.public)
        with contextlib.suppress(Refused):
            await ledger.submit(
                "initialise", InitialiseArguments(regulator, list(ORGANISATIONS)), member=admin
            )
        receipt = await ledger.submit(
            "register_area", AreaArguments(area, f"{area}-root", 5), member=admin
        )
    assert receipt.read(Accepted) == Accepted(area)


def up(network: StandingNetwork) -> subprocess.Popen[bytes]:
    """`commonwatt network up`, begun in a process of its own as an operator does."""
    folder = network.network.folder
    words: list[str | Path] = [sys.executable, "-m", "commonwatt", "network", "up"]
    words += ["--data", folder.root]
    if not folder.consortium.exists():
        file = folder.root.with_name("consortium.yaml")
        file.write_bytes(msgspec.yaml.encode(network.consortium))
        words += ["--consortium", file]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL)


def brought_up(network: StandingNetwork) -> None:
    """Bring the network up by the command, which must end well."""
    with up(network) as command:
        assert command.wait(UP_MAX_S) == 0


def interrupted(network: StandingNetwork, after_s: float) -> bool:
    """`up`, whose supervisor gets SIGTERM after so long; whether it was still at it."""
    with up(network) as command:

        async def missing() -> str:
            there = network.network.processes() is not None
            return "" if there or command.poll() is not None else "no supervisor has begun"

        network.run(until("the supervisor", missing, within_s=ENDED_S))
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(after_s)
        was_at_it = command.poll() is None
        network.send(signal.SIGTERM)
        command.send_signal(signal.SIGINT)  # what it waits for will not come any more
        assert command.wait(ENDED_S) in (0, 1, STOPPED, -signal.SIGINT)
    return was_at_it


def test_up_goes_on_wherever_its_supervisor_was_ended(fresh: StandingNetwork) -> None:
    seed = secrets.randbits(32)
    moments = random.Random(seed)  # noqa: S311 moments, no secret
    ended_early = 0

    for number in range(INTERRUPTIONS):
        after_s = (number + moments.random()) * UP_S / INTERRUPTIONS
        ended_early += interrupted(fresh, after_s)
        print(f"seed {seed}: ended after {after_s:.2f} s")  # noqa: T201 shown when it fails

    brought_up(fresh)
    fresh.run(register_area(fresh))
    assert ended_early


def test_network_whose_supervisor_ends_comes_up_again_with_all_that_it_had(
    network: StandingNetwork,
) -> None:
    async def placed() -> str:
        async with network.ledger() as ledger:
            return (await network.place(ledger)).transaction

    async def is_there(transaction: str) -> bool:
        async with network.ledger() as ledger:
            return await ledger.transaction(transaction) is not None

    transaction = network.run(placed())
    network.send(signal.SIGTERM)
    brought_up(network)

    assert network.run(is_there(transaction))
    network.trades_on()


def test_killed_supervisor_takes_its_processes_along_and_up_starts_them_again(
    network: StandingNetwork,
) -> None:
    before = network.network.processes()
    assert before is not None

    network.send(signal.SIGKILL)
    network.run(network.ended())

    assert network.network.processes() is None
    brought_up(network)
    after = network.network.processes()
    assert after is not None
    assert {one.process for one in before.running} & {one.process for one in after.running} == set()
    network.trades_on()
