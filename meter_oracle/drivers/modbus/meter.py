"""The driver for Modbus/TCP: SunSpec devices, and meters with a register map.

One request reads both registers and their scale, so all three belong to the same moment. The driver asks
for the serial number on every new connection and again after a while, because a gateway keeps its
connection when the meter behind it is exchanged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from meter_oracle.drivers.driver import SLOT_DEFAULT_S, Instruction, RegisterRead
from meter_oracle.drivers.modbus.link import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ExceptionAnswer,
    ModbusLink,
)
from meter_oracle.drivers.modbus.power_limit import check_reversion, instruct
from meter_oracle.drivers.modbus.sunspec import SunSpecDevice, discover, read_serial_again
from meter_oracle.drivers.sources import ModbusSource, SourcesRefused
from meter_oracle.families.register_maps import (
    RegisterMap,
    read_energies,
    read_serial,
    register_maps,
)
from meter_oracle.faults import MeterFault

SUNSPEC = "sunspec"

T = TypeVar("T")


class ModbusMeter:
    """A meter on Modbus/TCP, read over a connection of its own.

    `clock` gives nanoseconds UTC. Calls queue up; the driver sends one request at a time.
    """

    def __init__(
        self,
        source: ModbusSource,
        *,
        clock: Callable[[], int] = time.time_ns,
        live_control: bool = False,
        slot_s: int = SLOT_DEFAULT_S,
    ) -> None:
        self._source = source
        self._clock = clock
        self._live_control = live_control
        self._slot_s = slot_s
        self._link = ModbusLink(source.host, source.port, source.unit)
        self._lock = asyncio.Lock()
        self._fixed = None if source.registers == SUNSPEC else _map_named(source)
        self._device: SunSpecDevice | None = None
        self._family: RegisterMap | None = None
        self._address = self._count = 0
        self._serial = ""
        self._expected = source.serial
        self._serial_due_s = 0.0

    async def read(self) -> RegisterRead:
        """Read both registers. Raises `MeterFault`; the caller may ask again."""
        async with self._lock:
            try:
                async with asyncio.timeout(self._source.deadline_s):
                    return await self._again_if_closed(self._read)
            except TimeoutError:
                raise self._silent() from None

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        """Limit the device to `limit_w` for `revert_s`; without live control nothing is written.

        Raises `MeterFault`; after METER_SILENT the device may or may not have taken the limit.
        """
        check_reversion(revert_s, slot_s=self._slot_s)

        async def tell() -> Instruction:
            if self._link.connected:
                await self._ask_serial()
            else:
                await self._open()
            if self._serial != self._expected:  # never limit another device
                found = self._serial or "a device without a serial number"
                sentence = f"{self._link.where} is {found}, not {self._expected}."
                raise MeterFault("METER_SERIAL", sentence)
            if self._device is None:
                raise MeterFault("METER_CONTROL", f"{self._link.where} is not a SunSpec device.")
            return await instruct(
                self._link,
                self._device,
                meter=self._source.meter,
                limit_w=limit_w,
                rated_w=self._source.rated_w,
                revert_s=revert_s,
                live=self._live_control,
            )

        async with self._lock:
            try:
                async with asyncio.timeout(self._source.deadline_s):
                    return await self._again_if_closed(tell)
            except TimeoutError:
                raise self._silent() from None

    async def close(self) -> None:
        """Close the connection; the next read opens it again."""
        self._link.drop()

    async def _again_if_closed(self, act: Callable[[], Awaitable[T]]) -> T:
        """Act again over a new connection if the device has closed the old one."""
        try:
            return await act()
        except ConnectionError:
            self._link.drop()
        try:
            return await act()
        except ConnectionError as error:
            self._link.drop()
            sentence = f"{self._link.where} closed the connection: {error}."
            raise MeterFault("METER_SILENT", sentence) from error

    async def _read(self) -> RegisterRead:
        loop = asyncio.get_running_loop()
        if not self._link.connected:
            await self._open()
        elif loop.time() >= self._serial_due_s:
            await self._ask_serial()
        family = self._family
        if family is None:
            raise MeterFault("METER_MISSING", f"{self._link.where} has no energy registers.")
        began_s, before_ns = loop.time(), self._clock()
        try:
            data = await self._link.read(family.function, self._address, self._count)
        except ExceptionAnswer as answer:
            if answer.exception == ILLEGAL_ADDRESS:
                lacks = f"{self._link.where} lacks a register of the map {family.name}."
                raise MeterFault("METER_MISSING", lacks) from answer
            raise
        after_ns, took_s = self._clock(), loop.time() - began_s
        if took_s > self._source.late_s:
            raise MeterFault("METER_LATE", f"{self._link.where} took {took_s:.1f} s to answer.")
        energies = read_energies(family, data, self._link.where)
        return RegisterRead(
            meter=self._source.meter,
            serial=self._serial,
            read_at_ns=(before_ns + after_ns) // 2,
            uncertainty_ns=(after_ns - before_ns + 1) // 2,
            **energies._asdict(),
        )

    async def _open(self) -> None:
        """Connect, and find out what the device is."""
        await self._link.connect()
        if self._fixed is not None:
            self._use(self._fixed, self._fixed.first)
        else:
            self._device = await discover(self._link)
            found = self._device.energy()
            if found is None:
                models = ", ".join(str(model.id) for model in self._device.models)
                lacks = f"{self._link.where} has SunSpec models {models}; none of them has both energies."
                raise MeterFault("METER_MISSING", lacks)
            model, family = found
            self._use(family, model.address + family.first)
        await self._ask_serial()

    def _use(self, family: RegisterMap, address: int) -> None:
        self._family, self._address, self._count = family, address, family.registers

    async def _ask_serial(self) -> None:
        """Ask for the serial number; while it is not the expected one, every read asks again."""
        self._serial = await self._told_serial()
        self._expected = self._expected or self._serial
        self._serial_due_s = 0.0
        if self._serial == self._expected:
            self._serial_due_s = asyncio.get_running_loop().time() + self._source.serial_again_s

    async def _told_serial(self) -> str:
        if self._device is not None:
            return await read_serial_again(self._link, self._device)
        point = None if self._family is None else self._family.serial
        if point is None:
            return ""
        try:
            data = await self._link.read(point.function, point.at, point.registers)
        except ExceptionAnswer as answer:
            if answer.exception in {ILLEGAL_FUNCTION, ILLEGAL_ADDRESS}:
                return ""  # a variant of the family without a serial number
            raise
        return read_serial(point, data)

    def _silent(self) -> MeterFault:
        self._link.drop()
        sentence = f"{self._link.where} did not answer within {self._source.deadline_s} s."
        return MeterFault("METER_SILENT", sentence)


def _map_named(source: ModbusSource) -> RegisterMap:
    family = register_maps().get(source.registers)
    if family is None or family.models:
        known = ", ".join(name for name, each in register_maps().items() if not each.models)
        raise SourcesRefused(
            f"{source.meter}: there is no register map {source.registers!r}; there are "
            f"{SUNSPEC}, {known}."
        )
    return family
