"""Describes structs of the contract for the pages: fields, types with their bounds, meanings.

Types and bounds come from the annotations that decode a message, so the pages name exactly the
bounds that are enforced. Meanings are in `fields.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from chaincode.area.clock import ClockRate
from chaincode.state import (
    AccountName,
    Count,
    Did,
    GridLevel,
    Hex32,
    Id,
    Rate,
    Second,
    Signed,
)
from commonwatt.docs_generator.fields import meaning_of

NAMED_TYPES: dict[Any, str] = {
    Id: "name",
    Did: "DID",
    AccountName: "account",
    Second: "second",
    Count: "count",
    Signed: "integer",
    Rate: "ppm",
    GridLevel: "3 … 7",
    Hex32: "hex32",
    ClockRate: "1 … 100,000",
}
PLAIN_TYPES: dict[Any, str] = {
    str: "text",
    int: "integer",
    bool: "true or false",
    msgspec.Raw: "JSON",
}

TYPES_LEGEND = """\
| type | allowed values |
|---|---|
| name | 1 to 64 of `A-Z a-z 0-9 . _ -` |
| DID | a `did:key` of an Ed25519 or P-256 key |
| account | a DID, a member, or a purpose such as `vat:<member>`: 1 to 128 of `A-Z a-z 0-9 : . _ -` |
| second | seconds UTC since 1970, up to the end of the year 9999 |
| count | an integer from 0 to 2^53 - 1 |
| integer | an integer from -(2^53 - 1) to 2^53 - 1 |
| ppm | parts per million, 0 to 1,000,000 |
| hex32 | 32 bytes as 64 lower-case hex digits |
| list of …, [a, b] | a JSON array; the second form with exactly these items |
| … or null | may be null |
"""


def summary(thing: object) -> str:
    """Return the docstring of a struct or handler with one line per paragraph, without mark-up."""
    text = inspect.getdoc(thing) or ""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def fields_table(struct: type[msgspec.Struct]) -> str:
    """Return the fields of a struct as a table, in their order."""
    hints = get_type_hints(struct, include_extras=True)
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for field in msgspec.structs.fields(struct):
        kind = shown(hints[field.name])
        meaning = meaning_of(struct.__name__, field.name)
        lines.append(f"| `{field.encode_name}` | {kind} | {_default(field)} | {meaning} |")
    return "\n".join(lines)


def has_fields(struct: type[msgspec.Struct]) -> bool:
    """Return whether a struct has fields."""
    return bool(msgspec.structs.fields(struct))


def shown(kind: Any) -> str:
    """Return a type in the words of `TYPES_LEGEND`; structs link to their own heading."""
    if kind in NAMED_TYPES:
        return NAMED_TYPES[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return f"{shown(arguments[0])} {_bounds(arguments[1])}".rstrip()
    if origin is Literal:
        return " or ".join(f"`{msgspec.json.encode(value).decode()}`" for value in arguments)
    if origin in (Union, UnionType):
        named = [shown(each) for each in arguments if each is not NoneType]
        return " or ".join([*named, *(["null"] if NoneType in arguments else [])])
    if origin is list:
        return f"list of {shown(arguments[0])}"
    if origin is tuple:
        return "[" + ", ".join(shown(each) for each in arguments) + "]"
    if origin is dict:
        return f"object of {shown(arguments[1])}"
    if origin is not None:
        return f"{shown(origin)} of {shown(arguments[0])}"
    return _plain(kind)


def structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs that a type names, itself first, in the order of their fields."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is not None:
        if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
            yield origin
        for argument in arguments:
            yield from structs_in(argument)
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for hint in get_type_hints(kind, include_extras=True).values():
            yield from structs_in(hint)


def _plain(kind: Any) -> str:
    if isinstance(kind, TypeVar):
        return "what is dated"
    if kind in PLAIN_TYPES:
        return PLAIN_TYPES[kind]
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _bounds(meta: msgspec.Meta) -> str:
    said: list[str] = []
    if meta.ge is not None and meta.le is not None:
        said.append(f"{meta.ge:,} … {meta.le:,}")
    if meta.min_length is not None:
        said.append(f"{meta.min_length} or more" if meta.max_length is None else "")
    if meta.max_length is not None:
        low = meta.min_length or 0
        said.append(f"{low} … {meta.max_length:,}")
    inner = ", ".join(part for part in said if part)
    return f"({inner})" if inner else ""


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        return f"`{msgspec.json.encode(field.default).decode()}`"
    if field.default_factory is msgspec.NODEFAULT:
        return ""
    return f"`{field.default_factory()}`"
