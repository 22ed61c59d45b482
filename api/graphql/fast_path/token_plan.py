"""The fast path for mutations that submit signed tokens: one mutation, plain fields, a variable.

`api.features.orders.writes` decides which tokens are submitted, by whom and with which answer, as
it does for the resolver; this module only selects the fields of the answers. The standard execution
must not submit tokens a second time, so errors after the submission are reported here, with path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import cast

from graphql import FieldNode, VariableNode, located_error
from strawberry import Schema
from strawberry.utils.str_converters import to_camel_case

from api.access.table import Viewer
from api.features.orders.types import TokenResult
from api.features.orders.writes import FORMS, Act, Carried, carry
from api.graphql.fast_path.selection import Answer, Unplanned, plain_fields
from api.graphql.fields import Column, declared_of, definition_of, name_in
from api.services import Services

ACTS: Mapping[str, Act] = {to_camel_case(act): act for act in FORMS}
"""The mutations that submit tokens, by their names in the schema."""

_TEXT = frozenset({str})

TokenFields = Mapping[str, Callable[[Carried], object]]
"""Functions that return the fields of `TokenResult` for a token, by field name."""


def token_fields(schema: Schema) -> TokenFields:
    """Return the fields of `TokenResult` as they are declared."""
    return {
        name_in(schema, field): _reader(declared.column)
        for field in definition_of(TokenResult).fields
        if (declared := declared_of(field)) is not None and declared.column is not None
    }


def _reader(column: Column) -> Callable[[Carried], object]:
    if column.make is None:
        return attrgetter(column.needs[0])
    return partial(_made, column.make, column.needs)


def _made(make: Callable[..., object], needs: Sequence[str], carried: Carried) -> object:
    return make(*(getattr(carried, name) for name in needs))


@dataclass(frozen=True)
class TokenPlan:
    """One mutation: its name in the answer, its act, its variable, the fields of a result."""

    name: str
    act: Act
    variable: str
    fields: Mapping[str, Callable[[Carried], object]]

    async def answer(
        self, services: Services, viewer: Viewer | None, variables: Mapping[str, object]
    ) -> Answer:
        """Submit the tokens; return their results. Raises `Unplanned` before it submits any."""
        tokens = _tokens(variables.get(self.variable))
        if viewer is None:
            raise Unplanned
        results: list[dict[str, object]] = []
        with _Faults() as faults:
            carried = await carry(services, viewer, self.act, tokens)
            results = [{name: of(each) for name, of in self.fields.items()} for each in carried]
        if faults.error is not None:
            return Answer(None, [located_error(faults.error, None, [self.name])])
        return Answer({self.name: results})


class _Faults:
    """Collects errors that are raised in its block, as the standard execution does for a field."""

    error: Exception | None = None

    def __enter__(self) -> _Faults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None


def compile_tokens(fields: Mapping[str, FieldNode], results: TokenFields) -> TokenPlan:
    """Return the plan of a mutation with these root fields, or raise `Unplanned`."""
    if len(fields) != 1:
        raise Unplanned
    ((name, field),) = fields.items()
    act = ACTS.get(field.name.value)
    arguments = field.arguments or ()
    if act is None or len(arguments) != 1:
        raise Unplanned
    given = arguments[0].value
    if not isinstance(given, VariableNode):
        raise Unplanned
    makers: dict[str, Callable[[Carried], object]] = {}
    for answer, node in plain_fields(field.selection_set).items():
        maker = results.get(node.name.value)
        if maker is None:
            raise Unplanned
        makers[answer] = maker
    return TokenPlan(name, act, given.name.value, makers)


def _tokens(value: object) -> Sequence[str]:
    """Return the tokens of a variable if the standard execution takes them unchanged."""
    if type(value) is not list:
        raise Unplanned
    tokens = cast("list[object]", value)
    if not _TEXT.issuperset(map(type, tokens)):
        raise Unplanned
    return cast("list[str]", tokens)
