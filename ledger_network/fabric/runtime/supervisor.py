"""Runs the processes of a native network: starts the wanted ones and restarts those that end.

The supervisor rereads the wanted processes on SIGHUP. On SIGTERM or SIGINT it ends all of them,
orderers last, so that peers can still deliver to them. A process that ends early is restarted after
a pause that doubles each time; after a long run the pause is the shortest again. If the supervisor
itself is killed, the kernel ends its processes, so that no process is left behind.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from ledger_network.fabric.runtime.processes import (
    Process,
    Processes,
    Running,
    State,
    Wanted,
    process_of,
    read_wanted,
    this_process,
    write_whole,
)

PAUSE_MIN_S = 0.25
PAUSE_MAX_S = 15.0
WELL_S = 30.0  # a process that ran that long is not in a crash loop
STOP_S = 15.0  # then the process is killed
LOG_BYTES_MAX = 50 * 1_048_576  # a log that is longer when its process starts is rotated
ENDS_WITH_PARENT = "--ends-with-parent"
_PR_SET_PDEATHSIG = 1


class _Child:
    """One wanted process, from the first start to the last end."""

    def __init__(self, wanted: Wanted, supervisor: Supervisor) -> None:
        self.wanted = wanted
        self._supervisor = supervisor
        self._state: State = "starting"
        self._process: Process | None = None
        self._restarts = 0
        self._last_exit = ""
        self._asked_to_end = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name=wanted.name)

    @property
    def running(self) -> Running:
        """The present state of the process."""
        return Running(
            self.wanted.name, self._state, self._process, self._restarts, self._last_exit
        )

    def end(self) -> None:
        """Ask the process to end and not to start again."""
        self._asked_to_end.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = PAUSE_MIN_S
        while not self._asked_to_end.is_set():
            began_s = loop.time()
            child = await self._begin()
            if child is not None:
                code = await self._until_end(child)
                if self._asked_to_end.is_set():
                    break
                self._tell("waiting", None, _said(code))
            if loop.time() - began_s >= WELL_S:
                pause_s = PAUSE_MIN_S
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)
            self._restarts += 1
        self._tell("stopped", None, self._last_exit)

    async def _begin(self) -> asyncio.subprocess.Process | None:
        """Start the process and record it before another one starts. If the supervisor is killed,
        other programs wait only for recorded processes.
        """
        async with self._supervisor.starting:
            if self._asked_to_end.is_set():
                return None
            try:
                child = await self._start()
            except OSError as error:
                self._tell("waiting", None, f"could not be started: {error}")
                return None
            self._tell("running", process_of(child.pid), self._last_exit)
            return child

    async def _start(self) -> asyncio.subprocess.Process:
        with _open_log(Path(self.wanted.log)) as output:
            return await asyncio.create_subprocess_exec(
                *self.wanted.command,
                env=self.wanted.environment,
                cwd=self.wanted.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in a terminal reaches the supervisor alone
                preexec_fn=partial(_end_with, os.getpid()),
            )

    async def _until_end(self, child: asyncio.subprocess.Process) -> int:
        ended = asyncio.create_task(child.wait())
        asked = asyncio.create_task(self._asked_to_end.wait())
        await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not ended.done():
            child.terminate()
            await asyncio.wait((ended,), timeout=STOP_S)
            if not ended.done():
                child.kill()
        return await ended

    async def _pause(self, pause_s: float) -> None:
        try:
            await asyncio.wait_for(self._asked_to_end.wait(), pause_s)
        except TimeoutError:
            return

    def _tell(self, state: State, process: Process | None, last_exit: str) -> None:
        self._state, self._process, self._last_exit = state, process, last_exit
        self._supervisor.write()


class Supervisor:
    """Runs the processes that one file lists, and writes the running ones to another file."""

    def __init__(self, wanted: Path, processes: Path) -> None:
        self._wanted = wanted
        self._processes = processes
        self._this = this_process()
        self._children: dict[str, _Child] = {}
        self.starting = asyncio.Lock()
        self._stop = asyncio.Event()
        self._look_again = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; on return every process has ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._look_again.set)
        self._look_again.set()
        stopped = asyncio.create_task(self._stop.wait())
        while not self._stop.is_set():
            looked = asyncio.create_task(self._look_again.wait())
            await asyncio.wait((stopped, looked), return_when=asyncio.FIRST_COMPLETED)
            looked.cancel()
            if not self._stop.is_set():
                self._look_again.clear()
                await self._take_up(read_wanted(self._wanted))
        await self._end_all()

    def write(self) -> None:
        """Write the running processes to the file."""
        running = [child.running for child in self._children.values()]
        content = msgspec.json.encode(Processes(self._this, running, self._stop.is_set()))
        write_whole(self._processes, content)

    async def _take_up(self, wanted: Iterable[Wanted]) -> None:
        """End processes that are no longer wanted or have changed, then start missing ones."""
        by_name = {one.name: one for one in wanted}
        await self._end([c for n, c in self._children.items() if by_name.get(n) != c.wanted])
        for name, one in by_name.items():
            if name not in self._children:
                self._children[name] = _Child(one, self)
        self.write()

    async def _end_all(self) -> None:
        self.write()
        children = list(self._children.values())
        orderers = [c for c in children if c.wanted.name.startswith("orderer")]
        await self._end([c for c in children if c not in orderers])
        await self._end(orderers)
        self.write()

    async def _end(self, children: list[_Child]) -> None:
        for child in children:
            child.end()
        for child in children:
            await child.task
            del self._children[child.wanted.name]


def _open_log(log: Path) -> BinaryIO:
    """Open a process's log for appending."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_name(f"{log.name}.1"))
    return log.open("ab")


def _said(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with {code}"


def _end_with(supervisor: int) -> None:
    """Make a newly forked process end with the supervisor, even if the supervisor ends now."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the handler of the supervisor
    _end_with_parent()
    if os.getppid() != supervisor:  # the supervisor had already ended
        os._exit(1)


def _end_with_parent() -> None:
    """Ask the kernel to end this process with its parent, or rather the thread that started it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def supervise(wanted: Path, processes: Path, *, ends_with_parent: bool) -> None:
    """Run a network's processes until SIGTERM; the entry of the supervisor's own process."""
    os.umask(0o077)
    if ends_with_parent:
        _end_with_parent()
    try:
        asyncio.run(Supervisor(wanted, processes).run())
    except FileNotFoundError as error:
        sys.exit(f"there is nothing to supervise: {error}")


if __name__ == "__main__":
    supervise(*map(Path, sys.argv[1:3]), ends_with_parent=ENDS_WITH_PARENT in sys.argv[3:])
