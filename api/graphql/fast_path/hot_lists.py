"""The lists on the fast path, as their fields declare them: arguments, columns, how to read.

A field of `Query` that names its `listing` (`api.graphql.fields.asked`) is a hot list. It has the
arguments of the schema, and its columns are the leaf fields of its nodes declared as columns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    is_leaf_type,
)
from strawberry import Schema
from strawberry.types.field import StrawberryField

from api.access.table import Viewer
from api.graphql.fast_path.selection import Unplanned
from api.graphql.fields import Column, Declared, declared_of, definitions_in, name_in
from api.graphql.pages import Listing
from api.graphql.scalars import SAFE_INTEGER_MAX
from api.read_model.records import Page
from api.services import Services

INT_MAX = 2**31 - 1  # the largest value of GraphQL's own Int

Value: TypeAlias = int | str | bool | None
Values: TypeAlias = Mapping[str, Any]


class Argument(NamedTuple):
    """An argument: its name in Python, the type of its value, the largest integer it may have.

    An argument that `is_required` may not be absent, one that `is_non_null` may not be null.
    """

    name: str
    kind: type[int] | type[str] | type[bool]
    integer_max: int = INT_MAX
    is_required: bool = False
    is_non_null: bool = False
    default: Value = None


KINDS: Mapping[str, tuple[type[int] | type[str] | type[bool], int]] = {
    "Int": (int, INT_MAX),
    "Time": (int, SAFE_INTEGER_MAX),
    "String": (str, INT_MAX),
    "ID": (str, INT_MAX),
    "Boolean": (bool, INT_MAX),
}
"""The kinds of argument that a hot list may have, by their types in the schema."""


HotColumns: TypeAlias = Mapping[str, "Column | HotColumns"]
"""The columns of a type by the names of its fields; a nested type has columns of its own."""


class HotList(NamedTuple):
    """A root field on the fast path.

    `read` returns the listing for the values of the arguments; a list without pages (`cursor` is
    None) has one page.
    """

    arguments: Mapping[str, Argument]
    node: str
    columns: HotColumns
    cursor: Column | None
    read: Callable[[Services, Viewer | None, Values], Awaitable[Listing[Any]]]


def hot_lists(schema: Schema) -> Mapping[str, HotList]:
    """Return the hot lists of a schema by the names of their root fields."""
    graphql = schema._schema  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # Strawberry has no other way to it
    query = graphql.query_type
    found: dict[str, HotList] = {}
    for field in definitions_in(schema)["Query"].fields:
        declared = declared_of(field)
        if query is not None and declared is not None and declared.listing is not None:
            name = name_in(schema, field)
            found[name] = _hot_list(schema, graphql, field, declared, query.fields[name])
    return found


def _hot_list(
    schema: Schema,
    graphql: GraphQLSchema,
    field: StrawberryField,
    declared: Declared,
    of: GraphQLField,
) -> HotList:
    names = {
        schema.config.name_converter.get_graphql_name(argument): argument.python_name
        for argument in field.arguments
    }
    arguments = {name: _argument(names[name], each) for name, each in of.args.items()}
    node = _named(of)
    page = graphql.type_map[node]
    if declared.cursor is not None and isinstance(page, GraphQLObjectType):
        node = _named(page.fields["nodes"])
    return HotList(
        arguments, node, _columns(schema, graphql, node), declared.cursor, _reader(declared)
    )


def _named(of: GraphQLArgument | GraphQLField) -> str:
    """Return the named type of an argument or a field, without list and non-null wrappers."""
    return str(of.type).strip("[]!")  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # generic without its argument


def _argument(name: str, of: GraphQLArgument) -> Argument:
    kind, integer_max = KINDS[_named(of)]
    is_non_null = str(of.type).endswith("!")  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # as above
    has_default = of.default_value is not Undefined
    default: Value = of.default_value if has_default else None
    return Argument(name, kind, integer_max, is_non_null and not has_default, is_non_null, default)


def _columns(schema: Schema, graphql: GraphQLSchema, node: str) -> HotColumns:
    kind = graphql.type_map[node]
    columns: dict[str, Column | HotColumns] = {}
    for field in definitions_in(schema)[node].fields:
        declared = declared_of(field)
        name = name_in(schema, field)
        if declared is None or not isinstance(kind, GraphQLObjectType):
            continue
        if declared.part is not None:
            columns[name] = _columns(schema, graphql, _named(kind.fields[name]))
        elif declared.column is not None and is_leaf_type(
            graphql.type_map[_named(kind.fields[name])]
        ):
            columns[name] = declared.column
    return columns


def _reader(
    declared: Declared,
) -> Callable[[Services, Viewer | None, Values], Awaitable[Listing[Any]]]:
    listing = cast("Callable[..., Awaitable[Any]]", declared.listing)
    for_strangers = "STRANGER" in declared.readers

    async def read(services: Services, viewer: Viewer | None, values: Values) -> Listing[Any]:
        if viewer is None and not for_strangers:
            raise Unplanned  # the guard has already refused strangers
        found = await listing(services, viewer, **values)
        if isinstance(found, Listing):
            return cast("Listing[Any]", found)
        return _whole(found)

    return read


def _whole(records: list[Any]) -> Listing[Any]:
    """Return a list without pages as one page."""

    async def read(first: int, after: str | None) -> Page[Any]:
        del first, after
        return Page(records, more=False)

    async def count() -> int:
        return len(records)

    return Listing(read, count)
