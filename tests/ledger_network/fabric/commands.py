"""`commonwatt network` as an operator types it, on a screen that is wide enough."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from commonwatt.cli import app

WIDE = {"COLUMNS": "400"}


def command(*words: str | Path) -> Result:
    """What `commonwatt network` ends with."""
    return CliRunner(env=WIDE).invoke(app, ["network", *map(str, words)])
