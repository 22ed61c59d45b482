"""The context of a handler: one transaction's view of the ledger, with its writes buffered.

An engine provides a `StateView` (reads, private reads, signature checks). `Context` adds the rules
that are the same on every engine: gets and ranges see the transaction's own writes, a transaction
has limits, private ranges and writes after a page are refused, and there is one event. When the
handler is done the engine takes the `Effects` as one batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from typing import Literal, NamedTuple, Protocol

import msgspec

from chaincode.errors import (
    BYTES_TOO_MANY,
    PRIVATE_RANGE,
    READ_ONLY,
    READS_TOO_MANY,
    WRITE_AFTER_PAGE,
    WRITES_TOO_MANY,
    Broken,
)
from identity.keys import SignatureCheck

BYTES_MAX = 4 * 1024 * 1024  # arguments, transient data and writes of one transaction
WRITES_MAX = 5_000  # keys; a Fabric peer takes some 165-260 ms for 2,000
READS_MAX = 20_000  # rows; Fabric's bound is 100,000 per query
KEY_BYTES_MAX = 1_024

Role = Literal["admin", "client"]


class Caller(msgspec.Struct, frozen=True):
    """The submitter: member organisation, role in it, and the SHA-256 of the certificate."""

    member: str
    role: Role
    certificate_hash: str


class Event(msgspec.Struct, frozen=True):
    """An event in a transaction: a name, and data in canonical JSON."""

    name: str
    data: msgspec.Raw


class PrivateKey(NamedTuple):
    """The place of a private value."""

    collection: str
    key: str


class Effects(msgspec.Struct, frozen=True):
    """What a transaction does when it commits; a value of None deletes the key.

    `private` holds values for the members of a collection; `purged` lists values that are erased
    together with their history. `events` are in the order in which they were emitted.
    """

    writes: dict[str, bytes | None]
    private: dict[PrivateKey, bytes | None]
    purged: list[PrivateKey]
    events: list[Event]


class Accepted(msgspec.Struct, frozen=True):
    """The answer of a registration: the name of what was registered."""

    name: str


class StateView(Protocol):
    """What an engine provides to one simulation. Every read enters the read set of the engine."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The committed values of `keys` in the order asked; None where a key is absent."""
        ...

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Committed rows with start <= key < end by code point, read lazily.

        The commit finds phantoms up to the key at which the reader stopped.
        """
        ...

    def private_get_many(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        """Committed private values; None where a value is absent or purged."""
        ...

    def private_hashes(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        """The SHA-256 of committed private values, which every member of the channel can read."""
        ...

    def verify_many(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        """Whether each signature is valid; the engine may spread the checks over cores."""
        ...


class Page(NamedTuple):
    """Rows of one page of a range and the key of the next row, None at the end."""

    rows: list[tuple[str, bytes]]
    next_key: str | None


class Collection:
    """Private values of one collection, read by exact key only."""

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._name = name

    def get(self, key: str) -> bytes | None:
        """The value; None where it is absent or purged."""
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order asked, own writes included."""
        return self._context.private_read(self._name, keys)

    def hash(self, key: str) -> bytes | None:
        """The SHA-256 of the committed value; members and non-members can read it."""
        return self._context.private_hash(self._name, key)

    def put(self, key: str, value: bytes) -> None:
        """Write a value when the transaction commits."""
        self._context.private_write(self._name, key, value)

    def delete(self, key: str) -> None:
        """Remove the value from the state; the members keep its history."""
        self._context.private_write(self._name, key, None)

    def purge(self, key: str) -> None:
        """Erase the value and its history everywhere; the value's hash stays on the ledger."""
        self._context.private_purge(self._name, key)

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Always refused: Fabric cannot check a private range for phantoms with writes."""
        raise PRIVATE_RANGE(collection=self._name, start=start, end=end)


class Context:
    """One transaction's view of the ledger; a handler is a synchronous function of its context.

    `channel` and `contract` name where the transaction runs. `time_s` is the transaction time in
    seconds UTC, which the client claims and the engine bounds. `transient` is data that never
    enters a block.
    """

    def __init__(
        self,
        view: StateView,
        *,
        channel: str,
        contract: str,
        caller: Caller,
        transaction: str,
        time_s: int,
        transient: Mapping[str, bytes],
        arguments_bytes: int,
        writes: bool,
    ) -> None:
        self._view = view
        self.channel = channel
        self.contract = contract
        self.caller = caller
        self.transaction = transaction
        self.time_s = time_s
        self.transient = transient
        self._bytes = arguments_bytes + sum(len(value) for value in transient.values())
        self._may_write = writes
        self._paged = False
        self._reads = 0
        self._writes: dict[str, bytes | None] = {}
        self._private: dict[PrivateKey, bytes | None] = {}
        self._purged: dict[PrivateKey, None] = {}
        self._events: list[Event] = []
        self._check_bytes()

    @property
    def reads(self) -> int:
        """Rows read so far; a run stops before the limit."""
        return self._reads

    @property
    def writes(self) -> int:
        """Keys written so far; a run stops before the limit."""
        return len(self._writes) + len(self._private) + len(self._purged)

    @property
    def bytes_used(self) -> int:
        """Bytes of arguments, transient data and writes so far."""
        return self._bytes

    def get(self, key: str) -> bytes | None:
        """The value of `key`, own writes included; None where the key is absent."""
        if key in self._writes:
            return self._writes[key]
        self._count_reads(1)
        return self._view.get_many([key])[0]

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values of `keys` in the order asked, own writes included."""
        written = self._writes
        if written.keys().isdisjoint(keys):
            self._count_reads(len(keys))
            return self._view.get_many(keys)
        missing = [key for key in keys if key not in written]
        self._count_reads(len(missing))
        found = dict(zip(missing, self._view.get_many(missing), strict=True))
        return [written[key] if key in written else found[key] for key in keys]

    def put(self, key: str, value: bytes) -> None:
        """Write `value` when the transaction commits; key and value may not be empty."""
        if not value:
            raise Broken(f"empty value for {key!r}")
        self._write(key, value)

    def delete(self, key: str) -> None:
        """Remove `key` when the transaction commits."""
        self._write(key, None)

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Rows with start <= key < end in order, own writes included.

        The caller may stop reading early; only rows that were read can conflict. The iteration
        does not see writes that are made while it runs.
        """
        own = sorted((k, v) for k, v in self._writes.items() if start <= k < end)
        if not own:
            yield from self._counted(start, end)
            return
        hidden = {key for key, _ in own}
        below = ((k, v) for k, v in self._counted(start, end) if k not in hidden)
        live = ((k, v) for k, v in own if v is not None)
        yield from merge(below, live)

    def page(self, start: str, end: str, *, rows_max: int) -> Page:
        """Up to `rows_max` rows of a range for a query; writing afterwards is refused.

        A page is not checked for phantoms, so a transaction that writes must not depend on it.
        """
        if self._writes or self._private or self._purged:
            raise WRITE_AFTER_PAGE()
        self._paged = True
        rows: list[tuple[str, bytes]] = []
        for key, value in self._counted(start, end):
            if len(rows) == rows_max:
                return Page(rows, key)
            rows.append((key, value))
        return Page(rows, None)

    def private(self, collection: str) -> Collection:
        """The private values of `collection`."""
        return Collection(self, collection)

    def verify_many(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        """Whether each signature is valid, in the order given."""
        return self._view.verify_many(checks)

    def emit(self, name: str, data: bytes) -> None:
        """Add an entry to the single event of this transaction."""
        self._events.append(Event(name, msgspec.Raw(data)))

    def effects(self) -> Effects:
        """The effects that the engine commits; only the engine calls this."""
        return Effects(self._writes, self._private, list(self._purged), self._events)

    def private_read(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        """Private values, own writes included; for `Collection`."""
        places = [PrivateKey(collection, key) for key in keys]
        missing = [p.key for p in places if p not in self._private and p not in self._purged]
        self._count_reads(len(missing))
        found = dict(zip(missing, self._view.private_get_many(collection, missing), strict=True))
        return [
            None if p in self._purged else self._private[p] if p in self._private else found[p.key]
            for p in places
        ]

    def private_hash(self, collection: str, key: str) -> bytes | None:
        """The SHA-256 of a committed private value; for `Collection`."""
        self._count_reads(1)
        return self._view.private_hashes(collection, [key])[0]

    def private_write(self, collection: str, key: str, value: bytes | None) -> None:
        """Buffer a private write; for `Collection`."""
        if value is not None and not value:
            raise Broken(f"empty private value for {key!r}")
        place = PrivateKey(collection, key)
        self._claim(key, value, held=self._held_private(place))
        self._purged.pop(place, None)
        self._private[place] = value

    def private_purge(self, collection: str, key: str) -> None:
        """Buffer a purge; for `Collection`."""
        place = PrivateKey(collection, key)
        self._claim(key, None, held=self._held_private(place))
        self._private.pop(place, None)
        self._purged[place] = None

    def _write(self, key: str, value: bytes | None) -> None:
        writes = self._writes
        held = _bytes_of(key, writes[key]) if key in writes else None
        self._claim(key, value, held=held)
        writes[key] = value

    def _held_private(self, place: PrivateKey) -> int | None:
        if place in self._private:
            return _bytes_of(place.key, self._private[place])
        return _bytes_of(place.key, None) if place in self._purged else None

    def _claim(self, key: str, value: bytes | None, *, held: int | None) -> None:
        """Refuse a write beyond a limit; `held` is the replaced value, None for a new key."""
        if not self._may_write:
            raise READ_ONLY(transaction=self.transaction)
        if self._paged:
            raise WRITE_AFTER_PAGE()
        if not key or len(key) > KEY_BYTES_MAX:
            raise Broken(f"a key of {len(key)} characters")
        if held is None and self.writes >= WRITES_MAX:
            raise WRITES_TOO_MANY(count=self.writes + 1, limit=WRITES_MAX)
        self._bytes += len(key) + (len(value) if value else 0) - (held or 0)
        if self._bytes > BYTES_MAX:
            raise BYTES_TOO_MANY(count=self._bytes, limit=BYTES_MAX)

    def _counted(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        for row in self._view.range(start, end):
            self._count_reads(1)
            yield row

    def _count_reads(self, count: int) -> None:
        self._reads += count
        if self._reads > READS_MAX:
            raise READS_TOO_MANY(count=self._reads, limit=READS_MAX)

    def _check_bytes(self) -> None:
        if self._bytes > BYTES_MAX:
            raise BYTES_TOO_MANY(count=self._bytes, limit=BYTES_MAX)


def _bytes_of(key: str, value: bytes | None) -> int:
    """The bytes that a written key counts towards the limit; a deleted key counts by its name."""
    return len(key) + (len(value) if value else 0)
