"""Dated values of many names: the newest few in one row, the others in rows of their own."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from chaincode.state import RECENT_MAX, DatedTable, OlderVersion, Recent, RecentTable
from tests.chaincode.dict_engine import SortedView
from tests.chaincode.test_dated_rows import SLOT_S, committed, context_on


class Rate(msgspec.Struct, frozen=True):
    ppm: int


class Rates(Recent[Rate], frozen=True):
    pass


OLDER = DatedTable(98, "older rates", OlderVersion[Rate], ("area", "name", "slot"))
RATES = RecentTable(97, "rates", Rates, ("area", "name"), older=OLDER)

slots = st.integers(0, 30).map(lambda number: number * SLOT_S)


def posted(versions: list[tuple[int, int]]) -> SortedView:
    """A state in which these versions (slot, value) were posted one after the other."""
    view = SortedView()
    for from_slot, ppm in versions:
        context = context_on(view)
        RATES.put_from(context, Rate(ppm), "area", "name", from_slot=from_slot)
        committed(view, context)
    return view


@given(versions=st.lists(st.tuples(slots, st.integers(0, 9)), max_size=25), slot=slots)
def test_value_at_a_slot_is_the_last_that_begins_there_or_before(
    versions: list[tuple[int, int]], slot: int
) -> None:
    view = posted(versions)
    model = dict(versions)

    found, other = RATES.at_many(context_on(view), [("area", "name"), ("area", "other")], slot=slot)

    begun = [from_slot for from_slot in model if from_slot <= slot]
    assert found == (Rate(model[max(begun)]) if begun else None)
    assert other is None
    assert len(view.rows) <= 1 + max(0, len(model) - RECENT_MAX)


def test_newest_versions_are_read_with_one_row() -> None:
    view = posted([(number * SLOT_S, number) for number in range(500)])
    context = context_on(view)

    for back in range(1, RECENT_MAX + 1):
        (found,) = RATES.at_many(context, [("area", "name")], slot=(500 - back) * SLOT_S)
        assert found == Rate(500 - back)
    assert context.reads == RECENT_MAX


@given(versions=st.sets(slots, min_size=1), needed_slot=slots)
def test_pruning_leaves_every_value_that_a_needed_slot_reads(
    versions: set[int], needed_slot: int
) -> None:
    view = posted([(slot, slot) for slot in sorted(versions)])

    def values() -> list[Rate | None]:
        context = context_on(view)
        return [
            RATES.at_many(context, [("area", "name")], slot=slot)[0]
            for slot in range(needed_slot, 32 * SLOT_S, SLOT_S)
        ]

    before = values()
    context = context_on(view)
    RATES.prune(context, "area", "name", needed_slot=needed_slot, rows_max=100)
    committed(view, context)

    assert values() == before
