"""The fleet over real Modbus/TCP: registers, faults to order, limits; read by our own driver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest
from pymodbus.client import AsyncModbusTcpClient

from meter_oracle.drivers.driver import MeterDriver
from meter_oracle.drivers.opening import open_driver
from meter_oracle.faults import MeterFault
from meter_oracle.simulated.device import FaultKind, FaultRefused, SimulatedMeter
from meter_oracle.simulated.fleet import Fleet, FleetRefused
from meter_oracle.simulated.market_clock import MarketClock
from meter_oracle.simulated.orders import obey
from tests.meter_oracle.judged import JudgedMeter

SECOND_NS = 1_000_000_000
ROOF = SimulatedMeter(meter="roof", serial="S-ROOF", inverter_w=5_000)
FLAT = SimulatedMeter(meter="flat", serial="S-FLAT")


class Steady:
    """Registers that rise by 1 Wh a second, and by 2."""

    def registers(self, meter: str, market_ns: int) -> tuple[int, int]:
        second = market_ns // SECOND_NS
        return (1_000 + second, 2 * second)


class Hand:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now_ns = 100 * SECOND_NS

    def __call__(self) -> int:
        return self.now_ns


@asynccontextmanager
async def running(
    *, live_control: bool = False
) -> AsyncGenerator[tuple[Fleet, Hand, dict[str, MeterDriver]]]:
    hand = Hand()
    fleet = Fleet([ROOF, FLAT], Steady(), MarketClock(0, 0, 1), now_ns=hand)
    await fleet.start(units_per_port=2)
    sources = [
        msgspec.structs.replace(
            source, deadline_s=0.15, late_s=0.1, serial_again_s=0, power_max_w=10_000
        )
        for source in fleet.sources()
    ]
    drivers: dict[str, MeterDriver] = {
        source.meter: JudgedMeter(
            open_driver(
                source, clock=lambda: fleet.clock.market_ns(hand()), live_control=live_control
            ),
            source,
        )
        for source in sources
    }
    try:
        yield fleet, hand, drivers
    finally:
        for driver in drivers.values():
            await driver.close()
        await fleet.close()


def test_both_kinds_of_device_show_their_curve_at_market_time() -> None:
    async def body() -> None:
        async with running() as (fleet, hand, drivers):
            first = {name: await driver.read() for name, driver in drivers.items()}
            fleet.anchor(MarketClock(hand.now_ns, 200 * SECOND_NS, 90))
            hand.now_ns += 2 * SECOND_NS
            second = {name: await driver.read() for name, driver in drivers.items()}
        for name, serial in (("roof", "S-ROOF"), ("flat", "S-FLAT")):
            assert (first[name].import_wh, first[name].export_wh) == (1_100, 200)
            assert (second[name].import_wh, second[name].export_wh) == (1_380, 760)
            assert second[name].read_at_ns == 380 * SECOND_NS
            assert second[name].serial == serial

    asyncio.run(body())


@pytest.mark.parametrize("meter", ["roof", "flat"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.SILENT, "METER_SILENT"),
        (FaultKind.SLOW, "METER_SILENT"),
        (FaultKind.SPIKE, "METER_JUMP"),
        (FaultKind.NAN, "METER_VALUE"),
        (FaultKind.EXCEPTION, "METER_EXCEPTION"),
        (FaultKind.WRONG_UNIT, "METER_UNIT"),
        (FaultKind.GARBLED, "METER_GARBLED"),
        (FaultKind.EXCHANGED, "METER_SERIAL"),
    ],
)
def test_ordered_fault_shows_while_it_lasts_and_only_there(
    meter: str, kind: FaultKind, code: str
) -> None:
    async def body() -> None:
        async with running() as (fleet, _, drivers):
            other = "flat" if meter == "roof" else "roof"
            before = await drivers[meter].read()
            fleet.order(meter, kind)
            with pytest.raises(MeterFault) as refused:
                await drivers[meter].read()
            assert refused.value.code == code
            assert (await drivers[other].read()).import_wh == 1_100
            assert fleet.faults() == {meter: kind}
            fleet.order(meter, None)
            assert await drivers[meter].read() == before

    asyncio.run(body())


def test_frozen_register_stands_still_and_catches_up() -> None:
    async def body() -> None:
        async with running() as (fleet, hand, drivers):
            await drivers["flat"].read()
            fleet.order("flat", FaultKind.FROZEN)
            hand.now_ns += 60 * SECOND_NS
            assert (await drivers["flat"].read()).import_wh == 1_100
            fleet.order("flat", None)
            assert (await drivers["flat"].read()).import_wh == 1_160

    asyncio.run(body())


def test_clock_that_is_off_shows_the_registers_of_another_time() -> None:
    async def body() -> None:
        async with running() as (fleet, _, drivers):
            fleet.order("flat", FaultKind.CLOCK_OFF)
            assert (await drivers["flat"].read()).import_wh == 1_190

    asyncio.run(body())


def test_counter_that_rolls_over_goes_on_rising() -> None:
    async def body() -> None:
        async with running() as (fleet, hand, drivers):
            fleet.order("flat", FaultKind.ROLLOVER)
            before = await drivers["flat"].read()
            hand.now_ns += 30 * SECOND_NS
            after = await drivers["flat"].read()
        assert before.import_wh == (1 << 32) - 20
        assert after.import_wh == (1 << 32) + 10

    asyncio.run(body())


def test_inverter_does_not_roll_over_and_a_stranger_has_no_fault() -> None:
    async def body() -> None:
        async with running() as (fleet, _, _):
            with pytest.raises(FaultRefused, match="64 bits"):
                fleet.order("roof", FaultKind.ROLLOVER)
            with pytest.raises(FaultRefused, match="nobody"):
                fleet.order("nobody", FaultKind.SILENT)
            assert not fleet.faults()

    asyncio.run(body())


def test_limit_is_written_with_its_reversion_and_read_back() -> None:
    async def body() -> None:
        async with running(live_control=True) as (fleet, _, drivers):
            told = await drivers["roof"].instruct(2_501, 900)
            assert (told.model, told.limit_w, told.sent, told.confirmed) == (704, 2_500, True, True)
            source = fleet.sources()[0]
            client = AsyncModbusTcpClient(source.host, port=source.port)
            await client.connect()
            held = await client.read_holding_registers(told.address, count=6, device_id=1)
            client.close()
            assert held.registers == [1, 500, 500, 0, 0, 900]

    asyncio.run(body())


def test_instruction_is_a_dry_run_unless_control_is_live() -> None:
    async def body() -> None:
        async with running() as (fleet, _, drivers):
            told = await drivers["roof"].instruct(9_999, 1_799)
            assert (told.limit_w, told.sent, told.confirmed) == (5_000, False, False)
            source = fleet.sources()[0]
            client = AsyncModbusTcpClient(source.host, port=source.port)
            await client.connect()
            held = await client.read_holding_registers(told.address, count=1, device_id=1)
            client.close()
            assert held.registers == [0]

    asyncio.run(body())


@pytest.mark.parametrize(("meter", "revert_s"), [("roof", 899), ("roof", 1_800), ("flat", 900)])
def test_instruction_that_may_not_be_given_is_refused(meter: str, revert_s: int) -> None:
    async def body() -> None:
        async with running(live_control=True) as (_, _, drivers):
            with pytest.raises(MeterFault) as refused:
                await drivers[meter].instruct(1_000, revert_s)
            assert refused.value.code == "METER_CONTROL"

    asyncio.run(body())


def test_taken_port_is_named_and_nothing_stays_open() -> None:
    async def body() -> None:
        async with running() as (fleet, _, _):
            taken = fleet.sources()[0].port
            other = Fleet([ROOF, FLAT], Steady(), MarketClock(0, 0, 1))
            with pytest.raises(FleetRefused, match=str(taken)):
                await other.start(port=taken)
            assert other.sources() == []

    asyncio.run(body())


def test_two_meters_of_one_name_are_refused() -> None:
    with pytest.raises(FleetRefused, match="one name"):
        Fleet([ROOF, ROOF], Steady(), MarketClock(0, 0, 1))


def test_market_clock_is_its_own_inverse_and_stands_still_before_its_anchor() -> None:
    clock = MarketClock(real_anchor_ns=1_000, market_anchor_ns=50_000, rate=90)

    assert clock.market_ns(999) == 50_000
    for market_ns in (50_000, 50_001, 50_090, 1_000_003):
        real_ns = clock.real_ns(market_ns)
        assert clock.market_ns(real_ns) >= market_ns > clock.market_ns(real_ns - 1) - 1
        assert clock.market_ns(real_ns) - market_ns < 90


def test_orders_are_obeyed_or_answered_with_why_not() -> None:
    async def body() -> None:
        async with running() as (fleet, _, _):
            assert obey(fleet, b'{"order":"fault","meter":"flat","fault":"silent"}').ok
            assert fleet.faults() == {"flat": FaultKind.SILENT}
            assert obey(fleet, b'{"order":"fault","meter":"flat"}').ok
            anchored = {"real_anchor_ns": time.time_ns(), "market_anchor_ns": 5, "rate": 9}
            line = msgspec.json.encode({"order": "anchor", "clock": anchored})
            assert obey(fleet, line).ok
            assert fleet.clock.rate == 9
            for bad in (b"{", b"\xff", b'{"order":"fault","meter":"x"}', b'{"order":"halt"}'):
                refused = obey(fleet, bad)
                assert not refused.ok
                assert refused.sentence

    asyncio.run(body())
