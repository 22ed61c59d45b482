"""Benches of the live market: how soon it shows a price, and how much memory it uses."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson

from api.server.dashboard_build import build
from commonwatt.bench.figure import Figure

ADDRESS = re.compile(r"Open (http://\S+) ")
TRADED = re.compile(r"^\d\d:\d\d-\d\d:\d\d ")
ROUNDS = 3
UP_S_MAX = 15
GIVEN_UP_S = 120
POLL_S = 0.05
HOUSEHOLDS = 50
SPEED = 900
SLOTS_EARLY, SLOTS_LATE = 96, 192  # 96 slots: the market now holds all that it keeps for a day
MIB_MAX = 600
FLAT_PERCENT = 5  # limit of the later figure over the earlier one
PRICES = {"query": "{ zones { id lastPrice } }"}


def up() -> list[Figure]:
    """Measure the time from the command to a page that shows a price, with a new market."""
    build(lambda _: None)
    seconds = [_first_price_s() for _ in range(ROUNDS)]
    value = sorted(seconds)[len(seconds) // 2]
    return [
        Figure(
            name="up",
            value=value,
            unit="s",
            spread=(min(seconds), max(seconds)),
            against="a new market of 24 households, founded and cleared for the first time",
            reach=f"under {UP_S_MAX} s",
            met=value < UP_S_MAX,
        )
    ]


def up_memory() -> list[Figure]:
    """Measure the memory of all processes of a market after 96 slots and after 192."""
    build(lambda _: None)
    with _market("--households", str(HOUSEHOLDS), "--speed", str(SPEED)) as lines:
        early_mib = late_mib = 0.0
        slots = 0
        for line in lines:
            slots += bool(TRADED.match(line))
            if slots == SLOTS_EARLY and not early_mib:
                early_mib = _mib(lines.process.pid)
            if slots == SLOTS_LATE:
                late_mib = _mib(lines.process.pid)
                break
    growth = late_mib / early_mib * 100 - 100
    return [
        Figure(
            name="up-memory",
            value=early_mib,
            unit="MiB",
            spread=(early_mib, late_mib),
            against=f"{HOUSEHOLDS} households after {SLOTS_EARLY} slots; {late_mib:.0f} MiB after "
            f"{SLOTS_LATE}, {growth:+.1f} %",
            reach=f"under {MIB_MAX} MiB, and flat to {FLAT_PERCENT} %",
            met=late_mib < MIB_MAX and growth <= FLAT_PERCENT,
        )
    ]


class _Lines:
    """The lines that a running market prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __iter__(self) -> Iterator[str]:
        if self.process.stdout is None:
            raise RuntimeError("the market was started without an output")
        while line := self.process.stdout.readline():
            yield line
        raise RuntimeError(f"the market ended by itself, exit code {self.process.wait()}")


@contextmanager
def _market(*options: str) -> Generator[_Lines]:
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as data:
        command = [sys.executable, "-m", "commonwatt", "up", "--port", "0", "--data", data]
        with subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                yield _Lines(process)
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate()


def _first_price_s() -> float:
    began = time.perf_counter()
    with _market() as lines, httpx.Client(timeout=5) as client:
        address = next(found[1] for line in lines if (found := ADDRESS.search(line)))
        client.get(address).raise_for_status()
        while time.perf_counter() - began < GIVEN_UP_S:
            answer = client.post(f"{address}/graphql", json=PRICES).raise_for_status()
            zones = orjson.loads(answer.content)["data"]["zones"]
            if any(zone["lastPrice"] is not None for zone in zones):
                return time.perf_counter() - began
            time.sleep(POLL_S)
    raise RuntimeError(f"no zone had a price within {GIVEN_UP_S} s")


def _mib(pid: int) -> float:
    """Return the proportional memory (PSS) of a process and all its children, MiB."""
    kib = 0
    for member in _family(pid):
        rollup = Path(f"/proc/{member}/smaps_rollup").read_text(encoding="ascii")
        found = re.search(r"^Pss:\s+(\d+) kB$", rollup, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"the system does not report the memory of process {member}")
        kib += int(found[1])
    return kib / 1024


def _family(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():  # children are listed per thread
        for child in (thread / "children").read_text(encoding="ascii").split():
            yield from _family(int(child))
