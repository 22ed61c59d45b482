"""Links of the documentation lead somewhere, and paths that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, sources

LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(?P<text>.+?)\s*$", re.MULTILINE)
NAMED = re.compile(r"`(?P<path>(?:tests|chaincode|identity|docs)/[\w./-]+)`")
MOVED = re.compile(r"^\| `(?P<before>[^`]+)` \| `(?P<now>[^`]+)` \|$", re.MULTILINE)
PAGES = [source.path for source in sources() if source.path.endswith(".md")]


def prose(path: Path) -> str:
    """A page without its fenced boxes."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchor(heading: str) -> str:
    """The anchor that a heading gets: letters, digits, `-` and `_`, lower case."""
    plain = LINK.sub(lambda link: link[0].partition("]")[0].lstrip("!["), heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    """All anchors of a page."""
    return {anchor(heading["text"]) for heading in HEADING.finditer(prose(path))}


def dead_links(path: Path, text: str) -> list[str]:
    """Targets of relative links in `text`, a page at `path`, that lead nowhere."""
    dead: list[str] = []
    for link in LINK.finditer(text):
        target, _, place = link["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        page = (path.parent / target).resolve() if target else path
        if not page.exists() or (place and place not in anchors(page)):
            dead.append(link["target"])
    return dead


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_the_page_leads_somewhere(page: str) -> None:
    assert dead_links(ROOT / page, prose(ROOT / page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_the_page_names_exists(page: str) -> None:
    """A decision is never edited: its paths may be those that the decision on rooms says have moved."""
    text = (ROOT / "docs/decisions/0028-rooms.md").read_text(encoding="utf-8")
    moved = {found["before"]: found["now"] for found in MOVED.finditer(text)}
    if not page.startswith("docs/decisions/"):
        moved.clear()
    named = [found["path"] for found in NAMED.finditer(prose(ROOT / page))]

    assert [path for path in named if not (ROOT / moved.get(path, path)).exists()] == []


def test_every_page_is_on_the_map() -> None:
    mapped = {page for page in PAGES if page.startswith("docs/")}
    linked = {"docs/README.md"}
    for start in ("docs/README.md", "docs/decisions/README.md"):
        folder = (ROOT / start).parent
        for link in LINK.finditer(prose(ROOT / start)):
            target = (folder / link["target"].partition("#")[0]).resolve()
            if target.is_relative_to(ROOT):
                linked.add(target.relative_to(ROOT).as_posix())

    notes = {page for page in mapped if page.startswith("docs/changes/")}
    assert sorted(mapped - linked - notes) == []


def test_dead_link_and_dead_anchor_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A heading, `code` and all\n", encoding="utf-8")
    text = "[a](page.md#a-heading-code-and-all) [b](gone.md) [c](#gone) [d](https://a.example/x)"

    assert dead_links(page, text) == ["gone.md", "#gone"]
