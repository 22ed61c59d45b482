"""One private collection, as a transaction sees it.

Members of the collection hold its values; every peer of the channel holds the hashes of the values.
A read raises `PeerError` unless the collection's policy admits both the peer and the submitter. A
transaction may not write after it has read a range of private rows, and may not read such a range
after it has written; peers refuse both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaincode.shim.calls.composite import composite_range, simple_range
from chaincode.shim.calls.conversation import Conversation
from chaincode.shim.calls.queries import StoredRow, read_range
from chaincode.shim.calls.reads import read, read_hash, read_many, read_policy
from chaincode.shim.calls.writes import POLICY_METAKEY, Removal, Writes


class PrivateCollection:
    """Reads and writes of one collection, with the same rules as for public rows."""

    __slots__ = ("_conversation", "_writes", "name")

    def __init__(self, conversation: Conversation, writes: Writes, name: str) -> None:
        if not name:
            raise ValueError("a collection has a name of at least one character")
        self.name = name
        self._conversation = conversation
        self._writes = writes

    def get(self, key: str) -> bytes | None:
        """The committed value; None if the key has no value."""
        return read(self._conversation, self.name, key)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The committed values in the order of `keys`."""
        return read_many(self._conversation, self.name, keys)

    def put(self, key: str, value: bytes) -> None:
        """Write a value when the handler is done; an empty value is refused."""
        self._writes.put(self.name, key, value)

    def delete(self, key: str) -> None:
        """Delete the row when the handler is done; members keep its values in their history."""
        self._writes.remove(self.name, key, Removal.DELETE)

    def purge(self, key: str) -> None:
        """Delete the row and all its values on all peers; hashes of the values stay in blocks."""
        self._writes.remove(self.name, key, Removal.PURGE)

    def hash(self, key: str) -> bytes | None:
        """The SHA-256 of the committed value, which any peer holds; None if there is no value."""
        return read_hash(self._conversation, self.name, key)

    def hashes(self, keys: Sequence[str]) -> list[bytes | None]:
        """The `hash` of each key, in the order of `keys`, with one message per key."""
        return [read_hash(self._conversation, self.name, key) for key in keys]

    def range(self, start: str, end: str) -> Iterator[StoredRow]:
        """Rows with simple keys, start <= key < end, read lazily; an empty bound is open."""
        return read_range(self._conversation, self.name, *simple_range(start, end))

    def composite_range(self, kind: str, parts: Sequence[str] = ()) -> Iterator[StoredRow]:
        """Rows whose composite keys begin with `kind` and `parts`, read lazily."""
        return read_range(self._conversation, self.name, *composite_range(kind, parts))

    def endorsement_policy(self, key: str) -> bytes | None:
        """The serialized endorsement policy of the key; None if the key has no policy."""
        return read_policy(self._conversation, self.name, key, POLICY_METAKEY)

    def set_endorsement_policy(self, key: str, policy: bytes) -> None:
        """Set an endorsement policy of the key when the handler is done."""
        self._writes.set_policy(self.name, key, policy)
