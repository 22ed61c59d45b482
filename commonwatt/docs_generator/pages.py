"""The pages of `docs/` that are generated from the code; the other pages are written by hand."""

from __future__ import annotations

from collections.abc import Mapping

from commonwatt.docs_generator.bounds import bounds_page
from commonwatt.docs_generator.commands import commands_page
from commonwatt.docs_generator.keys import keys_page
from commonwatt.docs_generator.refusals import refusals_page
from commonwatt.docs_generator.rights import rights_page
from commonwatt.docs_generator.transactions import transactions_page


def generated_pages() -> Mapping[str, str]:
    """Return path below `docs/` and text of every generated page."""
    return {
        "reference/transactions.md": transactions_page(),
        "reference/refusals.md": refusals_page(),
        "reference/keys.md": keys_page(),
        "reference/commands.md": commands_page(),
        "reference/rights.md": rights_page(),
        "reference/bounds.md": bounds_page(),
    }
