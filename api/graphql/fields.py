"""Declares the fields of the schema: who may see a field, and what it is made from.

A type of a feature declares each field with one of these functions:

| declared by | for |
|---|---|
| `column(readers, *names)` | a value of the record behind the type, or one made from several |
| `part(readers, kind)` | a type that is made from the same record |
| `shown(readers)` | a value that the feature sets itself |
| `asked(readers, …)` | a field with a resolver, of a type or of `Query` |
| `changing(readers, …)`, `watched(readers, …)` | a field of `Mutation`, of `Subscription` |

From these declarations `node_of` makes a node from a record, `rights_of` makes the table of rights
for the guard, and `api.graphql.fast_path` takes its columns. A field that is declared in another
way is not in the table, so it is refused to everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, cast, dataclass_transform

import strawberry
from strawberry import Schema
from strawberry.types.base import (
    StrawberryObjectDefinition,
    StrawberryOptional,
    get_object_definition,
)
from strawberry.types.field import StrawberryField

from api.access.table import Reader, Rights

Readers = frozenset[Reader]

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")

OF_NODE: Readers = frozenset()
"""Stands for the readers of a page's fields: all who may see any field of the page's nodes."""


class Column(NamedTuple):
    """The record's fields that a value is made from, and the function that makes it, if any.

    If `is_for_viewer` is set, the first argument of `make` is the viewer's DID.
    """

    needs: tuple[str, ...]
    make: Callable[..., object] | None = None
    is_for_viewer: bool = False


class Declared(NamedTuple):
    """What a field declares besides its GraphQL type; a list of `Query` reads `listing`."""

    readers: Readers
    column: Column | None = None
    listing: Callable[..., Awaitable[Any]] | None = None
    cursor: Column | None = None
    part: type | None = None


_DECLARED = "commonwatt"


def column(
    readers: Readers,
    *needs: str,
    by: Callable[..., object] | None = None,
    for_viewer: Callable[..., object] | None = None,
) -> Any:
    """Declare a value of the record: unchanged, or made by `by` from `needs` (and the viewer)."""
    made = Column(needs, for_viewer or by, for_viewer is not None)
    return strawberry.field(metadata={_DECLARED: Declared(readers, made)})


def part(readers: Readers, kind: type) -> Any:
    """Declare a nested type that is made from the same record."""
    return strawberry.field(metadata={_DECLARED: Declared(readers, part=kind)})


def shown(readers: Readers) -> Any:
    """Declare a value that the feature sets itself."""
    return strawberry.field(metadata={_DECLARED: Declared(readers)})


def named(name: str, made: Any) -> Any:
    """Give a field a name in GraphQL that Python does not allow."""
    cast("StrawberryField", made).graphql_name = name
    return made


def asked(
    readers: Readers,
    *,
    description: str,
    listing: Callable[..., Awaitable[Any]] | None = None,
    cursor: Column | None = None,
) -> Callable[[F], F]:
    """Declare a field with a resolver.

    A list of `Query` names the `listing` that its resolver reads, called as
    `listing(services, viewer, **arguments)`, and the `cursor` of its rows; it may then be answered
    on the fast path.
    """
    declared = Declared(readers, None, listing, cursor)
    return strawberry.field(description=description, metadata={_DECLARED: declared})


def changing(readers: Readers, *, description: str) -> Callable[[F], F]:
    """Declare a field of `Mutation`."""
    return strawberry.mutation(description=description, metadata={_DECLARED: Declared(readers)})


def watched(readers: Readers, *, description: str) -> Callable[[F], F]:
    """Declare a field of `Subscription`."""
    return strawberry.subscription(description=description, metadata={_DECLARED: Declared(readers)})


@dataclass_transform(kw_only_default=True, field_specifiers=(column, part, shown, named))
def object_type(description: str) -> Callable[[type[T]], type[T]]:
    """Declare a type of the schema."""
    return lambda kind: strawberry.type(kind, description=description)


def declared_of(field: StrawberryField) -> Declared | None:
    """Return what a field declares; None for a field that was made in another way."""
    found = field.metadata.get(_DECLARED)
    return found if isinstance(found, Declared) else None


def node_of(kind: type[T], record: object, viewer: str = "") -> T:
    """Return the node that is made from a record, as `viewer` (a DID) sees it."""
    return kind(**{name: make(record, viewer) for name, make in _makers(kind)})


@cache
def _makers(kind: type) -> tuple[tuple[str, Callable[[object, str], object]], ...]:
    makers: list[tuple[str, Callable[[object, str], object]]] = []
    for field in definition_of(kind).fields:
        declared = declared_of(field)
        if declared is not None and declared.column is not None:
            makers.append((field.python_name, _maker(declared.column, _enum_of(field))))
        elif declared is not None and declared.part is not None:
            makers.append((field.python_name, partial(node_of, declared.part)))
    return tuple(makers)


def _maker(of: Column, enum: Callable[[object], object] | None) -> Callable[[object, str], object]:
    read = [attrgetter(name) for name in of.needs]

    def make(record: object, viewer: str) -> object:
        values = [get(record) for get in read]
        if of.make is None:
            (value,) = values
        else:
            value = of.make(viewer, *values) if of.is_for_viewer else of.make(*values)
        return value if enum is None or value is None else enum(value)

    return make


def _enum_of(field: StrawberryField) -> Callable[[object], object] | None:
    kind: object = field.type
    if isinstance(kind, StrawberryOptional):
        kind = kind.of_type
    return getattr(kind, "wrapped_cls", None)


def definition_of(kind: type) -> StrawberryObjectDefinition:
    """Return Strawberry's definition of a type of the schema."""
    found = get_object_definition(kind)
    if found is None:
        raise TypeError(f"{kind.__name__} is not a type of the schema")
    return found


def definitions_in(schema: Schema) -> Mapping[str, StrawberryObjectDefinition]:
    """Return every object type of a schema by its name."""
    return {
        name: found.definition
        for name, found in schema.schema_converter.type_map.items()
        if isinstance(found.definition, StrawberryObjectDefinition)
    }


def name_in(schema: Schema, field: StrawberryField) -> str:
    """Return the name of a field in GraphQL."""
    return schema.config.name_converter.get_graphql_name(field)


def rights_of(schema: Schema) -> Rights:
    """Return the table of rights from the declarations of all fields."""
    rights: dict[str, Readers] = {}
    for name, definition in definitions_in(schema).items():
        for field in definition.fields:
            declared = declared_of(field)
            if declared is not None:
                readers = declared.readers
                if readers is OF_NODE:
                    readers = _readers_of_node(definition)
                rights[f"{name}.{name_in(schema, field)}"] = readers
    return Rights(rights)


def _readers_of_node(page: StrawberryObjectDefinition) -> Readers:
    found: set[Reader] = set()
    for node in page.type_var_map.values():
        if isinstance(node, type):
            for field in definition_of(node).fields:
                declared = declared_of(field)
                found |= declared.readers if declared is not None else OF_NODE
    return frozenset(found)
