"""Which moves of a register are believed: rises, rollovers; and which are faults."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_oracle.drivers.driver import RegisterRead
from meter_oracle.faults import MeterFault
from meter_oracle.readings.boundary import Look
from meter_oracle.readings.registers import Believed, RegisterTrack

ROLLS_AT = 1 << 32
NS_PER_S = 1_000_000_000
POWER_W = 6_000  # 105 Wh a minute with the margin, and one step


def believe(
    track: RegisterTrack,
    import_wh: int,
    minute: float,
    *,
    export_wh: int = 7,
    rolls_at_wh: int = 0,
    scale: int = 0,
    serial: str = "s",
) -> Believed:
    read = RegisterRead(
        meter="m",
        serial=serial,
        import_wh=import_wh,
        export_wh=export_wh,
        read_at_ns=int(minute * 60 * NS_PER_S),
        resolution_wh=1,
        uncertainty_ns=0,
        rolls_at_wh=rolls_at_wh,
        scale=scale,
    )
    believed = track.believe(read)
    assert believed is not None
    return believed


def accept(
    track: RegisterTrack, import_wh: int, minute: float, *, rolls_at_wh: int = 0, scale: int = 0
) -> Look:
    return believe(track, import_wh, minute, rolls_at_wh=rolls_at_wh, scale=scale).look


@pytest.mark.parametrize(
    ("before_wh", "after_wh", "rolls_at_wh", "scale", "expected"),
    [
        (1_000, 1_000, 0, 0, 1_000),
        (1_000, 1_106, 0, 0, 1_106),
        (1_000, 1_107, 0, 0, "METER_JUMP"),
        (1_000, 999, 0, 0, "METER_STEP_BACK"),
        (ROLLS_AT - 5, 10, ROLLS_AT, 0, ROLLS_AT + 10),
        (ROLLS_AT - 5, 10, 0, 0, "METER_STEP_BACK"),
        (1_000, 10, ROLLS_AT, 0, "METER_STEP_BACK"),
        (ROLLS_AT - 5, 101, ROLLS_AT, 0, ROLLS_AT + 101),
        (ROLLS_AT - 5, 102, ROLLS_AT, 0, "METER_STEP_BACK"),
        (1_000, 1_000_000, 0, 3, "METER_UNIT"),
        (1_000, 1, 0, -3, "METER_UNIT"),
        (1_000, 1_100, 0, 1, 1_100),
    ],
)
def test_second_look_is_believed_or_named(
    before_wh: int, after_wh: int, rolls_at_wh: int, scale: int, expected: int | str
) -> None:
    track = RegisterTrack(power_max_w=POWER_W)
    accept(track, before_wh, 0, rolls_at_wh=rolls_at_wh)

    if isinstance(expected, int):
        assert (
            accept(track, after_wh, 1, rolls_at_wh=rolls_at_wh, scale=scale).import_wh == expected
        )
    else:
        with pytest.raises(MeterFault) as refused:
            accept(track, after_wh, 1, rolls_at_wh=rolls_at_wh, scale=scale)
        assert refused.value.code == expected


@pytest.mark.parametrize(
    ("import_wh", "export_wh", "code"),
    [
        (110, 0, ""),
        (112, 0, ""),  # 5 % rounded up, and one step
        (113, 0, "METER_JUMP"),
        (99, 0, "METER_STEP_BACK"),
        (100, 13, "METER_JUMP"),
    ],
)
def test_registers_rise_within_the_certified_power_or_not_at_all(
    import_wh: int, export_wh: int, code: str
) -> None:
    track = RegisterTrack(power_max_w=1_000_000)
    track.certify(3_600, 3_600)  # 1 Wh a second
    believe(track, 100, 0, export_wh=0)

    found = ""
    try:
        believe(track, import_wh, 10 / 60, export_wh=export_wh)
    except MeterFault as fault:
        found = fault.code

    assert found == code


def test_certified_power_does_not_widen_what_the_connection_carries() -> None:
    track = RegisterTrack(power_max_w=POWER_W)
    track.certify(10 * POWER_W, 0)
    accept(track, 1_000, 0)

    assert refused(track, 1_107, 1) == "METER_JUMP"


def test_value_that_is_not_believed_is_not_remembered() -> None:
    track = RegisterTrack(power_max_w=POWER_W)
    accept(track, 1_000, 0)
    with pytest.raises(MeterFault, match="METER_JUMP"):
        accept(track, 9_000_000, 1)

    assert accept(track, 1_050, 2).import_wh == 1_050


def refused(track: RegisterTrack, import_wh: int, minute: int, *, scale: int = 0) -> str:
    with pytest.raises(MeterFault) as caught:
        accept(track, import_wh, minute, scale=scale)
    return caught.value.code


@pytest.mark.parametrize(("there_wh", "code"), [(10, "METER_STEP_BACK"), (9_000_000, "METER_JUMP")])
def test_register_that_stays_elsewhere_is_a_new_beginning_after_three_faults(
    there_wh: int, code: str
) -> None:
    track = RegisterTrack(power_max_w=POWER_W)
    accept(track, 1_000, 0)
    for minute in (1, 2, 3):
        assert refused(track, there_wh + minute, minute) == code

    assert believe(track, there_wh + 4, 4) == Believed(
        Look(4 * 60 * NS_PER_S, 0, there_wh + 4, 7, 1), is_new_beginning=True
    )
    assert not believe(track, there_wh + 5, 5).is_new_beginning


def test_looks_that_contradict_each_other_are_never_a_new_beginning() -> None:
    track = RegisterTrack(power_max_w=POWER_W)
    accept(track, 1_000, 0)
    for minute in range(1, 20):
        assert refused(track, minute % 2 * 400, minute) == "METER_STEP_BACK"


def test_wrong_scale_never_becomes_the_right_one() -> None:
    track = RegisterTrack(power_max_w=POWER_W)
    accept(track, 1_000, 0)
    for minute in range(1, 10):
        assert refused(track, 1_000_000, minute, scale=3) == "METER_UNIT"

    assert accept(track, 1_010, 10).import_wh == 1_010


@pytest.mark.parametrize("serial", ["", "s"])
def test_other_serial_never_becomes_the_right_one(serial: str) -> None:
    track = RegisterTrack(power_max_w=POWER_W, serial=serial)
    accept(track, 1_000, 0)
    for minute in range(1, 10):
        for other in ("t", ""):
            with pytest.raises(MeterFault, match="METER_SERIAL"):
                believe(track, 1_000, minute, serial=other)

    assert accept(track, 1_010, 10).import_wh == 1_010


def test_look_older_than_the_last_one_is_left_out() -> None:
    track = RegisterTrack(power_max_w=POWER_W)
    accept(track, 1_000, 5)

    assert track.believe(RegisterRead("m", "s", 0, 0, 4 * 60 * NS_PER_S, 1, 0)) is None
    assert accept(track, 1_000, 5).import_wh == 1_000


def test_register_that_stood_still_may_catch_up() -> None:
    track = RegisterTrack(power_max_w=POWER_W)
    accept(track, 1_000, 0)
    for minute in range(1, 60):
        accept(track, 1_000, minute)

    assert accept(track, 6_000, 60).import_wh == 6_000


def test_second_rollover_adds_to_the_first() -> None:
    track = RegisterTrack(power_max_w=1_000_000_000)
    hours = 60
    accept(track, ROLLS_AT - 5, 0, rolls_at_wh=ROLLS_AT)
    accept(track, 5, 1, rolls_at_wh=ROLLS_AT)
    accept(track, ROLLS_AT - 5, 6 * hours, rolls_at_wh=ROLLS_AT)

    assert accept(track, 5, 6 * hours + 1, rolls_at_wh=ROLLS_AT).import_wh == 2 * ROLLS_AT + 5


@given(begins_wh=st.integers(0, 999), rises_wh=st.lists(st.integers(0, 106), max_size=60))
def test_a_small_counter_gives_the_count_however_often_it_rolls_over(
    begins_wh: int, rises_wh: list[int]
) -> None:
    track = RegisterTrack(power_max_w=POWER_W)
    count_wh = begins_wh
    accept(track, count_wh, 0, rolls_at_wh=1_000)

    for minute, rise_wh in enumerate(rises_wh, start=1):
        count_wh += rise_wh
        assert accept(track, count_wh % 1_000, minute, rolls_at_wh=1_000).import_wh == count_wh
