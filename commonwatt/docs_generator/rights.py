"""The table of rights as a page: who may select each field of the API."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby

from api.access.table import BOOK, READERS, SIGNED_IN, Reader
from api.graphql.document import market_schema
from api.graphql.fields import rights_of

HEAD = """# Who may select a field of the API

<!-- Written by `make docs` from `api/features/*/types.py`: change the code, not this page. -->

This page lists who may select each field of the schema, as the fields declare it. `STRANGER` is anybody
who is not signed in, `ONLOOKER` such a visitor to a market that shows its book. A field that is not listed is refused to everybody. Whose rows a role is shown is
told in [sessions](../concepts/sessions.md).
"""


def rights_page() -> str:
    """Return the text of `docs/reference/rights.md`."""
    rights = rights_of(market_schema()).fields
    lines = ["| type | fields | who |", "|---|---|---|"]
    for kind, fields in groupby(sorted(rights), key=lambda field: field.partition(".")[0]):
        by_readers: dict[frozenset[Reader], list[str]] = defaultdict(list)
        for field in fields:
            by_readers[rights[field]].append(field.partition(".")[2])
        lines.extend(
            f"| `{kind}` | {', '.join(f'`{name}`' for name in names)} | {_who(readers)} |"
            for readers, names in by_readers.items()
        )
    return HEAD + "\n" + "\n".join(lines) + "\n"


def _who(readers: frozenset[Reader]) -> str:
    if readers == frozenset(READERS):
        return "everybody"
    if readers == SIGNED_IN:
        return "everybody who is signed in"
    if readers == BOOK:
        return "everybody who is signed in, ONLOOKER"
    return ", ".join(reader for reader in READERS if reader in readers)
