"""The locked requirements: exact versions with hashes, no addresses, all that the project names."""

from __future__ import annotations

import re
import tomllib
from typing import NamedTuple

import pytest

from tests.house.tree import ROOT

LOCKS = ("requirements.txt", "requirements-dev.txt")
_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+))?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


class Pin(NamedTuple):
    """One locked requirement."""

    name: str
    version: str
    marker: str


def faults(text: str) -> list[str]:
    """Lines of a lock that are no exact version with hashes, and any address or option."""
    found: list[str] = []
    for entry in _entries(text):
        head = entry.split(" \\")[0].strip()
        if "://" in entry or " @ " in entry or entry.startswith("-"):
            found.append(f"{head}: an address or option")
        elif not _PIN.fullmatch(head):
            found.append(f"{head}: no exact version")
        elif not _HASH.search(entry):
            found.append(f"{head}: no hash")
    return found


def pins(text: str) -> set[Pin]:
    """The requirements that a lock names."""
    found = (_PIN.match(entry) for entry in _entries(text))
    return {
        Pin(match["name"], match["version"], (match["marker"] or "").strip())
        for match in found
        if match
    }


def _entries(text: str) -> list[str]:
    """Each requirement with its continued lines, without comments."""
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [entry for entry in re.split(r"\n(?=\S)", "\n".join(kept)) if entry.strip()]


def named_in_project() -> tuple[set[str], set[str]]:
    """The requirements that the project names itself: to run, and to be developed."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    run: list[str] = project["project"]["dependencies"]
    dev: list[str] = project["dependency-groups"]["dev"]
    build: list[str] = project["build-system"]["requires"]
    return {_name(text) for text in run}, {_name(text) for text in [*run, *dev, *build]}


def _name(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_exact_versions_with_hashes_and_no_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert pins(text)
    assert faults(text) == []


@pytest.mark.parametrize(
    "bad",
    [
        "rich>=15 \\\n    --hash=sha256:" + "0" * 64,
        "rich==15.0.0",
        "rich==15.0.0 \\\n    --hash=md5:00",
        "rich @ https://example.org/rich.whl",
        "--option https://example.org",
        "-e .",
    ],
)
def test_loose_line_of_a_lock_is_found(bad: str) -> None:
    good = "typer==0.1 ; python_version < '4' \\\n    --hash=sha256:" + "0" * 64 + "\n    # via us"

    assert faults(good) == []
    assert len(faults(f"{good}\n{bad}\n")) == 1


def test_everything_the_project_names_is_locked() -> None:
    run, dev = (
        {pin.name for pin in pins((ROOT / lock).read_text(encoding="utf-8"))} for lock in LOCKS
    )
    run_named, dev_named = named_in_project()

    assert run_named <= run
    assert dev_named <= dev


def test_tests_run_on_the_versions_that_users_get() -> None:
    run, dev = (pins((ROOT / lock).read_text(encoding="utf-8")) for lock in LOCKS)

    assert run <= dev
