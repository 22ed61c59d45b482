"""The interface of every driver, and the values that a driver returns.

A driver connects when it is first read, keeps its own deadline, and recovers by itself after a fault:
the caller only has to ask again.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

SLOT_DEFAULT_S = 900


class RegisterRead(msgspec.Struct, frozen=True):
    """The result of reading a meter once, before it is checked in any way.

    Registers are in Wh, as the device has them now. The true value may be up to `resolution_wh` higher
    than a register. `read_at_ns` is in nanoseconds UTC of the reader's clock and is off by at most
    `uncertainty_ns`; a driver without a better source takes the middle between request and answer.
    `rolls_at_wh` is where the counter begins again at 0, or 0 if that takes longer than a meter lives.
    `scale` is the power of ten that the device sent along with the values.
    """

    meter: str
    serial: str
    import_wh: int
    export_wh: int
    read_at_ns: int
    resolution_wh: int
    uncertainty_ns: int
    rolls_at_wh: int = 0
    scale: int = 0


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """A limit as a driver worked it out for a device, and whether the driver sent it.

    `registers` are the values to write from `address` on. `confirmed` is true when the device returned
    the same values afterwards. `limit_w` is the limit in force, rounded down to the device's steps.
    """

    meter: str
    model: int
    limit_w: int
    revert_s: int
    address: int
    registers: list[int]
    sent: bool
    confirmed: bool


class MeterDriver(Protocol):
    """A meter that can be read."""

    async def read(self) -> RegisterRead:
        """Read both registers, in Wh. Raises `MeterFault`; the caller may ask again."""
        ...

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        """Limit the device to `limit_w` (W); the device reverts after `revert_s` seconds.

        Without live control the driver works the instruction out and sends nothing. Raises
        `MeterFault` METER_CONTROL if the device cannot be limited or did not take the limit.
        """
        ...

    async def close(self) -> None:
        """Close the connection; the next read opens it again."""
        ...
