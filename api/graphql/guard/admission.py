"""The guard: limits what a GraphQL document may cost, before the document is validated.

The guard checks a document in three steps, each linear in the size of its input. First it counts
the tokens of the text (`api.graphql.guard.text_scan`). Then it walks the parsed document once along
the types of the schema, and each fragment once however often it is spread. This walk limits depth,
aliases, repeated fields (which validation would compare pairwise), cost by list sizes and
directives; it refuses fragments that form a circle, unknown fields (without suggestions), and
introspection by strangers. Finally graphql-core validates the document, which is small by now.

An admitted document is cached by its text. Strawberry's own limiters are not used, because they
walk every spread again and so take exponential time in the number of fragments. `AdmittedOnly` is
the extension that makes a schema execute only admitted documents.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)
from strawberry.extensions import SchemaExtension

from api.access.table import Reader, Rights, is_signed_in, refusal
from api.faults import ApiFault, Fault
from api.graphql.guard.query_cost import Measure, measure
from api.graphql.guard.text_scan import COMMENTS_MAX, DOCUMENT_SYNTAX, TOKENS_MAX, scan
from api.graphql.guard.type_shapes import Types

_NESTED = frozenset({dict, list})  # the types that JSON's objects and arrays have in Python

FRAGMENTS_MAX = 30
VARIABLES_MAX = 30
LIST_MAX = 500  # elements of one variable, which is the number of tokens in a batch
ADMITTED_MAX = 512  # documents kept: a dashboard has some 40; about 20 KB each
ERRORS_MAX = 5  # errors of validation in one answer

Kind = Literal["query", "mutation", "subscription"]

DOCUMENT_OPERATIONS = Fault(
    "DOCUMENT_OPERATIONS", "The document holds {count} operations; send one at a time."
)
DOCUMENT_KIND = Fault("DOCUMENT_KIND", "Type definitions are not allowed in a request.")
OPERATION_NAME = Fault(
    "OPERATION_NAME", "The document has no operation of the name that was asked for."
)
OPERATION_KIND = Fault("OPERATION_KIND", "A {kind} is not allowed here.")
DOCUMENT_TOO_MANY_FRAGMENTS = Fault(
    "DOCUMENT_TOO_MANY_FRAGMENTS", "The document has {count} fragments; at most {limit} are read."
)
FRAGMENT_TWICE = Fault("FRAGMENT_TWICE", "Fragment {name} is defined twice.")
FRAGMENT_UNUSED = Fault("FRAGMENT_UNUSED", "Fragment {name} is never spread.")
VARIABLES_TOO_MANY = Fault("VARIABLES_TOO_MANY", "There are more than {limit} variables.")
VARIABLES_FORM = Fault(
    "VARIABLES_FORM", "Variable {name} is neither a plain value nor a list of plain values."
)
LIST_TOO_LONG = Fault("LIST_TOO_LONG", "Variable {name} has {count} elements; at most {limit}.")
DOCUMENT_INVALID = Fault("DOCUMENT_INVALID", "{reason}")
NOT_ADMITTED = Fault("NOT_ADMITTED", "The document did not pass the guard.")


@dataclass(frozen=True, slots=True)
class Admission:
    """An admitted document: its one operation, the fields that it reaches, its root fields."""

    document: DocumentNode
    kind: Kind
    name: str | None
    fields: frozenset[str]
    viewer_fields: frozenset[str]  # fields below `Query.viewer`, which strangers never reach
    roots: tuple[str, ...]
    all_fields: frozenset[str]  # both, which is what a signed-in reader executes
    has_introspection: bool
    size_variables: frozenset[str]

    def fields_for(self, reader: Reader) -> frozenset[str]:
        """Return the fields that this document executes for `reader`."""
        return self.all_fields if is_signed_in(reader) else self.fields


class Guard:
    """Admits documents for one schema, given as SDL, by its table of rights."""

    def __init__(self, sdl: str, rights: Rights) -> None:
        self.rights = rights
        self._schema = build_schema(sdl)
        self._types = Types(self._schema)
        self._admitted: OrderedDict[str, Admission] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of documents that are kept."""
        return len(self._admitted)

    def admit(
        self,
        text: str,
        reader: Reader,
        *,
        variables: Mapping[str, object] | None = None,
        operation_name: str | None = None,
        kinds: frozenset[Kind] = frozenset({"query", "mutation"}),
    ) -> Admission:
        """Return the admitted document if `reader` may execute `text` with these variables.

        Raises an `ApiFault` about the document, its variables, or the reader's rights.
        """
        variables = variables or {}
        _check_variables(variables)
        admission = self._admitted.get(text)
        if admission is None:
            admission = self._look(text, reader, variables)
            if len(self._admitted) >= ADMITTED_MAX:
                self._admitted.popitem(last=False)
            self._admitted[text] = admission
        else:
            self._admitted.move_to_end(text)
            if admission.size_variables:
                _measured(self._types, admission.document, reader, variables)
        if admission.has_introspection and not is_signed_in(reader):
            raise refusal(reader, "__schema")
        if admission.kind not in kinds:
            raise OPERATION_KIND(kind=admission.kind)
        if operation_name is not None and operation_name != admission.name:
            raise OPERATION_NAME()
        self.rights.check(reader, admission.fields_for(reader))
        return admission

    def _look(self, text: str, reader: Reader, variables: Mapping[str, object]) -> Admission:
        scan(text)
        try:
            document = parse(
                text,
                no_location=True,
                max_lexical_tokens=TOKENS_MAX,
                max_comments=COMMENTS_MAX,
            )
        except GraphQLSyntaxError as error:
            raise DOCUMENT_SYNTAX(reason=error.description.rstrip(".")) from None
        found = _measured(self._types, document, reader, variables)
        operation = _operation(document)
        errors = validate(self._schema, document, max_errors=ERRORS_MAX, hide_suggestions=True)
        if errors:
            raise DOCUMENT_INVALID(reason=" ".join(_words(errors)))
        return Admission(
            document=document,
            kind=operation.operation.value,
            name=operation.name.value if operation.name else None,
            fields=frozenset(found.fields),
            viewer_fields=frozenset(found.viewer_fields),
            all_fields=frozenset(found.fields) | frozenset(found.viewer_fields),
            roots=tuple(found.roots),
            has_introspection=found.has_introspection,
            size_variables=frozenset(found.size_variables),
        )


class AdmittedOnly(SchemaExtension):
    """Executes only documents that the guard admitted.

    The admission is the context's `admission`. The guard has parsed and validated the document, so
    the schema does not repeat this.
    """

    def on_parse(self) -> Iterator[None]:
        """Take the document from the admission."""
        self.execution_context.graphql_document = self._admission().document
        yield

    def on_validate(self) -> Iterator[None]:
        """Report no errors: the guard has validated the document."""
        self.execution_context.pre_execution_errors = []
        yield

    def _admission(self) -> Admission:
        given: object = getattr(self.execution_context.context, "admission", None)
        if not isinstance(given, Admission):
            raise NOT_ADMITTED()
        return given


def _measured(
    types: Types, document: DocumentNode, reader: Reader, variables: Mapping[str, object]
) -> Measure:
    operation = _operation(document)
    fragments = _fragments(document)
    found = measure(types, operation, fragments, variables, may_introspect=is_signed_in(reader))
    for name in fragments:
        if name not in found.spread:
            raise FRAGMENT_UNUSED(name=name)
    return found


def _operation(document: DocumentNode) -> OperationDefinitionNode:
    """Return the one operation of a document, which may contain only fragments besides."""
    operations: list[OperationDefinitionNode] = []
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations.append(definition)
        elif not isinstance(definition, FragmentDefinitionNode):
            raise DOCUMENT_KIND()
    if len(operations) != 1:
        raise DOCUMENT_OPERATIONS(count=len(operations))
    if len(operations[0].variable_definitions or ()) > VARIABLES_MAX:
        raise VARIABLES_TOO_MANY(limit=VARIABLES_MAX)
    return operations[0]


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    found: dict[str, FragmentDefinitionNode] = {}
    count = len(document.definitions) - 1
    if count > FRAGMENTS_MAX:
        raise DOCUMENT_TOO_MANY_FRAGMENTS(count=count, limit=FRAGMENTS_MAX)
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            if definition.name.value in found:
                raise FRAGMENT_TWICE(name=definition.name.value)
            found[definition.name.value] = definition
    return found


def _check_variables(variables: Mapping[str, object]) -> None:
    if len(variables) > VARIABLES_MAX:
        raise VARIABLES_TOO_MANY(limit=VARIABLES_MAX)
    for name, value in variables.items():
        if isinstance(value, list):
            elements: list[object] = value  # pyright: ignore[reportUnknownVariableType]  # JSON has any elements
            if len(elements) > LIST_MAX:
                raise LIST_TOO_LONG(name=name[:64], count=len(elements), limit=LIST_MAX)
            if not _NESTED.isdisjoint(map(type, elements)):
                raise VARIABLES_FORM(name=name[:64])
        elif isinstance(value, dict):
            raise VARIABLES_FORM(name=name[:64])


def _words(errors: list[GraphQLError]) -> Iterator[str]:
    for error in errors:
        yield error.message if not isinstance(error, ApiFault) else str(error)
