"""Limits sellers' devices at a slot's start to what was sold and is certified.

A meter only measures, but the device behind it may be limited. The limit is the power of the sale, at
most the certified export power. The limit carries a reversion time of one and a half slots, so it ends by
itself. What a seller is paid depends on the meter and never on the instruction. For each slot the node
that is first in turn sends the instructions; drivers send nothing unless they were opened with live
control.

How a limit is written to a device is in `drivers/`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from meter_oracle.drivers.driver import Instruction
from meter_oracle.faults import MeterFault
from meter_oracle.peers.transport import PeerUnreachable
from meter_oracle.readings.plausibility import Limits
from meter_oracle.schedule import submit_order

log = logging.getLogger("meter_oracle.control.delivery")

Sales = Callable[[int], Awaitable[Mapping[str, int]]]
"""The cleared sales of a slot: Wh by meter."""


class LimitedDevice(Protocol):
    """The device behind a meter."""

    @property
    def limits(self) -> Limits:
        """The powers that the meter is certified for."""
        ...

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        """Limit the device, as `MeterDriver.instruct` does."""
        ...


class Delivery:
    """Instructs the devices behind a node's meters, given by meter."""

    def __init__(
        self,
        sales: Sales,
        devices: Mapping[str, LimitedDevice],
        *,
        node: str,
        nodes: Sequence[str],
        slot_s: int,
    ) -> None:
        self._sales = sales
        self._devices = devices
        self._node = node
        self._nodes = nodes
        self._slot_s = slot_s

    async def instruct(self, slot: int) -> list[Instruction]:
        """Instruct all sellers' devices for a slot that begins now; a fault of one device stops no other."""
        if submit_order(self._nodes, slot, slot_s=self._slot_s)[0] != self._node:
            return []
        try:
            sales = await self._sales(slot)
        except PeerUnreachable as fault:
            log.warning("no device is limited for slot %s: %s", slot, fault.sentence)
            return []
        instructions: list[Instruction] = []
        for meter, sold_wh in sorted(sales.items()):
            device = self._devices.get(meter)
            if device is None:
                continue
            limit_w = limit_for(sold_wh, certified_w=device.limits.export_w, slot_s=self._slot_s)
            try:
                instruction = await device.instruct(limit_w, self._slot_s * 3 // 2)
            except MeterFault as fault:
                log.info("%s is not limited for slot %s: %s", meter, slot, fault)
                continue
            sent = "sent" if instruction.sent else "worked out and not sent"
            log.info("%s, slot %s: limit of %s W %s", meter, slot, instruction.limit_w, sent)
            instructions.append(instruction)
        return instructions


def limit_for(sold_wh: int, *, certified_w: int, slot_s: int) -> int:
    """Return the power that delivers `sold_wh` in a slot, rounded up, at most `certified_w` (W)."""
    return min(certified_w, -(-sold_wh * 3_600 // slot_s))
