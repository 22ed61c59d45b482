"""Writes a power limit to a device: SunSpec models 704 and 123.

A limit is a share of the device's rated power. It always carries a reversion time of at least one slot
and less than two, so a device that can no longer be reached returns to normal by itself. The driver reads
back what it wrote. Which device is limited, and to how much, is decided in `control/`; settlement depends
only on what the meter counted.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from meter_oracle.drivers.driver import Instruction
from meter_oracle.drivers.modbus.link import READ_HOLDING, ModbusLink
from meter_oracle.drivers.modbus.sunspec import Model, SunSpecDevice
from meter_oracle.families.register_maps import SCALE_MAX
from meter_oracle.faults import MeterFault

PERCENT = 100
ENABLED, DISABLED = 1, 0


class _LimitRegisters(NamedTuple):
    """A model's registers for the limit (offsets from its id register), and its longest reversion."""

    first: int
    scale_at: int
    revert_max_s: int


# 704: WMaxLimPctEna, WMaxLimPct, ..Rvrt, ..EnaRvrt, ..RvrtTms (two registers), from 14 on.
# 123: WMaxLimPct, .._WinTms, .._RvrtTms, .._RmpTms, WMaxLim_Ena, from 5 on.
_LIMITS: Mapping[int, _LimitRegisters] = {
    704: _LimitRegisters(first=14, scale_at=54, revert_max_s=0xFFFF_FFFF),
    123: _LimitRegisters(first=5, scale_at=23, revert_max_s=0xFFFF),
}


def check_reversion(revert_s: int, *, slot_s: int) -> None:
    """Raise `MeterFault` METER_CONTROL unless the reversion time is at least one slot and below two."""
    if not slot_s <= revert_s < 2 * slot_s:
        raise MeterFault(
            "METER_CONTROL",
            f"A limit must revert after {slot_s} to {2 * slot_s - 1} s, not after {revert_s} s.",
        )


async def instruct(
    link: ModbusLink,
    device: SunSpecDevice,
    *,
    meter: str,
    limit_w: int,
    rated_w: int,
    revert_s: int,
    live: bool,
) -> Instruction:
    """Limit the device at `link` to `limit_w` for `revert_s`; without `live` nothing is written.

    Raises `MeterFault` METER_CONTROL if the device cannot be limited, or has another limit afterwards.
    """
    model, limit = _controls(link, device)
    if rated_w <= 0 or limit_w < 0:
        raise MeterFault(
            "METER_CONTROL", f"{link.where}: {limit_w} W of {rated_w} W is not a share."
        )
    if revert_s > limit.revert_max_s:
        raise MeterFault("METER_CONTROL", f"{link.where} counts to {limit.revert_max_s} s only.")
    scale_data = await link.read(READ_HOLDING, model.address + limit.scale_at, 1)
    scale = int.from_bytes(scale_data, "big", signed=True)
    if not -SCALE_MAX <= scale <= SCALE_MAX:
        raise MeterFault("METER_CONTROL", f"{link.where} gives no valid scale for its limit.")
    share = _share(min(limit_w, rated_w), rated_w, scale)
    registers = _registers(model.id, share, revert_s)
    address = model.address + limit.first
    if live:
        await link.write(address, registers)
        await _read_back(link, address, registers)
    return Instruction(
        meter=meter,
        model=model.id,
        limit_w=_limit_w(share, rated_w, scale),
        revert_s=revert_s,
        address=address,
        registers=registers,
        sent=live,
        confirmed=live,
    )


def _controls(link: ModbusLink, device: SunSpecDevice) -> tuple[Model, _LimitRegisters]:
    for model_id, limit in _LIMITS.items():
        model = device.find(model_id)
        if model is not None and model.length + 2 > limit.scale_at:
            return model, limit
    raise MeterFault("METER_CONTROL", f"{link.where} has neither SunSpec 704 nor 123.")


def _share(limit_w: int, rated_w: int, scale: int) -> int:
    """Return the share in the device's steps of a percent, rounded down to stay below the limit."""
    if scale >= 0:
        return limit_w * PERCENT // (rated_w * 10**scale)
    return limit_w * PERCENT * 10**-scale // rated_w


def _limit_w(share: int, rated_w: int, scale: int) -> int:
    if scale >= 0:
        return share * 10**scale * rated_w // PERCENT
    return share * rated_w // (PERCENT * 10**-scale)


def _registers(model_id: int, share: int, revert_s: int) -> list[int]:
    if share > 0xFFFE:
        raise MeterFault("METER_CONTROL", f"The share {share} does not fit into a register.")
    if model_id == 704:
        high, low = revert_s >> 16, revert_s & 0xFFFF
        return [ENABLED, share, share, DISABLED, high, low]
    return [share, 0, revert_s, 0, ENABLED]


async def _read_back(link: ModbusLink, address: int, written: list[int]) -> None:
    count = len(written)
    told = list(struct.unpack(f">{count}H", await link.read(READ_HOLDING, address, count)))
    if told != written:
        raise MeterFault(
            "METER_CONTROL", f"{link.where} returned {told} after {written} was written."
        )
