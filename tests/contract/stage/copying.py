"""The contract with a way to copy: all public rows are read in one query, written in one transaction.

A market is founded by its members' own transactions once; the rows that this leaves are the
beginning of other scenarios. Private values are not copied, so a market that has readings is not.
"""

from __future__ import annotations

import msgspec

from chaincode.context import Context
from chaincode.contract import Contract
from identity.canonical import encode

LIST_ROWS, WRITE_ROWS = "list_rows", "write_rows"
FIRST_KEY, END_KEY = "00", ":"  # keys begin with two digits
ROWS_MAX = 5_000  # as many as one transaction may write


class Rows(msgspec.Struct, frozen=True):
    """Rows by key, each as it is stored."""

    rows: dict[str, bytes]


class NoArguments(msgspec.Struct, frozen=True):
    """For a call that needs none."""


class CopyingContract(Contract):
    """The contract, whose rows can be listed and written. Only tests serve it."""

    def is_write(self, name: str) -> bool:
        """Whether transaction `name` writes; refuses an unknown one."""
        return name == WRITE_ROWS or (name != LIST_ROWS and super().is_write(name))

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """Carry out the transaction; no event tells of a copy."""
        if name == LIST_ROWS:
            page = context.page(FIRST_KEY, END_KEY, rows_max=ROWS_MAX)
            assert page.next_key is None, f"there are more than {ROWS_MAX} rows"
            return msgspec.json.encode(Rows(dict(page.rows)))
        if name == WRITE_ROWS:
            rows = msgspec.json.decode(arguments, type=Rows).rows
            for key, value in rows.items():
                context.put(key, value)
            return encode(len(rows))
        return super().invoke(context, name, arguments)
