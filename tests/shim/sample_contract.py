"""A contract that uses every call once; a real peer's conversation with it is recorded and replayed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from chaincode.shim import PeerError, Rejected, StatePage, StateRow, Transaction

COLLECTION = "readings"


def contract(transaction: Transaction) -> bytes:
    """The first argument names the function, the others are its arguments."""
    name, *arguments = (argument.decode() for argument in transaction.arguments)
    function = FUNCTIONS.get(name)
    if function is None:
        raise Rejected(f"there is no {name}", 404)
    return json.dumps(function(transaction, *arguments), ensure_ascii=False).encode()


def put(transaction: Transaction, *pairs: str) -> object:
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        transaction.put(key, value.encode())
    return len(pairs) // 2


def put_many(transaction: Transaction, prefix: str, count: str) -> object:
    for number in range(int(count)):
        transaction.put(f"{prefix}{number:05d}", b"%d" % number)
    return int(count)


def delete(transaction: Transaction, key: str) -> object:
    transaction.delete(key)
    return key


def get(transaction: Transaction, key: str) -> object:
    return _text(transaction.get(key))


def get_many(transaction: Transaction, *keys: str) -> object:
    return [_text(value) for value in transaction.get_many(keys)]


def get_range(transaction: Transaction, start: str, end: str) -> object:
    return _rows(transaction.range(start, end))


def get_first(transaction: Transaction, start: str, end: str, count: str) -> object:
    rows = transaction.range(start, end)
    found = _rows(islice(rows, int(count)))
    close = getattr(rows, "close", None)
    if close is not None:
        close()
    return found


def get_page(transaction: Transaction, start: str, end: str, count: str, bookmark: str) -> object:
    return _page(transaction.page(start, end, rows_max=int(count), bookmark=bookmark))


def put_composite(transaction: Transaction, kind: str, *parts: str) -> object:
    transaction.put(transaction.composite_key(kind, parts), b"there")
    return list(parts)


def get_composite(transaction: Transaction, kind: str, *parts: str) -> object:
    rows = transaction.composite_range(kind, parts)
    return [transaction.split_composite_key(row.key) for row in rows]


def get_composite_page(transaction: Transaction, kind: str, count: str, bookmark: str) -> object:
    return _page(transaction.composite_page(kind, rows_max=int(count), bookmark=bookmark))


def history(transaction: Transaction, key: str) -> object:
    changes = list(transaction.history(key))
    return [(_text(change.value), change.deleted) for change in changes]


def put_private(transaction: Transaction, key: str) -> object:
    transaction.private(COLLECTION).put(key, transaction.transient["value"])
    return key


def get_private(transaction: Transaction, collection: str, *keys: str) -> object:
    private = transaction.private(collection)
    return [_text(private.get(keys[0])), [_text(value) for value in private.get_many(keys)]]


def hashes(transaction: Transaction, *keys: str) -> object:
    found = transaction.private(COLLECTION).hashes(keys)
    return [value.hex() if value else None for value in found]


def get_private_range(transaction: Transaction, start: str, end: str) -> object:
    return _rows(transaction.private(COLLECTION).range(start, end))


def delete_private(transaction: Transaction, deleted: str, purged: str) -> object:
    private = transaction.private(COLLECTION)
    private.delete(deleted)
    private.purge(purged)
    return [deleted, purged]


def emit(transaction: Transaction, name: str, payload: str) -> object:
    transaction.emit(name, payload.encode())
    return name


def swallow(transaction: Transaction, collection: str) -> object:
    """A handler that goes on as if the peer had not refused."""
    try:
        return _text(transaction.private(collection).get("key"))
    except PeerError:
        return "nothing happened"


def fail(_: Transaction, secret: str) -> object:
    raise KeyError(secret)


def who(transaction: Transaction) -> object:
    creator = transaction.creator
    return [creator.msp_id, creator.units, dict(creator.attributes), transaction.chaincode]


def policy(transaction: Transaction, key: str, value: str) -> object:
    transaction.put(key, b"guarded")
    transaction.set_endorsement_policy(key, value.encode())
    return key


def get_policy(transaction: Transaction, key: str) -> object:
    return _text(transaction.endorsement_policy(key))


def call(transaction: Transaction, chaincode: str, *arguments: str) -> object:
    answer = transaction.call(chaincode, [argument.encode() for argument in arguments])
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


def _rows(rows: Iterable[StateRow]) -> list[tuple[str, str | None]]:
    return [(row.key, _text(row.value)) for row in rows]


def _page(page: StatePage) -> object:
    return [_rows(page.rows), page.bookmark]
