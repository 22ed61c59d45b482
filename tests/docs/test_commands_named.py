"""Commands that the documentation tells people to type exist, with the options named."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import ROOT, Source, sources

TYPED = re.compile(
    r"(?:`|\.venv/bin/)commonwatt (?P<words>[a-z]+(?: [a-z]+(?:-[a-z]+)*)?)(?P<rest>[^`\\\n|]*)(?!\\)[`\n|]"
)
OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")
SECTION = re.compile(r"^## `commonwatt (?P<name>[a-z -]+)`$", re.MULTILINE)
FENCE = re.compile(r"^```\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MADE = re.compile(r"^make (?P<target>[a-z-]+)", re.MULTILINE)
REFERENCE = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
PAGES = [
    source
    for source in sources()
    if source.path == "README.md"
    or (source.path.startswith("docs/") and source.path.endswith(".md"))
]


def options_by_command() -> dict[str, set[str]]:
    """Every command of the reference page with its options."""
    found = list(SECTION.finditer(REFERENCE))
    ends = [section.start() for section in found[1:]] + [len(REFERENCE)]
    return {
        section["name"]: set(re.findall(r"`(--[a-z-]+)`", REFERENCE[section.end() : end]))
        for section, end in zip(found, ends, strict=True)
    }


def wrong_commands(text: str) -> list[str]:
    """What a page tells to type that is no command, or has no such option."""
    known = options_by_command()
    groups = {name.partition(" ")[0] for name in known if " " in name}
    wrong: list[str] = []
    for typed in TYPED.finditer(text):
        first, _, second = typed["words"].partition(" ")
        name = f"{first} {second}" if first in groups and second else first
        if name not in known and not (first in groups and not second):
            wrong.append(name)
        options = known.get(name, set[str]())
        wrong += [each for each in OPTION.findall(typed["rest"]) if each not in options]
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_command_of_the_page_exists(page: Source) -> None:
    assert wrong_commands(page.text) == []


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    boxes = [box[1] for page in PAGES for box in FENCE.finditer(page.text)]
    named = {made["target"] for box in boxes for made in MADE.finditer(box)}

    assert {"up", "test"} <= named <= targets


def test_command_and_option_that_are_not_there_are_found() -> None:
    text = "`commonwatt up --speed 3 --slow`, `commonwatt fly`, `commonwatt ledger burn`"

    assert wrong_commands(text) == ["--slow", "fly", "ledger burn"]
