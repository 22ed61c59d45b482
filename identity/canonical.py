"""Canonical JSON: one sequence of bytes for one value.

RFC 8785 (JSON Canonicalization Scheme), restricted to what the ledger stores and people sign:
strings, integers, booleans, null, lists, objects, and `msgspec.Struct`s as objects. There are no
floats, so the part of the RFC on the form of numbers is left out.

Two writers:

`canonical_json` is for data that leaves the system and may be read by JavaScript (digests in
answers, files): it takes any key, sorts by UTF-16 code units as the RFC asks, and writes integers
beyond 2^53 - 1 as strings of decimal digits, because a double cannot hold them exactly.

`encode` is the fast writer for state, arguments, events, headers and signed payloads. It gives the
same bytes as `canonical_json` for every value whose object keys are below U+E000 (the project's
keys are ASCII) and whose integers are within 2^53 - 1. Two differences remain. Keys that mix
U+E000..U+FFFF with characters beyond U+FFFF are sorted by code point. Larger integers stay plain
numbers, because state holds exact 64-bit sums and the readers of state are typed. Payloads that a
browser signs have only integers below 2^53, so for signed payloads the two writers agree.
"""

from __future__ import annotations

import json
from typing import cast

import msgspec

INTEGER_MAX = 2**53 - 1  # the largest integer that every double-based reader holds exactly

_fast = msgspec.json.Encoder(order="sorted")


def encode(value: object) -> bytes:
    """Canonical JSON of a struct (or of lists, tuples and dicts of them), by the fast path.

    This function does not check for floats: the type of the struct has to forbid floats. A string
    with a lone surrogate raises `UnicodeEncodeError`.
    """
    return _fast.encode(value)


def canonical_json(value: object) -> bytes:
    """RFC 8785 for str, int, bool, None, list, tuple, dict with str keys, and structs of these.

    Any other type raises `TypeError`; this includes floats and subclasses of the named types. A
    string with a lone surrogate raises `UnicodeEncodeError`. Nesting is bounded by Python's
    recursion limit (`RecursionError`).
    """
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode()


def _write(value: object, parts: list[str]) -> None:
    if value is None or type(value) is bool:
        parts.append("null" if value is None else "true" if value else "false")
    elif type(value) is str:
        parts.append(_string(value))
    elif type(value) is int:
        parts.append(str(value) if -INTEGER_MAX <= value <= INTEGER_MAX else f'"{value}"')
    elif type(value) is list or type(value) is tuple:
        _write_array(cast("list[object] | tuple[object, ...]", value), parts)
    elif type(value) is dict:
        _write_object(cast("dict[object, object]", value), parts)
    elif isinstance(value, msgspec.Struct):
        _write_struct(value, parts)
    else:
        raise TypeError(f"canonical JSON has no form for {type(value).__name__}")


def _write_array(items: list[object] | tuple[object, ...], parts: list[str]) -> None:
    parts.append("[")
    for index, item in enumerate(items):
        if index:
            parts.append(",")
        _write(item, parts)
    parts.append("]")


def _write_object(members: dict[object, object], parts: list[str]) -> None:
    named: list[tuple[bytes, str, object]] = []
    for key, item in members.items():
        if type(key) is not str:
            raise TypeError(f"canonical JSON has string keys only, not {type(key).__name__}")
        # "surrogatepass" lets a lone surrogate pass here; the final encoding raises the error.
        named.append((key.encode("utf-16-be", "surrogatepass"), key, item))
    named.sort(key=lambda member: member[0])
    parts.append("{")
    for index, (_, key, item) in enumerate(named):
        if index:
            parts.append(",")
        parts.append(_string(key))
        parts.append(":")
        _write(item, parts)
    parts.append("}")


def _write_struct(struct: msgspec.Struct, parts: list[str]) -> None:
    """Write a struct under its encoded names; msgspec says which members it has, and the tag.

    The values are taken from the struct itself and not from msgspec's conversion, which would turn
    bytes, sets and dates into strings and lists, so that they would be accepted.
    """
    shape = cast("object", msgspec.to_builtins(struct))
    names = struct.__struct_encode_fields__
    values = [cast("object", getattr(struct, field)) for field in struct.__struct_fields__]
    if isinstance(shape, list):
        tag = cast("list[object]", shape)[: -len(names) or None]
        _write_array([*tag, *values], parts)
        return
    members = cast("dict[object, object]", shape)
    members.update(
        (name, item) for name, item in zip(names, values, strict=True) if name in members
    )
    _write_object(members, parts)


def _string(text: str) -> str:
    # json writes the same escapes as the RFC: \b \t \n \f \r, other controls as lower-case \u00xx,
    # the quotation mark and the backslash. No other character is escaped.
    return json.dumps(text, ensure_ascii=False)
