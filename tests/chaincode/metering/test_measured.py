"""The index of measured boundaries, held against a sorted list of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from hypothesis import given
from hypothesis import strategies as st

from chaincode.context import Caller, Context
from chaincode.metering.measured import DAYS_KEPT, MeasuredBoundaries
from chaincode.units import SECONDS_PER_DAY
from tests.chaincode.dict_engine import CHANNEL, DictView

PLACE = "readings"
METER = "m1"
SLOT_S = 900
FIRST_DAY = 20_000

boundaries = st.tuples(st.integers(0, 12), st.sampled_from([0, 1, 40, 94, 95])).map(
    lambda place: (FIRST_DAY + place[0]) * SECONDS_PER_DAY + place[1] * SLOT_S
)


def context_on(view: DictView) -> Context:
    return Context(
        view,
        channel=CHANNEL,
        contract="commonwatt",
        caller=Caller("Oracle", "client", ""),
        transaction="00",
        time_s=0,
        transient={},
        arguments_bytes=0,
        writes=True,
    )


def record(view: DictView, boundary: int) -> None:
    context = context_on(view)
    index = MeasuredBoundaries(context, PLACE, slot_s=SLOT_S)
    index.load([METER], first=boundary, last=boundary)
    index.add(METER, boundary)
    index.write()
    for place, value in context.effects().private.items():
        assert value is not None
        view.private[place] = value


@given(measured=st.lists(boundaries), first=boundaries, length=st.integers(0, 900))
def test_index_finds_the_measured_boundaries_around_any_two(
    measured: list[int], first: int, length: int
) -> None:
    view = DictView()
    for boundary in measured:
        record(view, boundary)
    known = sorted(set(measured))
    last = first + length * SLOT_S
    context = context_on(view)
    index = MeasuredBoundaries(context, PLACE, slot_s=SLOT_S)
    index.load([METER, "unknown"], first=first, last=last)
    before, after = bisect_right(known, first), bisect_left(known, last)
    assert index.last_until(METER, first) == (known[before - 1] if before else None)
    assert index.next_from(METER, last) == (known[after] if after < len(known) else None)
    assert index.is_measured(METER, first) == (first in known)
    assert index.last_until("unknown", first) is None
    assert index.next_from("unknown", last) is None
    assert context.reads <= 6  # two index rows and four days of one meter


def test_day_that_no_slot_within_its_final_deadline_needs_is_forgotten() -> None:
    view = DictView()
    first = FIRST_DAY * SECONDS_PER_DAY
    record(view, first)
    for day in (DAYS_KEPT - 1, DAYS_KEPT):
        record(view, first + day * SECONDS_PER_DAY)
        index = MeasuredBoundaries(context_on(view), PLACE, slot_s=SLOT_S)
        index.load([METER], first=first + SECONDS_PER_DAY, last=first + SECONDS_PER_DAY)
        found = index.last_until(METER, first + SECONDS_PER_DAY)
        assert found == (first if day < DAYS_KEPT else None)


def test_a_boundary_of_a_known_day_writes_one_value() -> None:
    view = DictView()
    first = FIRST_DAY * SECONDS_PER_DAY
    record(view, first)
    context = context_on(view)
    index = MeasuredBoundaries(context, PLACE, slot_s=SLOT_S)
    index.load([METER], first=first + SLOT_S, last=first + SLOT_S)
    index.add(METER, first + SLOT_S)
    index.write()
    assert len(context.effects().private) == 1
