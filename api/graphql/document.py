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

from api.features.accounts.types import AccountQuery, AccountSubscription
from api.features.market.types import MarketQuery, MarketSubscription
from api.features.members.types import MemberMutation, MemberQuery
from api.features.metering.types import MeterQuery
from api.features.oracle_health.types import HealthQuery
from api.features.orders.types import OrderMutation, OrderQuery
from api.features.trades.types import TradeQuery, TradeSubscription
from api.graphql.context import OperationContext
from api.graphql.fields import rights_of
from api.graphql.guard.admission import AdmittedOnly, Guard
from api.graphql.scalars import SCALARS

HEAD = "# Written by `commonwatt api schema`: change the code, not this file.\n\n"


@strawberry.type
class Query(
    MarketQuery, OrderQuery, TradeQuery, AccountQuery, MeterQuery, MemberQuery, HealthQuery
):
    """Everything that can be asked."""


@strawberry.type
class Mutation(MemberMutation, OrderMutation):
    """Everything that changes something."""


@strawberry.type
class Subscription(MarketSubscription, TradeSubscription, AccountSubscription):
    """Everything that can be watched."""


class MarketSchema(strawberry.Schema):
    """A schema that leaves errors to the endpoint, which knows what clients may be told."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Nothing is logged here: the endpoint logs what is a fault of ours."""


def make_schema(*, mutation: type | None = Mutation, is_guarded: bool = True) -> strawberry.Schema:
    """A schema. `is_guarded` False is for printing it and for trusted documents."""
    extensions: list[Callable[[], SchemaExtension]] = [OperationContext]
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
    """Everything, for everybody; rights are declared with the fields."""
    return make_schema()


def regulator_schema() -> strawberry.Schema:
    """Reads alone."""
    return make_schema(mutation=None)


def guard_of(schema: strawberry.Schema) -> Guard:
    """The guard of a schema, with the rights that its fields declare."""
    return Guard(schema.as_str(), rights_of(schema))


def sdl() -> str:
    """The SDL of everybody's schema, as the reference prints it."""
    return f"{HEAD}{make_schema().as_str()}\n"
