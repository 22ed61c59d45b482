"""Dated rows: one row per version, the newest at a slot by a range read of one row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chaincode.context import READS_MAX, Caller, Context
from chaincode.state import DatedTable, Row
from tests.chaincode.dict_engine import CHANNEL, SortedView

SLOT_S = 900


class Price(Row, frozen=True):
    micro: int


PRICES = DatedTable(99, "prices", Price, ("area", "name", "slot"))

slots = st.integers(0, 40).map(lambda number: number * SLOT_S)


def context_on(view: SortedView) -> Context:
    return Context(
        view,
        channel=CHANNEL,
        contract="commonwatt",
        caller=Caller("Dso", "client", ""),
        transaction="00",
        time_s=0,
        transient={},
        arguments_bytes=0,
        writes=True,
    )


def committed(view: SortedView, context: Context) -> None:
    for key, value in context.effects().writes.items():
        if value is None:
            view.rows.pop(key, None)
        else:
            view.rows[key] = value
    view.changed()


@given(versions=st.lists(st.tuples(slots, st.integers(0, 9))), slot=slots)
def test_newest_version_at_a_slot_is_the_last_that_begins_there_or_before(
    versions: list[tuple[int, int]], slot: int
) -> None:
    view = SortedView()
    model: dict[int, int] = {}
    for from_slot, micro in versions:
        context = context_on(view)
        PRICES.put_from(context, Price(micro=micro), "area", "name", from_slot=from_slot)
        PRICES.put_from(context, Price(micro=-1), "area", "other", from_slot=from_slot)
        committed(view, context)
        model[from_slot] = micro
    begun = [from_slot for from_slot in model if from_slot <= slot]
    found = PRICES.version_at(context_on(view), "area", "name", slot=slot)
    expected = (max(begun), model[max(begun)]) if begun else None
    assert (None if found is None else (found[0], found[1].micro)) == expected


def test_reading_a_version_reads_one_row_however_many_there_have_been() -> None:
    view = SortedView()
    for number in range(READS_MAX + 1):
        context = context_on(view)
        PRICES.put_from(context, Price(micro=number), "area", "name", from_slot=number * SLOT_S)
        view.rows.update({k: v for k, v in context.effects().writes.items() if v is not None})
    context = context_on(view)
    assert PRICES.at(context, "area", "name", slot=500 * SLOT_S) == Price(micro=500)
    assert context.reads == 1


@given(versions=st.sets(slots, min_size=1), needed_slot=slots)
def test_pruning_leaves_every_version_that_a_needed_slot_reads(
    versions: set[int], needed_slot: int
) -> None:
    view = SortedView()
    for from_slot in sorted(versions):
        context = context_on(view)
        PRICES.put_from(context, Price(micro=from_slot), "area", "name", from_slot=from_slot)
        committed(view, context)
    context = context_on(view)
    PRICES.prune(context, "area", "name", needed_slot=needed_slot, rows_max=100)
    before = [
        PRICES.at(context_on(view), "area", "name", slot=slot)
        for slot in range(needed_slot, 42 * SLOT_S, SLOT_S)
    ]
    committed(view, context)
    context = context_on(view)
    after = [
        PRICES.at(context, "area", "name", slot=slot)
        for slot in range(needed_slot, 42 * SLOT_S, SLOT_S)
    ]
    assert after == before
    assert len([key for key in view.rows if key.startswith("99/")]) == len(
        {from_slot for from_slot in versions if from_slot > needed_slot}
    ) + any(from_slot <= needed_slot for from_slot in versions)
