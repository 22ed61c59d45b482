"""The short way of the mutations that carry signed tokens: one of them, plain fields, a variable.

`api.features.orders.writes` decides what is carried, by whom and with which answer, as it does for
the resolver; here the answers only get their names. What may not be carried twice is never tried
again: once a token is on its way, an error is told here, with its path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
"""The mutations that carry tokens, by their names in the schema."""

TokenFields = Mapping[str, Callable[[Carried], object]]
"""What a field of `TokenResult` says of what happened to a token."""


def token_fields(schema: Schema) -> TokenFields:
    """The fields of `TokenResult` as they are declared."""
    return {
        name_in(schema, field): partial(_value, declared.column)
        for field in definition_of(TokenResult).fields
        if (declared := declared_of(field)) is not None and declared.column is not None
    }


def _value(column: Column, carried: Carried) -> object:
    values = [getattr(carried, name) for name in column.needs]
    return values[0] if column.make is None else column.make(*values)


@dataclass(frozen=True)
class TokenPlan:
    """One mutation: the name of its answer, what it does, its variable, the fields of a result."""

    name: str
    act: Act
    variable: str
    fields: Mapping[str, Callable[[Carried], object]]

    async def answer(
        self, services: Services, viewer: Viewer | None, variables: Mapping[str, object]
    ) -> Answer:
        """What became of the tokens. Raises `Unplanned` where nothing was carried."""
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
    """Keeps what is raised in its block to be told, as the standard execution does of a field."""

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
    """The plan of a mutation with these root fields, or `Unplanned`."""
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
    """The tokens of a variable, if the standard execution takes them as they are."""
    if type(value) is not list:
        raise Unplanned
    tokens = cast("list[object]", value)
    if any(type(token) is not str for token in tokens):
        raise Unplanned
    return cast("list[str]", tokens)
