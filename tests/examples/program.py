"""How the tests run an example: as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.house.tree import ROOT

EXAMPLES = ROOT / "examples"
ENDS_WITHIN_S = 300


def environment(folder: Path) -> dict[str, str]:
    """What an example finds: this checkout on its path, a folder for what matplotlib keeps."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(folder)}


def command(name: str, *arguments: str | Path) -> list[str]:
    """The words that start an example."""
    return [sys.executable, str(EXAMPLES / name), *map(str, arguments)]


def run(name: str, *arguments: str | Path, folder: Path) -> str:
    """What an example prints; it has to end by itself, without a fault."""
    done = subprocess.run(
        command(name, *arguments),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
