"""Bench of the memory of the process that has the ledger, while the market runs fast."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from commonwatt.bench.figure import Figure

HOUSEHOLDS = 50
SPEED = 900
SLOTS_EARLY, SLOTS_LATE = 96, 288
REACH_MIB = 300
FLAT_PERCENT = 10  # limit of the later figure over the earlier one
_TRADED = re.compile(r"^\d\d:\d\d-\d\d:\d\d ")


def memory() -> list[Figure]:
    """Measure the resident memory of `commonwatt up` after 96 and after 288 slots."""
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        early, late = _watch(Path(folder))
    growth = 100 * (late - early) / early
    return [
        Figure(
            name="memory",
            value=late,
            unit="MiB",
            spread=(early, late),
            against=f"{early:.0f} MiB after {SLOTS_EARLY} slots, {growth:+.1f} % since",
            reach=f"under {REACH_MIB} MiB, and flat",
            met=late < REACH_MIB and growth <= FLAT_PERCENT,
        )
    ]


def _watch(data: Path) -> tuple[float, float]:
    """Start the market, count the slots that it prints, and read its memory at both points."""
    command = [sys.executable, "-m", "commonwatt", "up", "--port", "0", "--speed", str(SPEED)]
    command += ["--households", str(HOUSEHOLDS), "--data", str(data / "market")]
    early = late = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        slots = 0
        for line in process.stdout or ():
            slots += bool(_TRADED.match(line))
            if slots == SLOTS_EARLY and not early:
                early = _resident_mib(process.pid)
            if slots == SLOTS_LATE:
                late = _resident_mib(process.pid)
                break
        process.send_signal(signal.SIGTERM)
        process.communicate()
    if not late:
        raise RuntimeError(f"the market stopped after {slots} slots")
    return early, late


def _resident_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError("this system does not report a process's resident memory")
    return int(found[1]) / 1024
