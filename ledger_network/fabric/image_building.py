"""The two images of a network of containers: Fabric's programs, and Commonwatt's own command.

Everything that goes into them is staged beside their Containerfiles first, with the locked
requirements as wheels, so that a build fetches nothing but its base.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from ledger_network.fabric.compose import FABRIC_IMAGE, PYTHON_IMAGE
from ledger_network.fabric.install import BUILDER_STEPS, Installation
from ledger_network.fabric.placement import CONTAINER_BUILDER, CONTAINER_CONFIG, CONTAINER_DATA

Engine = Literal["docker", "podman"]
ENGINES: tuple[Engine, ...] = ("docker", "podman")
CONTAINERFILES = Path(__file__).parent / "images"
SERVED = ("peer", "orderer")  # the programs of Fabric that are services
LINES_SHOWN = 8

Progress = Callable[[str], None]


class ImagesFault(Exception):
    """The images cannot be built here; the sentence says why and what to do."""


def find_engine(wanted: Engine | None) -> Engine:
    """The engine asked for, else the first that works here. Raises `ImagesFault`."""
    silent: list[Engine] = []
    for engine in (wanted,) if wanted else ENGINES:
        if not shutil.which(engine):
            continue
        # A client of Docker may be installed where its service does not run.
        done = subprocess.run([engine, "info"], check=False, capture_output=True)
        if not done.returncode:
            return engine
        silent.append(engine)
    fault = f"{silent[0]} is installed and does not answer" if silent else "it is not on PATH"
    raise ImagesFault(
        f"There is no {wanted or 'docker or podman'} that can build images: {fault}. Install it or "
        "start it, or leave the building out with --no-build and bring the images another way."
    )


def default_base() -> str:
    """The official slim image of the Python that runs this."""
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
) -> list[str]:
    """Stage and build both images with `tag`; their names. Raises `ImagesFault`.

    `checkout` is where Commonwatt's sources lie, `contexts` where build contexts are staged.
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
    return [fabric, python]


def stage_fabric(context: Path, installed: Installation) -> None:
    """The image's file tree: programs, builder, and the folders that are mounted over."""
    shutil.rmtree(context, ignore_errors=True)
    root = context / "root"
    for program in SERVED:
        _link(installed.program(program), root / "usr/local/bin" / program)
    for step in BUILDER_STEPS:
        _link(installed.builder / "bin" / step, _inside(root, CONTAINER_BUILDER) / "bin" / step)
    _inside(root, CONTAINER_CONFIG).mkdir(parents=True)
    # What is mounted takes over mode and owner of the folder that it is mounted at.
    (context / "shared" / "tmp").mkdir(parents=True)
    (context / "own" / Path(CONTAINER_DATA).name).mkdir(parents=True)


def stage_python(context: Path, checkout: Path, version: str) -> None:
    """The wheel of this checkout and its locked requirements for Python `version` ("3.11").

    Raises `ImagesFault`.
    """
    if not (checkout / "pyproject.toml").is_file():
        raise ImagesFault(
            f"Images are built from a checkout of Commonwatt, and {checkout} is none: run this in "
            "one, or leave the building of images out with --no-build."
        )
    context.mkdir(parents=True, exist_ok=True)
    locked = shutil.copyfile(checkout / "requirements.txt", context / "requirements.txt")
    only = ["--only-binary", ":all:", "--no-deps", "--python-version", version]
    _pip("download", *only, "--require-hashes", "-r", locked, "--dest", context / "wheels")
    shutil.rmtree(context / "project", ignore_errors=True)
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    _pip("wheel", *offline, "--wheel-dir", context / "project", checkout)


def _inside(root: Path, path: str) -> Path:
    return root / path.removeprefix("/")


def _link(source: Path, target: Path) -> None:
    """A second name of a file, or a copy where another file system is."""
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
    """The version of Python in a base image, which is fetched where it is not here."""
    script = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    command = [engine, "run", "--rm", "--network", "none", "--entrypoint", "python3", base]
    done = subprocess.run([*command, "-c", script], check=False, capture_output=True, text=True)
    if done.returncode:
        raise ImagesFault(
            f"{base} is no base for the image of Commonwatt: it is not to be had, or lacks python3 "
            "with its venv module. Name one with --base (in full for podman, with its registry): "
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
