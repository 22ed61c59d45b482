"""Opens the driver for a source: the one place that knows which driver belongs to which source."""

from __future__ import annotations

import time
from collections.abc import Callable

from meter_oracle.drivers.driver import SLOT_DEFAULT_S, MeterDriver
from meter_oracle.drivers.file_drop import DropFolders, FileDropMeter
from meter_oracle.drivers.json_rpc import JsonRpcMeter
from meter_oracle.drivers.modbus.meter import ModbusMeter
from meter_oracle.drivers.sources import FileDropSource, JsonRpcSource, MeterSource


def open_driver(
    source: MeterSource,
    *,
    clock: Callable[[], int] = time.time_ns,
    live_control: bool = False,
    slot_s: int = SLOT_DEFAULT_S,
    folders: DropFolders | None = None,
) -> MeterDriver:
    """Return the driver for `source`, not yet connected.

    `clock` gives nanoseconds UTC: real time, or market time where a demonstration runs faster.
    Drivers that are given the same `folders` read a shared folder once. Raises `SourcesRefused` for a
    register map that does not exist.
    """
    match source:
        case FileDropSource():
            return FileDropMeter(source, folders or DropFolders(), clock=clock)
        case JsonRpcSource():
            return JsonRpcMeter(source, clock=clock)
        case _:
            return ModbusMeter(source, clock=clock, live_control=live_control, slot_s=slot_s)
