"""The fast path: compiles a selection once, and writes columns of the read model as JSON.

Executing a list of 100 nodes through resolvers costs thousands of calls, and setting up a standard
execution costs as much as a short query. A document that selects only hot lists (`hot_lists`) with
plain fields is compiled to columns, a document that only submits signed tokens to a `token_plan`.
The answer equals that of the standard execution in every value. The standard execution answers all
other documents (fragments, directives, nested lists, variables of another form), and reports every
fault of reading with its path.

Before this, the guard has checked who may select the fields of the document. The listings, which
resolvers use too, decide which rows a viewer sees. So a plan is the same for every role, and its
key is only the document and the name of the operation. No answer is cached.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

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
from strawberry import Schema

from api.access.table import Viewer
from api.faults import ApiFault
from api.graphql.fast_path.hot_lists import Argument, HotColumns, HotList, Value, hot_lists
from api.graphql.fast_path.selection import Answer, Unplanned, plain_fields, plain_operation
from api.graphql.fast_path.token_plan import TokenPlan, compile_tokens, token_fields
from api.graphql.fields import Column
from api.graphql.pages import columns_of, read_columns
from api.read_model.database import UNREADABLE, ReadRefused
from api.read_model.paging import Columns
from api.services import Services

PLANS_MAX = 512  # documents kept, as many as the guard keeps


class Given(NamedTuple):
    """An argument in a document: its value, or the variable that has the value.

    `has_default` says that `value` is the variable's default.
    """

    argument: Argument
    value: Value = None
    variable: str | None = None
    is_required: bool = False
    has_default: bool = False


Cells = Callable[[Columns, str], Sequence[object]]
"""A function that returns one field of a page's nodes as a viewer (by DID) sees it."""


class Nodes(NamedTuple):
    """The plain fields of a node: a struct with their names in the answer, and their cells."""

    node: Callable[..., object]
    cells: tuple[Cells, ...]

    def answer(self, page: Columns, did: str) -> list[object]:
        """Return the nodes of a page as `did` sees them."""
        return list(map(self.node, *(cells(page, did) for cells in self.cells)))


class Answered(NamedTuple):
    """A page that was read, and the number of all rows if the document selects it."""

    page: Columns
    total: int
    did: str


Part = Callable[[Answered], object]
"""A function that returns the value of a connection's field."""


class Root(NamedTuple):
    """One root field of a plan; `needs` are the record's fields that its columns are made from."""

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
        """Return the data. Raises `Unplanned` if the standard execution has to answer."""
        values = [
            {given.argument.name: _value(given, variables) for given in root.given.values()}
            for root in self.roots
        ]
        try:
            data = {
                root.name: await _answer_root(root, services, viewer, of_root)
                for root, of_root in zip(self.roots, values, strict=True)
            }
        except (ApiFault, ReadRefused, *UNREADABLE):
            raise Unplanned from None
        return Answer(orjson.Fragment(_json.encode(data)))


_json = msgspec.json.Encoder()


Plan = ListPlan | TokenPlan


class Plans:
    """The plans of the newest documents; None for a document that is not plain."""

    def __init__(self, schema: Schema) -> None:
        self._hot_lists = hot_lists(schema)
        self._token_fields = token_fields(schema)
        self._plans: OrderedDict[tuple[int, str | None], tuple[DocumentNode, Plan | None]] = (
            OrderedDict()
        )

    def plan(self, document: DocumentNode, operation_name: str | None) -> Plan | None:
        """Return the plan of a validated document; None if it is not plain."""
        key = (id(document), operation_name)
        kept = self._plans.get(key)
        if kept is not None:
            return kept[1]
        try:
            plan = self._compiled(plain_operation(document, operation_name))
        except Unplanned:
            plan = None
        if len(self._plans) >= PLANS_MAX:
            self._plans.popitem(last=False)
        self._plans[key] = (document, plan)  # keep the document, so that no other one gets its id
        return plan

    def _compiled(self, operation: OperationDefinitionNode) -> Plan:
        fields = plain_fields(operation.selection_set)
        match operation.operation:
            case OperationType.QUERY:
                roots = [
                    _root(name, field, operation, self._hot_lists.get(field.name.value))
                    for name, field in fields.items()
                ]
                return ListPlan(roots)
            case OperationType.MUTATION:
                return compile_tokens(fields, self._token_fields)
            case _:
                raise Unplanned


async def _answer_root(
    root: Root, services: Services, viewer: Viewer | None, values: Mapping[str, Value]
) -> object:
    did = "" if viewer is None else viewer.did
    if root.nodes is not None:
        listing = await root.hot.read(services, viewer, values)
        records = (await listing.read(0, None)).rows
        return root.nodes.answer(columns_of(records, root.needs, more=False), did)
    asked = dict(values)
    first, after = asked.pop("first"), asked.pop("after")
    listing = await root.hot.read(services, viewer, asked)
    page = await read_columns(
        listing, root.needs, first=cast("int | None", first), after=cast("str | None", after)
    )
    answered = Answered(page, await listing.count() if root.counts else 0, did)
    return {name: part(answered) for name, part in root.parts.items()}


def _values(column: Column, page: Columns, did: str) -> Sequence[object]:
    """Return the values of a column in a page."""
    read = [page.of[name] for name in column.needs]
    if column.make is None:
        return read[0]
    make = partial(column.make, did) if column.is_for_viewer else column.make
    return list(map(make, *read))


def _value(given: Given, variables: Mapping[str, object]) -> Value:
    """Return the value of an argument if the standard execution takes it unchanged."""
    if given.variable is None:
        return given.value
    if given.variable not in variables:
        if given.has_default:
            return given.value
        if given.is_required or given.argument.is_required:
            raise Unplanned
        return given.argument.default
    value = variables[given.variable]
    if value is None and (given.is_required or given.argument.is_non_null):
        raise Unplanned
    return _plain(given.argument, value)


def _plain(argument: Argument, value: object) -> Value:
    if value is None:
        return None
    if type(value) is not argument.kind:
        raise Unplanned
    if isinstance(value, int) and abs(value) > argument.integer_max:
        raise Unplanned
    return value


def _root(
    name: str, field: FieldNode, operation: OperationDefinitionNode, hot: HotList | None
) -> Root:
    if hot is None:
        raise Unplanned
    given = {key: Given(argument, argument.default) for key, argument in hot.arguments.items()}
    for argument in field.arguments or ():
        key = argument.name.value
        given[key] = _given(hot.arguments[key], argument.value, operation)
    below = plain_fields(field.selection_set)
    needs: dict[str, None] = {}
    nodes, parts = None, {}
    if hot.cursor is None:
        nodes = _nodes(below, hot.columns, needs)
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
    raise Unplanned


def _literal(argument: Argument, node: ValueNode) -> Value:
    value: Value
    match node:
        case IntValueNode() if argument.kind is int:
            value = int(node.value)
        case StringValueNode() if argument.kind is str:
            value = node.value
        case BooleanValueNode() if argument.kind is bool:
            value = node.value
        case NullValueNode() if not argument.is_non_null:
            value = None
        case _:
            raise Unplanned
    return _plain(argument, value)


def _part(node: FieldNode, hot: HotList, needs: dict[str, None]) -> Part:
    """Compile a field of a connection, and add the record's fields that it uses to `needs`."""
    match node.name.value:
        case "nodes":
            nodes = _nodes(plain_fields(node.selection_set), hot.columns, needs)
            return lambda answered: nodes.answer(answered.page, answered.did)
        case "edges":
            return _edges(plain_fields(node.selection_set), hot, needs)
        case "pageInfo":
            return _page_info(plain_fields(node.selection_set), hot, needs)
        case "totalCount":
            return lambda answered: answered.total
        case _:
            raise Unplanned


def _nodes(fields: Mapping[str, FieldNode], of: HotColumns, needs: dict[str, None]) -> Nodes:
    cells: list[Cells] = []
    for field in fields.values():
        column = of.get(field.name.value)
        if column is None:
            raise Unplanned
        if isinstance(column, Column):
            needs.update(dict.fromkeys(column.needs))
            cells.append(partial(_values, column))
        else:
            cells.append(_nodes(plain_fields(field.selection_set), column, needs).answer)
    return Nodes(_holder(fields), tuple(cells))


def _holder(names: Iterable[str]) -> Callable[..., object]:
    """Return a struct with fields `names`, made from values in order; cheaper than a dict."""
    places = {f"f{place}": name for place, name in enumerate(names)}
    return msgspec.defstruct("Node", [(place, object) for place in places], rename=places, gc=False)


def _cursor(hot: HotList, needs: dict[str, None]) -> Column:
    if hot.cursor is None:
        raise Unplanned
    needs.update(dict.fromkeys(hot.cursor.needs))
    return hot.cursor


def _edges(fields: Mapping[str, FieldNode], hot: HotList, needs: dict[str, None]) -> Part:
    makers: list[Callable[[Answered], Sequence[object]]] = []
    for field in fields.values():
        if field.name.value == "cursor":
            cursor = _cursor(hot, needs)
            makers.append(lambda answered, cursor=cursor: _values(cursor, answered.page, ""))
        elif field.name.value == "node":
            nodes = _nodes(plain_fields(field.selection_set), hot.columns, needs)
            makers.append(lambda answered, nodes=nodes: nodes.answer(answered.page, answered.did))
        else:
            raise Unplanned
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
            raise Unplanned
    return lambda answered: {name: make(answered) for name, make in makers.items()}


def _end_cursor(cursor: Column) -> Part:
    def part(answered: Answered) -> object:
        last = {name: answered.page.of[name][-1:] for name in cursor.needs}
        values = _values(cursor, answered.page._replace(of=last), "")
        return values[0] if values else None

    return part
