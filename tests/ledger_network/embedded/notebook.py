"""A contract for tests of a ledger: a notebook of keys and values that knows nothing of a market.

Every transaction is a struct of arguments and a function; answers are JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar, cast

import msgspec

from chaincode.context import Context
from chaincode.errors import Refused
from identity.keys import SignatureCheck

T = TypeVar("T", bound=msgspec.Struct)
Handler = Callable[[Context, bytes], object]


class Put(msgspec.Struct, frozen=True):
    key: str
    value: int


class Key(msgspec.Struct, frozen=True):
    key: str


class Keys(msgspec.Struct, frozen=True):
    keys: list[str]


class Transfer(msgspec.Struct, frozen=True):
    source: str
    target: str
    amount: int


class Span(msgspec.Struct, frozen=True):
    """A range; `rows` bounds how many are read; the sum goes to `into` unless it is empty."""

    start: str
    end: str
    rows: int = 1_000_000
    into: str = ""


class Many(msgspec.Struct, frozen=True):
    """`count` keys with a prefix, each with a text of `size` characters, or 1 for size 0."""

    prefix: str
    count: int
    size: int = 0


class Place(msgspec.Struct, frozen=True):
    collection: str
    key: str


class Places(msgspec.Struct, frozen=True):
    collection: str
    keys: list[str]


class Nothing(msgspec.Struct, frozen=True):
    pass


class Sheets(msgspec.Struct, frozen=True):
    """A batch like one of orders: signed tokens, keys that are read, a row written for each."""

    prefix: str
    tokens: list[str]
    reads: list[str]
    checks: list[tuple[bytes, bytes, bytes]] = []


def _args(kind: type[T], raw: bytes) -> T:
    return msgspec.json.decode(raw, type=kind)


def _number(raw: bytes | None) -> int:
    return 0 if raw is None else cast("int", msgspec.json.decode(raw))


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def put(context: Context, raw: bytes) -> object:
    """Write without reading."""
    args = _args(Put, raw)
    context.put(args.key, _json(args.value))
    context.emit("put", _json({"key": args.key, "value": args.value}))
    return args.value


def add(context: Context, raw: bytes) -> object:
    """Read, change, write."""
    args = _args(Put, raw)
    value = _number(context.get(args.key)) + args.value
    context.put(args.key, _json(value))
    context.emit("added", _json({"key": args.key, "value": value}))
    return value


def get(context: Context, raw: bytes) -> object:
    value = context.get(_args(Key, raw).key)
    return None if value is None else msgspec.Raw(value)


def get_many(context: Context, raw: bytes) -> object:
    return [_number(value) for value in context.get_many(_args(Keys, raw).keys)]


def delete(context: Context, raw: bytes) -> object:
    context.delete(_args(Key, raw).key)
    return None


def transfer(context: Context, raw: bytes) -> object:
    args = _args(Transfer, raw)
    source, target = (_number(value) for value in context.get_many([args.source, args.target]))
    if source < args.amount:
        raise Refused("TOO_LITTLE", f"{args.source} holds {source}, not {args.amount}")
    context.put(args.source, _json(source - args.amount))
    context.put(args.target, _json(target + args.amount))
    return None


def sum_span(context: Context, raw: bytes) -> object:
    args = _args(Span, raw)
    total, left = 0, args.rows
    for _, value in context.range(args.start, args.end):
        total += _number(value)
        left -= 1
        if not left:
            break
    if args.into:
        context.put(args.into, _json(total))
    return total


def page_then_put(context: Context, raw: bytes) -> object:
    args = _args(Span, raw)
    page = context.page(args.start, args.end, rows_max=args.rows)
    context.put(args.into, _json(len(page.rows)))
    return None


def put_many(context: Context, raw: bytes) -> object:
    args = _args(Many, raw)
    value = _json("v" * args.size if args.size else 1)
    for index in range(args.count):
        context.put(f"{args.prefix}{index:06d}", value)
    return args.count


def private_put(context: Context, raw: bytes) -> object:
    """The values come as transient data, one per key."""
    args = _args(Places, raw)
    collection = context.private(args.collection)
    for key in args.keys:
        collection.put(key, context.transient[key])
    return len(args.keys)


def private_get(context: Context, raw: bytes) -> object:
    args = _args(Place, raw)
    value = context.private(args.collection).get(args.key)
    return None if value is None else value.decode()


def private_hash(context: Context, raw: bytes) -> object:
    args = _args(Place, raw)
    value = context.private(args.collection).hash(args.key)
    return None if value is None else value.hex()


def private_copy(context: Context, raw: bytes) -> object:
    """Read a private value and write its hash in public."""
    args = _args(Place, raw)
    value = context.private(args.collection).get(args.key)
    context.put(f"copy/{args.key}", _json(sha256(value or b"").hexdigest()))
    return None


def private_delete(context: Context, raw: bytes) -> object:
    args = _args(Place, raw)
    context.private(args.collection).delete(args.key)
    return None


def private_range(context: Context, raw: bytes) -> object:
    args = _args(Place, raw)
    return len(list(context.private(args.collection).range(args.key, "~")))


def purge(context: Context, raw: bytes) -> object:
    args = _args(Place, raw)
    context.private(args.collection).purge(args.key)
    return None


def who(context: Context, raw: bytes) -> object:
    return [context.caller.member, context.caller.role, context.time_s, context.transaction]


def place_sheets(context: Context, raw: bytes) -> object:
    args = _args(Sheets, raw)
    checks = [SignatureCheck("Ed25519", key, text, mark) for key, text, mark in args.checks]
    held = context.verify_many(checks)
    context.get_many(args.reads)
    for index, token in enumerate(args.tokens):
        context.put(f"{args.prefix}{index:04d}", _json(token))
    return all(held)


WRITES: dict[str, Handler] = {
    "put": put,
    "add": add,
    "delete": delete,
    "transfer": transfer,
    "sum_into": sum_span,
    "page_then_put": page_then_put,
    "put_many": put_many,
    "private_put": private_put,
    "private_copy": private_copy,
    "private_delete": private_delete,
    "purge": purge,
    "place_sheets": place_sheets,
    "private_range": private_range,
    "note_who": who,
}
READS: dict[str, Handler] = {
    "get": get,
    "get_many": get_many,
    "sum": sum_span,
    "private_get": private_get,
    "private_hash": private_hash,
    "who": who,
}


class Notebook:
    """The contract."""

    name = "notebook"
    version = "1"

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        handler = WRITES.get(name) or READS[name]
        return _json(handler(context, arguments))

    def is_write(self, name: str) -> bool:
        if name not in WRITES and name not in READS:
            raise Refused("NO_SUCH_TRANSACTION", f"there is no transaction {name!r}")
        return name in WRITES

    def counts_in_state_hash(self, key: str) -> bool:
        return not key.startswith("~")
