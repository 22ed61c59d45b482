"""Plain selections: one operation of fields alone, each under a name of its own.

No fragments, no directives, no field twice: what `api.graphql.fast_path.list_plan` and `api.graphql.fast_path.token_plan` compile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
)


class NotPlain(Exception):
    """The standard execution is to answer this."""


class Answer(NamedTuple):
    """What a plan answers: data as `orjson` writes it, and errors with their paths."""

    data: object
    errors: Sequence[GraphQLError] = ()


def plain_operation(document: DocumentNode, operation_name: str | None) -> OperationDefinitionNode:
    """The operation of a document that consists of it alone, or `NotPlain`."""
    if len(document.definitions) != 1:
        raise NotPlain
    operation = document.definitions[0]
    if not isinstance(operation, OperationDefinitionNode) or operation.directives:
        raise NotPlain
    named = None if operation.name is None else operation.name.value
    if operation_name not in (None, named):
        raise NotPlain
    return operation


def plain_fields(selected: SelectionSetNode | None) -> dict[str, FieldNode]:
    """The fields of a selection by answer name, if there is nothing else in it."""
    fields: dict[str, FieldNode] = {}
    for node in () if selected is None else selected.selections:
        if not isinstance(node, FieldNode) or node.directives:
            raise NotPlain
        name = (node.alias or node.name).value
        if name in fields:
            raise NotPlain
        fields[name] = node
    return fields
