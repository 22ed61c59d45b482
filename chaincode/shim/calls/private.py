"""One private collection, as a transaction sees it.

Members of the collection hold its values; every peer of the channel holds their hashes. Reads need
a peer and a submitter that the collection's policy admits: `PeerError` otherwise. After a range of
private rows a transaction may not write, nor read a range after it has written: peers refuse it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaincode.shim.calls.composite import composite_range, simple_range
from chaincode.shim.calls.conversation import Conversation
from chaincode.shim.calls.queries import StoredRow, read_range
from chaincode.shim.calls.reads import read, read_hash, read_many, read_policy
from chaincode.shim.calls.writes import POLICY_METAKEY, Removal, Writes


class PrivateCollection:
    """Reads and writes of one collection; the same rules as for public rows hold."""

    __slots__ = ("_conversation", "_writes", "name")

    def __init__(self, conversation: Conversation, writes: Writes, name: str) -> None:
        if not name:
            raise ValueError("a collection has a name of at least one character")
        self.name = name
        self._conversation = conversation
        self._writes = writes

    def get(self, key: str) -> bytes | None:
        """The committed value, None if there is none."""
        return read(self._conversation, self.name, key)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The committed values in the order of `keys`."""
        return read_many(self._conversation, self.name, keys)

    def put(self, key: str, value: bytes) -> None:
        """Write a value when the handler is done; an empty one is refused."""
        self._writes.put(self.name, key, value)

    def delete(self, key: str) -> None:
        """Delete the row when the handler is done; members keep what it held in their history."""
        self._writes.remove(self.name, key, Removal.DELETE)

    def purge(self, key: str) -> None:
        """Delete the row and every trace of its values on all peers; hashes of it stay in blocks."""
        self._writes.remove(self.name, key, Removal.PURGE)

    def hash(self, key: str) -> bytes | None:
        """SHA-256 of the committed value, None if there is none; any peer can tell."""
        return read_hash(self._conversation, self.name, key)

    def hashes(self, keys: Sequence[str]) -> list[bytes | None]:
        """`hash` of each key, in their order; Fabric has no message for several."""
        return [read_hash(self._conversation, self.name, key) for key in keys]

    def range(self, start: str, end: str) -> Iterator[StoredRow]:
        """Rows with simple keys, start <= key < end, lazily; an empty bound is open."""
        return read_range(self._conversation, self.name, *simple_range(start, end))

    def composite_range(self, kind: str, parts: Sequence[str] = ()) -> Iterator[StoredRow]:
        """Rows whose composite keys begin with `kind` and `parts`, lazily."""
        return read_range(self._conversation, self.name, *composite_range(kind, parts))

    def endorsement_policy(self, key: str) -> bytes | None:
        """The key's own endorsement policy, serialized; None if it has none."""
        return read_policy(self._conversation, self.name, key, POLICY_METAKEY)

    def set_endorsement_policy(self, key: str, policy: bytes) -> None:
        """Give the key a policy of its own when the handler is done."""
        self._writes.set_policy(self.name, key, policy)
