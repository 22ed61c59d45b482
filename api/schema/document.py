"""The two schemas and their SDL: everybody's, and the regulator's, which has no mutation.

Both execute only what the guard let through (`AdmittedOnly`).
"""

from __future__ import annotations

from collections.abc import Callable

import strawberry
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from api.graphql.guard.admission import AdmittedOnly
from api.schema.context import Asking
from api.schema.mutations import Mutation
from api.schema.queries import Query
from api.schema.scalars import SCALARS
from api.schema.subscriptions import Subscription

HEAD = "# Written by `commonwatt api schema`: change the code, not this file.\n\n"


class MarketSchema(strawberry.Schema):
    """A schema that leaves telling of errors to the endpoint, which knows what may be told."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Nothing is logged here: the endpoint logs what is a fault of ours."""


def make_schema(*, mutation: type | None = Mutation, is_guarded: bool = True) -> strawberry.Schema:
    """A schema. `is_guarded` False is for whoever prints it or has documents of its own."""
    extensions: list[Callable[[], SchemaExtension]] = [Asking]
    if is_guarded:
        extensions.append(AdmittedOnly)
    return MarketSchema(
        query=Query,
        mutation=mutation,
        subscription=Subscription,
        extensions=extensions,
        config=StrawberryConfig(disable_field_suggestions=True, scalar_map=SCALARS),
    )


def market_schema() -> strawberry.Schema:
    """Everything, for everybody; rights are rows of `api.access.table`."""
    return make_schema()


def regulator_schema() -> strawberry.Schema:
    """Reads alone."""
    return make_schema(mutation=None)


def sdl() -> str:
    """The SDL of everybody's schema, as the reference prints it."""
    return f"{HEAD}{make_schema().as_str()}\n"
