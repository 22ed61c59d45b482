"""The images of a network of containers: Fabric's programs, Commonwatt's command, PostgreSQL.

The contents of the images are first staged beside their Containerfiles, the locked requirements as
wheels and PostgreSQL as packages of the base's Debian, so that a build fetches nothing but its
base.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from ledger_network.fabric.binaries.install import BUILDER_STEPS, Installation
from ledger_network.fabric.consortium.placement import (
    CONTAINER_BUILDER,
    CONTAINER_CONFIG,
    CONTAINER_DATA,
)
from ledger_network.fabric.images.compose import FABRIC_IMAGE, POSTGRES_IMAGE, PYTHON_IMAGE

Engine = Literal["docker", "podman"]
ENGINES: tuple[Engine, ...] = ("docker", "podman")
CONTAINERFILES = Path(__file__).parent
SERVED = ("peer", "orderer")  # the programs of Fabric that run as services
POSTGRES_START = "postgres-start"
LINES_SHOWN = 8
FETCH = """set -e
mkdir -p /packages/partial
exec 3>&1 1>&2
apt-get update
apt-get install --yes --download-only --no-install-recommends \
    -o Dir::Cache::archives=/packages postgresql
tar -C /packages -c --exclude ./partial --exclude ./lock . >&3
"""
"""Fetches PostgreSQL's packages, checked by apt, and writes them to standard output."""

Progress = Callable[[str], None]


class ImagesFault(Exception):
    """The images cannot be built here; the sentence says why and what to do."""


def find_engine(wanted: Engine | None) -> Engine:
    """Return the wanted engine, or else the first that works here. Raises `ImagesFault`."""
    silent: list[Engine] = []
    for engine in (wanted,) if wanted else ENGINES:
        if not shutil.which(engine):
            continue
        # Docker's client may be installed on a machine where its service does not run.
        done = subprocess.run([engine, "info"], check=False, capture_output=True)
        if not done.returncode:
            return engine
        silent.append(engine)
    fault = f"{silent[0]} is installed and does not answer" if silent else "it is not on PATH"
    raise ImagesFault(
        f"There is no {wanted or 'docker or podman'} that can build images: {fault}. Install it or "
        "start it, or skip the build with --no-build and provide the images in another way."
    )


def default_base() -> str:
    """The official slim image of the Python version that runs this code."""
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


def build_images(
    engine: Engine,
    *,
    checkout: Path,
    contexts: Path,
    installed: Installation,
    base: str,
    tag: str,
    progress: Progress,
    with_database: bool,
) -> list[str]:
    """Stage and build the images with `tag`; return their names. Raises `ImagesFault`.

    `checkout` is the folder of Commonwatt's sources, `contexts` that of the build contexts.
    """
    progress("the image of Fabric")
    stage_fabric(contexts / "fabric", installed)
    fabric = _build(engine, "fabric", contexts / "fabric", f"{FABRIC_IMAGE}:{tag}")
    progress(f"the base {base}")
    version = _python_of(engine, base)
    progress("wheels of the locked requirements")
    stage_python(contexts / "python", checkout, version)
    progress("the image of Commonwatt")
    argument = ("--build-arg", f"BASE={base}")
    python = _build(engine, "python", contexts / "python", f"{PYTHON_IMAGE}:{tag}", *argument)
    if not with_database:
        return [fabric, python]
    progress("packages of PostgreSQL")
    stage_postgres(engine, contexts / "postgres", base)
    progress("the image of PostgreSQL")
    database = _build(
        engine, "postgres", contexts / "postgres", f"{POSTGRES_IMAGE}:{tag}", *argument
    )
    return [fabric, python, database]


def stage_fabric(context: Path, installed: Installation) -> None:
    """Stage the image's file tree: programs, builder, and the folders that are mount points."""
    shutil.rmtree(context, ignore_errors=True)
    root = context / "root"
    for program in SERVED:
        _link(installed.program(program), root / "usr/local/bin" / program)
    for step in BUILDER_STEPS:
        _link(installed.builder / "bin" / step, _inside(root, CONTAINER_BUILDER) / "bin" / step)
    _inside(root, CONTAINER_CONFIG).mkdir(parents=True)
    # A volume takes over mode and owner of the folder at which it is mounted.
    (context / "shared" / "tmp").mkdir(parents=True)
    (context / "own" / Path(CONTAINER_DATA).name).mkdir(parents=True)


def stage_python(context: Path, checkout: Path, version: str) -> None:
    """Stage the wheel of this checkout and its requirements for Python `version` ("3.11").

    Raises `ImagesFault`.
    """
    if not (checkout / "pyproject.toml").is_file():
        raise ImagesFault(
            f"Images are built from a checkout of Commonwatt, and {checkout} is not one: run this "
            "command in a checkout, or skip the build with --no-build."
        )
    context.mkdir(parents=True, exist_ok=True)
    locked = shutil.copyfile(checkout / "requirements.txt", context / "requirements.txt")
    only = ["--only-binary", ":all:", "--no-deps", "--python-version", version]
    _pip("download", *only, "--require-hashes", "-r", locked, "--dest", context / "wheels")
    shutil.rmtree(context / "project", ignore_errors=True)
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    _pip("wheel", *offline, "--wheel-dir", context / "project", checkout)


def stage_postgres(engine: Engine, context: Path, base: str) -> None:
    """Stage PostgreSQL's packages for the Debian of `base`, and the script that starts PostgreSQL.

    Packages fetched for the same base are kept. Raises `ImagesFault`.
    """
    context.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONTAINERFILES / POSTGRES_START, context / POSTGRES_START)
    packages, made_of = context / "packages", context / "base"
    identity = _identity(engine, base)
    if made_of.exists() and made_of.read_text("ascii") == identity:
        return
    made_of.unlink(missing_ok=True)
    shutil.rmtree(packages, ignore_errors=True)
    command = [engine, "run", "--rm", "--user", "0", "--entrypoint", "sh", base, "-c", FETCH]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode:
        raise ImagesFault(
            f"PostgreSQL's packages cannot be fetched for {base}: the base must be a Debian with apt "
            f"and an archive that can be reached:\n{_end(done.stderr.decode(errors='replace'))}"
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(packages, filter="data")
    made_of.write_text(identity, "ascii")


def _identity(engine: Engine, image: str) -> str:
    """The digest of an image that the engine already has."""
    command = [engine, "image", "inspect", "--format", "{{.Id}}", image]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _inside(root: Path, path: str) -> Path:
    return root / path.removeprefix("/")


def _link(source: Path, target: Path) -> None:
    """Link a file at `target`, or copy it if `target` is on another file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ImagesFault(f"pip {arguments[0]} failed:\n{_end(done.stderr)}")


def _python_of(engine: Engine, base: str) -> str:
    """The version of Python in a base image, which is fetched if the engine does not have it."""
    script = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    command = [engine, "run", "--rm", "--network", "none", "--entrypoint", "python3", base]
    done = subprocess.run([*command, "-c", script], check=False, capture_output=True, text=True)
    if done.returncode:
        raise ImagesFault(
            f"{base} cannot be the base of Commonwatt's image: it cannot be fetched, or it lacks python3 "
            "with its venv module. Name another with --base (in full for podman, with its registry): "
            f"an official slim image of Python, or one of your own.\n{_end(done.stderr)}"
        )
    return done.stdout.strip()


def _build(engine: Engine, name: str, context: Path, tag: str, *arguments: str) -> str:
    file = CONTAINERFILES / f"{name}.Containerfile"
    command: Sequence[str | Path] = [
        engine, "build", "--network", "none", "--tag", tag, "--file", file, *arguments, context,
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ImagesFault(f"{engine} build of {tag} failed:\n{_end(done.stderr or done.stdout)}")
    return tag


def _end(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-LINES_SHOWN:])
