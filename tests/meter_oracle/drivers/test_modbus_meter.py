"""The Modbus driver against a device of a few lines that answers as the test says."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from meter_oracle.drivers.driver import MeterDriver
from meter_oracle.drivers.opening import open_driver
from meter_oracle.drivers.sources import ModbusSource, SourcesRefused
from meter_oracle.faults import MeterFault
from tests.meter_oracle.judged import JudgedMeter

Answer = Callable[[bytes], bytes]


class Eastron:
    """A device with two energy registers and a serial number, on a real socket."""

    def __init__(self) -> None:
        self.import_kwh, self.export_kwh = 1000.0, 10.0
        self.serial = 7_001
        self.connections = 0
        self.change: Answer = lambda frame: frame
        self.byte_by_byte = False

    def answer(self, frame: bytes) -> bytes:
        transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", frame)
        if (function, address, count) == (4, 0x48, 4):
            data = struct.pack(">ff", self.import_kwh, self.export_kwh)
        elif (function, address, count) == (3, 0xFC00, 2):
            data = struct.pack(">I", self.serial)
        else:
            return struct.pack(">HHHBBB", transaction, 0, 3, unit, function | 0x80, 2)
        head = struct.pack(">HHHBBB", transaction, 0, 3 + len(data), unit, function, len(data))
        return head + data

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                frame = await reader.readexactly(12)
                answer = self.change(self.answer(frame))
                step = 1 if self.byte_by_byte else max(1, len(answer))
                for begin in range(0, len(answer), step):
                    writer.write(answer[begin : begin + step])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running(**settings: object) -> AsyncGenerator[tuple[Eastron, MeterDriver]]:
    device = Eastron()
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    source = ModbusSource(
        meter="m", host="127.0.0.1", port=port, registers="eastron", deadline_s=0.1, late_s=0.1
    )
    source = msgspec.structs.replace(source, **settings)
    driver = JudgedMeter(open_driver(source, clock=lambda: 1_000), source)
    try:
        yield device, driver
    finally:
        await driver.close()
        server.close()


async def fault_of(driver: MeterDriver) -> str:
    with pytest.raises(MeterFault) as refused:
        await driver.read()
    return refused.value.code


def test_register_map_is_read_with_serial_and_step() -> None:
    async def body() -> None:
        async with running() as (_, driver):
            read = await driver.read()
        assert (read.import_wh, read.export_wh, read.serial) == (1_000_000, 10_000, "7001")
        assert (read.read_at_ns, read.uncertainty_ns) == (1_000, 0)

    asyncio.run(body())


BROKEN: list[tuple[str, Answer]] = [
    ("METER_SILENT", lambda frame: b""),
    ("METER_SILENT", lambda frame: frame[:9]),
    ("METER_GARBLED", lambda frame: b"HTTP/1.1 400 Bad Request\r\n"),
    ("METER_GARBLED", lambda frame: frame[:2] + b"\x00\x01" + frame[4:]),
    ("METER_GARBLED", lambda frame: b"\xff\xff" + frame[2:]),
    ("METER_GARBLED", lambda frame: frame[:6] + b"\x09" + frame[7:]),
    ("METER_GARBLED", lambda frame: frame[:7] + b"\x03" + frame[8:]),
    ("METER_GARBLED", lambda frame: frame + b"\x00"),
    ("METER_GARBLED", lambda frame: frame[:4] + b"\xff\xff" + frame[6:]),
    ("METER_GARBLED", lambda frame: frame[:4] + b"\x00\x05" + frame[6:8] + b"\x02" + frame[9:11]),
    ("METER_EXCEPTION", lambda frame: frame[:4] + b"\x00\x03" + frame[6:7] + b"\x84\x04"),
    ("METER_MISSING", lambda frame: frame[:4] + b"\x00\x03" + frame[6:7] + b"\x84\x02"),
    ("METER_VALUE", lambda frame: frame[:9] + b"\xff" * 8),
    ("METER_VALUE", lambda frame: frame[:13] + struct.pack(">f", float("nan"))),
]


@pytest.mark.parametrize(("code", "change"), BROKEN)
def test_broken_answer_has_its_code_and_the_next_is_taken(code: str, change: Answer) -> None:
    async def body() -> None:
        async with running() as (device, driver):
            await driver.read()
            device.change = change
            assert await fault_of(driver) == code
            device.change = lambda frame: frame
            assert (await driver.read()).import_wh == 1_000_000

    asyncio.run(body())


def test_answer_in_pieces_is_put_together() -> None:
    async def body() -> None:
        async with running() as (device, driver):
            device.byte_by_byte = True
            assert (await driver.read()).import_wh == 1_000_000

    asyncio.run(body())


def test_late_answer_is_no_reading() -> None:
    async def body() -> None:
        async with running(late_s=1e-9) as (_, driver):
            assert await fault_of(driver) == "METER_LATE"

    asyncio.run(body())


def test_other_serial_is_another_meter_until_told() -> None:
    async def body() -> None:
        async with running(serial_again_s=0) as (device, driver):
            await driver.read()
            device.serial = 7_002
            assert await fault_of(driver) == "METER_SERIAL"
            device.serial = 7_001
            assert (await driver.read()).serial == "7001"

    asyncio.run(body())


def test_wrong_serial_from_the_start_is_refused() -> None:
    async def body() -> None:
        async with running(serial="7999") as (_, driver):
            assert await fault_of(driver) == "METER_SERIAL"

    asyncio.run(body())


def test_one_connection_serves_all_reads() -> None:
    async def body() -> None:
        async with running() as (device, driver):
            await asyncio.gather(*(driver.read() for _ in range(20)))
            assert device.connections == 1

    asyncio.run(body())


def test_connection_that_the_device_closed_is_opened_again_unseen() -> None:
    async def body() -> None:
        async with running() as (device, driver):
            await driver.read()
            await driver.close()
            assert (await driver.read()).import_wh == 1_000_000
            assert device.connections == 2

    asyncio.run(body())


def test_unreachable_meter_is_silent_and_left_alone_for_a_while() -> None:
    async def body() -> None:
        server = await asyncio.start_server(Eastron().serve, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        server.close()
        driver = open_driver(ModbusSource(meter="m", host="127.0.0.1", port=port))
        assert await fault_of(driver) == "METER_SILENT"
        with pytest.raises(MeterFault, match="tried again in"):
            await driver.read()

    asyncio.run(body())


def test_meter_without_sunspec_takes_no_instruction() -> None:
    async def body() -> None:
        async with running() as (_, driver):
            with pytest.raises(MeterFault) as refused:
                await driver.instruct(1_000, 900)
            assert refused.value.code == "METER_CONTROL"

    asyncio.run(body())


@pytest.mark.parametrize("name", ["nothing", "sunspec-701"])
def test_unknown_register_map_is_refused(name: str) -> None:
    with pytest.raises(SourcesRefused, match="eastron"):
        open_driver(ModbusSource(meter="m", host="127.0.0.1", registers=name))
