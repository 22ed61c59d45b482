"""Which rows apply, which stand together, and what they can add at most."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from chaincode.area.fees import (
    ACCOUNT_MAX,
    GRID_LEVELS,
    HOURS,
    KIND_MAX,
    RATE_MAX,
    RELATIONS,
    ROWS_MAX,
    FeeRow,
    Relation,
    check_rows,
    fees_of_slot,
    highest_cover,
    matching,
    relation_of,
)
from tests.chaincode.settlement.reference import applies

ROW = FeeRow("grid", "dso", 34_400, 200_000, "dso", "local", 7, 0, 24)


@pytest.mark.parametrize(
    ("level", "relation"),
    [
        (7, "local"),
        (6, "local"),
        (5, "regional"),
        (4, "regional"),
        (3, "beyond"),
        (2, "beyond"),
        (1, "beyond"),
    ],
)
def test_the_relation_follows_from_the_level_of_the_common_zone(
    level: int, relation: Relation
) -> None:
    assert relation_of(level) == relation


def test_every_band_of_hours_holds_where_the_clock_walks_through_it() -> None:
    for start, end, hour in itertools.product(range(25), range(25), range(24)):
        row = FeeRow("grid", "dso", 1, from_hour=start, to_hour=end)

        found = matching([row], relation="local", grid_level=7, local_hour=hour)

        assert (found == [row]) == applies((start, end), hour), (start, end, hour)


def test_a_band_past_midnight_holds_late_and_early() -> None:
    row = FeeRow("grid", "dso", 1, from_hour=22, to_hour=6)

    hours = [h for h in range(24) if matching([row], relation="local", grid_level=7, local_hour=h)]

    assert hours == [0, 1, 2, 3, 4, 5, 22, 23]


def test_a_row_without_relation_and_level_applies_to_any() -> None:
    anywhere = FeeRow("loss", "dso", 5000)

    for relation, level in itertools.product(RELATIONS, (*GRID_LEVELS, None)):
        found = matching([ROW, anywhere], relation=relation, grid_level=level, local_hour=0)
        expected = [ROW, anywhere] if (relation, level) == ("local", 7) else [anywhere]
        assert found == expected


def test_the_table_of_a_slot_holds_what_matching_finds() -> None:
    rows = [ROW, FeeRow("loss", "dso", 5000, from_hour=12, to_hour=13), FeeRow("levy", "x", 1)]

    for hour in (11, 12):
        table = fees_of_slot(rows, local_hour=hour)
        assert set(table) == set(itertools.product(RELATIONS, (None, *GRID_LEVELS)))
        for (relation, level), found in table.items():
            expected = matching(rows, relation=relation, grid_level=level, local_hour=hour)
            assert found == expected


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": ""}, "kind"),
        ({"kind": "k" * (KIND_MAX + 1)}, "kind"),
        ({"kind": "a/b"}, "kind"),
        ({"kind": "a\nb"}, "kind"),
        ({"kind": "cancel"}, "kind"),
        ({"payee": ""}, "payee"),
        ({"payee": "a/b"}, "payee"),
        ({"payee": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}, "payee"),
        ({"payee": "a" * (ACCOUNT_MAX + 1)}, "payee"),
        ({"supplier": ""}, "supplier"),
        ({"supplier": "dso\n"}, "supplier"),
        ({"relation": "far"}, "relation"),
        ({"grid_level": 2}, "grid_level"),
        ({"grid_level": 8}, "grid_level"),
        ({"from_hour": -1}, "from_hour"),
        ({"from_hour": 25}, "from_hour"),
        ({"to_hour": -1}, "to_hour"),
        ({"to_hour": 25}, "to_hour"),
        ({"rate": -1}, "rate"),
        ({"rate": RATE_MAX + 1}, "rate"),
        ({"vat_ppm": -1}, "vat_ppm"),
        ({"vat_ppm": 1_000_001}, "vat_ppm"),
    ],
)
def test_a_row_out_of_bounds_is_named_with_its_field(change: dict[str, object], field: str) -> None:
    sound = FeeRow("levy", "state", 1)
    row = msgspec.structs.replace(ROW, **change)

    fault = check_rows([sound, row])

    assert fault is not None
    assert (fault.row, fault.field, fault.other) == (1, field, None)
    assert fault.value == str(getattr(row, field))
    assert fault.bound


def test_rows_at_their_bounds_are_taken() -> None:
    edges = [
        FeeRow("k" * KIND_MAX, "d" * ACCOUNT_MAX, RATE_MAX, 1_000_000, None, "residual", 3, 24, 24),
        FeeRow("grid", "dso", 0, 0, "dso", "beyond", 7, 0, 0),
    ]

    assert check_rows(edges) is None
    assert check_rows([]) is None


def test_too_many_rows_are_a_fault() -> None:
    rows = [FeeRow(f"k{index}", "dso", 1, from_hour=0, to_hour=1) for index in range(ROWS_MAX + 1)]

    fault = check_rows(rows)

    assert check_rows(rows[:-1]) is None
    assert fault is not None
    assert (fault.field, fault.value) == ("rows", str(ROWS_MAX + 1))


def test_two_rows_of_a_kind_are_refused_exactly_where_both_can_apply() -> None:
    """Aim: an overlap is found if and only if some Wh would match both rows.

    Method: every pair out of a small space of relations, levels and bands; the truth is asked of
    `matching` for every relation, level and hour.
    """
    rows = [
        FeeRow("grid", "dso", 1, relation=relation, grid_level=level, from_hour=start, to_hour=end)
        for relation in (None, "local", "residual")
        for level in (None, 6, 7)
        for start, end in ((0, 24), (22, 6), (6, 22), (5, 7), (3, 3))
    ]
    shared: dict[int, set[tuple[str, int, int]]] = {}
    for index, row in enumerate(rows):
        shared[index] = {
            (relation, level, hour)
            for relation, level, hour in itertools.product(RELATIONS, GRID_LEVELS, range(HOURS))
            if matching([row], relation=relation, grid_level=level, local_hour=hour)
        }

    for first, second in itertools.product(range(len(rows)), repeat=2):
        other_kind = msgspec.structs.replace(rows[second], kind="loss")
        fault = check_rows([rows[first], rows[second]])

        assert check_rows([rows[first], other_kind]) is None
        assert (fault is not None) == bool(shared[first] & shared[second])
        if fault is not None:
            assert (fault.row, fault.other, fault.field, fault.value) == (1, 0, "kind", "grid")


def test_the_highest_cover_is_the_dearest_relation_with_vat_rounded_up() -> None:
    rows = [
        FeeRow("grid", "dso", 34_400, 200_000, relation="local"),
        FeeRow("grid", "dso", 57_600, 200_000, relation="regional"),
        FeeRow("grid", "dso", 80_000, 200_000, relation="residual"),
        FeeRow("loss", "dso", 5001, 190_000),
        FeeRow("levy", "state", 9, from_hour=22, to_hour=6),
    ]

    day = highest_cover(rows, grid_level=7, local_hour=12)
    night = highest_cover(rows, grid_level=7, local_hour=23)

    assert day == 57_600 + 11_520 + 5001 + 951  # 950.19 rounded up
    assert night == day + 9
    assert highest_cover([], grid_level=7, local_hour=0) == 0


def test_the_highest_cover_takes_no_account_of_residual_supply() -> None:
    rows = [FeeRow("grid", "dso", 80_000, relation="residual")]

    assert highest_cover(rows, grid_level=7, local_hour=0) == 0
