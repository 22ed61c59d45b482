"""The guard's walk over one parsed document along the types of a schema.

The walk computes a weight for every selection set: its depth, the number of its fields with all
fragments written out, its cost, and how often it has each answer name. The weight of a fragment is
computed once and added wherever the fragment is spread. Sums stop just above their limits, so a
document of a thousand tokens cannot make them large. The walk knows only object types, because this
schema has no interfaces and no unions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

from api.access.table import refusal
from api.faults import Fault
from api.graphql.guard.text_scan import DOCUMENT_TOO_DEEP
from api.graphql.guard.type_shapes import FIRST_MAX, FieldShape, Types

DEPTH_MAX = 12
INTROSPECTION_DEPTH_MAX = 16  # the standard introspection nests `ofType` nine deep
INTROSPECTION_LISTS_MAX = 1  # no lists of fields inside lists of fields
ALIASES_MAX = 30
DIRECTIVES_MAX = 10
FIELDS_MAX = 1_000  # with all fragments written out
REPEATED_MAX = 8  # fields whose answer name is taken already; validation compares them pairwise
MUTATIONS_MAX = 3
COST_MAX = 30_000  # at most some 0.3 s of one core
INTROSPECTION_COST_MAX = 60_000  # the standard introspection is estimated at 51,000
ROOT_COST = 20  # a query to the database
SPAN_MAX = 2_000  # rows between `from` and `to`
SLOT_S_MIN = 300
LIST_ASSUMED = 10  # assumed elements of a list without its own bound
LISTS: Mapping[str, int] = {
    "Query.zones": 50, "Slot.zones": 20, "Market.openSlots": 100, "Book.buys": 100, "Book.sells": 100,
    # These are means, not bounds, because they are summed over all types of this schema.
    "__Schema.types": 60, "__Type.fields": 10, "__Field.args": 1, "__Type.inputFields": 1,
    "__Type.interfaces": 1, "__Type.possibleTypes": 1, "__Type.enumValues": 2,
}  # fmt: skip
_DIRECTIVES = frozenset({"include", "skip"})
_NESTING = frozenset({"fields", "inputFields", "interfaces", "possibleTypes", "types"})

DOCUMENT_TOO_MANY_ALIASES = Fault(
    "DOCUMENT_TOO_MANY_ALIASES", "The document has more than {limit} aliases."
)
DOCUMENT_TOO_MANY_DIRECTIVES = Fault(
    "DOCUMENT_TOO_MANY_DIRECTIVES", "The document has more than {limit} directives."
)
DOCUMENT_TOO_MANY_FIELDS = Fault(
    "DOCUMENT_TOO_MANY_FIELDS",
    "With its fragments written out the document has more than {limit} fields.",
)
DOCUMENT_REPEATS = Fault(
    "DOCUMENT_REPEATS", "The document repeats fields of one answer name more than {limit} times."
)
DOCUMENT_TOO_COSTLY = Fault(
    "DOCUMENT_TOO_COSTLY",
    "The answer may have more than {limit} values; fewer are computed at a time.",
)
DOCUMENT_MUTATIONS = Fault(
    "DOCUMENT_MUTATIONS", "The document has {count} mutations; at most {limit} at a time."
)
DOCUMENT_ROOTS = Fault("DOCUMENT_ROOTS", "A subscription must have exactly one field.")
DIRECTIVE_UNKNOWN = Fault("DIRECTIVE_UNKNOWN", "There is no directive @{name} here.")
FRAGMENT_UNKNOWN = Fault("FRAGMENT_UNKNOWN", "There is no fragment {name}.")
FRAGMENT_CIRCLE = Fault("FRAGMENT_CIRCLE", "Fragment {name} spreads itself.")
FRAGMENT_TYPE = Fault(
    "FRAGMENT_TYPE", "A fragment on {name} is spread where the type is {expected}."
)
FIELD_UNKNOWN = Fault("FIELD_UNKNOWN", "{type} has no field {name}.")
FIELD_BARE = Fault("FIELD_BARE", "{field} has fields; select some of them.")
ARGUMENT_UNKNOWN = Fault(
    "ARGUMENT_UNKNOWN", "{field} has no argument {name}, or the argument is given twice."
)
FIELD_LEAF = Fault("FIELD_LEAF", "{field} is a plain value; no fields can be selected from it.")
INTROSPECTION_NESTS = Fault("INTROSPECTION_NESTS", "Introspection lists fields within fields.")
ARGUMENT_FIRST = Fault("ARGUMENT_RANGE", "first is above {limit}, the most that a page holds.")


@dataclass(slots=True)
class Measure:
    """The result of a walk: `Type.field`s reached, those below `Query.viewer`, and the roots."""

    fields: set[str] = field(default_factory=set[str])
    viewer_fields: set[str] = field(default_factory=set[str])
    roots: list[str] = field(default_factory=list[str])
    spread: set[str] = field(default_factory=set[str])
    size_variables: set[str] = field(default_factory=set[str])
    has_introspection: bool = False
    aliases: int = 0
    directives: int = 0


class _Weight(NamedTuple):
    """The weight of a selection set; `lists` is how deep introspection lists nest in it."""

    depth: int
    total: int
    cost: int
    repeated: int
    lists: int
    names: Mapping[str, int]


_LEAF = _Weight(0, 0, 0, 0, 0, {})


def measure(
    types: Types,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, object],
    *,
    may_introspect: bool,
) -> Measure:
    """Walk the operation; raise a fault for the first limit that it exceeds."""
    walk = _Walk(
        types, fragments, _with_defaults(operation, variables), may_introspect=may_introspect
    )
    kind = operation.operation.value
    root = types.roots.get(kind)
    if root is None:
        raise FIELD_UNKNOWN(type="The schema", name=kind)
    walk.directives(operation)
    weight = walk.selection(root, operation.selection_set, under_viewer=False)
    found = walk.found
    if kind == "mutation" and weight.names and sum(weight.names.values()) > MUTATIONS_MAX:
        raise DOCUMENT_MUTATIONS(count=sum(weight.names.values()), limit=MUTATIONS_MAX)
    if kind == "subscription" and sum(weight.names.values()) != 1:
        raise DOCUMENT_ROOTS()
    prefix = f"{root}."
    found.roots = sorted(
        each.removeprefix(prefix) for each in found.fields if each.startswith(prefix)
    )
    return found


class _Walk:
    def __init__(
        self,
        types: Types,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, object],
        *,
        may_introspect: bool,
    ) -> None:
        self.found = Measure()
        self._types = types
        self._fragments = fragments
        self._variables = variables
        self._may_introspect = may_introspect
        self._weights: dict[tuple[str, bool], _Weight] = {}
        self._open: set[str] = set()

    def directives(
        self,
        node: OperationDefinitionNode
        | FieldNode
        | FragmentSpreadNode
        | InlineFragmentNode
        | FragmentDefinitionNode,
    ) -> None:
        """Count the directives of a node, and refuse all but `include` and `skip`."""
        for directive in node.directives or ():
            self.found.directives += 1
            if directive.name.value not in _DIRECTIVES:
                raise DIRECTIVE_UNKNOWN(name=directive.name.value)
            if self.found.directives > DIRECTIVES_MAX:
                raise DOCUMENT_TOO_MANY_DIRECTIVES(limit=DIRECTIVES_MAX)

    def selection(
        self, type_name: str, selected: SelectionSetNode, *, under_viewer: bool
    ) -> _Weight:
        """Return the weight of a selection set on a type."""
        depth = count = cost = repeated = lists = 0
        names: dict[str, int] = {}
        for node in selected.selections:
            if isinstance(node, FieldNode):
                weight = self._field(type_name, node, under_viewer=under_viewer)
            elif isinstance(node, FragmentSpreadNode):
                weight = self._spread(type_name, node, under_viewer=under_viewer)
            elif isinstance(node, InlineFragmentNode):
                weight = self._inline(type_name, node, under_viewer=under_viewer)
            else:
                raise FIELD_UNKNOWN(type=type_name, name="of that kind")
            depth, lists = max(depth, weight.depth), max(lists, weight.lists)
            count += weight.total
            cost = min(cost + weight.cost, INTROSPECTION_COST_MAX + 1)
            repeated += weight.repeated
            for name, times in weight.names.items():
                before = names.get(name, 0)
                repeated += times if before else 0
                names[name] = before + times
            _check(depth, count, cost, repeated, has_introspection=self.found.has_introspection)
        return _Weight(depth, count, cost, repeated, lists, names)

    def _field(self, type_name: str, node: FieldNode, *, under_viewer: bool) -> _Weight:
        self.directives(node)
        name = node.name.value
        answer = name
        if node.alias is not None:
            self.found.aliases += 1
            answer = node.alias.value
            if self.found.aliases > ALIASES_MAX:
                raise DOCUMENT_TOO_MANY_ALIASES(limit=ALIASES_MAX)
        if name == "__typename":
            return _Weight(1, 1, 1, 0, 0, {answer: 1})
        shape = self._types.shape(type_name, name)
        if shape is None:
            raise FIELD_UNKNOWN(type=type_name, name=name)
        if type_name.startswith("__") or name.startswith("__"):
            self._introspects()
        else:
            reached = self.found.viewer_fields if under_viewer else self.found.fields
            reached.add(shape.coordinate)
        _check_arguments(shape, node)
        below = _LEAF
        if node.selection_set is None:
            if shape.type_name is not None:
                raise FIELD_BARE(field=shape.coordinate)
        else:
            if shape.type_name is None:
                raise FIELD_LEAF(field=shape.coordinate)
            below = self.selection(
                shape.type_name,
                node.selection_set,
                under_viewer=under_viewer or shape.coordinate == "Query.viewer",
            )
        size = self._size(shape, node)
        lists = below.lists + (type_name.startswith("__") and name in _NESTING)
        if lists > INTROSPECTION_LISTS_MAX + 1:
            raise INTROSPECTION_NESTS()
        is_root = type_name in self._types.roots.values()
        cost = (ROOT_COST if is_root else 1) + size * below.cost
        return _Weight(
            below.depth + 1,
            below.total + 1,
            min(cost, INTROSPECTION_COST_MAX + 1),
            below.repeated,
            lists,
            {answer: 1},
        )

    def _spread(self, type_name: str, node: FragmentSpreadNode, *, under_viewer: bool) -> _Weight:
        self.directives(node)
        name = node.name.value
        fragment = self._fragments.get(name)
        if fragment is None:
            raise FRAGMENT_UNKNOWN(name=name)
        if fragment.type_condition.name.value != type_name:
            raise FRAGMENT_TYPE(name=fragment.type_condition.name.value, expected=type_name)
        if name in self._open:
            raise FRAGMENT_CIRCLE(name=name)
        weight = self._weights.get((name, under_viewer))
        if weight is None:
            self.found.spread.add(name)
            self._open.add(name)
            self.directives(fragment)
            weight = self.selection(type_name, fragment.selection_set, under_viewer=under_viewer)
            self._open.discard(name)
            self._weights[name, under_viewer] = weight
        return weight

    def _inline(self, type_name: str, node: InlineFragmentNode, *, under_viewer: bool) -> _Weight:
        self.directives(node)
        if node.type_condition is not None and node.type_condition.name.value != type_name:
            raise FRAGMENT_TYPE(name=node.type_condition.name.value, expected=type_name)
        return self.selection(type_name, node.selection_set, under_viewer=under_viewer)

    def _introspects(self) -> None:
        self.found.has_introspection = True
        if not self._may_introspect:
            raise refusal("STRANGER", "__schema")

    def _size(self, shape: FieldShape, node: FieldNode) -> int:
        """Return how many elements a field may have."""
        if shape.is_paged:
            first = self._integer(node, "first")
            if first is None:
                return shape.first_default
            if first > FIRST_MAX:
                raise ARGUMENT_FIRST(limit=FIRST_MAX)
            return max(0, first)
        if not shape.is_list:
            return 1
        if shape.is_span:
            begin, end = self._integer(node, "from"), self._integer(node, "to")
            if begin is None or end is None:
                return SPAN_MAX
            return min(SPAN_MAX, max(0, (end - begin) // SLOT_S_MIN + 1))
        return LISTS.get(shape.coordinate, LIST_ASSUMED)

    def _integer(self, node: FieldNode, name: str) -> int | None:
        """Return the integer of an argument, literal or variable; None if it is absent."""
        for argument in node.arguments or ():
            if argument.name.value == name:
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
                if isinstance(argument.value, VariableNode):
                    self.found.size_variables.add(argument.value.name.value)
                    value = self._variables.get(argument.value.name.value)
                    if isinstance(value, int) and not isinstance(value, bool):
                        return value
        return None


def _check_arguments(shape: FieldShape, node: FieldNode) -> None:
    seen: set[str] = set()
    for argument in node.arguments or ():
        name = argument.name.value
        if name in seen or name not in shape.arguments:
            raise ARGUMENT_UNKNOWN(field=shape.coordinate, name=name)
        seen.add(name)


def _check(depth: int, count: int, cost: int, repeated: int, *, has_introspection: bool) -> None:
    depth_max = INTROSPECTION_DEPTH_MAX if has_introspection else DEPTH_MAX
    if depth > depth_max:
        raise DOCUMENT_TOO_DEEP(limit=depth_max)
    if count > FIELDS_MAX:
        raise DOCUMENT_TOO_MANY_FIELDS(limit=FIELDS_MAX)
    if repeated > REPEATED_MAX:
        raise DOCUMENT_REPEATS(limit=REPEATED_MAX)
    cost_max = INTROSPECTION_COST_MAX if has_introspection else COST_MAX
    if cost > cost_max:
        raise DOCUMENT_TOO_COSTLY(limit=cost_max)


def _with_defaults(
    operation: OperationDefinitionNode, variables: Mapping[str, object]
) -> dict[str, object]:
    """Return the variables, with the operation's defaults for those that are not given."""
    found: dict[str, object] = {}
    for definition in operation.variable_definitions or ():
        if isinstance(definition.default_value, IntValueNode):
            found[definition.variable.name.value] = int(definition.default_value.value)
    return {**found, **variables}
