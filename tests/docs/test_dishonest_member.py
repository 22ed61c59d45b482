"""What the documentation says of attacks is shown by tests, and each rule has a test of its name."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import ROOT, Source, sources

PAGE = "docs/concepts/what-a-dishonest-member-can-do.md"
NAMED = re.compile(r"(?P<path>tests/[\w/.-]+\.py)::(?P<test>\w+)")
DOOR = re.compile(r"^\| (?P<number>\d+) \|", re.MULTILINE)
RULE = re.compile(r"def test_rule_(?P<part>[1-9])(?:_(?P<number>[1-9]))?_")
DOORS = 22
RULES = {1: 6, 2: 6, 3: 4, 4: 6, 5: 3, 6: 8, 7: 2, 8: 5}
"""How many rules each part of the contract's rules has; part 9 is one rule."""
PAGES = [source for source in sources() if source.path.endswith(".md")]


def missing_tests(text: str) -> list[str]:
    """The tests named in `text` that do not exist."""
    missing: list[str] = []
    for found in NAMED.finditer(text):
        path = ROOT / found["path"]
        defined = f"def {found['test']}("
        if not path.exists() or defined not in path.read_text(encoding="utf-8"):
            missing.append(found[0])
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_test_that_the_page_names_exists(page: Source) -> None:
    assert missing_tests(page.text) == []


def test_page_tells_of_every_door_and_shows_each_row_by_a_test() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    rows = [
        line for line in text.splitlines() if line.startswith("| ") and "what was tried" not in line
    ]

    assert {int(found["number"]) for found in DOOR.finditer(text)} == set(range(1, DOORS + 1))
    assert [row for row in rows if not NAMED.search(row)] == []


def test_every_rule_has_a_test_named_after_it() -> None:
    wanted = {f"{part}.{number + 1}" for part, count in RULES.items() for number in range(count)}
    named = {
        found["part"] + (f".{found['number']}" if found["number"] else "")
        for source in sources()
        if source.path.startswith("tests/") and source.path.endswith(".py")
        for found in RULE.finditer(source.text)
    }

    assert wanted | {"9"} == named


def test_test_that_does_not_exist_is_found() -> None:
    here = "tests/docs/test_dishonest_member.py"
    text = f"`{here}::test_gone` and `{here}::missing_tests` and `tests/gone.py::test_x`"

    assert missing_tests(text) == [f"{here}::test_gone", "tests/gone.py::test_x"]
