"""Kinds that never mix, and the few functions that divide."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.units import (
    PPM,
    Energy,
    Money,
    Power,
    Price,
    is_slot_start,
    local_hour,
    price_rate_up,
    priced_nano,
    slot_of,
    taxed_nano,
    times_exceeded,
)

Act = Callable[[Any, Any], Any]
KINDS: tuple[Callable[[int], Any], ...] = (Energy, Price, Money, Power)
integers = st.integers(-(10**24), 10**24)
rates_ppm = st.integers(0, 2 * PPM)

ARITHMETIC: list[tuple[Act, Any, Any, Any]] = [
    (operator.add, Energy(2), Energy(3), Energy(5)),
    (operator.sub, Energy(2), Energy(3), Energy(-1)),
    (operator.mul, Energy(2), Price(-3), Money(-6)),
    (operator.add, Price(2), Price(3), Price(5)),
    (operator.sub, Price(2), Price(3), Price(-1)),
    (operator.add, Money(2), Money(3), Money(5)),
    (operator.sub, Money(2), Money(3), Money(-1)),
    (operator.add, Power(2), Power(3), Power(5)),
    (operator.sub, Power(2), Power(3), Power(-1)),
]
COMPARISONS: tuple[Act, ...] = (operator.lt, operator.le, operator.gt, operator.ge)
OPERATORS: tuple[Act, ...] = (operator.add, operator.sub, operator.mul, *COMPARISONS)
DIVISIONS: tuple[Act, ...] = (
    lambda x, y: x / y,
    lambda x, y: x // y,
    lambda x, y: x % y,
    divmod,
)


@pytest.mark.parametrize(("act", "left", "right", "result"), ARITHMETIC)
def test_the_table_of_operations_holds(act: Act, left: Any, right: Any, result: Any) -> None:
    assert act(left, right) == result
    assert type(act(left, right)) is type(result)


def test_every_operation_outside_the_table_is_a_type_error() -> None:
    """Each pair of kinds and plain integers, under each operator that the table does not name."""
    lawful: set[tuple[Act, Any, Any]] = {(act, type(x), type(y)) for act, x, y, _ in ARITHMETIC}
    lawful |= {(act, kind, kind) for act in COMPARISONS for kind in KINDS}
    makers = (*KINDS, int)

    refused = 0
    for act in (*OPERATORS, *DIVISIONS):
        for left in makers:
            for right in makers:
                if left is right is int or (act, left, right) in lawful:
                    continue
                with pytest.raises(TypeError):
                    act(left(6), right(3))
                refused += 1
    assert refused == (len(OPERATORS) + len(DIVISIONS)) * 24 - len(lawful)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [1.0, True, "1", None, Energy(1)])
def test_a_quantity_takes_nothing_but_an_integer(kind: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(TypeError, match="takes an int"):
        kind(value)


def test_quantities_compare_and_hash_within_their_kind_only() -> None:
    assert Energy(1) == Energy(1)
    assert Energy(1) != Price(1)
    assert Money(1) != 1
    assert max(Price(-5), Price(3)) == Price(3)
    assert min(Energy(4), Energy(2)) == Energy(2)
    assert Energy(1) <= Energy(1) < Energy(2)
    assert len({Energy(1), Energy(1), Price(1), Money(1)}) == 3
    assert not Money(0)
    assert Money(-1)
    assert -Money(3) == Money(-3)
    assert repr(Money(-3)) == "Money(-3)"
    assert (Energy(7).wh, Price(8).micro_per_kwh, Money(9).nano) == (7, 8, 9)


@pytest.mark.parametrize(
    ("watts", "seconds", "wh"),
    [(5001, 900, 1250), (3, 900, 0), (4, 900, 1), (0, 900, 0), (1, 3600, 1)],
)
def test_power_over_time_is_energy_rounded_down(watts: int, seconds: int, wh: int) -> None:
    assert Power(watts).over(seconds) == Energy(wh)


@pytest.mark.parametrize(
    ("nano", "rate_ppm", "rounded"),
    [
        (1, 500_000, 1),
        (-1, 500_000, -1),
        (1, 499_999, 0),
        (-1, 499_999, 0),
        (3, 500_000, 2),
        (-3, 500_000, -2),
        (5, 200_000, 1),
        (0, 200_000, 0),
        (7, 0, 0),
    ],
)
def test_vat_is_rounded_half_away_from_zero(nano: int, rate_ppm: int, rounded: int) -> None:
    assert taxed_nano(nano, rate_ppm=rate_ppm) == rounded


@given(integers, rates_ppm)
def test_rounding_half_away_is_nearest_and_odd(nano: int, rate_ppm: int) -> None:
    exact = Fraction(nano * rate_ppm, PPM)

    rounded = taxed_nano(nano, rate_ppm=rate_ppm)

    assert abs(rounded - exact) <= Fraction(1, 2)
    if abs(rounded - exact) == Fraction(1, 2):
        assert abs(rounded) > abs(exact)
    assert taxed_nano(-nano, rate_ppm=rate_ppm) == -rounded


@given(integers, integers)
def test_what_energy_costs_is_the_same_with_and_without_kinds(wh: int, price: int) -> None:
    assert Money(priced_nano(wh, micro_per_kwh=price)) == Energy(wh) * Price(price)


@given(integers, rates_ppm)
def test_rounding_up_is_towards_plus_infinity(value: int, rate_ppm: int) -> None:
    exact = ceil(Fraction(value * rate_ppm, PPM))

    assert price_rate_up(Price(value), rate_ppm) == Price(exact)


@given(
    st.integers(-(10**7), 10**7), rates_ppm, st.lists(st.integers(1, 10**6), min_size=1, max_size=9)
)
def test_a_price_rounded_up_covers_the_rounded_parts_of_any_split(
    price: int, rate_ppm: int, parts_wh: list[int]
) -> None:
    cover = Energy(sum(parts_wh)) * price_rate_up(Price(price), rate_ppm)

    priced = [(Energy(wh) * Price(price)).nano for wh in parts_wh]
    posted = sum(taxed_nano(nano, rate_ppm=rate_ppm) for nano in priced)

    assert posted <= cover.nano


@pytest.mark.parametrize(
    ("value", "limit", "tolerance_ppm", "exceeded"),
    [
        (1000, 1000, 0, False),
        (1001, 1000, 0, True),
        (1050, 1000, 50_000, False),
        (1051, 1000, 50_000, True),
    ],
)
def test_a_limit_is_exceeded_beyond_its_tolerance_only(
    value: int, limit: int, tolerance_ppm: int, *, exceeded: bool
) -> None:
    assert times_exceeded(value, limit, tolerance_ppm) is exceeded


@pytest.mark.parametrize(
    ("second", "start"), [(0, 0), (899, 0), (900, 900), (1_797_724_801, 1_797_724_800)]
)
def test_a_second_lies_in_the_slot_that_began_last(second: int, start: int) -> None:
    assert slot_of(second, 900) == start
    assert is_slot_start(second, 900) is (second == start)


@pytest.mark.parametrize(
    ("second", "offset_s", "hour"),
    [
        (0, 0, 0),
        (3599, 0, 0),
        (3600, 0, 1),
        (0, -3600, 23),
        (1_792_887_300, 7200, 2),  # 2026-10-25 00:15Z in Vienna, still summer time
        (1_792_890_900, 3600, 2),  # 01:15Z, an hour later on the same clock
        (0, 19_800, 5),
    ],
)
def test_the_local_hour_follows_the_offset(second: int, offset_s: int, hour: int) -> None:
    assert local_hour(second, offset_s) == hour
