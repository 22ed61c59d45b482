"""A fleet of simulated meters: hundreds of devices on real Modbus/TCP in one process.

Registers are a function of market time, so the fleet keeps no state: after a restart, or with another
clock, it shows the registers for the current market time. Devices share ports as they do behind gateways,
or have a port each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from pymodbus.server import ModbusTcpServer

from meter_oracle.drivers.sources import POWER_MAX_DEFAULT_W, ModbusSource
from meter_oracle.simulated.device import Device, FaultKind, FaultRefused, SimulatedMeter
from meter_oracle.simulated.market_clock import MarketClock, RegisterCurve

UNITS_MAX = 247  # unit ids that Modbus gives to devices
METERS_MAX = 5_000
_UNIT_AT = 6  # byte of a frame
PORT_MAX = 65_535
SERIAL_AGAIN_S = 10.0  # short enough to notice an exchange within a demonstration's slot

__all__ = ["FaultKind", "FaultRefused", "Fleet", "FleetRefused", "MarketClock", "RegisterCurve"]
__all__ += ["SimulatedMeter"]


class FleetRefused(Exception):
    """A fleet cannot be started; the sentence says why."""


class Fleet:
    """Serves meters between `start` and `close`."""

    def __init__(
        self,
        meters: Sequence[SimulatedMeter],
        curve: RegisterCurve,
        clock: MarketClock,
        *,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        if len({each.meter for each in meters}) != len(meters):
            raise FleetRefused("Two of the meters have one name.")
        if len(meters) > METERS_MAX:
            raise FleetRefused(f"{len(meters)} meters; one process serves {METERS_MAX}.")
        self._meters = list(meters)
        self._curve = curve
        self._clock = clock
        self._now_ns = now_ns
        self._devices: dict[str, Device] = {}
        self._servers: list[ModbusTcpServer] = []
        self._sources: list[ModbusSource] = []

    async def start(
        self, *, host: str = "127.0.0.1", port: int = 0, units_per_port: int = 1
    ) -> None:
        """Listen from `port` on, one port after another; 0 takes any free ports.

        Raises `FleetRefused` for a port that is taken, with nothing left listening.
        """
        if not 1 <= units_per_port <= UNITS_MAX:
            raise FleetRefused(f"{units_per_port} units on a port; Modbus has 1 to {UNITS_MAX}.")
        for begin in range(0, len(self._meters), units_per_port):
            block = self._meters[begin : begin + units_per_port]
            devices = [self._device(each, unit) for unit, each in enumerate(block, start=1)]
            wanted = port + len(self._servers) if port else 0
            try:
                await self._serve(devices, host, wanted)
            except FleetRefused:
                await self.close()
                raise

    def _device(self, about: SimulatedMeter, unit: int) -> Device:
        def show(ahead_ns: int) -> tuple[int, int]:
            market_ns = self._clock.market_ns(self._now_ns()) + ahead_ns
            return self._curve.registers(about.meter, market_ns)

        device = Device(about, unit, show)
        self._devices[about.meter] = device
        return device

    async def _serve(self, devices: list[Device], host: str, port: int) -> None:
        if port > PORT_MAX:
            raise FleetRefused(f"{len(self._meters)} meters need ports beyond {PORT_MAX}.")
        units = {device.unit: device for device in devices}
        server = ModbusTcpServer(
            [device.simulated() for device in devices],
            address=(host, port),
            trace_packet=_trace(units),
        )
        try:
            await server.serve_forever(background=True)
        except RuntimeError as error:
            raise FleetRefused(f"{host}:{port} is not free to listen on.") from error
        self._servers.append(server)
        # pymodbus types this member as a transport, but a listener's member is asyncio's server.
        listening = cast("asyncio.Server", server.transport)
        bound: int = listening.sockets[0].getsockname()[1]
        self._sources += [
            ModbusSource(
                meter=device.about.meter,
                host=host,
                port=bound,
                unit=device.unit,
                serial=device.about.serial,
                power_max_w=max(POWER_MAX_DEFAULT_W, device.about.inverter_w),
                rated_w=device.about.inverter_w,
                serial_again_s=SERIAL_AGAIN_S,
            )
            for device in devices
        ]

    @property
    def clock(self) -> MarketClock:
        """Return the clock in use."""
        return self._clock

    def sources(self) -> list[ModbusSource]:
        """Return where each meter is read, in the order of the meters."""
        return list(self._sources)

    def anchor(self, clock: MarketClock) -> None:
        """Use another clock from now on; the registers follow the new clock at once."""
        self._clock = clock

    def order(self, meter: str, fault: FaultKind | None) -> None:
        """Begin a fault of `meter`, or end it with None; raises `FaultRefused`."""
        device = self._devices.get(meter)
        if device is None:
            raise FaultRefused(f"There is no meter {meter!r}.")
        device.order(fault)

    def faults(self) -> Mapping[str, FaultKind]:
        """Return the faults in force, by meter."""
        return {name: each.fault for name, each in self._devices.items() if each.fault is not None}

    async def close(self) -> None:
        """Stop listening and close all connections."""
        for server in self._servers:
            await server.shutdown()
        self._servers.clear()
        self._sources.clear()
        self._devices.clear()


def _trace(units: Mapping[int, Device]) -> Callable[[bool, bytes], bytes]:
    def trace(sending: bool, data: bytes) -> bytes:  # noqa: FBT001 pymodbus calls it like that
        device = units.get(data[_UNIT_AT]) if sending and len(data) > _UNIT_AT else None
        return data if device is None else device.sent(data)

    return trace
