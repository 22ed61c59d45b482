"""Energy, price, money and power as exact integers of separate kinds.

| operation                         | result   |
|-----------------------------------|----------|
| Energy + Energy, Energy - Energy  | Energy   |
| Energy x Price                    | Money    |
| Price + Price, Price - Price      | Price    |
| Money + Money, Money - Money      | Money    |
| -Money                            | Money    |
| Power over seconds                | Energy   |
| compare, min, max of one kind     | the kind |

Every other operation raises `TypeError`, so a price is never added to an energy by mistake. Only
this module divides and rounds, with functions whose names say the direction.

State and messages hold plain integers whose names end with the unit; code that computes with such
integers first turns them into these values. The lines of the books are too many for that: their
two formulas are functions of plain integers, `priced_nano` and `taxed_nano`.
"""

from __future__ import annotations

from typing import Self

PPM = 1_000_000
SECONDS_PER_HOUR = 3600
SECONDS_PER_DAY = 86_400
SECONDS_PER_QUARTER = 900
PER_MILLE = 1_000
INT64_SAFE = 2**62  # totals of a clearing stay below this, so int64 never overflows


class _Quantity:
    """One integer of one kind; only quantities of the same kind can be added or ordered."""

    __slots__ = ("_value",)

    def __init__(self, value: int) -> None:
        if type(value) is not int:
            raise TypeError(f"{type(self).__name__} takes an int, not {type(value).__name__}")
        self._value = value

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self)(self._value + other._value)

    def __sub__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self)(self._value - other._value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._value == self._value

    def __lt__(self, other: Self) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._value < other._value

    def __le__(self, other: Self) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._value <= other._value

    def __hash__(self) -> int:
        return hash((type(self), self._value))

    def __bool__(self) -> bool:
        return self._value != 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._value})"


class Energy(_Quantity):
    """Watt-hours."""

    __slots__ = ()

    @property
    def wh(self) -> int:
        """The energy in Wh."""
        return self._value

    def __mul__(self, price: Price) -> Money:
        if type(price) is not Price:
            return NotImplemented
        return Money(self._value * price.micro_per_kwh)


class Price(_Quantity):
    """Micro-currency per kWh; a price may be negative."""

    __slots__ = ()

    @property
    def micro_per_kwh(self) -> int:
        """The price in micro-currency per kWh."""
        return self._value


class Money(_Quantity):
    """Nano-currency, which is exactly Wh x micro-currency per kWh."""

    __slots__ = ()

    @property
    def nano(self) -> int:
        """The amount in nano-currency."""
        return self._value

    def __neg__(self) -> Money:
        return Money(-self._value)


class Power(_Quantity):
    """Watts."""

    __slots__ = ()

    def over(self, seconds: int) -> Energy:
        """The energy of this power held for `seconds`, rounded down to whole Wh."""
        return Energy(self._value * seconds // SECONDS_PER_HOUR)


def priced_nano(quantity_wh: int, *, micro_per_kwh: int) -> int:
    """What energy costs at a price, as Energy x Price, exact."""
    return quantity_wh * micro_per_kwh


def taxed_nano(base_nano: int, *, rate_ppm: int) -> int:
    """`base_nano` x `rate_ppm` / 10^6, rounded half away from zero, the rounding of VAT."""
    rounded = (2 * abs(base_nano) * rate_ppm + PPM) // (2 * PPM)
    return rounded if base_nano >= 0 else -rounded


def price_rate_up(price: Price, rate_ppm: int) -> Price:
    """`price` x `rate_ppm` / 10^6, rounded up to whole micro/kWh, for a cover.

    Over any split of an energy into whole Wh the result is at least the sum of what
    `taxed_nano` gives for the parts: each part is at least 1 Wh, and rounding up per Wh bounds
    the rounding of every part.
    """
    return Price(-(-price.micro_per_kwh * rate_ppm // PPM))


def times_exceeded(value: int, limit: int, tolerance_ppm: int) -> bool:
    """Whether `value` is above `limit` x (1 + tolerance), exactly."""
    return value * PPM > limit * (PPM + tolerance_ppm)


def quota(total: int, weight: int, weight_sum: int) -> tuple[int, int]:
    """What `weight` of `weight_sum` takes of `total`: the whole part, and the remainder to rank it.

    Remainders of one total and one sum of weights may be compared with each other.
    """
    return divmod(total * weight, weight_sum)


def slot_of(second: int, slot_s: int) -> int:
    """The start of the slot of `slot_s` seconds that contains `second` (UTC)."""
    return second - second % slot_s


def slots_between(first_slot: int, slot: int, slot_s: int) -> int:
    """How many slots of `slot_s` seconds lie from the start of `first_slot` to that of `slot`."""
    return (slot - first_slot) // slot_s


def is_slot_start(second: int, slot_s: int) -> bool:
    """Whether `second` (UTC) is the start of a slot of `slot_s` seconds."""
    return second % slot_s == 0


def day_of(second: int) -> int:
    """The number of the UTC day that contains `second`, counted from 1970."""
    return second // SECONDS_PER_DAY


def slot_of_day(second: int, slot_s: int) -> int:
    """The number of the slot of the UTC day, from 0, that contains `second`."""
    return second % SECONDS_PER_DAY // slot_s


def share_down(total: int, part: int, whole: int) -> int:
    """`total` x `part` / `whole`, rounded down."""
    return total * part // whole


def local_quarter(second: int, offset_s: int) -> int:
    """The quarter hour of the local day (0 to 95) at `second` (UTC), `offset_s` east of UTC."""
    return (second + offset_s) % SECONDS_PER_DAY // SECONDS_PER_QUARTER


def local_hour(second: int, offset_s: int) -> int:
    """The hour of the local day (0 to 23) at `second` (UTC), `offset_s` east of UTC."""
    return (second + offset_s) % SECONDS_PER_DAY // SECONDS_PER_HOUR
