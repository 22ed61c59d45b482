"""A contract that uses every call once; a real peer's conversation with it is recorded and replayed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from chaincode.shim import Invocation, PeerError, Rejected, RowPage, StoredRow

COLLECTION = "readings"


def contract(invocation: Invocation) -> bytes:
    """The first argument names the function, the others are its arguments."""
    name, *arguments = (argument.decode() for argument in invocation.arguments)
    function = FUNCTIONS.get(name)
    if function is None:
        raise Rejected(f"there is no {name}", 404)
    return json.dumps(function(invocation, *arguments), ensure_ascii=False).encode()


def put(invocation: Invocation, *pairs: str) -> object:
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        invocation.put(key, value.encode())
    return len(pairs) // 2


def put_many(invocation: Invocation, prefix: str, count: str) -> object:
    for number in range(int(count)):
        invocation.put(f"{prefix}{number:05d}", b"%d" % number)
    return int(count)


def delete(invocation: Invocation, key: str) -> object:
    invocation.delete(key)
    return key


def get(invocation: Invocation, key: str) -> object:
    return _text(invocation.get(key))


def get_many(invocation: Invocation, *keys: str) -> object:
    return [_text(value) for value in invocation.get_many(keys)]


def get_range(invocation: Invocation, start: str, end: str) -> object:
    return _rows(invocation.range(start, end))


def get_first(invocation: Invocation, start: str, end: str, count: str) -> object:
    rows = invocation.range(start, end)
    found = _rows(islice(rows, int(count)))
    close = getattr(rows, "close", None)
    if close is not None:
        close()
    return found


def get_page(invocation: Invocation, start: str, end: str, count: str, bookmark: str) -> object:
    return _page(invocation.page(start, end, rows_max=int(count), bookmark=bookmark))


def put_composite(invocation: Invocation, kind: str, *parts: str) -> object:
    invocation.put(invocation.composite_key(kind, parts), b"there")
    return list(parts)


def get_composite(invocation: Invocation, kind: str, *parts: str) -> object:
    rows = invocation.composite_range(kind, parts)
    return [invocation.split_composite_key(row.key) for row in rows]


def get_composite_page(invocation: Invocation, kind: str, count: str, bookmark: str) -> object:
    return _page(invocation.composite_page(kind, rows_max=int(count), bookmark=bookmark))


def history(invocation: Invocation, key: str) -> object:
    changes = list(invocation.history(key))
    return [(_text(change.value), change.deleted) for change in changes]


def put_private(invocation: Invocation, key: str) -> object:
    invocation.private(COLLECTION).put(key, invocation.transient["value"])
    return key


def get_private(invocation: Invocation, collection: str, *keys: str) -> object:
    private = invocation.private(collection)
    return [_text(private.get(keys[0])), [_text(value) for value in private.get_many(keys)]]


def hashes(invocation: Invocation, *keys: str) -> object:
    found = invocation.private(COLLECTION).hashes(keys)
    return [value.hex() if value else None for value in found]


def get_private_range(invocation: Invocation, start: str, end: str) -> object:
    return _rows(invocation.private(COLLECTION).range(start, end))


def delete_private(invocation: Invocation, deleted: str, purged: str) -> object:
    private = invocation.private(COLLECTION)
    private.delete(deleted)
    private.purge(purged)
    return [deleted, purged]


def emit(invocation: Invocation, name: str, payload: str) -> object:
    invocation.emit(name, payload.encode())
    return name


def swallow(invocation: Invocation, collection: str) -> object:
    """A handler that goes on as if the peer had not refused."""
    try:
        return _text(invocation.private(collection).get("key"))
    except PeerError:
        return "nothing happened"


def fail(_: Invocation, secret: str) -> object:
    raise KeyError(secret)


def who(invocation: Invocation) -> object:
    creator = invocation.creator
    return [creator.msp_id, creator.units, dict(creator.attributes), invocation.chaincode]


def policy(invocation: Invocation, key: str, value: str) -> object:
    invocation.put(key, b"guarded")
    invocation.set_endorsement_policy(key, value.encode())
    return key


def get_policy(invocation: Invocation, key: str) -> object:
    return _text(invocation.endorsement_policy(key))


def call(invocation: Invocation, chaincode: str, *arguments: str) -> object:
    answer = invocation.call(chaincode, [argument.encode() for argument in arguments])
    return [answer.status, answer.message, answer.payload.hex()]


FUNCTIONS: Mapping[str, Callable[..., object]] = {
    function.__name__: function
    for function in (
        put, put_many, delete, get, get_many, get_range, get_first, get_page, put_composite,
        get_composite, get_composite_page, history, put_private, get_private, hashes,
        get_private_range, delete_private, emit, swallow, fail, who, policy, get_policy, call,
    )
}  # fmt: skip


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _rows(rows: Iterable[StoredRow]) -> list[tuple[str, str | None]]:
    return [(row.key, _text(row.value)) for row in rows]


def _page(page: RowPage) -> object:
    return [_rows(page.rows), page.bookmark]
