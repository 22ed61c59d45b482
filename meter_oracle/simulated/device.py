"""One simulated device: its registers in SunSpec's layout, and the faults that it was ordered to show.

The meter of a home with an inverter has models 1, 701, 123 and 704; any other has 1 and 203. Only the
energy registers change; power, voltage and current are "not implemented", because nothing reads them
here. The device keeps a limit until the limit reverts, and the limit can be read back. The energy curve
comes from outside and does not follow the limit.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec
from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice

BASE = 40_000
SLOW_S = 1.5  # later than a driver accepts, earlier than it gives up
SPIKE_WH = 1_000_000
CLOCK_OFF_NS = 90_000_000_000
WRONG_SCALE = 3  # kWh instead of Wh
ROLLOVER_LEFT_WH = 20
ACC32_ROLLS_AT = 1 << 32
UINT64_ROLLS_AT = 1 << 64
NOT_IMPLEMENTED = 0xFFFF

_COMMON_LENGTH, _LENGTH_203, _LENGTH_701, _LENGTH_123, _LENGTH_704 = 66, 105, 153, 24, 65
_READS = {3, 4}


class FaultKind(StrEnum):
    """The faults that a simulated meter can be ordered to show."""

    SILENT = "silent"
    SLOW = "slow"
    FROZEN = "frozen"
    SPIKE = "spike"
    ROLLOVER = "rollover"
    NAN = "nan"
    EXCEPTION = "exception"
    WRONG_UNIT = "wrong-unit"
    CLOCK_OFF = "clock-off"
    GARBLED = "garbled"
    EXCHANGED = "exchanged"


class SimulatedMeter(msgspec.Struct, frozen=True, kw_only=True):
    """A meter to simulate; `inverter_w` is the rated power of its inverter, 0 if it has none."""

    meter: str
    serial: str
    inverter_w: int = 0


class FaultRefused(Exception):
    """An order cannot be carried out; the sentence says why."""


class _Energy(NamedTuple):
    """The place and width of the energy registers, and the place of their scale."""

    import_at: int
    export_at: int
    scale_at: int
    registers: int


class _Limit(NamedTuple):
    """A model's registers of its limit: the one that enables the limit, and the reversion time's."""

    enable_at: int
    revert_at: int
    revert_registers: int


class Device:
    """A device under its unit id.

    `show` takes a number of nanoseconds and returns import and export in Wh that much later than now.
    """

    def __init__(
        self, about: SimulatedMeter, unit: int, show: Callable[[int], tuple[int, int]]
    ) -> None:
        self.about = about
        self.unit = unit
        self.fault: FaultKind | None = None
        self._show = show
        self._held = (0, 0)
        self._ahead_wh = 0
        self._reverts_at_s: dict[_Limit, float] = {}
        self._image, self._serial_at, self._energy, self._limits = _image(about)

    def simulated(self) -> SimDevice:
        """Return the device for pymodbus to serve."""
        data = SimData(BASE, values=list(self._image), datatype=DataType.REGISTERS)
        return SimDevice(id=self.unit, simdata=[data], action=self.act)

    def order(self, fault: FaultKind | None) -> None:
        """Begin a fault, or end it with None.

        A rollover puts the counter `ROLLOVER_LEFT_WH` before its end, and the counter keeps counting from
        there when the fault ends, so order a rollover before the first reading. Raises `FaultRefused` for
        a rollover of an inverter, whose counter has 64 bits.
        """
        if fault is FaultKind.ROLLOVER:
            if self._energy.registers != 2:
                raise FaultRefused(f"{self.about.meter} counts in 64 bits and never rolls over.")
            self._ahead_wh = ACC32_ROLLS_AT - ROLLOVER_LEFT_WH - self._show(0)[0]
        if fault is FaultKind.FROZEN:
            self._held = self._show(0)
        self.fault = fault

    def sent(self, packet: bytes) -> bytes:
        """Return those bytes of an answer that the device sends under its fault."""
        if self.fault is FaultKind.SILENT:
            return b""
        if self.fault is FaultKind.GARBLED:
            return packet[:2] + b"\x4e\x6f" + packet[4:]
        return packet

    async def act(  # noqa: PLR0917 the arguments are pymodbus's
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        written: Sequence[int] | Sequence[bool] | None,
    ) -> ExcCodes | None:
        """Bring the registers up to date; pymodbus calls this before it reads or writes."""
        if self.fault is FaultKind.EXCEPTION:
            return ExcCodes.DEVICE_FAILURE
        if self.fault is FaultKind.SLOW:
            await asyncio.sleep(SLOW_S)
        if written is not None and function not in _READS:
            return self._note_limit(address, [int(each) for each in written])
        self._revert(registers)
        first, last = address - start, address - start + count
        energy = self._energy
        if first <= energy.scale_at and last > min(energy.import_at, energy.export_at):
            self._refresh(registers)
        if first < self._serial_at + 16 and last > self._serial_at:
            _put_text(registers, self._serial_at, 16, self._serial())
        return None

    def _serial(self) -> str:
        return self.about.serial + ("-B" if self.fault is FaultKind.EXCHANGED else "")

    def _refresh(self, registers: list[int]) -> None:
        energy = self._energy
        imported, exported = self._shown()
        _put_count(registers, energy.import_at, energy.registers, imported)
        _put_count(registers, energy.export_at, energy.registers, exported)
        registers[energy.scale_at] = WRONG_SCALE if self.fault is FaultKind.WRONG_UNIT else 0
        if self.fault is FaultKind.NAN:
            for at in (energy.import_at, energy.export_at):
                registers[at : at + energy.registers] = [NOT_IMPLEMENTED] * energy.registers

    def _shown(self) -> tuple[int, int]:
        if self.fault is FaultKind.FROZEN:
            imported, exported = self._held
        else:
            imported, exported = self._show(
                CLOCK_OFF_NS if self.fault is FaultKind.CLOCK_OFF else 0
            )
        if self.fault is FaultKind.SPIKE:
            imported += SPIKE_WH
        return imported + self._ahead_wh, exported

    def _note_limit(self, address: int, written: list[int]) -> ExcCodes | None:
        """Accept a write to the registers of a limit, and note when the limit reverts."""
        loop_s = asyncio.get_running_loop().time()
        first = address - BASE
        for limit, (begin, end) in self._limits.items():
            if begin <= first and first + len(written) <= end:
                values = dict(enumerate(written, start=first))
                revert_s = 0
                for at in range(limit.revert_at, limit.revert_at + limit.revert_registers):
                    revert_s = revert_s << 16 | values.get(at, 0)
                if values.get(limit.enable_at) and revert_s:
                    self._reverts_at_s[limit] = loop_s + revert_s
                return None
        return ExcCodes.ILLEGAL_ADDRESS

    def _revert(self, registers: list[int]) -> None:
        if not self._reverts_at_s:
            return
        loop_s = asyncio.get_running_loop().time()
        for limit in [each for each, at_s in self._reverts_at_s.items() if loop_s >= at_s]:
            registers[limit.enable_at] = 0
            del self._reverts_at_s[limit]


def _image(
    about: SimulatedMeter,
) -> tuple[list[int], int, _Energy, dict[_Limit, tuple[int, int]]]:
    """Build the registers from `BASE` on (marker, models, end), and say which of them change."""
    registers = list(struct.unpack(">2H", b"SunS"))
    limits: dict[_Limit, tuple[int, int]] = {}
    common = _model(registers, 1, _COMMON_LENGTH)
    for offset, count, text in (
        (2, 16, "Commonwatt"),
        (18, 16, "simulated inverter" if about.inverter_w else "simulated meter"),
        (42, 8, "1"),
        (50, 16, about.serial),
    ):
        _put_text(registers, common + offset, count, text)
    if not about.inverter_w:
        at = _model(registers, 203, _LENGTH_203)
        energy = _Energy(at + 46, at + 38, at + 54, registers=2)
    else:
        at = _model(registers, 701, _LENGTH_701)
        energy = _Energy(at + 23, at + 19, at + 120, registers=4)
        at = _model(registers, 123, _LENGTH_123)
        registers[at + 5 : at + 10] = [100, 0, 0, 0, 0]
        registers[at + 23] = 0
        limits[_Limit(at + 9, at + 7, 1)] = (at + 5, at + 10)
        at = _model(registers, 704, _LENGTH_704)
        registers[at + 14 : at + 20] = [0, 1000, 1000, 0, 0, 0]
        registers[at + 54] = 0xFFFF  # -1: tenths of a percent
        limits[_Limit(at + 14, at + 18, 2)] = (at + 14, at + 20)
    registers += [0xFFFF, 0]
    return registers, common + 50, energy, limits


def _model(registers: list[int], model_id: int, length: int) -> int:
    at = len(registers)
    registers += [model_id, length, *([NOT_IMPLEMENTED] * length)]
    return at


def _put_text(registers: list[int], at: int, count: int, text: str) -> None:
    data = text.encode("ascii", errors="replace")[: 2 * count].ljust(2 * count, b"\0")
    registers[at : at + count] = struct.unpack(f">{count}H", data)


def _put_count(registers: list[int], at: int, count: int, value: int) -> None:
    rolled = value % (ACC32_ROLLS_AT if count == 2 else UINT64_ROLLS_AT)
    registers[at : at + count] = struct.unpack(f">{count}H", rolled.to_bytes(2 * count, "big"))
