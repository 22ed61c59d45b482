"""The two schemas and their SDL: the market's, and the regulator's, which has no mutations.

Both execute only documents that the guard admitted (`AdmittedOnly`).
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
    """All queries."""


@strawberry.type
class Mutation(MemberMutation, OrderMutation):
    """All mutations."""


@strawberry.type
class Subscription(MarketSubscription, TradeSubscription, AccountSubscription):
    """All subscriptions."""


class MarketSchema(strawberry.Schema):
    """A schema that leaves errors to the endpoint, which decides what clients see of them."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log nothing: the endpoint logs errors of the API itself."""


def make_schema(*, mutation: type | None = Mutation, is_guarded: bool = True) -> strawberry.Schema:
    """Return a schema; set `is_guarded` to False only to print it or for trusted documents."""
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
    """Return the schema with all fields; each field declares who may select it."""
    return make_schema()


def regulator_schema() -> strawberry.Schema:
    """Return the schema without mutations."""
    return make_schema(mutation=None)


def guard_of(schema: strawberry.Schema) -> Guard:
    """Return the guard of a schema, with the rights that its fields declare."""
    return Guard(schema.as_str(), rights_of(schema))


def sdl() -> str:
    """Return the SDL of the market's schema, as in the reference."""
    return f"{HEAD}{make_schema().as_str()}\n"
