"""The page of the key layout, from the tables that the contract's modules hold."""

from __future__ import annotations

import importlib
import pkgutil
from typing import cast

import chaincode
from chaincode.metering.reports import COLLECTION, reading_key
from chaincode.state import Row, Table
from commonwatt.docs_generator.structs import fields_table, structs_in, summary

HEAD = """\
# Keys and rows

Every table of the public state, its key, and the struct that is stored there. Use this page to read the state
with a block explorer, or to find out which transactions conflict. `make docs` writes it from the contract's
tables.

A key is `<table>/<part>/<part>…`: two digits, then parts that never contain `/`. A slot is written as 12 digits,
so text order is time order; pages and epochs are padded with zeros for the same reason. A table number is
never reused. Values are canonical JSON, each with the version `v` of its layout. The page of
[transactions](transactions.md) explains the types.

"""


def keys_page() -> str:
    """Return the page as Markdown."""
    tables = contract_tables()
    lines = ["| key | table | row | module |", "|---|---|---|---|"]
    for table, module in tables:
        name = table.struct.__name__
        lines.append(f"| `{_key(table)}` | {table.name} | [{name}](#{name.lower()}) | `{module}` |")
    named = (struct for table, _ in tables for struct in structs_in(table.struct))
    parts = [HEAD + "\n".join(lines), _private()]
    parts += [
        f"## {struct.__name__}\n\n{summary(struct)}\n\n{fields_table(struct)}"
        for struct in dict.fromkeys(named)
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def contract_tables() -> list[tuple[Table[Row], str]]:
    """Return every table of the contract with the module that holds it, by number.

    Raises `ValueError` when two tables have one number.
    """
    found: dict[int, tuple[Table[Row], str]] = {}
    for info in pkgutil.walk_packages(chaincode.__path__, "chaincode."):
        for value in vars(importlib.import_module(info.name)).values():
            if not isinstance(value, Table):
                continue
            table = cast("Table[Row]", value)
            known = found.get(table.number)
            if known is None:
                found[table.number] = (table, _module_of(table, info.name))
            elif known[0] is not table:
                raise ValueError(f"two tables have number {table.number}")
    return [found[number] for number in sorted(found)]


def _module_of(table: Table[Row], found_in: str) -> str:
    """Return the module of the row's struct and of its table; a bare `Row` has no such module."""
    return found_in if table.struct is Row else table.struct.__module__


def _key(table: Table[Row]) -> str:
    return table.key(*(f"<{part}>" for part in table.parts))


def _private() -> str:
    return (
        "## Private values\n\n"
        f"The collection `{COLLECTION}` holds readings under exact keys, "
        f"`<slot>/<meter>/<version>`, such as `{reading_key(1797724800, 'meter-00001')}`. Members of the "
        "collection are the DSOs, retailers, the oracle operator and the regulator. The public state "
        "holds only SHA-256 of key and value."
    )
