"""Agreement against a slow twin, whatever up to f nodes say; what a node signs and what not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.metering.oracles import OracleSet
from chaincode.metering.readings import Leaf
from chaincode.metering.reports import Report
from meter_oracle.agreement.consensus import (
    Values,
    Vouching,
    Wanted,
    agree,
    make_leaf,
    median,
    objection,
    part_into_reports,
    salt_of,
    tolerance_wh,
)
from meter_oracle.agreement.report import make_report
from meter_oracle.readings.plausibility import Limits
from meter_oracle.settings import MarketSettings

NODES = ("a", "b", "c", "d")
LIMITS = Limits(import_w=3_600, export_w=3_600)
SKEW_NS = 2_000_000_000  # 2 s of 3,600 W: 2 Wh, and 1 Wh of the register
BOUNDARY = 900_000


def by_definition(values: Mapping[str, int], tolerance: int, quorum: int) -> set[str] | None:
    """The nodes in band around the middle one, counted out one by one."""
    if len(values) < quorum:
        return None
    for candidate in values.values():
        below = sum(value < candidate for value in values.values())
        same = sum(value == candidate for value in values.values())
        if below <= (len(values) - 1) // 2 < below + same:
            near = {node for node, value in values.items() if abs(value - candidate) <= tolerance}
            return near if len(near) >= quorum else None
    raise AssertionError("there is always a middle one")


@given(
    values=st.dictionaries(
        st.sampled_from([f"n{number}" for number in range(10)]), st.integers(0, 12), max_size=10
    ),
    quorum=st.integers(1, 7),
)
def test_agreement_is_that_of_the_definition(values: dict[str, int], quorum: int) -> None:
    observed = {node: Values(value, 5, 1) for node, value in values.items()}

    agreed = agree(observed, LIMITS, quorum=quorum, skew_ns=SKEW_NS)

    expected = by_definition(values, 3, quorum) if values else None
    assert (None if agreed is None else set(agreed.nodes)) == expected


LIES: Sequence[Callable[[int], int]] = (
    lambda _: 0,
    lambda true: true + 3,
    lambda true: true - 3,
    lambda true: true + 4,
    lambda true: true * 2,
    lambda _: 10**12,
)


@pytest.mark.parametrize("faulty", [1, 2])
def test_no_lies_of_f_nodes_move_the_register_beyond_the_tolerance(faulty: int) -> None:
    """Every choice of f liars of 3f + 1, with every combination of lies in either register."""
    nodes = [f"n{number}" for number in range(3 * faulty + 1)]
    true = {node: 1_000 + place % 3 for place, node in enumerate(nodes)}
    low, high = min(true.values()), max(true.values())
    for liars in combinations(nodes, faulty):
        for lies in product(LIES, repeat=faulty):
            said = dict(true)
            for liar, lie in zip(liars, lies, strict=True):
                said[liar] = lie(true[liar])
            observed = {node: Values(said[node], said[node], 1) for node in nodes}

            agreed = agree(observed, LIMITS, quorum=2 * faulty + 1, skew_ns=SKEW_NS)

            assert agreed is not None
            assert low <= agreed.values.import_wh <= high
            assert agreed.nodes >= set(nodes) - set(liars)


def test_one_register_out_of_band_is_enough_to_be_left_out() -> None:
    observed = {node: Values(100, 50, 1) for node in NODES}
    observed["d"] = Values(100, 54, 1)

    agreed = agree(observed, LIMITS, quorum=3, skew_ns=SKEW_NS)

    assert agreed is not None
    assert agreed.nodes == {"a", "b", "c"}


def test_a_node_that_counts_in_other_steps_is_left_out() -> None:
    observed = {node: Values(100, 50, 1) for node in NODES}
    observed["a"] = Values(100, 50, 1_000)

    agreed = agree(observed, LIMITS, quorum=3, skew_ns=SKEW_NS)

    assert agreed is not None
    assert agreed.nodes == {"b", "c", "d"}


def test_two_and_two_agree_on_nothing() -> None:
    observed = {node: Values(100 if node < "c" else 200, 0, 1) for node in NODES}

    assert agree(observed, LIMITS, quorum=3, skew_ns=SKEW_NS) is None


@pytest.mark.parametrize(("nodes", "quorum"), [(4, 3), (5, 3), (6, 3), (7, 5), (31, 21)])
def test_quorum_is_two_thirds_and_one(nodes: int, quorum: int) -> None:
    market = MarketSettings(
        area="a", channel="c", contract="k", nodes=[str(number) for number in range(nodes)],
        faulty_max=(nodes - 1) // 3,
    )  # fmt: skip

    assert market.quorum == quorum


def test_median_is_always_one_that_was_observed() -> None:
    assert median([3, 1]) == 1
    assert median([3, 1, 2]) == 2
    assert median([9, 1, 3, 2]) == 2


def test_tolerance_rounds_up() -> None:
    assert tolerance_wh(1, resolution_wh=1, skew_ns=1) == 2
    assert tolerance_wh(0, resolution_wh=10, skew_ns=SKEW_NS) == 10


def leaf(meter: str = "m1", **fields: int | str) -> Leaf:
    """A leaf of 1,100 Wh with whatever is to be otherwise."""
    plain = Leaf(
        boundary=BOUNDARY, export_wh=0, import_wh=1_100, meter=meter, resolution_wh=1,
        salt=salt_of(b"secret", "area", BOUNDARY, meter),
    )  # fmt: skip
    return msgspec.structs.replace(plain, **fields)


@given(st.lists(st.sets(st.sampled_from(NODES)).map(frozenset), max_size=12))
def test_reports_hold_each_leaf_once_and_the_same_signers(sets: list[frozenset[str]]) -> None:
    wanted = [Wanted(leaf(f"m{place:02d}"), nodes) for place, nodes in enumerate(sets)]

    reports = part_into_reports(wanted, quorum=3)

    held = [one.leaf.meter for report in reports for one in report]
    possible = {one.leaf.meter: one.nodes for one in wanted if len(one.nodes) >= 3}
    assert sorted(held) == sorted(possible)
    for report in reports:
        signers = report[0].nodes
        assert len(signers) >= 3
        assert all(one.nodes == signers <= possible[one.leaf.meter] for one in report)


def test_one_node_that_is_out_of_band_for_one_meter_costs_no_second_report() -> None:
    everybody = frozenset(NODES)
    wanted = [Wanted(leaf(f"m{place}"), everybody) for place in range(5)]
    wanted[3] = Wanted(leaf("m3"), frozenset("abc"))

    [report] = part_into_reports(wanted, quorum=3)

    assert report[0].nodes == frozenset("abc")


ORACLE = OracleSet(nodes=list(NODES), faulty_max=1)


def report_of(leaves: Sequence[Leaf], **fields: int | str) -> Report:
    report, _ = make_report(
        leaves,
        area="area",
        boundary=BOUNDARY,
        oracle=ORACLE,
        channel="channel",
        contract="contract",
    )
    return msgspec.structs.replace(report, **fields)


def own(**fields: Mapping[str, Values] | Mapping[str, Leaf]) -> Vouching:
    """A node that has observed m1 and m2 itself, with nothing recorded yet."""
    plain = Vouching(
        observed={meter: Values(1_100, 0, 1) for meter in ("m1", "m2")},
        earlier={},
        recorded={},
        limits={"m1": LIMITS, "m2": LIMITS},
        slot_s=900,
        skew_ns=SKEW_NS,
    )
    return plain._replace(**fields)


def judged(leaves: Sequence[Leaf], vouching: Vouching, **fields: int | str) -> str:
    found = objection(report_of(leaves, **fields), leaves, report_of([]), vouching)
    return "" if found is None else found.code


def test_a_report_of_what_was_observed_is_signed() -> None:
    assert judged([leaf("m1", import_wh=1_103), leaf("m2", import_wh=1_097)], own()) == ""


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"area": "elsewhere"}, "REPORT_FOREIGN"),
        ({"channel": "elsewhere"}, "REPORT_FOREIGN"),
        ({"contract": "elsewhere"}, "REPORT_FOREIGN"),
        ({"configuration": "ab" * 32}, "REPORT_FOREIGN"),
        ({"boundary": BOUNDARY + 900}, "REPORT_FOREIGN"),
        ({"count": 2}, "REPORT_COUNT"),
        ({"root": "ab" * 32}, "REPORT_ROOT"),
    ],
)
def test_an_altered_report_is_not_signed(fields: dict[str, int | str], code: str) -> None:
    assert judged([leaf()], own(), **fields) == code


@pytest.mark.parametrize(
    "bad",
    [
        leaf(import_wh=1_104),
        leaf(import_wh=1_096),
        leaf(export_wh=4),
        leaf(resolution_wh=10),
        leaf("m3"),
    ],
)
def test_a_leaf_that_was_not_observed_so_is_not_signed(bad: Leaf) -> None:
    assert judged([bad], own()) == "REPORT_DISAGREES"


def test_a_leaf_of_another_boundary_is_not_signed() -> None:
    assert judged([leaf(boundary=BOUNDARY - 900)], own()) == "REPORT_BOUNDARY"


@pytest.mark.parametrize(
    ("earlier_wh", "code"),
    [(1_099, ""), (153, ""), (152, "REPORT_DISAGREES"), (1_101, "")],
)
def test_a_leaf_rises_by_what_is_certified_at_most_from_the_recorded_one_before(
    earlier_wh: int, code: str
) -> None:
    """900 Wh in a slot, 5 %, and a step of both; whether a device was replaced the contract knows."""
    earlier = {"m1": leaf(import_wh=earlier_wh)}

    assert judged([leaf()], own(earlier=earlier)) == code


def test_what_is_recorded_is_not_signed_again() -> None:
    assert judged([leaf()], own(recorded={"m1": leaf()})) == "REPORT_DISAGREES"


def test_leaves_rise_by_meter_and_have_salts_that_hide() -> None:
    two = [leaf("m1"), leaf("m2")]

    assert judged([leaf("m2"), leaf("m1")], own()) == "REPORT_ORDER"
    assert judged([leaf("m1"), leaf("m1")], own()) == "REPORT_ORDER"
    assert judged([two[0], msgspec.structs.replace(two[1], salt=two[0].salt)], own()) == (
        "REPORT_SALTS"
    )
    assert judged([leaf(salt="00" * 32)], own()) == "REPORT_SALTS"
    assert judged([], own()) == "REPORT_COUNT"


def test_leaf_says_what_was_agreed() -> None:
    values = Values(1_100, 0, 1)

    made = make_leaf("m1", BOUNDARY, values, salt=leaf().salt)

    assert made == leaf()
