"""The dashboard's sources: their rooms, their types, and the tests that need no browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.server.dashboard_build import FOLDER, check
from tests.browser.documents import imports

SOURCES = FOLDER / "src"
FLOORS = ("format", "wallet", "transport", "parts", "features", "shell")  # the lowest first
MODULES_MAX = 15
ROOMS = sorted({path.parent for path in SOURCES.rglob("*.ts*")})
WRITES_NUMBERS = re.compile(r"\.toFixed\(|\.toLocaleString\(|\.toPrecision\(|Intl\.NumberFormat")


def name(path: Path) -> str:
    return path.relative_to(SOURCES).as_posix()


def test_sources_hold_their_types_and_pass_their_own_tests() -> None:
    said = check()

    passed = re.search(r"^\W+ pass (\d+)$", said, re.MULTILINE)
    assert passed is not None, said
    assert int(passed[1]) > 20


@pytest.mark.parametrize("room", ROOMS, ids=name)
def test_room_says_what_lives_there_and_is_small_enough_to_look_over(room: Path) -> None:
    text = (room / "README.md").read_text(encoding="utf-8")

    assert len([path for path in room.iterdir() if path.suffix in {".ts", ".tsx"}]) <= MODULES_MAX
    named = re.findall(r"`(?:\.\./)*([\w/]+\.tsx?)`", text)
    assert [each for each in named if not list(SOURCES.rglob(each))] == []


def test_module_imports_from_its_own_room_and_from_rooms_below() -> None:
    wrong = [
        f"{name(path)} imports {name(found)}"
        for path in SOURCES.rglob("*.ts*")
        if (floor := floor_of(path)) is not None
        for found, _ in imports(path)
        if (below := floor_of(found)) is None or below > floor
    ]

    assert wrong == []


def test_numbers_are_written_in_one_room() -> None:
    writers = {
        path.relative_to(SOURCES).parts[0]
        for path in SOURCES.rglob("*.ts*")
        if WRITES_NUMBERS.search(path.read_text(encoding="utf-8"))
    }

    assert writers <= {"format"}


def floor_of(path: Path) -> int | None:
    """How high the room of a module is; None for what lies in no room, as `main.tsx`."""
    room = path.relative_to(SOURCES).parts[0]
    return FLOORS.index(room) if room in FLOORS else None
