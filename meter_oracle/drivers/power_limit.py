"""An instruction to a device: the power limit of SunSpec models 704 and 123, and how it is checked.

A limit is a share of the device's rated power and always carries a reversion time, at least the
slot and less than two, so that a device which is never spoken to again goes back to itself. What
was written is read back. A limit only limits: what is settled is what the meter counted.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from meter_oracle.drivers.modbus.link import READ_HOLDING, ModbusLink
from meter_oracle.drivers.modbus.sunspec import Model, SunSpecDevice
from meter_oracle.families.register_maps import SCALE_MAX
from meter_oracle.readings.registers import MeterFault

SLOT_DEFAULT_S = 900
PERCENT = 100
ENABLED, DISABLED = 1, 0


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """A limit as it was worked out for a device, and whether it was sent.

    `registers` is what is written from `address` on; `confirmed` is true when the device told the
    same when it was read back. `limit_w` is the limit in force, rounded down to the device's steps.
    """

    meter: str
    model: int
    limit_w: int
    revert_s: int
    address: int
    registers: list[int]
    sent: bool
    confirmed: bool


class _Layout(NamedTuple):
    """Where a model holds the limit: offsets from its id register, registers of the time."""

    first: int
    scale_at: int
    revert_max_s: int


# 704: WMaxLimPctEna, WMaxLimPct, ..Rvrt, ..EnaRvrt, ..RvrtTms (two registers), from 14 on.
# 123: WMaxLimPct, .._WinTms, .._RvrtTms, .._RmpTms, WMaxLim_Ena, from 5 on.
_LAYOUTS: Mapping[int, _Layout] = {
    704: _Layout(first=14, scale_at=54, revert_max_s=0xFFFF_FFFF),
    123: _Layout(first=5, scale_at=23, revert_max_s=0xFFFF),
}


def effective_limit_w(*, envelope_w: int | None, schedule_w: int) -> int:
    """The limit that holds: the lower of the grid operator's envelope and the schedule, in W."""
    return schedule_w if envelope_w is None else min(envelope_w, schedule_w)


def check_reversion(revert_s: int, *, slot_s: int) -> None:
    """Raise `MeterFault` CONTROL unless the reversion time is a slot or more, and less than two."""
    if not slot_s <= revert_s < 2 * slot_s:
        raise MeterFault(
            "METER_CONTROL",
            f"a limit reverts after {slot_s} to {2 * slot_s - 1} s, {revert_s} s were asked for.",
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

    Raises `MeterFault` CONTROL where the device cannot, or told another limit when read back.
    """
    model, layout = _controls(link, device)
    if rated_w <= 0 or limit_w < 0:
        raise MeterFault("METER_CONTROL", f"{link.where}: {limit_w} W of {rated_w} W is no share.")
    if revert_s > layout.revert_max_s:
        raise MeterFault("METER_CONTROL", f"{link.where} counts to {layout.revert_max_s} s only.")
    scale_data = await link.read(READ_HOLDING, model.address + layout.scale_at, 1)
    scale = int.from_bytes(scale_data, "big", signed=True)
    if not -SCALE_MAX <= scale <= SCALE_MAX:
        raise MeterFault("METER_CONTROL", f"{link.where} gives no scale of its limit.")
    share = _share(min(limit_w, rated_w), rated_w, scale)
    registers = _registers(model.id, share, revert_s)
    address = model.address + layout.first
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


def _controls(link: ModbusLink, device: SunSpecDevice) -> tuple[Model, _Layout]:
    for model_id, layout in _LAYOUTS.items():
        model = device.find(model_id)
        if model is not None and model.length + 2 > layout.scale_at:
            return model, layout
    raise MeterFault("METER_CONTROL", f"{link.where} has neither SunSpec 704 nor 123.")


def _share(limit_w: int, rated_w: int, scale: int) -> int:
    """The share in the device's steps of a percent, rounded down: never more than was allowed."""
    if scale >= 0:
        return limit_w * PERCENT // (rated_w * 10**scale)
    return limit_w * PERCENT * 10**-scale // rated_w


def _limit_w(share: int, rated_w: int, scale: int) -> int:
    if scale >= 0:
        return share * 10**scale * rated_w // PERCENT
    return share * rated_w // (PERCENT * 10**-scale)


def _registers(model_id: int, share: int, revert_s: int) -> list[int]:
    if share > 0xFFFE:
        raise MeterFault("METER_CONTROL", f"the share {share} is too fine for a register.")
    if model_id == 704:
        high, low = revert_s >> 16, revert_s & 0xFFFF
        return [ENABLED, share, share, DISABLED, high, low]
    return [share, 0, revert_s, 0, ENABLED]


async def _read_back(link: ModbusLink, address: int, written: list[int]) -> None:
    count = len(written)
    told = list(struct.unpack(f">{count}H", await link.read(READ_HOLDING, address, count)))
    if told != written:
        raise MeterFault(
            "METER_CONTROL", f"{link.where} was told {written} and says {told} when read back."
        )
