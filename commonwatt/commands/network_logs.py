"""The nodes' logs on the terminal, the newest lines first gathered, then as they are written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import typer

POLL_S = 0.2


def follow_logs(paths: Mapping[str, Path], *, lines: int, follow: bool) -> None:
    """Print the last `lines` of each log behind its node's name; with `follow` until Ctrl-C."""
    width = max(map(len, paths), default=0)
    opened: dict[str, TextIO] = {}
    try:
        for name, path in paths.items():
            if path.exists():
                opened[name] = path.open(encoding="utf-8", errors="replace")
                for line in deque(opened[name], maxlen=lines):
                    typer.echo(f"{name:{width}} {line.rstrip()}")
        while follow:
            quiet = True
            for name, file in opened.items():
                for line in file:
                    quiet = False
                    typer.echo(f"{name:{width}} {line.rstrip()}")
            if quiet:
                time.sleep(POLL_S)
    finally:
        for file in opened.values():
            file.close()
