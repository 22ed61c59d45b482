"""A supervisor that is ended or killed at any time: nothing is left, and `up` resumes.

A command that meets a network whose supervisor has died says so at once, and how to mend it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest

from chaincode.area.zones import (
    AreaArguments,
)
from chaincode.consortium.organisations import InitialiseArguments
from chaincode.context import (
    Accepted,
)
from chaincode.errors import Refused
from commonwatt.demonstration.cast import DSO, ORGANISATIONS
from identity.did import did_key
from ledger_network.fabric.operations.doctor import examine
from ledger_network.fabric.operations.network import UP
from ledger_network.fabric.runtime.probe import NotReady, attended, until
from ledger_network.fabric.runtime.processes import (
    Process,
    Processes,
    Running,
    started_ticks,
    this_process,
)
from ledger_network.port import Member
from tests.ledger_network.fabric.commands import command
from tests.ledger_network.fabric.grounds import ENDED_S, StandingNetwork, small
from tests.ledger_network.fabric.runtime.overseen import LIVES, Overseen

pytestmark = pytest.mark.network

INTERRUPTIONS = 5
UP_MAX_S = 120.0
PEERS, KILLS = 60, 12
UP_S = 4.0  # what a first `up` of the small network takes, about


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


def up(network: StandingNetwork) -> subprocess.Popen[str]:
    """`commonwatt network up`, begun in a process of its own as an operator does."""
    folder = network.network.folder
    words: list[str | Path] = [sys.executable, "-m", "commonwatt", "network", "up"]
    words += ["--data", folder.root]
    if not folder.consortium.exists():
        file = folder.root.with_name("consortium.yaml")
        file.write_bytes(msgspec.yaml.encode(network.consortium))
        words += ["--consortium", file]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def brought_up(network: StandingNetwork) -> str:
    """Bring the network up by the command, which must end well; what it has said."""
    with up(network) as command:
        _, said = command.communicate(timeout=UP_MAX_S)
    assert command.returncode == 0, said
    return said


def until_begun(network: StandingNetwork, command: subprocess.Popen[str]) -> None:
    """Wait until the supervisor that a command starts is there, or the command has ended."""

    async def missing() -> str:
        there = network.network.processes() is not None
        return "" if there or command.poll() is not None else "no supervisor has begun"

    network.run(until("the supervisor", missing, within_s=ENDED_S))


def interrupted(network: StandingNetwork, after_s: float) -> bool:
    """`up`, whose supervisor gets SIGTERM after so long; whether it was still at it."""
    with up(network) as command:
        until_begun(network, command)
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(after_s)
        was_at_it = command.poll() is None
        network.send(signal.SIGTERM)
        assert command.wait(ENDED_S) in (0, 1)  # it does not wait for what will not come
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


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGKILL, "The supervisor of the network at {root} has ended"),
        (signal.SIGTERM, "The network at {root} is being taken down|has ended"),
    ],
    ids=["killed", "asked to end"],
)
def test_up_whose_supervisor_ends_meanwhile_says_so_at_once(
    number: signal.Signals, said: str, fresh: StandingNetwork
) -> None:
    """A minute is how long `up` waits for a node; here it ends in half of that at the latest."""
    with up(fresh) as command:
        until_begun(fresh, command)
        fresh.send(number)
        _, told = command.communicate(timeout=ENDED_S)

    assert command.returncode == 1
    assert re.search(said.format(root=fresh.network.folder.root), told), told


def test_killed_supervisor_takes_its_processes_along_and_everybody_is_told(
    network: StandingNetwork,
) -> None:
    before = network.network.processes()
    assert before is not None
    node = network.peer(DSO).name
    data = ("--data", network.network.folder.root)

    network.send(signal.SIGKILL)
    network.run(network.ended())

    assert network.network.processes() is None
    died = (
        f"The supervisor of the network at {network.network.folder.root}, process "
        f"{before.supervisor.pid}, has died; its processes ended with it."
    )
    for words in (["status"], ["start", node], ["stop", node], ["upgrade"]):
        result = command(*words, *data)
        assert result.exit_code == 1, words
        assert result.stderr.startswith(f"{died} {UP}"), words
    found = [one for one in network.run(examine(network.network)) if not one.is_well]
    assert [(one.about, one.sentence, one.mend) for one in found] == [("processes", died, UP)]

    assert f"{died} All processes are started again." in " ".join(brought_up(network).split())

    after = network.network.processes()
    assert after is not None
    assert {one.process for one in before.running} & {one.process for one in after.running} == set()
    network.trades_on()


def test_up_right_after_its_supervisor_was_killed_waits_for_what_it_ran(
    network: StandingNetwork,
) -> None:
    """Its processes have not ended yet and hold their ports: they are no strangers' ports."""
    supervisor = network.send(signal.SIGKILL)

    async def missing() -> str:
        return "it runs" if supervisor.is_alive else ""

    network.run(until("the end of the supervisor", missing, within_s=ENDED_S))
    network.up()

    network.trades_on()


def within(folder: Path) -> list[int]:
    """The processes that were started in a folder and have not ended."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            started = started_ticks(int(process.name)) is not None
            if started and (process / "cwd").readlink() == folder:
                found.append(int(process.name))
    return found


@pytest.mark.parametrize("number", range(KILLS))
def test_supervisor_killed_while_it_starts_what_it_runs_leaves_nobody_behind(
    number: int, tmp_path: Path
) -> None:
    """A process that has just been forked, and has not yet asked to end with it, ends as well."""
    with Overseen(tmp_path) as overseen:
        overseen.want_exactly([overseen.script(f"peer-{one}", LIVES) for one in range(PEERS)])
        overseen.start()
        some = 1 + number * PEERS // KILLS
        overseen.wait("it has not begun", lambda: len(within(tmp_path)) >= some)

        overseen.tell(signal.SIGKILL)

        overseen.wait("they live on", lambda: within(tmp_path) == [])


def test_down_of_what_a_dead_supervisor_ran_says_so_and_forgets_it(
    network: StandingNetwork,
) -> None:
    data = ("--data", network.network.folder.root)
    network.send(signal.SIGKILL)
    network.run(network.ended())

    first, second = command("down", *data), command("down", *data)
    status = command("status", *data)

    assert "has died; its processes ended with it." in first.stderr
    assert first.stdout.strip() == second.stdout.strip() == "0 processes have ended."
    assert "died" not in second.stderr + status.stderr
    brought_up(network)
    network.trades_on()


def test_what_is_said_of_a_supervisor_that_died_counts_what_it_left(
    fresh: StandingNetwork,
) -> None:
    """A supervisor that is gone, and of its two processes one that goes on: this one."""
    path = fresh.network.folder.processes
    path.parent.mkdir()
    gone = Process(this_process().pid, 0)  # somebody else has its pid by now
    running = [
        Running("peer-a", "running", this_process(), 0, ""),
        Running("peer-b", "running", gone, 0, ""),
    ]
    path.write_bytes(msgspec.json.encode(Processes(gone, running)))

    said = fresh.network.died()
    path.unlink()

    assert said.endswith("has died; 1 of its 2 processes have not ended yet.")


def test_work_is_given_up_as_soon_as_there_is_nobody_who_could_do_it() -> None:
    faults: list[str] = []

    async def scene() -> asyncio.Future[None]:
        never = asyncio.get_running_loop().create_future()

        async def work() -> None:
            faults.append("nobody is left")
            await never

        with pytest.raises(NotReady, match=r"^nobody is left$"):
            await attended(work(), lambda: "".join(faults))
        return never

    assert asyncio.run(scene()).cancelled()


def test_work_that_fails_for_that_reason_says_the_reason() -> None:
    faults: list[str] = []

    async def work() -> None:
        faults.append("nobody is left")
        raise OSError("connection refused")

    with pytest.raises(NotReady, match=r"^nobody is left$") as failed:
        asyncio.run(attended(work(), lambda: "".join(faults)))

    assert isinstance(failed.value.__cause__, OSError)


def test_work_that_fails_by_itself_says_why() -> None:
    async def work() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match=r"^disk full$"):
        asyncio.run(attended(work(), str))


def test_result_of_work_is_given_though_all_has_ended_since() -> None:
    faults: list[str] = []

    async def work() -> int:
        faults.append("nobody is left")
        return 7

    assert asyncio.run(attended(work(), lambda: "".join(faults))) == 7
