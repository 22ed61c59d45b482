"""What every meter looks like to an oracle node, whatever it speaks.

`open_driver` makes the driver that a source asks for. A driver connects when it is first read, has
its own deadline, and goes on by itself after a fault: whoever reads need only ask again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from meter_oracle.drivers.file_drop import DropFolders, FileDropMeter
from meter_oracle.drivers.json_rpc import JsonRpcMeter
from meter_oracle.drivers.modbus.meter import ModbusMeter
from meter_oracle.drivers.power_limit import SLOT_DEFAULT_S, Instruction
from meter_oracle.drivers.sources import FileDropSource, JsonRpcSource, MeterSource
from meter_oracle.readings.registers import FaultCode, MeterFault, RegisterRead

__all__ = [
    "FaultCode",
    "Instruction",
    "MeterDriver",
    "MeterFault",
    "MeterSource",
    "RegisterRead",
    "open_driver",
]


class MeterDriver(Protocol):
    """A meter that can be read."""

    async def read(self) -> RegisterRead:
        """One look at the meter's registers, in Wh; raises `MeterFault`, and may be asked again."""
        ...

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        """Limit the device to `limit_w` (W) until `revert_s` seconds are over.

        Worked out but not sent unless the driver was opened with live control. Raises `MeterFault`
        CONTROL where the device cannot or did not take it.
        """
        ...

    async def close(self) -> None:
        """Let go of the meter."""
        ...


def open_driver(
    source: MeterSource,
    *,
    clock: Callable[[], int] = time.time_ns,
    known: RegisterRead | None = None,
    live_control: bool = False,
    slot_s: int = SLOT_DEFAULT_S,
    folders: DropFolders | None = None,
) -> MeterDriver:
    """The driver for `source`; nothing is connected yet.

    `clock` gives nanoseconds UTC: real time, or market time where a demonstration runs faster.
    `known` is the reading that was last agreed on. Drivers given the same `folders` read a folder
    that they share once. Raises `SourcesRefused` for a register map that does not exist.
    """
    if isinstance(source, FileDropSource):
        shared = DropFolders() if folders is None else folders
        return FileDropMeter(source, shared, clock=clock, known=known)
    if isinstance(source, JsonRpcSource):
        return JsonRpcMeter(source, clock=clock, known=known)
    return ModbusMeter(source, clock=clock, known=known, live_control=live_control, slot_s=slot_s)
