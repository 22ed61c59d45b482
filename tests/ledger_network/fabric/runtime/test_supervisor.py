"""The supervisor, run for real: it starts, starts again, takes up, ends all, and leaves nothing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path

import pytest

from ledger_network.fabric.runtime.supervisor import ENDS_WITH_PARENT, LOG_BYTES_MAX, PAUSE_MIN_S
from tests.ledger_network.fabric.runtime.overseen import LIVES, Overseen


@pytest.fixture(name="overseen")
def overseen_folder(tmp_path: Path) -> Generator[Overseen]:
    """A folder whose supervisor is ended with the test."""
    with Overseen(tmp_path) as overseen:
        yield overseen


def test_process_that_ends_by_itself_is_started_again_after_pauses_that_double(
    overseen: Overseen,
) -> None:
    overseen.want(peer_a="cut -d' ' -f1 /proc/uptime; exit 3")
    overseen.start()

    def starts_s() -> list[float]:
        log = overseen.log("peer-a")
        return [float(line) for line in log.read_text().splitlines()] if log.exists() else []

    overseen.wait("it was not started four times", lambda: len(starts_s()) >= 4)

    resolution_s = 0.02  # of the time in /proc/uptime
    for number, (before_s, after_s) in enumerate(pairwise(starts_s()[:4])):
        assert after_s - before_s >= PAUSE_MIN_S * 2**number - resolution_s


@pytest.mark.parametrize(
    ("script", "said"),
    [("exit 3", "ended with 3"), ("kill -9 $$", "ended by SIGKILL")],
)
def test_how_a_process_ended_is_told(overseen: Overseen, script: str, said: str) -> None:
    overseen.want(peer_a=script)
    overseen.start()

    overseen.wait_for("peer-a", lambda one: one.state == "waiting")

    one = overseen.processes().named("peer-a")
    assert one is not None
    assert one.last_exit == said


def test_program_that_is_not_there_holds_nobody_up(overseen: Overseen) -> None:
    gone = overseen.program("peer-a", ["/nowhere/peer"])
    overseen.want_exactly([gone, overseen.script("peer-b", LIVES)])
    overseen.start()

    overseen.wait_there("peer-b")
    overseen.wait_for("peer-a", lambda one: one.state == "waiting")

    one = overseen.processes().named("peer-a")
    assert one is not None
    assert one.process is None
    assert "could not be started" in one.last_exit
    assert "/nowhere/peer" in one.last_exit


def test_hangup_takes_up_what_is_new_ends_what_is_gone_and_leaves_the_rest_alone(
    overseen: Overseen,
) -> None:
    overseen.want(peer_stays=LIVES, peer_goes=LIVES, peer_changes=LIVES)
    overseen.start()
    stays, goes, changes = overseen.wait_there("peer-stays", "peer-goes", "peer-changes")

    overseen.want(peer_stays=LIVES, peer_changes=f": again; {LIVES}", peer_comes=LIVES)
    overseen.tell(signal.SIGHUP)
    overseen.wait_there("peer-comes")

    restarted = overseen.wait_for("peer-changes", lambda one: one.process not in (None, changes))
    assert stays.is_alive
    assert not goes.is_alive
    assert not changes.is_alive
    assert restarted.is_alive
    assert sorted(overseen.ends()) == ["peer-changes ended", "peer-goes ended"]
    assert overseen.processes().named("peer-goes") is None


def test_end_is_asked_of_all_and_of_orderers_last(overseen: Overseen) -> None:
    overseen.want(orderer_a=LIVES, peer_a=LIVES, orderer_b=LIVES, contract_a=LIVES, peer_b="exit 1")
    overseen.start()
    processes = overseen.wait_there("orderer-a", "peer-a", "orderer-b", "contract-a")

    overseen.tell(signal.SIGTERM)

    assert overseen.wait_end() == (0, "")
    assert not any(process.is_alive for process in processes)
    ends = overseen.ends()
    assert sorted(ends[:2]) == ["contract-a ended", "peer-a ended"]
    assert sorted(ends[2:]) == ["orderer-a ended", "orderer-b ended"]
    assert overseen.processes().running == []


def test_supervisor_that_is_killed_leaves_nobody_behind(overseen: Overseen) -> None:
    overseen.want(peer_a=LIVES, orderer_a=LIVES)
    overseen.start()
    processes = overseen.wait_there("peer-a", "orderer-a")

    overseen.tell(signal.SIGKILL)

    overseen.wait("they live on", lambda: not any(process.is_alive for process in processes))


def test_supervisor_that_is_to_end_with_its_parent_does(overseen: Overseen) -> None:
    overseen.want(peer_a=LIVES)
    starter = (
        "import subprocess, sys; subprocess.Popen(sys.argv[1:]); print(flush=True); "
        "sys.stdin.read()"
    )
    command = [
        *(sys.executable, "-m", "ledger_network.fabric.runtime.supervisor"),
        *(str(overseen.folder / name) for name in ("wanted.json", "processes.json")),
    ]
    with subprocess.Popen(
        [sys.executable, "-c", starter, *command, ENDS_WITH_PARENT], stdin=subprocess.PIPE
    ) as parent:
        (process,) = overseen.wait_there("peer-a")
        supervisor = overseen.processes().supervisor
        parent.kill()

    overseen.wait("they live on", lambda: not (supervisor.is_alive or process.is_alive))
    assert overseen.ends() == ["peer-a ended"]


def test_log_that_grew_too_long_is_turned_over_at_the_next_start(overseen: Overseen) -> None:
    log = overseen.log("peer-a")
    log.parent.mkdir(parents=True)
    log.touch()
    os.truncate(log, LOG_BYTES_MAX + 1)
    overseen.want(peer_a=LIVES)
    overseen.start()

    overseen.wait_there("peer-a")

    assert log.read_text() == "peer-a there\n"
    assert log.with_name("log.1").stat().st_size == LOG_BYTES_MAX + 1


def test_log_is_gone_on_with_and_for_its_owner_alone(overseen: Overseen) -> None:
    overseen.want(peer_a="echo once more; exit 1")
    overseen.start()

    overseen.wait_for("peer-a", lambda one: one.restarts >= 1 and one.state == "waiting")

    log = overseen.log("peer-a")
    assert log.read_text().splitlines()[:2] == ["once more", "once more"]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_supervisor_without_a_task_says_so(overseen: Overseen) -> None:
    overseen.start()

    code, said = overseen.wait_end()

    assert code == 1
    assert said.startswith("there is nothing to supervise: ")
    assert "Traceback" not in said
