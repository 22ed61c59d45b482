"""Ranges, pages and histories: many rows in the order of their keys, fetched as they are read.

Keys are ordered by their UTF-8 bytes. The peer holds a range open while the range is read; a reader
that stops early closes the range. Rich queries of CouchDB are left out, because peers do not check
them for phantoms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from fabric_protos.ledger.queryresult import kv_query_result_pb2
from fabric_protos.peer import chaincode_shim_pb2 as shim_pb2
from google.protobuf.message import DecodeError

from chaincode.shim.calls.conversation import Conversation, Kind
from chaincode.shim.calls.reads import unreadable

ROWS_MAX = 2**31 - 1  # the largest page size that fits into the message

T = TypeVar("T")


class StoredRow(NamedTuple):
    """A key and its committed value."""

    key: str
    value: bytes


class RowPage(NamedTuple):
    """Rows of one page, and the bookmark of the next page, which is empty after the last row."""

    rows: list[StoredRow]
    bookmark: str


class Change(NamedTuple):
    """One committed write of a key."""

    transaction: str  # id
    value: bytes | None  # None when the key was deleted
    timestamp_s: int  # as the submitter claims
    timestamp_nanos: int
    deleted: bool


def read_range(
    conversation: Conversation, collection: str, start: str, end: str
) -> Iterator[StoredRow]:
    """Rows with start <= key < end, read lazily."""
    request = shim_pb2.GetStateByRange(startKey=start, endKey=end, collection=collection)
    return _walk(conversation, Kind.GET_STATE_BY_RANGE, request.SerializeToString(), _row)


def read_page(
    conversation: Conversation, start: str, end: str, *, rows_max: int, bookmark: str
) -> RowPage:
    """At most `rows_max` rows with start <= key < end, from `bookmark` on unless it is empty."""
    if not 1 <= rows_max <= ROWS_MAX:
        raise ValueError(f"a page has from 1 to {ROWS_MAX} rows, not {rows_max}")
    metadata = shim_pb2.QueryMetadata(pageSize=rows_max, bookmark=bookmark).SerializeToString()
    request = shim_pb2.GetStateByRange(startKey=start, endKey=end, metadata=metadata)
    reply = conversation.ask(Kind.GET_STATE_BY_RANGE, request.SerializeToString())
    try:
        response = shim_pb2.QueryResponse.FromString(reply)
        found = shim_pb2.QueryResponseMetadata.FromString(response.metadata)
        rows = [_row(result.resultBytes) for result in response.results]
    except DecodeError as fault:
        raise unreadable(conversation, Kind.GET_STATE_BY_RANGE) from fault
    return RowPage(rows, found.bookmark)


def read_history(conversation: Conversation, key: str) -> Iterator[Change]:
    """The committed writes of a key, latest first, read lazily."""
    request = shim_pb2.GetHistoryForKey(key=key).SerializeToString()
    return _walk(conversation, Kind.GET_HISTORY_FOR_KEY, request, _change)


def _walk(
    conversation: Conversation, kind: Kind.ValueType, request: bytes, read: Callable[[bytes], T]
) -> Iterator[T]:
    open_id = ""
    try:
        while True:
            reply = conversation.ask(kind, request)
            try:
                response = shim_pb2.QueryResponse.FromString(reply)
                results = [read(result.resultBytes) for result in response.results]
            except DecodeError as fault:
                raise unreadable(conversation, kind) from fault
            open_id = response.id if response.has_more else ""
            yield from results
            if not open_id:
                return
            kind = Kind.QUERY_STATE_NEXT
            request = shim_pb2.QueryStateNext(id=open_id).SerializeToString()
    finally:
        # The garbage collector may also close a generator: in any thread, during another call, or
        # after the transaction's end, when the peer has already closed what was open.
        if open_id and conversation.may_ask:
            closing = shim_pb2.QueryStateClose(id=open_id).SerializeToString()
            conversation.ask(Kind.QUERY_STATE_CLOSE, closing)


def _row(result: bytes) -> StoredRow:
    found = kv_query_result_pb2.KV.FromString(result)
    return StoredRow(found.key, found.value)


def _change(result: bytes) -> Change:
    found = kv_query_result_pb2.KeyModification.FromString(result)
    value = None if found.is_delete else found.value
    stamp = found.timestamp
    return Change(found.tx_id, value, stamp.seconds, stamp.nanos, found.is_delete)
