"""The slowest and most obvious engine: rows in a dict, one transaction after the other.

It runs the contract's handlers without a ledger, for tests that need very many transactions or
very large states, and is the model that the real engines are held against.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

import msgspec

from chaincode.context import Caller, Context, Event, PrivateKey, Role
from chaincode.contract import Contract
from identity.canonical import encode
from identity.keys import SignatureCheck, verify_many

CHANNEL = "test-channel"


class DictView:
    """Committed rows as a contract's handler sees them."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.private: dict[PrivateKey, bytes] = {}

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.rows.get(key) for key in keys]

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        for key in sorted(key for key in self.rows if start <= key < end):
            yield key, self.rows[key]

    def private_get_many(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        return [self.private.get(PrivateKey(collection, key)) for key in keys]

    def private_hashes(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        values = self.private_get_many(collection, keys)
        return [None if value is None else sha256(value).digest() for value in values]

    def verify_many(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        return verify_many(checks)


class SortedView(DictView):
    """The same with the keys kept sorted, where ranges over many rows are read often."""

    def __init__(self) -> None:
        super().__init__()
        self._sorted: list[str] | None = None

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        if self._sorted is None:
            self._sorted = sorted(self.rows)
        keys = self._sorted
        for place in range(bisect_left(keys, start), bisect_left(keys, end)):
            yield keys[place], self.rows[keys[place]]

    def changed(self) -> None:
        self._sorted = None


class DictEngine:
    """Runs transactions one by one and keeps what they write."""

    def __init__(self, now_s: int) -> None:
        self.view = SortedView()
        self.contract = Contract()
        self.now_s = now_s
        self.events: list[Event] = []
        self.written_max = 0
        self.reads_max = 0
        self.bytes_max = 0

    def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: str,
        role: Role = "client",
        transient: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """Carry the transaction out; a refusal leaves everything as it was."""
        data = encode(arguments)
        context = self._context(name, data, member, role, transient or {})
        answer = self.contract.invoke(context, name, data)
        effects = context.effects()
        self.written_max = max(self.written_max, context.writes)
        self.reads_max = max(self.reads_max, context.reads)
        self.bytes_max = max(self.bytes_max, context.bytes_used)
        for key, value in effects.writes.items():
            if (key in self.view.rows) != (value is not None):
                self.view.changed()
            if value is None:
                self.view.rows.pop(key, None)
            else:
                self.view.rows[key] = value
        for place, value in effects.private.items():
            if value is None:
                self.view.private.pop(place, None)
            else:
                self.view.private[place] = value
        for place in effects.purged:
            self.view.private.pop(place, None)
        self.events.extend(effects.events)
        return answer

    def reading(self) -> Context:
        """A context to read rows with."""
        return self._context("describe_area", b"", "", "client", {})

    def state(self) -> dict[str, bytes]:
        """All public rows, to compare before and after."""
        return dict(self.view.rows)

    def _context(
        self, name: str, data: bytes, member: str, role: Role, transient: Mapping[str, bytes]
    ) -> Context:
        return Context(
            self.view,
            channel=CHANNEL,
            contract=self.contract.name,
            caller=Caller(member, role, ""),
            transaction=sha256(data).hexdigest(),
            time_s=self.now_s,
            transient=transient,
            arguments_bytes=len(data),
            writes=self.contract.is_write(name),
        )
