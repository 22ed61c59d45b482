"""Acknowledged means durable: ledgers killed at every step, a thousand times in all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.ledger_network.embedded.recovery.crashes import Crashes

ROOT = Path(__file__).parents[4]
SEEDS = range(4)  # a part each, so that parts can run side by side
CRASHES = 250


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_acknowledged_is_found_after_a_crash_at_any_step(seed: int) -> None:
    """In a program of its own: it forks, which a process with threads must not."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "tests.ledger_network.embedded.recovery.crashes",
    ]

    done = subprocess.run(
        [*command, str(CRASHES), str(seed)], cwd=ROOT, capture_output=True, check=False
    )

    assert done.stderr.decode() == ""
    report = msgspec.json.decode(done.stdout, type=Crashes)
    assert report.faults == []
    assert report.crashes >= CRASHES
    assert report.finished > 0  # rounds that came to their end: no step was beyond reach
    assert report.dropped_records > 0  # torn writes did happen
    assert report.acknowledged > CRASHES
