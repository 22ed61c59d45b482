"""Generated pages and the picture are checked in as the code writes them now."""

from __future__ import annotations

import asyncio
import re

import pytest

from commonwatt.docs_generator.pages import generated_pages
from commonwatt.docs_generator.picture import draw_market
from tests.house.tree import ROOT

DOCS = ROOT / "docs"
PICTURE_BYTES_MAX = 200_000
ADVICE = "run `make docs` and look at what has changed"
WRITTEN = generated_pages()


@pytest.mark.parametrize("name", WRITTEN)
def test_page_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == WRITTEN[name], ADVICE


def test_picture_is_what_the_market_shows() -> None:
    drawn = asyncio.run(draw_market())

    assert (DOCS / "market.svg").read_text(encoding="utf-8") == drawn, ADVICE
    assert len(drawn.encode()) < PICTURE_BYTES_MAX
    addresses = re.findall(r"https?://[^\"'\s<>)]+", drawn)
    assert set(addresses) == {"http://www.w3.org/2000/svg"}
