"""The scalars of the schema, each with its unit.

GraphQL's own `Int` has 32 bits, so amounts have scalars of their own. Energy, power, price and
time are integers that a browser reads exactly (below 2^53); money in nano-currency goes beyond
that and is a string of an integer.

| scalar   | unit                    | in JSON |
|----------|-------------------------|---------|
| `Energy` | watt-hours              | integer |
| `Power`  | watts                   | integer |
| `Price`  | micro-currency per kWh  | integer |
| `Money`  | nano-currency           | string  |
| `Time`   | seconds UTC             | integer |
"""

from __future__ import annotations

from typing import NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from api.faults import ARGUMENT_RANGE

SAFE_INTEGER_MAX = 2**53 - 1  # the largest integer that a browser's number holds exactly

Energy = NewType("Energy", int)
Power = NewType("Power", int)
Price = NewType("Price", int)
Money = NewType("Money", str)
Time = NewType("Time", int)


def money(nano: int) -> Money:
    """Return an amount in nano-currency in the form of the schema."""
    return Money(str(nano))


def _read_integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= SAFE_INTEGER_MAX:
        return value
    raise ARGUMENT_RANGE(name="the number", value=value, bound="an integer below 2^53")


def _read_money(value: object) -> str:
    if not isinstance(value, str) or not value.removeprefix("-").isdecimal():
        raise ARGUMENT_RANGE(name="the amount", value=value, bound="an integer in a string")
    return value


def _integer(name: str, description: str) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, serialize=int, parse_value=_read_integer
    )


SCALARS: dict[object, ScalarDefinition] = {
    Energy: _integer("Energy", "Energy in watt-hours, an integer."),
    Power: _integer("Power", "Power in watts, an integer."),
    Price: _integer("Price", "A price in micro-currency per kWh, an integer."),
    Money: strawberry.scalar(
        name="Money",
        description="An amount in nano-currency, an integer in a string.",
        serialize=str,
        parse_value=_read_money,
    ),
    Time: _integer("Time", "Seconds UTC, an integer. A slot is its start."),
}
"""The argument of `StrawberryConfig`."""
