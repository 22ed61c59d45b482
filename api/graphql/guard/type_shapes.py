"""The types of a schema as the guard's walk needs them: the type and size of each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)

FIRST_MAX = 500  # elements of a page


class FieldShape(NamedTuple):
    """A field as the walk needs it: its type (None for a leaf) and what bounds its elements."""

    coordinate: str
    type_name: str | None
    is_list: bool
    is_paged: bool
    is_span: bool
    first_default: int
    arguments: frozenset[str] = frozenset()


class Types:
    """The fields of every object type of a schema, including introspection."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._shapes: dict[str, dict[str, FieldShape]] = {
            name: {
                field: _shape(
                    f"{name}.{field}",
                    str(of.type),
                    of.args,
                    is_leaf=is_leaf_type(get_named_type(of.type)),
                )
                for field, of in kind.fields.items()
            }
            for name, kind in schema.type_map.items()
            if isinstance(kind, GraphQLObjectType)
        }
        self.roots: dict[str, str] = {
            kind: root.name
            for kind, root in (
                ("query", schema.query_type),
                ("mutation", schema.mutation_type),
                ("subscription", schema.subscription_type),
            )
            if root is not None
        }
        query = self._shapes[self.roots["query"]]
        for name in ("__schema", "__type"):
            query[name] = FieldShape(
                coordinate=name,
                type_name=f"__{name[2:].title()}",
                is_list=False,
                is_paged=False,
                is_span=False,
                first_default=0,
                arguments=frozenset({"name"} if name == "__type" else ()),
            )

    def shape(self, type_name: str, name: str) -> FieldShape | None:
        """Return the field of a type; None for an unknown field."""
        return self._shapes.get(type_name, {}).get(name)


def _shape(
    coordinate: str, kind: str, arguments: Mapping[str, GraphQLArgument], *, is_leaf: bool
) -> FieldShape:
    """Return the shape of a field; `kind` is its type in SDL, for example `[Zone!]!`."""
    first = arguments.get("first")
    default: object = None if first is None else first.default_value
    return FieldShape(
        coordinate=coordinate,
        type_name=None if is_leaf else kind.strip("[]!"),
        is_list=kind.startswith("[") and not coordinate.partition(".")[0].endswith("Connection"),
        is_paged=first is not None,
        is_span={"from", "to"} <= arguments.keys() and first is None,
        first_default=default if isinstance(default, int) else FIRST_MAX,
        arguments=frozenset(arguments),
    )
