"""Processes are told apart by pid and start, so that a signal never reaches a stranger."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from ledger_network.fabric.runtime.processes import (
    Process,
    Processes,
    Running,
    Wanted,
    children_of,
    memory_bytes,
    process_of,
    read_processes,
    read_wanted,
    this_process,
    write_whole,
)

SHELL = "/bin/sh"


@contextmanager
def waiting(
    script: str = "echo there; read x", *, program: str = SHELL
) -> Generator[subprocess.Popen[bytes]]:
    """A shell that has said that it is there, and lives until its input ends."""
    with subprocess.Popen(
        ["sh", "-c", script],
        executable=program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == b"there\n"
            yield child
        finally:
            child.stdin.close()


def found(child: subprocess.Popen[bytes]) -> Process:
    process = process_of(child.pid)
    assert process is not None
    return process


def test_pid_that_somebody_else_has_since_is_not_taken_for_ours() -> None:
    with waiting() as child:
        ours = found(child)
        of_before = Process(child.pid, ours.started_ticks - 1)

        of_before.send(signal.SIGKILL)

        assert not of_before.is_alive
        assert ours.is_alive


def test_signal_reaches_the_process_that_is_meant() -> None:
    with waiting() as child:
        ours = found(child)

        ours.send(signal.SIGKILL)

        assert child.wait() == -signal.SIGKILL
        assert not ours.is_alive
        ours.send(signal.SIGKILL)  # to nobody


def test_remains_of_a_process_are_no_process() -> None:
    with waiting() as child:
        ours = found(child)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is not reaped

        assert Path(f"/proc/{child.pid}").exists()
        assert not ours.is_alive
        assert process_of(child.pid) is None


def test_name_with_blanks_and_brackets_hides_no_start(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to(SHELL)

    with waiting(program=str(program)) as child:
        assert ") Z 1 (" in Path(f"/proc/{child.pid}/stat").read_text("ascii")
        assert found(child).started_ticks >= this_process().started_ticks


def test_pid_of_nobody_is_no_process() -> None:
    with waiting() as child:
        pid = child.pid

    assert process_of(pid) is None
    assert memory_bytes(pid) == 0
    assert children_of(pid) == []


def test_memory_of_a_process_counts_with_that_of_all_below_it() -> None:
    with waiting(f"{SHELL} -c 'echo there; read x'; true") as child:
        (inner,) = children_of(child.pid)

        assert inner in children_of(os.getpid())
        assert memory_bytes(child.pid) > 0
        assert memory_bytes(inner) > 0


def test_this_process_is_alive() -> None:
    assert this_process().pid == os.getpid()
    assert this_process().is_alive


def test_what_runs_is_read_as_it_was_written(tmp_path: Path) -> None:
    running = Running("peer-a", "waiting", None, 2, "ended with 1")
    written = Processes(this_process(), [running])

    write_whole(tmp_path / "processes.json", msgspec.json.encode(written))

    read = read_processes(tmp_path / "processes.json")
    assert read == written
    assert read is not None
    assert (read.named("peer-a"), read.named("peer-b")) == (running, None)
    assert [path.name for path in tmp_path.iterdir()] == ["processes.json"]


@pytest.mark.parametrize("content", [None, b"", b'{"supervisor": {"pid":', b"[]"])
def test_file_that_tells_nothing_is_nothing_that_runs(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "processes.json"
    if content is not None:
        path.write_bytes(content)

    assert read_processes(path) is None


def test_what_is_wanted_is_read_as_it_was_written(tmp_path: Path) -> None:
    wanted = [Wanted("peer-a", ["peer", "node"], {"A": "b"}, str(tmp_path), "log")]

    write_whole(tmp_path / "wanted.json", msgspec.json.encode(wanted))

    assert read_wanted(tmp_path / "wanted.json") == wanted
