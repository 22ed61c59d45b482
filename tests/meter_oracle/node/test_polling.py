"""What a node vouches for of its own meters: brackets, doubts, new beginnings, silence."""

from __future__ import annotations

import asyncio

from meter_oracle.agreement.consensus import Values
from meter_oracle.drivers.driver import Instruction, RegisterRead
from meter_oracle.faults import MeterFault
from meter_oracle.health.board import HealthBoard, MeterHealth, NodeHealth
from meter_oracle.node.polling import MeterPoller, PolledMeter
from meter_oracle.schedule import NS_PER_S

SLOT_S = 900
SKEW_NS = 2 * NS_PER_S


class Scripted:
    """A meter that says what it is told to, one after the other."""

    def __init__(self, *says: tuple[int, int] | MeterFault) -> None:
        self._says = list(says)

    async def read(self) -> RegisterRead:
        said = self._says.pop(0)
        if isinstance(said, MeterFault):
            raise said
        second, import_wh = said
        return look(second, import_wh)

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        raise MeterFault("METER_CONTROL", f"{limit_w} W for {revert_s} s are not taken.")

    async def close(self) -> None:
        return


def meter() -> PolledMeter:
    made = PolledMeter("m1", Scripted())
    made.certify(3_600, 0)
    return made


def look(second: int, import_wh: int) -> RegisterRead:
    return RegisterRead("m1", "one", import_wh, 0, second * NS_PER_S, 1, 0)


def vouched(polled: PolledMeter, boundary: int) -> Values | None:
    return polled.vouched(boundary, slot_s=SLOT_S, skew_ns=SKEW_NS)


def test_a_boundary_is_vouched_for_once_it_is_enclosed() -> None:
    polled = meter()
    polled.open(900)
    polled.take(look(899, 100))
    assert vouched(polled, 900) is None

    polled.take(look(901, 102))

    assert vouched(polled, 900) == Values(101, 0, 1)


def test_the_last_look_serves_the_next_boundary_if_it_is_near_enough() -> None:
    polled = meter()
    polled.take(look(500, 100))
    polled.open(900)
    polled.take(look(902, 100))
    polled.open(1_800)
    polled.take(look(1_802, 600))

    assert vouched(polled, 900) == Values(100, 0, 1)  # it used nothing
    assert vouched(polled, 1_800) == Values(599, 0, 1)  # at most 2 Wh in the 2 s since


def test_a_look_far_off_is_worth_nothing_after_much_was_used() -> None:
    polled = meter()
    polled.take(look(100, 100))
    polled.open(900)
    polled.take(look(1_700, 900))

    assert vouched(polled, 900) is None


def test_one_garbled_look_is_left_out() -> None:
    polled = meter()
    polled.open(900)
    for each in (look(890, 100), look(899, 5), look(901, 110)):
        polled.take(each)

    assert vouched(polled, 900) == Values(109, 0, 1)


def test_after_an_exchange_nothing_that_spans_it_is_vouched_for() -> None:
    polled = meter()
    polled.open(900)
    polled.take(look(899, 50_000))
    for second in (901, 902, 903):
        polled.take(look(second, second - 900))
    polled.open(1_800)
    polled.take(look(1_799, 500))
    polled.take(look(1_801, 502))

    assert vouched(polled, 900) is None
    assert vouched(polled, 1_800) == Values(501, 0, 1)


def swept(driver: Scripted, times: int, serial: str = "") -> tuple[MeterPoller, list[MeterHealth]]:
    said: list[MeterHealth] = []

    async def hear(health: MeterHealth | NodeHealth) -> None:
        assert isinstance(health, MeterHealth)
        said.append(health)

    async def run() -> MeterPoller:
        poller = MeterPoller(
            [PolledMeter("m1", driver, serial=serial)], HealthBoard("a", hear), slot_s=SLOT_S,
            skew_ns=SKEW_NS, in_flight=4,
        )  # fmt: skip
        poller.meters["m1"].certify(3_600, 0)
        poller.open(900)
        for _ in range(times):
            await poller.sweep(within_s=5)
            await poller.report_health(900)
        await poller.close()
        return poller

    return asyncio.run(run()), said


def test_health_is_said_when_it_changes_and_not_again() -> None:
    silent = MeterFault("METER_SILENT", "it does not answer.")

    poller, said = swept(Scripted((899, 100), silent, silent, (901, 102)), 4)

    assert [(health.state, health.meter) for health in said] == [
        ("late", "m1"),
        ("silent", "m1"),
        ("good", "m1"),
    ]
    assert poller.vouched(900) == {"m1": Values(101, 0, 1)}
    assert poller.late(900) == []


def test_a_meter_with_another_serial_is_not_read() -> None:
    poller, said = swept(Scripted((899, 100), (901, 102)), 2, serial="two")

    assert poller.vouched(900) == {}
    assert [health.state for health in said] == ["faulty"]
    assert said[0].sentence == "The meter is one, not two."


def test_a_boundary_that_is_forgotten_is_not_vouched_for_again_and_others_are() -> None:
    polled = meter()
    polled.open(900)
    polled.take(look(899, 100))
    polled.open(1_800)
    polled.take(look(901, 102))
    assert vouched(polled, 900) is not None

    polled.forget(900)
    polled.take(look(1_799, 500))
    polled.take(look(1_801, 502))

    assert vouched(polled, 900) is None
    assert not polled.is_open(900)
    assert vouched(polled, 1_800) == Values(501, 0, 1)
