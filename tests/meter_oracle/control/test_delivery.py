"""Instructions at a slot's start: by one node only, held to the certified power, never fatal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from meter_oracle.control.delivery import Delivery, limit_for
from meter_oracle.drivers.driver import Instruction, RegisterRead
from meter_oracle.faults import MeterFault
from meter_oracle.health.board import HealthBoard
from meter_oracle.node.polling import MeterPoller, PolledMeter
from meter_oracle.peers.transport import PeerUnreachable

NODES = ("a", "b", "c", "d")
SLOT = 900 * 4  # the first node's turn


class Device:
    """An inverter that takes limits, or does not."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.told: list[tuple[int, int]] = []
        self._refuses = refuses

    async def read(self) -> RegisterRead:
        raise MeterFault("METER_SILENT", "nobody reads it here.")

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        if self._refuses:
            raise MeterFault("METER_CONTROL", "it has no such model.")
        self.told.append((limit_w, revert_s))
        return Instruction(
            meter="m", model=704, limit_w=limit_w, revert_s=revert_s, address=0, registers=[],
            sent=False, confirmed=False,
        )  # fmt: skip

    async def close(self) -> None:
        return


@pytest.mark.parametrize(
    ("sold_wh", "limit_w"), [(0, 0), (1, 4), (1_000, 4_000), (1_250, 5_000), (1_251, 5_000)]
)
def test_the_limit_is_the_sale_held_to_the_certified_power(sold_wh: int, limit_w: int) -> None:
    assert limit_for(sold_wh, certified_w=5_000, slot_s=900) == limit_w


def instruct(devices: Mapping[str, Device], sales: Mapping[str, int], node: str) -> list[str]:
    async def run() -> list[str]:
        poller = MeterPoller(
            [PolledMeter(name, device) for name, device in devices.items()],
            HealthBoard(node, None),
            slot_s=900,
            skew_ns=0,
            in_flight=8,
        )
        for meter in poller.meters.values():
            meter.certify(0, 5_000)

        async def of_slot(slot: int) -> Mapping[str, int]:
            assert slot == SLOT
            return sales

        delivery = Delivery(of_slot, poller.meters, node=node, nodes=NODES, slot_s=900)
        return [instruction.meter for instruction in await delivery.instruct(SLOT)]

    return asyncio.run(run())


def test_sellers_are_instructed_and_one_that_cannot_be_stops_no_other() -> None:
    devices = {"m1": Device(refuses=True), "m2": Device(), "m3": Device()}

    told = instruct(devices, {"m1": 500, "m2": 1_000, "elsewhere": 7}, node="a")

    assert devices["m2"].told == [(4_000, 1_350)]
    assert devices["m3"].told == []
    assert told == ["m"]


def test_only_the_node_whose_turn_it_is_instructs() -> None:
    devices = {"m2": Device()}

    assert instruct(devices, {"m2": 1_000}, node="b") == []
    assert devices["m2"].told == []


def test_without_the_ledger_no_device_is_instructed() -> None:
    device = Device()

    async def run() -> list[Instruction]:
        async def unreachable(_: int) -> Mapping[str, int]:
            raise PeerUnreachable("the ledger", "It does not answer.")

        delivery = Delivery(
            unreachable, {"m2": PolledMeter("m2", device)}, node="a", nodes=NODES, slot_s=900
        )
        return await delivery.instruct(SLOT)

    assert asyncio.run(run()) == []
    assert device.told == []
