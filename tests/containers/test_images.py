"""What keeps images from being built is said in a sentence that names the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.images.image_building import (
    ImagesFault,
    find_engine,
    stage_fabric,
    stage_python,
)


def program(folder: Path, name: str, *, code: int) -> None:
    """A program in `folder` that ends with `code`."""
    file = folder / name
    file.write_text(f"#!/bin/sh\nexit {code}\n", "utf-8")
    file.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_no_engine_is_said_with_the_way_around(path: Path) -> None:
    with pytest.raises(ImagesFault, match=r"no docker or podman .* not on PATH.*--no-build"):
        find_engine(None)


def test_engine_whose_service_does_not_run_is_named(path: Path) -> None:
    program(path, "docker", code=1)

    with pytest.raises(ImagesFault, match="docker is installed and does not answer"):
        find_engine("docker")


def test_engine_that_answers_is_preferred(path: Path) -> None:
    program(path, "docker", code=1)
    program(path, "podman", code=0)

    assert find_engine(None) == "podman"


def test_images_are_built_from_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(ImagesFault, match="built from a checkout"):
        stage_python(tmp_path / "context", tmp_path, "3.11")


def test_image_of_fabric_holds_the_programs_that_are_services_and_no_other(tmp_path: Path) -> None:
    stage_fabric(tmp_path / "fabric", install())

    root = tmp_path / "fabric" / "root"
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    steps = {f"opt/commonwatt/builder/bin/{step}" for step in ("detect", "build", "release")}
    assert files == {"usr/local/bin/peer", "usr/local/bin/orderer"} | steps
