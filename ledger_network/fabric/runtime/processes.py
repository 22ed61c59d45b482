"""The processes of a native network: which are wanted, which run, and how they are recognised.

`wanted.json` lists what the supervisor has to run, `processes.json` what it is running. A process
is identified by its pid and its start time, so that a reused pid is never mistaken for the old
process.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Literal

import msgspec

State = Literal["starting", "running", "waiting", "stopped"]
"""The state of a process: `waiting` is between an unexpected end and the next start."""


class Wanted(msgspec.Struct, frozen=True):
    """One process that has to run: how it is started and where its output goes."""

    name: str
    command: list[str]
    environment: dict[str, str]
    folder: str
    log: str


class Process(msgspec.Struct, frozen=True):
    """A process by its pid and its start in clock ticks since the machine started."""

    pid: int
    started_ticks: int

    @property
    def is_alive(self) -> bool:
        """Return whether exactly this process still runs."""
        return started_ticks(self.pid) == self.started_ticks

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process if it still runs."""
        if self.is_alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


class Running(msgspec.Struct, frozen=True):
    """The supervisor's record of a wanted process."""

    name: str
    state: State
    process: Process | None
    restarts: int
    last_exit: str


class Processes(msgspec.Struct, frozen=True):
    """The processes of a supervisor; `is_ending` says that it starts no more processes."""

    supervisor: Process
    running: list[Running]
    is_ending: bool = False

    def named(self, name: str) -> Running | None:
        """Return the process of that name."""
        return next((found for found in self.running if found.name == name), None)

    @property
    def alive(self) -> list[Process]:
        """The processes that still run, without the supervisor."""
        return [one.process for one in self.running if one.process and one.process.is_alive]


def this_process() -> Process:
    """The calling process."""
    return Process(os.getpid(), started_ticks(os.getpid()) or 0)


def process_of(pid: int) -> Process | None:
    """The process that has this pid now, None if there is none."""
    started = started_ticks(pid)
    return None if started is None else Process(pid, started)


def started_ticks(pid: int) -> int | None:
    """Return when a process started, or None if it does not exist or is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the process's name may hold blanks and brackets
    return None if fields[0] in ("Z", "X") else int(fields[19])


def memory_bytes(pid: int) -> int:
    """The memory of a process: its own pages and its share of shared pages (PSS)."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def children_of(pid: int) -> list[int]:
    """The pids below a process, all the way down."""
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return found
    for task in tasks:
        try:
            below = (task / "children").read_text("ascii").split()
        except OSError:
            continue
        for child in map(int, below):
            found.extend((child, *children_of(child)))
    return found


def read_processes(path: Path) -> Processes | None:
    """The content of `processes.json`, None if the supervisor never ran."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Processes)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def read_wanted(path: Path) -> list[Wanted]:
    """The content of `wanted.json`."""
    return msgspec.json.decode(path.read_bytes(), type=list[Wanted])


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
