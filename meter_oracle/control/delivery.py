"""Instructions to sellers' devices at a slot's start: no more than what was sold and is certified.

A meter only measures; a device behind it may be limited. The limit is the sale's power held to the
certified export, with a reversion time between one slot and two, so that it ends by itself. What a
seller is paid depends on the meter and never on the instruction. Of all nodes the one whose turn it
is instructs; drivers send nothing unless they were opened with live control.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from meter_oracle.drivers.driver import MeterFault
from meter_oracle.drivers.power_limit import Instruction
from meter_oracle.node.polling import Watch
from meter_oracle.schedule import submit_order

log = logging.getLogger("meter_oracle.control.delivery")

Sales = Callable[[int], Awaitable[Mapping[str, int]]]
"""The cleared sales of a slot: Wh by meter."""


class Delivery:
    """Instructs the devices of a node's meters."""

    def __init__(
        self,
        sales: Sales,
        watch: Watch,
        *,
        node: str,
        nodes: Sequence[str],
        slot_s: int,
        told: Callable[[int, Instruction], None] | None = None,
    ) -> None:
        self._sales = sales
        self._watch = watch
        self._node = node
        self._nodes = nodes
        self._slot_s = slot_s
        self._told = told

    async def instruct(self, slot: int) -> None:
        """Instruct for a slot that begins now; a device that cannot be told stops no other."""
        if submit_order(self._nodes, slot, slot_s=self._slot_s)[0] != self._node:
            return
        for meter, sold_wh in sorted((await self._sales(slot)).items()):
            watched = self._watch.meters.get(meter)
            if watched is None:
                continue
            limit_w = limit_for(sold_wh, certified_w=watched.limits.export_w, slot_s=self._slot_s)
            try:
                instruction = await watched.driver.instruct(limit_w, self._slot_s * 3 // 2)
            except MeterFault as fault:
                log.info("%s takes no instruction: %s", meter, fault)
                continue
            if self._told is not None:
                self._told(slot, instruction)


def limit_for(sold_wh: int, *, certified_w: int, slot_s: int) -> int:
    """The power that delivers `sold_wh` in a slot, rounded up, at most the certified one (W)."""
    return min(certified_w, -(-sold_wh * 3_600 // slot_s))
