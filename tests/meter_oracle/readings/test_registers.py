"""Which moves of a register are believed: rises, rollovers; and which are faults."""

from __future__ import annotations

import pytest

from meter_oracle.readings.registers import MeterFault, RegisterRead, RegisterTrack, Seen

ROLLS_AT = 1 << 32
MINUTE_NS = 60_000_000_000
POWER_W = 6_000  # 105 Wh a minute with the margin, and as much again for the clocks


def accept(
    track: RegisterTrack, import_wh: int, minute: int, *, rolls_at_wh: int = 0, scale: int = 0
) -> RegisterRead:
    seen = Seen(import_wh, 7, resolution_wh=1, rolls_at_wh=rolls_at_wh, scale=scale)
    return track.accept(
        seen, meter="m", serial="s", read_at_ns=minute * MINUTE_NS, uncertainty_ns=0
    )


@pytest.mark.parametrize(
    ("before_wh", "after_wh", "rolls_at_wh", "scale", "expected"),
    [
        (1_000, 1_000, 0, 0, 1_000),
        (1_000, 1_211, 0, 0, 1_211),
        (1_000, 1_212, 0, 0, "METER_JUMP"),
        (1_000, 999, 0, 0, "METER_STEP_BACK"),
        (ROLLS_AT - 5, 10, ROLLS_AT, 0, ROLLS_AT + 10),
        (ROLLS_AT - 5, 10, 0, 0, "METER_STEP_BACK"),
        (1_000, 10, ROLLS_AT, 0, "METER_STEP_BACK"),
        (ROLLS_AT - 5, 206, ROLLS_AT, 0, ROLLS_AT + 206),
        (ROLLS_AT - 5, 207, ROLLS_AT, 0, "METER_STEP_BACK"),
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

    assert accept(track, there_wh + 4, 4).import_wh == there_wh + 4
    assert accept(track, there_wh + 5, 5).import_wh == there_wh + 5


def test_looks_that_contradict_each_other_never_begin_anew() -> None:
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


@pytest.mark.parametrize(
    ("known_wh", "told_wh", "expected_wh"),
    [
        (3 * ROLLS_AT + 100, 150, 3 * ROLLS_AT + 150),
        (3 * ROLLS_AT - 5, 100, 3 * ROLLS_AT + 100),
    ],
)
def test_reader_that_starts_again_goes_on_from_what_was_agreed(
    known_wh: int, told_wh: int, expected_wh: int
) -> None:
    known = RegisterRead("m", "s", known_wh, 7, 0, 1, 0)
    track = RegisterTrack(power_max_w=POWER_W, known=known)

    assert accept(track, told_wh, 1, rolls_at_wh=ROLLS_AT).import_wh == expected_wh
