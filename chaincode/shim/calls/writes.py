"""The writes of a transaction, kept until its handler returns and then sent in few messages.

Each row has one write: a later write replaces the earlier write and keeps its position. A peer that
offers batches gets batches, cut by number of rows and by bytes; other peers get one message per
row.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from fabric_protos.peer import chaincode_shim_pb2 as shim_pb2

from chaincode.shim.calls.composite import FIRST_SIMPLE, check_key
from chaincode.shim.calls.conversation import Conversation, Kind

RECORD_BYTES = 32  # an upper bound for the framing of one row in a batch


class Removal(Enum):
    """A write without a value."""

    DELETE = auto()
    PURGE = auto()


Write = bytes | Removal
POLICY_METAKEY = "VALIDATION_PARAMETER"  # the key of metadata that peers look for


class Writes:
    """The writes of a transaction, in order; public rows have the collection ""."""

    __slots__ = ("_policies", "_rows")

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Write] = {}
        self._policies: dict[tuple[str, str], bytes] = {}

    def put(self, collection: str, key: str, value: bytes) -> None:
        """Keep a value; raises `ValueError` for an invalid key and for an empty value.

        An empty value is refused because Fabric treats it as a deletion.
        """
        if key < FIRST_SIMPLE:  # this test saves a call for most rows
            check_key(key)
        if not value:
            raise ValueError("an empty value would delete the row: delete it, or write a byte")
        self._rows[collection, key] = value

    def remove(self, collection: str, key: str, removal: Removal) -> None:
        """Keep a deletion or purge; raises `ValueError` for an invalid key."""
        check_key(key)
        self._rows[collection, key] = removal

    def set_policy(self, collection: str, key: str, policy: bytes) -> None:
        """Keep an endorsement policy for a key; an empty policy removes the key's policy."""
        check_key(key)
        self._policies[collection, key] = policy

    def send(self, conversation: Conversation) -> None:
        """Send all writes that are kept; raises what `Conversation.ask` raises.

        A policy follows the write of its row, because the policy applies to later transactions.
        """
        if conversation.batches.writes_max > 1:
            for payload in self._batched(conversation):
                conversation.ask(Kind.WRITE_BATCH_STATE, payload)
            return
        for (collection, key), write in self._rows.items():
            _send_alone(conversation, collection, key, write)
        for (collection, key), policy in self._policies.items():
            metadata = shim_pb2.StateMetadata(metakey=POLICY_METAKEY, value=policy)
            alone = shim_pb2.PutStateMetadata(key=key, collection=collection, metadata=metadata)
            conversation.ask(Kind.PUT_STATE_METADATA, alone.SerializeToString())

    def _batched(self, conversation: Conversation) -> Iterator[bytes]:
        rows_max = conversation.batches.writes_max
        bytes_max = conversation.limits.batch_bytes_max
        batch = shim_pb2.WriteBatchState()
        add = batch.rec.add
        count = size_bytes = 0
        for (collection, key), write in self._rows.items():
            row_bytes = 4 * (len(key) + len(collection)) + RECORD_BYTES  # UTF-8 at its longest
            if isinstance(write, bytes):
                row_bytes += len(write)
            if count == rows_max or (count and size_bytes + row_bytes > bytes_max):
                yield batch.SerializeToString()
                batch = shim_pb2.WriteBatchState()
                add = batch.rec.add
                count = size_bytes = 0
            count += 1
            size_bytes += row_bytes
            if isinstance(write, bytes):
                add(key=key, value=write, collection=collection, type=_PUT)
            else:
                add(key=key, collection=collection, type=_RECORD_TYPES[write])
        for (collection, key), policy in self._policies.items():
            if count == rows_max:
                yield batch.SerializeToString()
                batch = shim_pb2.WriteBatchState()
                count = 0
            count += 1
            record = batch.rec.add(
                key=key, collection=collection, type=shim_pb2.WriteRecord.PUT_STATE_METADATA
            )
            record.metadata.metakey = POLICY_METAKEY
            record.metadata.value = policy
        if count:
            yield batch.SerializeToString()


_PUT = shim_pb2.WriteRecord.PUT_STATE
_RECORD_TYPES = {
    Removal.DELETE: shim_pb2.WriteRecord.DEL_STATE,
    Removal.PURGE: shim_pb2.WriteRecord.PURGE_PRIVATE_DATA,
}


def _send_alone(conversation: Conversation, collection: str, key: str, write: Write) -> None:
    if isinstance(write, bytes):
        put = shim_pb2.PutState(key=key, value=write, collection=collection)
        conversation.ask(Kind.PUT_STATE, put.SerializeToString())
    elif write is Removal.DELETE:
        delete = shim_pb2.DelState(key=key, collection=collection)
        conversation.ask(Kind.DEL_STATE, delete.SerializeToString())
    else:
        purge = shim_pb2.PurgePrivateState(key=key, collection=collection)
        conversation.ask(Kind.PURGE_PRIVATE_DATA, purge.SerializeToString())
