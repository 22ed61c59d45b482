"""The short way: a selection compiled once, columns of the read model straight to JSON.

Executing a list of 100 nodes through resolvers costs thousands of calls, and setting the standard
execution up costs as much as a short question. Where a document asks for nothing but hot lists
(`api.schema.hot`) with plain fields, its selection is compiled to columns; where it only carries
signed tokens, to `api.graphql.fast_path.token_plan`. The answer is that of the standard execution in every value;
whatever is not plain (fragments, directives, nested fields, variables of another form) is left to
it, and so are faults of reading, which it then tells with their paths.

Who may ask for a field has been decided for the whole document by then (`api.graphql.guard.admission`); whose rows
are shown is decided by `api.schema.lists`, through which resolvers read too. So a plan is the same
for every role, and is kept by document and name of operation alone. No answer is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import msgspec
import orjson
from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    IntValueNode,
    NonNullTypeNode,
    NullValueNode,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    ValueNode,
    VariableNode,
)

from api.access.table import Viewer
from api.faults import ApiFault
from api.graphql.fast_path.selection import Answer, NotPlain, plain_fields, plain_operation
from api.graphql.fast_path.token_plan import TokenPlan, compile_tokens
from api.read_model.paging import Columns
from api.read_model.reads import UNREADABLE, ReadRefused
from api.schema.hot import HOT_LISTS, Argument, Column, HotList, Value
from api.schema.pages import Listing, columns_of, read_columns
from api.services import Services

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
    """The plain fields of a node: what holds their values under their answer names, and columns."""

    node: Callable[..., object]
    columns: tuple[Column, ...]

    def answer(self, page: Columns, did: str) -> list[object]:
        """The nodes of a page as `did` sees them."""
        return list(map(self.node, *(_values(column, page, did) for column in self.columns)))


class Answered(NamedTuple):
    """A page that was read, and how many there are in all where that was asked."""

    page: Columns
    total: int
    did: str


Part = Callable[[Answered], object]
"""A field of a connection, from what was read."""


class Root(NamedTuple):
    """One root field of a plan; `needs` are the fields of the record that its columns are of."""

    name: str
    hot: HotList
    given: Mapping[str, Given]
    needs: tuple[str, ...]
    nodes: Nodes | None
    parts: Mapping[str, Part]
    counts: bool


@dataclass(frozen=True)
class ListPlan:
    """The hot lists of a document."""

    roots: Sequence[Root]

    async def answer(
        self, services: Services, viewer: Viewer | None, variables: Mapping[str, object]
    ) -> Answer:
        """The data. Raises `NotPlain` for what the standard execution has to tell."""
        values = [
            {name: _value(given, variables) for name, given in root.given.items()}
            for root in self.roots
        ]
        try:
            data = {
                root.name: await _answer_root(root, services, viewer, of_root)
                for root, of_root in zip(self.roots, values, strict=True)
            }
        except (ApiFault, ReadRefused, *UNREADABLE):
            raise NotPlain from None
        return Answer(orjson.Fragment(_json.encode(data)))


_json = msgspec.json.Encoder()


Plan = ListPlan | TokenPlan


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
            plan = _compile(plain_operation(document, operation_name))
        except NotPlain:
            plan = None
        if len(self._plans) >= PLANS_MAX:
            self._plans.popitem(last=False)
        self._plans[key] = (document, plan)  # the document is kept, so that its id stays its own
        return plan


async def _answer_root(
    root: Root, services: Services, viewer: Viewer | None, values: Mapping[str, Value]
) -> object:
    listing: Listing[Any] = await root.hot.read(services, viewer, values)
    did = "" if viewer is None else viewer.did
    if root.nodes is not None:
        records = (await listing.read(0, None)).rows
        return root.nodes.answer(columns_of(records, root.needs, more=False), did)
    first, after = values["first"], values["after"]
    page = await read_columns(
        listing, root.needs, first=cast("int | None", first), after=cast("str | None", after)
    )
    answered = Answered(page, await listing.count() if root.counts else 0, did)
    return {name: part(answered) for name, part in root.parts.items()}


def _values(column: Column, page: Columns, did: str) -> Sequence[object]:
    """The values of a column in a page."""
    read = [page.of[name] for name in column.needs]
    return read[0] if column.make is None else list(map(column.make(did), *read))


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


def _compile(operation: OperationDefinitionNode) -> Plan:
    fields = plain_fields(operation.selection_set)
    match operation.operation:
        case OperationType.QUERY:
            return ListPlan([_root(name, field, operation) for name, field in fields.items()])
        case OperationType.MUTATION:
            return compile_tokens(fields)
        case _:
            raise NotPlain


def _root(name: str, field: FieldNode, operation: OperationDefinitionNode) -> Root:
    hot = HOT_LISTS.get(field.name.value)
    if hot is None:
        raise NotPlain
    given = {key: Given(argument, argument.default) for key, argument in hot.arguments.items()}
    for argument in field.arguments or ():
        key = argument.name.value
        given[key] = _given(hot.arguments[key], argument.value, operation)
    below = plain_fields(field.selection_set)
    needs: dict[str, None] = {}
    nodes, parts = None, {}
    if hot.connection is None:
        nodes = _nodes(below, hot, needs)
    else:
        parts = {answer: _part(node, hot, needs) for answer, node in below.items()}
    counts = any(node.name.value == "totalCount" for node in below.values())
    return Root(name, hot, given, tuple(needs), nodes, parts, counts)


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


def _part(node: FieldNode, hot: HotList, needs: dict[str, None]) -> Part:
    """A field of a connection; the fields of the record that it is of are added to `needs`."""
    match node.name.value:
        case "nodes":
            nodes = _nodes(plain_fields(node.selection_set), hot, needs)
            return lambda answered: nodes.answer(answered.page, answered.did)
        case "edges":
            return _edges(plain_fields(node.selection_set), hot, needs)
        case "pageInfo":
            return _page_info(plain_fields(node.selection_set), hot, needs)
        case "totalCount":
            return lambda answered: answered.total
        case _:
            raise NotPlain


def _nodes(fields: Mapping[str, FieldNode], hot: HotList, needs: dict[str, None]) -> Nodes:
    columns: list[Column] = []
    for field in fields.values():
        column = hot.columns.get(field.name.value)
        if column is None:
            raise NotPlain
        needs.update(dict.fromkeys(column.needs))
        columns.append(column)
    return Nodes(_holder(fields), tuple(columns))


def _holder(names: Iterable[str]) -> Callable[..., object]:
    """What is made of values in order and written under `names`; cheaper than a dict."""
    places = {f"f{place}": name for place, name in enumerate(names)}
    return msgspec.defstruct("Node", [(place, object) for place in places], rename=places, gc=False)


def _cursor(hot: HotList, needs: dict[str, None]) -> Column:
    if hot.cursor is None:
        raise NotPlain
    needs.update(dict.fromkeys(hot.cursor.needs))
    return hot.cursor


def _edges(fields: Mapping[str, FieldNode], hot: HotList, needs: dict[str, None]) -> Part:
    makers: list[Callable[[Answered], Sequence[object]]] = []
    for field in fields.values():
        if field.name.value == "cursor":
            cursor = _cursor(hot, needs)
            makers.append(lambda answered, cursor=cursor: _values(cursor, answered.page, ""))
        elif field.name.value == "node":
            nodes = _nodes(plain_fields(field.selection_set), hot, needs)
            makers.append(lambda answered, nodes=nodes: nodes.answer(answered.page, answered.did))
        else:
            raise NotPlain
    edge = _holder(fields)
    return lambda answered: list(map(edge, *(make(answered) for make in makers)))


def _page_info(fields: Mapping[str, FieldNode], hot: HotList, needs: dict[str, None]) -> Part:
    makers: dict[str, Part] = {}
    for name, field in fields.items():
        if field.name.value == "hasNextPage":
            makers[name] = lambda answered: answered.page.more
        elif field.name.value == "endCursor":
            makers[name] = _end_cursor(_cursor(hot, needs))
        else:
            raise NotPlain
    return lambda answered: {name: make(answered) for name, make in makers.items()}


def _end_cursor(cursor: Column) -> Part:
    def part(answered: Answered) -> object:
        last = {name: answered.page.of[name][-1:] for name in cursor.needs}
        values = _values(cursor, answered.page._replace(of=last), "")
        return values[0] if values else None

    return part
