"""The energy of slots from measured registers, held against a reference that walks all slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.metering.registers import (
    Exchange,
    Gap,
    Measured,
    Registers,
    Weights,
    energy_between,
    gaps_by,
    runs_back,
)

SLOT_S = 900


def weighing(weights: Sequence[int]) -> Callable[[range], Gap]:
    """Gaps with the weights of the slots from second 0 on."""
    return gaps_by(lambda slot: weights[slot // SLOT_S])


EVEN = Weights(weighing([1] * 100), weighing([1] * 100))


def spread_slowly(total: int, weights: list[int]) -> list[int]:
    """Largest remainder with fractions: the whole parts, then one unit each, earlier slots first."""
    if not any(weights):
        weights = [1] * len(weights)
    quotas = [Fraction(total * weight, sum(weights)) for weight in weights]
    parts = [int(quota) for quota in quotas]
    for _ in range(total - sum(parts)):
        rests = [
            quota - int(quota) if part == int(quota) else Fraction(-1)
            for quota, part in zip(quotas, parts, strict=True)
        ]
        parts[rests.index(max(rests))] += 1
    return parts


def energies(
    before: Measured, after: Measured, exchanges: list[Exchange], weights: Weights
) -> list[Registers]:
    return [
        energy_between(slot, before, after, exchanges, weights, slot_s=SLOT_S)
        for slot in range(before.boundary, after.boundary, SLOT_S)
    ]


def test_rule_6_1_energy_of_a_slot_with_both_ends_measured_is_the_difference() -> None:
    before = Measured(0, Registers(100, 50, 70))
    after = Measured(SLOT_S, Registers(350, 60, 90))
    assert energies(before, after, [], EVEN) == [Registers(250, 10, 20)]


@given(
    imports=st.integers(0, 10_000),
    exports=st.integers(0, 10_000),
    weights=st.lists(st.integers(0, 5), min_size=1, max_size=12),
)
def test_gap_is_spread_by_weight_with_ties_to_the_earlier_slot(
    imports: int, exports: int, weights: list[int]
) -> None:
    before = Measured(0, Registers(7, 9))
    after = Measured(len(weights) * SLOT_S, Registers(7 + imports, 9 + exports))
    weigh = Weights(weighing(weights), weighing(range(len(weights))))
    found = energies(before, after, [], weigh)
    assert [one.import_wh for one in found] == spread_slowly(imports, weights)
    assert [one.export_wh for one in found] == spread_slowly(exports, list(range(len(weights))))


@given(
    total=st.integers(-10_000, 10_000),
    weights=st.lists(st.integers(0, 2_000), min_size=1, max_size=40),
)
def test_negative_energy_is_spread_like_the_same_energy_of_the_other_sign(
    total: int, weights: list[int]
) -> None:
    """An exchange may leave the sum of a stretch below zero."""
    slots = range(0, len(weights) * SLOT_S, SLOT_S)
    gap = Gap(slots, lambda slot: weights[slot // SLOT_S])
    found = [gap.share(slot, total) for slot in slots]
    assert [abs(one) for one in found] == spread_slowly(abs(total), weights)
    assert sum(found) == total


@given(
    steps=st.lists(st.tuples(st.integers(0, 3_000), st.booleans()), min_size=2, max_size=20),
    weights=st.lists(st.integers(0, 9), min_size=20, max_size=20),
)
def test_slots_between_measured_boundaries_sum_to_the_difference(
    steps: list[tuple[int, bool]], weights: list[int]
) -> None:
    """Whichever boundaries are measured, every stretch between two of them is conserved."""
    register = 0
    measured: list[Measured] = []
    for number, (energy_wh, is_measured) in enumerate(steps):
        if is_measured or number in (0, len(steps) - 1):
            measured.append(Measured(number * SLOT_S, Registers(register, 2 * register, register)))
        register += energy_wh
    weigh = Weights(weighing(weights), weighing(weights))
    for before, after in pairwise(measured):
        found = energies(before, after, [], weigh)
        passed = after.registers.since(before.registers)
        assert sum(one.import_wh for one in found) == passed.import_wh
        assert sum(one.export_wh for one in found) == passed.export_wh
        assert sum(one.generation_wh or 0 for one in found) == passed.generation_wh
        assert all(min(one.import_wh, one.export_wh) >= 0 for one in found)


def test_exchange_counts_the_old_device_to_its_closing_and_the_new_from_its_opening() -> None:
    before = Measured(0, Registers(1_000, 0))
    exchange = Exchange(0, closing=Registers(1_040, 3), opening=Registers(5, 0))
    after = Measured(SLOT_S, Registers(25, 2))
    assert energies(before, after, [exchange], EVEN) == [Registers(60, 5)]


def test_two_exchanges_in_one_gap_leave_every_device_its_own_energy() -> None:
    before = Measured(0, Registers(100, 0))
    exchanges = [
        Exchange(SLOT_S, closing=Registers(120, 0), opening=Registers(0, 0)),
        Exchange(SLOT_S, closing=Registers(6, 0), opening=Registers(50, 0)),
    ]
    after = Measured(3 * SLOT_S, Registers(80, 0))
    found = energies(before, after, exchanges, EVEN)
    assert [one.import_wh for one in found] == [10, 10 + 6 + 15, 15]


def test_generation_is_unknown_where_one_end_does_not_show_it() -> None:
    before = Measured(0, Registers(0, 0, 10))
    after = Measured(SLOT_S, Registers(5, 5))
    (found,) = energies(before, after, [], EVEN)
    assert found.generation_wh is None


@pytest.mark.parametrize("fallen", ["import_wh", "export_wh", "generation_wh"])
def test_a_register_that_falls_runs_back(fallen: str) -> None:
    numbers = {"import_wh": 5, "export_wh": 5, "generation_wh": 5}
    earlier = Registers(**numbers)
    later = Registers(**{**numbers, fallen: 4})
    assert runs_back([earlier, later])
    assert not runs_back([earlier, earlier])
    assert not runs_back([later, earlier])
