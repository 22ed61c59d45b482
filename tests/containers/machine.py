"""What the container test needs of a machine: podman as root, and an image with Python to build on."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ledger_network.fabric.binaries.install import cache_folder

CONTAINERS_CONF = Path(__file__).parent / "containers.conf"
PROGRAMS = ("podman", "runc", "iptables", "debootstrap")
SUITE = "bookworm"
BASE = f"localhost/commonwatt-base:{SUITE}"
PACKAGES = "python3,python3-venv,ca-certificates"
LEFT_OUT = (
    "var/cache/apt/archives",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/locale",
    "dev",
)


def environment() -> Mapping[str, str]:
    """What podman and all that call it are started with."""
    return dict(os.environ, CONTAINERS_CONF=str(CONTAINERS_CONF))


def run(*command: str | Path, folder: Path | None = None, more: Mapping[str, str] = {}) -> str:
    """What a command prints; it has to end well."""
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**environment(), **more},
    )
    assert done.returncode == 0, f"{command}: {done.stderr[-4000:]}"
    return done.stdout


def require_podman() -> None:
    """Leave the tests out where containers cannot be run; CI always runs them."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if os.geteuid() == 0 and not missing:
        return
    lacking = f"without {', '.join(missing)}" if missing else "without being root"
    reason = f"containers cannot be run {lacking}: .ci/packages installs what it takes, as root"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def base_image() -> str:
    """An image of Debian with Python, made once and kept in the user's cache folder."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / f"debian-{SUITE}-python3.tar"
    with (cache / f"{archive.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if BASE not in run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}").split():
            if not archive.exists():
                make_base(archive)
            run("podman", "import", archive, BASE)
    return BASE


def make_base(archive: Path) -> None:
    """Debian's smallest system with Python, as an archive that is there whole or not at all."""
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix="base-") as folder:
        root, partial = Path(folder) / "root", Path(folder) / "root.tar"
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root)
        left_out = [f"--exclude=./{path}/*" for path in LEFT_OUT]
        run("tar", "-C", root, *left_out, "-cf", partial, ".")
        partial.rename(archive)
