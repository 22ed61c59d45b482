"""The memory of recent writes against a slow, obvious one that keeps every version for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger_network.embedded.commit.simulation import RangeRead, ReadSet
from ledger_network.embedded.commit.validation import RecentWrites
from ledger_network.embedded.log.block import version_at
from ledger_network.embedded.state.hot_rows import HotRows
from ledger_network.embedded.state.state_store import Version

KEYS = "abcde"
State = dict[str, int]  # versions of keys that are there

writes = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([b"v", None]), max_size=3)
reads = st.tuples(
    st.integers(0, 3),  # how many blocks ago it was simulated
    st.lists(st.sampled_from(KEYS), max_size=2),
    st.sampled_from(["", *KEYS]),
    st.sampled_from([*KEYS, "f"]),
    st.integers(0, 3),  # rows after which the reader stops, 0 for all
)
transactions = st.tuples(reads, writes)
blocks = st.lists(st.lists(transactions, min_size=1, max_size=3), max_size=6)


def simulated(
    state: State, height: int, keys: list[str], *, start: str, end: str, rows: int
) -> ReadSet:
    """What reading these keys and this range of `state` gives."""
    found = ReadSet(height, {key: state.get(key, 0) for key in keys})
    within = sorted(key for key in state if start <= key < end)
    if rows and rows <= len(within):
        last = within[rows - 1]
        read = {key: state[key] for key in within[:rows]}
        found.ranges.append(RangeRead(start, last + "\0", read))
    else:
        found.ranges.append(RangeRead(start, end, {key: state[key] for key in within}))
    return found


def expected(state: State, found: ReadSet) -> str:
    """Read everything again and compare."""
    if any(state.get(key, 0) != version for key, version in found.keys.items()):
        return "MVCC_READ_CONFLICT"
    for read in found.ranges:
        if {k: v for k, v in state.items() if read.start <= k < read.end} != read.rows:
            return "PHANTOM_READ_CONFLICT"
    return "VALID"


@given(blocks)
def test_recent_writes_decide_as_reading_again_would(
    plan: list[list[tuple[tuple[int, list[str], str, str, int], dict[str, bytes | None]]]],
) -> None:
    recent, state = RecentWrites(0), State()
    history: list[State] = [dict(state)]
    for number, block in enumerate(plan, start=1):
        recent.begin_block(number)
        for index, ((ago, keys, start, end, rows), written) in enumerate(block):
            height = max(number - 1 - ago, 0)
            found = simulated(history[height], height, keys, start=start, end=end, rows=rows)
            outcome = recent.check(found)
            assert outcome == expected(state, found)
            if outcome == "VALID":
                version = version_at(number, index)
                recent.add(version, written, {})
                for key, value in written.items():
                    if value is None:
                        state.pop(key, None)
                    else:
                        state[key] = version
        history.append(dict(state))
        recent.forget(max(number - 3, 0))


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), writes),
            st.tuples(st.just("read"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=4)),
        ),
        max_size=30,
    ),
    st.integers(0, 3),
)
def test_rows_in_memory_are_those_of_the_height_asked_for(
    plan: list[tuple[str, dict[str, bytes | None]] | tuple[str, list[str]]], ago: int
) -> None:
    """Readers of older heights among the newer: what is known is right, the rest is not known."""
    hot, states = HotRows(0), [dict[str, Version]()]
    for _, step in plan:
        if isinstance(step, dict):
            number = len(states)
            changed = {key: Version(value, version_at(number, 0)) for key, value in step.items()}
            hot.advance(changed, number)
            after = {**states[-1], **changed}
            states.append({key: found for key, found in after.items() if found.value is not None})
        else:
            height = max(len(states) - 1 - ago, 0)
            versions: dict[str, int] = {}
            values, unknown = hot.look(step, height, versions)
            for position, key in enumerate(step):
                right = states[height].get(key, Version(None, 0))
                if position not in unknown:
                    assert (values[position], versions[key]) == right
            hot.learn([(key, states[height].get(key, Version(None, 0))) for key in step], height)
