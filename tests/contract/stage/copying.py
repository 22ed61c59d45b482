"""The contract with a way to copy all public rows: read in pages, written in few transactions.

A market is founded by its members' own transactions once; the rows that this leaves are the
beginning of other scenarios. Private values are not copied, so a market that has readings is not.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from chaincode.context import Context
from chaincode.contract import Contract
from identity.canonical import encode

LIST_ROWS, WRITE_ROWS = "list_rows", "write_rows"
FIRST_KEY, END_KEY = "00", ":"  # keys begin with two digits
ROWS_MAX = 2_000  # of a page, as one transaction writes at most 5,000
BYTES_MAX = 1_500_000  # that one transaction writes: with them as arguments it may have 4 MB


class Rows(msgspec.Struct, frozen=True):
    """Rows by key, each as it is stored, and the key at which the next page begins."""

    rows: dict[str, bytes]
    next_key: str | None = None

    def parts(self) -> Iterator[Rows]:
        """The rows in parts of which each fits into a transaction."""
        part: dict[str, bytes] = {}
        size = 0
        for key, value in self.rows.items():
            if part and (len(part) == ROWS_MAX or size + len(value) > BYTES_MAX):
                yield Rows(part)
                part, size = {}, 0
            part[key] = value
            size += len(value)
        yield Rows(part)


class FromKey(msgspec.Struct, frozen=True):
    """Where a page of rows begins."""

    key: str = FIRST_KEY


class CopyingContract(Contract):
    """The contract, whose rows can be listed and written. Only tests serve it."""

    def is_write(self, name: str) -> bool:
        """Whether transaction `name` writes; refuses an unknown one."""
        return name == WRITE_ROWS or (name != LIST_ROWS and super().is_write(name))

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """Carry out the transaction; no event tells of a copy."""
        if name == LIST_ROWS:
            start = msgspec.json.decode(arguments, type=FromKey).key
            page = context.page(start, END_KEY, rows_max=ROWS_MAX)
            return msgspec.json.encode(Rows(dict(page.rows), page.next_key))
        if name == WRITE_ROWS:
            rows = msgspec.json.decode(arguments, type=Rows).rows
            for key, value in rows.items():
                context.put(key, value)
            return encode(len(rows))
        return super().invoke(context, name, arguments)
