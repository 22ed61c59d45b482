"""Plain selections: one operation with nothing but fields, whose names in the answer differ.

Plain selections have no fragments and no directives; `list_plan` and `token_plan` compile them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphql import DocumentNode, FieldNode, GraphQLError, OperationDefinitionNode, SelectionSetNode


class Unplanned(Exception):
    """The standard execution has to answer this document."""


class Answer(NamedTuple):
    """The answer of a plan: data that `orjson` can write, and errors with their paths."""

    data: object
    errors: Sequence[GraphQLError] = ()


def plain_operation(document: DocumentNode, operation_name: str | None) -> OperationDefinitionNode:
    """Return the operation of a document that has nothing else; else raise `Unplanned`."""
    if len(document.definitions) != 1:
        raise Unplanned
    operation = document.definitions[0]
    if not isinstance(operation, OperationDefinitionNode) or operation.directives:
        raise Unplanned
    named = None if operation.name is None else operation.name.value
    if operation_name not in (None, named):
        raise Unplanned
    return operation


def plain_fields(selected: SelectionSetNode | None) -> dict[str, FieldNode]:
    """Return the fields of a selection by answer name; raise `Unplanned` if it is not plain."""
    fields: dict[str, FieldNode] = {}
    for node in () if selected is None else selected.selections:
        if not isinstance(node, FieldNode) or node.directives:
            raise Unplanned
        name = (node.alias or node.name).value
        if name in fields:
            raise Unplanned
        fields[name] = node
    return fields
