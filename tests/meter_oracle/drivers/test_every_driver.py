"""What holds for every driver, whatever its protocol: one suite over the devices of `devices.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec.inspect import StructType, UnionType, type_info

from meter_oracle.drivers.driver import MeterDriver, RegisterRead
from meter_oracle.drivers.opening import open_driver
from meter_oracle.drivers.sources import MeterSource
from meter_oracle.faults import MeterFault
from tests.meter_oracle.drivers.devices import DEVICES, Device, State

RECOVERY_S = 10.0

pytestmark = pytest.mark.parametrize("kind", DEVICES)


@asynccontextmanager
async def running(
    kind: str, folder: Path, *, state: State = State.WORKS
) -> AsyncGenerator[tuple[Device, MeterDriver]]:
    device = DEVICES[kind](folder)
    device.state = state
    driver = open_driver(await device.start())
    try:
        yield device, driver
    finally:
        await driver.close()
        await device.stop()


async def fault_of(driver: MeterDriver) -> str:
    with pytest.raises(MeterFault) as refused:
        await driver.read()
    assert refused.value.sentence.endswith(".")
    return refused.value.code


async def recovered(driver: MeterDriver) -> RegisterRead:
    """The first reading after a fault; a driver may pause before it connects again."""
    async with asyncio.timeout(RECOVERY_S):
        while True:
            try:
                return await driver.read()
            except MeterFault:
                await asyncio.sleep(0.05)


def test_reading_has_both_registers_the_serial_number_and_its_time(
    kind: str, tmp_path: Path
) -> None:
    async def body() -> None:
        before_ns = time.time_ns()
        async with running(kind, tmp_path) as (_, driver):
            read = await driver.read()
        assert (read.meter, read.serial) == ("m", "7001")
        assert (read.import_wh, read.export_wh) == (1_000_000, 10_000)
        assert read.resolution_wh >= 1
        assert before_ns - read.uncertainty_ns <= read.read_at_ns
        assert read.read_at_ns <= time.time_ns() + read.uncertainty_ns

    asyncio.run(body())


def test_registers_and_serial_number_are_passed_on_as_they_are(kind: str, tmp_path: Path) -> None:
    """Aim: a driver judges nothing. Registers that fall and another meter are found in `readings/`."""

    async def body() -> None:
        async with running(kind, tmp_path) as (device, driver):
            await driver.read()
            device.import_wh, device.export_wh, device.serial = 500, 9_000_000, "7002"
            await device.show()
            await driver.close()  # a new connection, which learns the serial number at once
            read = await driver.read()
        assert (read.import_wh, read.export_wh, read.serial) == (500, 9_000_000, "7002")

    asyncio.run(body())


@pytest.mark.parametrize("state", [State.SILENT, State.GARBLED, State.NO_EXPORT])
def test_failure_is_a_fault_and_the_driver_recovers_by_itself(
    kind: str, tmp_path: Path, state: State
) -> None:
    async def body() -> None:
        async with running(kind, tmp_path, state=state) as (device, driver):
            code = await fault_of(driver)
            device.state = State.WORKS
            await device.show()
            assert (await recovered(driver)).export_wh == 10_000
        if state is State.SILENT:
            assert code == "METER_SILENT"

    asyncio.run(body())


def test_failure_after_a_reading_never_gives_other_registers(kind: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(kind, tmp_path) as (device, driver):
            good = await driver.read()
            for state in (State.GARBLED, State.NO_EXPORT):
                device.state, device.import_wh = state, 2_000_000
                await device.show()
                with suppress(MeterFault):
                    assert await driver.read() == good  # the newest row that can be read

    asyncio.run(body())


def test_closed_driver_can_be_read_again(kind: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(kind, tmp_path) as (_, driver):
            await driver.read()
            await driver.close()
            assert (await driver.read()).import_wh == 1_000_000

    asyncio.run(body())


def test_readings_at_the_same_time_all_arrive(kind: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(kind, tmp_path) as (_, driver):
            reads = await asyncio.gather(*(driver.read() for _ in range(20)))
        assert {read.import_wh for read in reads} == {1_000_000}

    asyncio.run(body())


def test_device_that_cannot_be_limited_says_so(kind: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with running(kind, tmp_path) as (_, driver):
            with pytest.raises(MeterFault) as refused:
                await driver.instruct(1_000, 900)
            assert refused.value.code == "METER_CONTROL"

    asyncio.run(body())


def test_every_kind_of_source_has_a_device(kind: str) -> None:
    sources = type_info(MeterSource)
    assert isinstance(sources, UnionType)
    kinds = {each.tag for each in sources.types if isinstance(each, StructType)}
    assert kinds == set(DEVICES)
    assert kind in kinds
