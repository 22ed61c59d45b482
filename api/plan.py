"""The hot lists' short way: a selection compiled once, records of the read model straight to JSON.

Executing a list of 100 nodes through resolvers costs thousands of calls. Where a document asks for
nothing but hot lists (`api.schema.hot`) with plain fields, its selection is compiled to columns.
The answer is that of the standard execution in every value; whatever is not plain (fragments,
directives, nested fields, variables of another form) is left to it, and so are faults, which it
then tells with their paths.

Who may ask for a field has been decided for the whole document by then (`api.guard`); whose rows
are shown is decided by `api.schema.lists`, through which resolvers read too. So a plan is the same
for every role, and is kept by document and name of operation alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    IntValueNode,
    NonNullTypeNode,
    NullValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionResult

from api.faults import ApiFault
from api.schema.context import Asked
from api.schema.hot import HOT_LISTS, Argument, Column, HotList, NotPlain, Value
from api.schema.pages import Listing, read_page

PLANS_MAX = 512  # documents remembered, as many as the guard remembers


class Given(NamedTuple):
    """What a document says of an argument: a value, or the variable that has it.

    `has_default` tells a variable whose `value` stands in for it.
    """

    argument: Argument
    value: Value = None
    variable: str | None = None
    is_required: bool = False
    has_default: bool = False


class Nodes(NamedTuple):
    """The plain fields of a node: answer names, and a column for each, made for a viewer."""

    names: tuple[str, ...]
    columns: tuple[Callable[[str], Column], ...]

    def answer(self, records: Sequence[object], did: str) -> list[dict[str, object]]:
        """The nodes of `records` as `did` sees them."""
        made = [list(map(column(did), records)) for column in self.columns]
        names = self.names
        return [dict(zip(names, values, strict=True)) for values in zip(*made, strict=True)]


Part = Callable[["Answered"], object]
"""A field of a connection, from what was read."""


class Answered(NamedTuple):
    """A page that was read, and how many there are in all where that was asked."""

    rows: Sequence[Any]
    more: bool
    total: int
    did: str


class Root(NamedTuple):
    """One root field of a plan."""

    name: str
    hot: HotList
    given: Mapping[str, Given]
    nodes: Nodes | None
    parts: Mapping[str, Part]
    counts: bool


Plan = Sequence[Root]


class Plans:
    """The plans of the documents seen last; None for a document that is not plain."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[int, str | None], tuple[DocumentNode, Plan | None]] = (
            OrderedDict()
        )

    def plan(self, document: DocumentNode, operation_name: str | None) -> Plan | None:
        """The plan of a document that was validated."""
        key = (id(document), operation_name)
        kept = self._plans.get(key)
        if kept is not None:
            return kept[1]
        try:
            plan = _compile(document, operation_name)
        except NotPlain:
            plan = None
        if len(self._plans) >= PLANS_MAX:
            self._plans.popitem(last=False)
        self._plans[key] = (document, plan)  # the document is kept, so that its id stays its own
        return plan


class HotLists(SchemaExtension):
    """Answers what is plain by its plan, in the place of the standard execution."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans

    async def on_execute(self) -> AsyncIterator[None]:
        """Give the result where there is a plan; else the standard execution follows."""
        execution = self.execution_context
        document = execution.graphql_document
        plan = document and self._plans.plan(document, execution.operation_name)
        if plan:
            asked = cast("Asked", execution.context)
            try:
                data = await answer(plan, asked, execution.variables or {})
            except (NotPlain, ApiFault):
                data = None
            if data is not None:
                execution.result = ExecutionResult(data=data, errors=None)
        yield


async def answer(plan: Plan, asked: Asked, variables: Mapping[str, object]) -> dict[str, object]:
    """The data of a plan. Raises `NotPlain` for variables of a form that it does not know."""
    values = [
        {name: _value(given, variables) for name, given in root.given.items()} for root in plan
    ]
    return {
        root.name: await _answer_root(root, asked, of_root)
        for root, of_root in zip(plan, values, strict=True)
    }


async def _answer_root(root: Root, asked: Asked, values: Mapping[str, Value]) -> object:
    listing: Listing[Any] = await root.hot.read(asked.services, asked.viewer, values)
    did = "" if asked.viewer is None else asked.viewer.did
    if root.nodes is not None:
        return root.nodes.answer((await listing.read(0, None)).rows, did)
    first, after = values["first"], values["after"]
    page = await read_page(
        listing, first=cast("int | None", first), after=cast("str | None", after)
    )
    total = await listing.count() if root.counts else 0
    answered = Answered(page.rows, page.more, total, did)
    return {name: part(answered) for name, part in root.parts.items()}


def _value(given: Given, variables: Mapping[str, object]) -> Value:
    """The value of an argument, if it is one that the standard execution takes as it is."""
    if given.variable is None:
        return given.value
    if given.variable not in variables:
        if given.has_default:
            return given.value
        if given.is_required or given.argument.is_required:
            raise NotPlain
        return given.argument.default
    value = variables[given.variable]
    if value is None and (given.is_required or given.argument.is_required):
        raise NotPlain
    return _plain(given.argument, value)


def _plain(argument: Argument, value: object) -> Value:
    if value is None:
        return None
    if type(value) is not argument.kind:
        raise NotPlain
    if isinstance(value, int) and abs(value) > argument.integer_max:
        raise NotPlain
    return value


def _compile(document: DocumentNode, operation_name: str | None) -> Plan:
    if len(document.definitions) != 1:
        raise NotPlain
    operation = document.definitions[0]
    if not isinstance(operation, OperationDefinitionNode) or operation.directives:
        raise NotPlain
    named = None if operation.name is None else operation.name.value
    if operation.operation is not OperationType.QUERY or operation_name not in (None, named):
        raise NotPlain
    return [
        _root(name, field, operation) for name, field in _fields(operation.selection_set).items()
    ]


def _fields(selected: SelectionSetNode | None) -> dict[str, FieldNode]:
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


def _root(name: str, field: FieldNode, operation: OperationDefinitionNode) -> Root:
    hot = HOT_LISTS.get(field.name.value)
    if hot is None:
        raise NotPlain
    given = {key: Given(argument, argument.default) for key, argument in hot.arguments.items()}
    for argument in field.arguments or ():
        key = argument.name.value
        given[key] = _given(hot.arguments[key], argument.value, operation)
    below = _fields(field.selection_set)
    if hot.connection is None:
        return Root(name, hot, given, _nodes(below, hot), {}, counts=False)
    parts = {answer: _part(node, hot) for answer, node in below.items()}
    counts = any(node.name.value == "totalCount" for node in below.values())
    return Root(name, hot, given, None, parts, counts)


def _given(argument: Argument, node: ValueNode, operation: OperationDefinitionNode) -> Given:
    if not isinstance(node, VariableNode):
        return Given(argument, _literal(argument, node))
    name = node.name.value
    for definition in operation.variable_definitions or ():
        if definition.variable.name.value == name:
            default = definition.default_value
            return Given(
                argument,
                None if default is None else _literal(argument, default),
                name,
                is_required=isinstance(definition.type, NonNullTypeNode),
                has_default=default is not None,
            )
    raise NotPlain


def _literal(argument: Argument, node: ValueNode) -> Value:
    value: Value
    match node:
        case IntValueNode() if argument.kind is int:
            value = int(node.value)
        case StringValueNode() if argument.kind is str:
            value = node.value
        case BooleanValueNode() if argument.kind is bool:
            value = node.value
        case NullValueNode() if not argument.is_required:
            value = None
        case _:
            raise NotPlain
    return _plain(argument, value)


def _part(node: FieldNode, hot: HotList) -> Part:
    """A field of a connection."""
    match node.name.value:
        case "nodes":
            nodes = _nodes(_fields(node.selection_set), hot)
            return lambda answered: nodes.answer(answered.rows, answered.did)
        case "edges":
            return _edges(_fields(node.selection_set), hot)
        case "pageInfo":
            return _page_info(_fields(node.selection_set))
        case "totalCount":
            return lambda answered: answered.total
        case _:
            raise NotPlain


def _nodes(fields: Mapping[str, FieldNode], hot: HotList) -> Nodes:
    columns: list[Callable[[str], Column]] = []
    for field in fields.values():
        column = hot.columns.get(field.name.value)
        if column is None:
            raise NotPlain
        columns.append(column)
    return Nodes(tuple(fields), tuple(columns))


def _edges(fields: Mapping[str, FieldNode], hot: HotList) -> Part:
    makers: list[Callable[[Answered], list[Any]]] = []
    for field in fields.values():
        if field.name.value == "cursor":
            makers.append(lambda answered: [record.cursor for record in answered.rows])
        elif field.name.value == "node":
            nodes = _nodes(_fields(field.selection_set), hot)
            makers.append(lambda answered, nodes=nodes: nodes.answer(answered.rows, answered.did))
        else:
            raise NotPlain
    names = tuple(fields)

    def part(answered: Answered) -> object:
        made = [make(answered) for make in makers]
        return [dict(zip(names, values, strict=True)) for values in zip(*made, strict=True)]

    return part


def _page_info(fields: Mapping[str, FieldNode]) -> Part:
    makers: dict[str, Part] = {}
    for name, field in fields.items():
        if field.name.value == "hasNextPage":
            makers[name] = lambda answered: answered.more
        elif field.name.value == "endCursor":
            makers[name] = lambda answered: answered.rows[-1].cursor if answered.rows else None
        else:
            raise NotPlain
    return lambda answered: {name: make(answered) for name, make in makers.items()}
