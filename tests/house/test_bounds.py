"""Every text and every list that is stored, sent or signed has a bound in its type."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any, cast

import msgspec
import pytest
from msgspec import inspect

import chaincode
from chaincode.accounts.balances import Folding
from chaincode.contract import TRANSACTIONS
from chaincode.documents.document import Document
from chaincode.metering.readings import Leaf, Reading
from chaincode.slots.gate import Slot
from chaincode.state import Row, Table

CARRIED_BYTES_MAX = 64 * 1024
INTEGER_DIGITS = 20  # of any sum of 64 bits, with its sign


def unbounded(kind: inspect.Type, path: str, seen: frozenset[type] = frozenset()) -> Iterator[str]:
    """The places below `path` at which a text, a list or a mapping may have any length."""
    match kind:
        case inspect.StrType():
            if kind.max_length is None and "{" not in (kind.pattern or ""):
                yield path
        case (
            inspect.ListType()
            | inspect.SetType()
            | inspect.FrozenSetType()
            | inspect.VarTupleType()
        ):
            if kind.max_length is None:
                yield path
            yield from unbounded(kind.item_type, f"{path}[]", seen)
        case inspect.DictType():
            if kind.max_length is None:
                yield path
            yield from unbounded(kind.key_type, f"{path} key", seen)
            yield from unbounded(kind.value_type, f"{path}{{}}", seen)
        case inspect.TupleType():
            for place, item in enumerate(kind.item_types):
                yield from unbounded(item, f"{path}[{place}]", seen)
        case inspect.UnionType():
            for choice in kind.types:
                yield from unbounded(choice, path, seen)
        case inspect.StructType():
            if kind.cls not in seen:
                for field in kind.fields:
                    below = f"{path}.{field.name}"
                    yield from unbounded(field.type, below, seen | {kind.cls})
        case inspect.IntType() | inspect.BoolType() | inspect.NoneType() | inspect.LiteralType():
            pass
        case _:
            yield f"{path}: {type(kind).__name__}"


def carried() -> dict[str, type[msgspec.Struct]]:
    """Every struct that is stored, an argument of a transaction, or the payload of a token."""
    found: dict[str, type[msgspec.Struct]] = {"Leaf": Leaf, "Reading": Reading}
    for module in pkgutil.walk_packages(chaincode.__path__, "chaincode."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, Table):
                table = cast("Table[Row]", value)
                found[f"table {table.name}"] = table.struct
            elif isinstance(value, Document):
                document = cast("Document[Any]", value)
                found[document.typ] = document.payload
    found.update({f"{row.name}()": row.arguments for row in TRANSACTIONS})
    return found


@pytest.mark.parametrize(("name", "struct"), sorted(carried().items(), key=lambda item: item[0]))
def test_rule_1_4_everything_carried_has_a_bound_in_its_type(
    name: str, struct: type[msgspec.Struct]
) -> None:
    """A text of 1.9 MB in one row, copied into others, would stop a settlement for ever."""
    missing = list(unbounded(inspect.type_info(struct), struct.__name__))

    assert not missing, f"{name}: bound these with msgspec.Meta(max_length=…): {missing}"


class _Loose(msgspec.Struct):
    """A bad sample: each of its fields can grow without end."""

    text: str
    lists: list[Annotated[str, msgspec.Meta(max_length=3)]]
    texts: Annotated[dict[str, list[int]], msgspec.Meta(max_length=3)]
    either: str | None
    pattern: Annotated[str, msgspec.Meta(pattern="^[a-z]+$")]
    anything: Any
    bounded: Annotated[str, msgspec.Meta(pattern="^[a-z]{1,3}$")]


def test_what_has_no_bound_is_found() -> None:
    assert list(unbounded(inspect.type_info(_Loose), "L")) == [
        "L.text",
        "L.lists",
        "L.texts key",
        "L.texts{}",
        "L.either",
        "L.pattern",
        "L.anything: AnyType",
    ]


def test_all_that_is_carried_is_looked_at() -> None:
    names = carried()

    assert {"table orders", "commonwatt-sheet+jws", "place_orders()", "table areas"} <= set(names)
    assert len(names) > 60


def largest(kind: inspect.Type) -> int:
    """The most bytes that a value of a type may take as JSON, in names of ASCII characters."""
    match kind:
        case inspect.StrType():
            length = kind.max_length
            if length is None:
                length = int(re.findall(r"{(?:\d+,)?(\d+)}", kind.pattern or "")[0])
            return length + 2
        case inspect.IntType():
            return INTEGER_DIGITS
        case inspect.NoneType():
            return 4
        case inspect.LiteralType():
            return max(len(str(value)) for value in kind.values) + 2
        case inspect.ListType():
            return (largest(kind.item_type) + 1) * (kind.max_length or 0) + 2
        case inspect.UnionType():
            return max(largest(choice) for choice in kind.types)
        case inspect.StructType():
            return 2 + sum(len(f.encode_name) + 4 + largest(f.type) for f in kind.fields)
        case _:
            raise AssertionError(f"{type(kind).__name__} is not carried by a run today")


@pytest.mark.parametrize("struct", [Slot, Folding], ids=lambda struct: struct.__name__)
def test_rule_1_3_what_a_run_carries_has_a_bound(struct: type[Row]) -> None:
    """With quantities by the names of a thousand zones, the row of a slot took 85 KB."""
    assert largest(inspect.type_info(struct)) <= CARRIED_BYTES_MAX
