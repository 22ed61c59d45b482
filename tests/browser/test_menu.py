"""The pages that the tests open are those of the menu: a new page is looked at like all others."""

from __future__ import annotations

import re

from api.server.dashboard_build import FOLDER
from tests.browser.looks import PAGES


def test_tests_open_every_page_of_the_menu() -> None:
    source = (FOLDER / "src" / "shell" / "pages.ts").read_text(encoding="utf-8")
    table = source.partition("export const PAGES")[2].partition("};")[0]
    menu = {
        role: set(re.findall(r'page\("([^"]+)"', pages))
        for role, pages in re.findall(r"^  ([A-Z]+): \[(.*?)\],$", table, re.MULTILINE | re.DOTALL)
    }

    # The tests also open the page of the wallet, and a tab of the statements.
    opened = {role: {name.partition("?")[0] for name in names} for role, names in PAGES.items()}
    assert menu
    assert {role: pages - opened[role] for role, pages in menu.items()} == {
        role: set[str]() for role in opened
    }
