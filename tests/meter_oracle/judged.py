"""A meter whose readings are judged as a node judges them."""

from __future__ import annotations

import msgspec

from meter_oracle.drivers.driver import Instruction, MeterDriver, RegisterRead
from meter_oracle.drivers.sources import MeterSource
from meter_oracle.readings.registers import RegisterTrack


class JudgedMeter:
    """A driver, and the track that judges what it reads."""

    def __init__(self, driver: MeterDriver, source: MeterSource) -> None:
        self._driver = driver
        self._track = RegisterTrack(power_max_w=source.power_max_w, serial=source.serial)

    async def read(self) -> RegisterRead:
        read = await self._driver.read()
        believed = self._track.believe(read)
        assert believed is not None
        look = believed.look
        return msgspec.structs.replace(read, import_wh=look.import_wh, export_wh=look.export_wh)

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        return await self._driver.instruct(limit_w, revert_s)

    async def close(self) -> None:
        await self._driver.close()
