"""The short way of the mutations that carry signed tokens: one of them, plain fields, a variable.

What is carried, by whom and with which answer is decided by `api.orders`, as it is for the
resolver; here the answers only get their names. What may not be carried twice is never tried
again: once a token is on its way, an error is told here, with the path that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from graphql import FieldNode, VariableNode, located_error

from api.access.table import Viewer
from api.graphql.fast_path.selection import Answer, NotPlain, plain_fields
from api.orders import Act, Carried, carry
from api.schema.trading import order_id
from api.services import Services

ACTS: Mapping[str, Act] = {
    "placeOrders": "place_orders",
    "amendOrders": "amend_orders",
    "cancelOrders": "cancel_orders",
}
RESULT: Mapping[str, Callable[[Carried], object]] = {
    "code": lambda carried: carried.code,
    "sentence": lambda carried: carried.sentence,
    "orders": lambda carried: [order_id(slot, name) for slot, name in carried.orders],
    "transaction": lambda carried: carried.transaction,
    "block": lambda carried: carried.block,
}
"""What a field of `TokenResult` says of what became of a token."""


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
        """What became of the tokens. Raises `NotPlain` where nothing was carried."""
        tokens = _tokens(variables.get(self.variable))
        if viewer is None:
            raise NotPlain
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


def compile_tokens(fields: Mapping[str, FieldNode]) -> TokenPlan:
    """The plan of a mutation with these root fields, or `NotPlain`."""
    if len(fields) != 1:
        raise NotPlain
    ((name, field),) = fields.items()
    act = ACTS.get(field.name.value)
    arguments = field.arguments or ()
    if act is None or len(arguments) != 1:
        raise NotPlain
    given = arguments[0].value
    if not isinstance(given, VariableNode):
        raise NotPlain
    makers: dict[str, Callable[[Carried], object]] = {}
    for answer, node in plain_fields(field.selection_set).items():
        maker = RESULT.get(node.name.value)
        if maker is None:
            raise NotPlain
        makers[answer] = maker
    return TokenPlan(name, act, given.name.value, makers)


def _tokens(value: object) -> Sequence[str]:
    """The tokens of a variable, if the standard execution takes them as they are."""
    if type(value) is not list:
        raise NotPlain
    tokens = cast("list[object]", value)
    if any(type(token) is not str for token in tokens):
        raise NotPlain
    return cast("list[str]", tokens)
