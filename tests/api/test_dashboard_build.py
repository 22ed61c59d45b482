"""The dashboard's build where PATH has no Node, or one that is too old."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from api.server.dashboard_build import FOLDER, find_node
from tests.browser.first_load import FIRST_LOAD_BYTES_MAX, files_named, first_load_bytes
from tests.house.tree import ROOT

DEADLINE_S = 300  # a slow line
BUILD = """
import sys
from pathlib import Path
from api.server.dashboard_build import BuildFailed, build
try:
    print(build(print, folder=Path(sys.argv[1])))
except BuildFailed as error:
    sys.exit(str(error))
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on PATH, still empty."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The dashboard's sources as a fresh checkout has them."""
    made = shutil.ignore_patterns("node_modules", "dist", "build")
    return shutil.copytree(FOLDER, tmp_path / "dashboard", ignore=made)


def put(folder: Path, name: str, says: str) -> Path:
    """A program that says one line."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {says}\n", encoding="ascii")
    program.chmod(0o755)
    return program


def built_beside(packages: Path, sources: Path) -> subprocess.CompletedProcess[str]:
    """A build by a Python that sees the packages of one folder and no others."""
    return subprocess.run(
        [sys.executable, "-S", "-c", BUILD, sources],  # -S: without site-packages
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(packages), str(ROOT)))},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_dashboard_is_built_with_the_wheel_where_path_has_no_node(
    tmp_path: Path, path: Path, sources: Path
) -> None:
    """The locked wheel is installed into a folder of its own; sources and PATH are bare."""
    packages = tmp_path / "packages"
    install = ["install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    locked = ROOT / "requirements-node.txt"
    subprocess.run(
        [sys.executable, "-m", "pip", *install, "--target", packages, "-r", locked],
        timeout=DEADLINE_S,
        check=True,
    )

    done = built_beside(packages, sources)

    assert list(path.iterdir()) == []
    assert done.returncode == 0, done.stderr
    dist = sources / "dist"
    assert done.stdout.splitlines()[-1] == str(dist)
    assert any(name.endswith(".js") for name in files_named(dist))
    assert first_load_bytes(dist) < FIRST_LOAD_BYTES_MAX


def test_node_of_path_is_taken_where_it_is_new_enough(path: Path) -> None:
    node, npm = put(path, "node", "v20.19.0"), put(path, "npm", "10.0.0")

    assert find_node() == (node, npm)


@pytest.mark.parametrize("version", ["v18.0.0", "v20.18.9", "nothing-known"])
def test_old_node_on_path_is_passed_over_for_the_wheel(path: Path, version: str) -> None:
    put(path, "node", version)
    put(path, "npm", "10.0.0")

    found = find_node()

    assert found is not None
    assert not found.node.is_relative_to(path)
    assert found.npm.is_file()
    said = subprocess.run([found.node, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("v24.")


@pytest.mark.parametrize(
    ("programs", "there"),
    [
        ({}, "no Node was found"),
        ({"node": "v18.0.0", "npm": "10.0.0"}, "node is 18.0"),
        ({"node": "nothing-known", "npm": "10.0.0"}, "node does not run"),
        ({"node": "v24.0.0"}, "node has no npm next to it"),
    ],
)
def test_want_of_node_is_told_with_what_to_do(
    tmp_path: Path, path: Path, sources: Path, programs: dict[str, str], there: str
) -> None:
    for name, says in programs.items():
        put(path, name, says)

    done = built_beside(tmp_path / "no-packages", sources)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Building the dashboard needs Node 20.19 or newer on PATH" in done.stderr
    assert there in done.stderr
    assert "pip install -r requirements-node.txt" in done.stderr
