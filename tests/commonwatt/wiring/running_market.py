"""`commonwatt up` in a process of its own: started, asked where it is, stopped, started again."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer
from typing import NamedTuple

HANGS_S = 90  # a market that runs for so long is killed, and the test fails
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
SLOT_LINE = re.compile(r"^(\d\d:\d\d)-\d\d:\d\d ")


class Stopped(NamedTuple):
    """How a market ended: its exit code, and what it printed after it was told to."""

    code: int
    printed: str


@contextmanager
def market(
    data: Path,
    *options: str,
    speed: int = 900,
    lasts_s: int = HANGS_S,
    file_bytes_max: int | None = None,
) -> Generator[subprocess.Popen[str]]:
    """A running `commonwatt up`, killed after `lasts_s` or when the test ends early.

    `file_bytes_max` lets no file grow beyond it, as a full disk would.
    """
    command = [
        *(sys.executable, "-m", "commonwatt", "up"),
        *("--speed", str(speed), "--port", "0", "--data", str(data)),
    ]
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        if file_bytes_max is not None:
            limits = (file_bytes_max, file_bytes_max)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
        watch = Timer(lasts_s, process.kill)
        watch.start()
        try:
            yield process
        finally:
            watch.cancel()
            process.kill()


def address_of(process: subprocess.Popen[str]) -> str:
    """What a market prints once its pages are served; fails where it ends before."""
    assert process.stdout is not None
    printed: list[str] = []
    for line in process.stdout:
        found = ADDRESS.search(line)
        if found:
            return found[0]
        printed.append(line)
    raise AssertionError("".join(printed)[-3000:])


def slots_of(process: subprocess.Popen[str], count: int) -> list[str]:
    """The starts of the next `count` slots that the market prints as settled."""
    found: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        match = SLOT_LINE.match(line)
        if match:
            found.append(match[1])
        if len(found) == count:
            break
    return found


def stop(process: subprocess.Popen[str], name: signal.Signals = signal.SIGTERM) -> Stopped:
    """Send a signal, and wait until the market has ended."""
    process.send_signal(name)
    assert process.stdout is not None
    rest = process.stdout.read()  # `communicate` would miss what iterating has read ahead
    return Stopped(process.wait(), rest)


class RunningMarket:
    """A market in a folder that runs, and goes on there when it was stopped."""

    def __init__(self, data: Path, *options: str, speed: int, lasts_s: int = HANGS_S) -> None:
        self.data = data
        self.address = ""
        self._options = options
        self._speed = speed
        self._lasts_s = lasts_s
        self._running = ExitStack()
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; on return its pages are served at `address`."""
        work = market(self.data, *self._options, speed=self._speed, lasts_s=self._lasts_s)
        self._process = self._running.enter_context(work)
        self.address = address_of(self._process)

    def stop(self) -> Stopped:
        """Ask it to stop, and wait until it has."""
        assert self._process is not None
        stopped = stop(self._process)
        self._running.close()
        return stopped


@contextmanager
def running_market(
    data: Path, *options: str, speed: int, lasts_s: int = HANGS_S
) -> Generator[RunningMarket]:
    """A market whose pages are served; at the end it is stopped, and must have run till then."""
    running = RunningMarket(data, *options, speed=speed, lasts_s=lasts_s)
    running.start()
    try:
        yield running
    finally:
        stopped = running.stop()
    assert stopped.code == 0, stopped.printed[-3000:]
