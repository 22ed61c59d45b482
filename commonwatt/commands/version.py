"""`commonwatt --version`: the versions of Commonwatt, Python and Fabric, and the commit."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

import msgspec

from ledger_network.fabric.binaries.install import RELEASE

CHECKOUT = Path(__file__).resolve().parents[2]
GIT_WITHIN_S = 5


class Versions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `commonwatt --version --json` prints; without a known commit that key is left out."""

    commonwatt: str
    python: str
    fabric: str
    commit: str | None = None


def versions() -> Versions:
    """Return the versions of this installation."""
    installed = distribution("commonwatt")
    return Versions(
        commonwatt=installed.version,
        python=platform.python_version(),
        fabric=RELEASE,
        commit=_commit_of_checkout() or _commit_installed(installed),
    )


def print_version(*, as_json: bool) -> None:
    """Print the versions, a line each, or as one JSON document."""
    found = versions()
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        return
    commit = "" if found.commit is None else f" (commit {found.commit})"
    sys.stdout.write(f"Commonwatt {found.commonwatt}{commit}\n")
    sys.stdout.write(f"Python {found.python}\nHyperledger Fabric {found.fabric}\n")


def _commit_of_checkout() -> str | None:
    """Return the commit that is checked out around this file; None without checkout or git."""
    if not (CHECKOUT / ".git").exists():
        return None
    command = ["git", "-C", str(CHECKOUT), "rev-parse", "--verify", "HEAD"]  # found on PATH
    try:
        asked = subprocess.run(
            command, capture_output=True, check=True, text=True, timeout=GIT_WITHIN_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() or None


def _commit_installed(installed: Distribution) -> str | None:
    """Return the commit that an installer recorded for a package from a repository (PEP 610)."""
    recorded = installed.read_text("direct_url.json")
    if recorded is None:
        return None
    found: dict[str, dict[str, str]] = json.loads(recorded)
    return found.get("vcs_info", {}).get("commit_id")
