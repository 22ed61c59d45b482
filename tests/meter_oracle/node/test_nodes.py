"""Four nodes with real TLS and a real ledger: slots are reported whatever one of them does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from meter_oracle.drivers.driver import RegisterRead
from meter_oracle.health.board import MeterHealth, NodeHealth
from meter_oracle.peers.ledger_gateway import (
    LEDGER_NAME,
    LedgerGatewayServer,
    RemoteLedgerGateway,
    SignedReport,
)
from meter_oracle.peers.messages import Message
from meter_oracle.peers.transport import PeerServer
from tests.meter_oracle.stand import FIRST_SLOT, SLOT_S, Stand, stand

METERS = 5


def boundary(number: int) -> int:
    return FIRST_SLOT + number * SLOT_S


def on_stand(folder: Path, scene: Callable[[Stand], Awaitable[None]]) -> None:
    async def run() -> None:
        async with stand(folder, households=METERS) as made:
            await scene(made)

    asyncio.run(run())


def test_each_boundary_is_reported_once_and_its_registers_have_run_on(tmp_path: Path) -> None:
    async def scene(made: Stand) -> None:
        async with made.running(made.setups(0, 1, 2, 3)):
            first_s = await made.first_reported(METERS)
            second_s = await made.first_reported(METERS, after_s=first_s)
            first = await made.recorded(first_s, METERS)
            second = await made.recorded(second_s, METERS)
        hours = (second_s - first_s) / 3_600
        for place, meter in enumerate(sorted(first)):
            power_w = 700 + 10 * place
            assert abs(second[meter].import_wh - first[meter].import_wh - power_w * hours) <= 3
            assert second[meter].export_wh == first[meter].export_wh
        assert len({leaf.salt for leaf in (*first.values(), *second.values())}) == 2 * METERS
        [signers] = await made.signers(first_s)
        assert len(signers) >= 3
        assert not made.states(0) & {"disagrees", "equivocates", "clock"}

    on_stand(tmp_path, scene)


@pytest.mark.parametrize("liar", range(4))
def test_whichever_node_lies_the_others_report_the_truth_without_it(
    tmp_path: Path, liar: int
) -> None:
    def lie(read: RegisterRead) -> RegisterRead:
        return msgspec.structs.replace(read, import_wh=read.import_wh + 5_000)

    async def scene(made: Stand) -> None:
        async with made.running(made.setups(0, 1, 2, 3)):
            for meter in made.meters[liar].values():
                meter.alter = lie
            reported = await made.first_reported(METERS)
            leaves = await made.gateway.readings(reported)
            await made.until(lambda: "disagrees" in made.states(liar))
        assert all(leaf.import_wh < 1_004_000 for leaf in leaves)
        [signers] = await made.signers(reported)
        assert made.market.nodes[liar] not in signers

    on_stand(tmp_path, scene)


@pytest.mark.parametrize("dead", [0, 2])
def test_three_nodes_report_without_the_fourth(tmp_path: Path, dead: int) -> None:
    async def scene(made: Stand) -> None:
        alive = [number for number in range(4) if number != dead]
        async with made.running(made.setups(*alive)):
            for number in range(4):  # at one of four boundaries the dead node has the first turn
                assert len(await made.recorded(boundary(number), METERS)) == METERS

    on_stand(tmp_path, scene)


def test_a_node_that_takes_questions_and_never_answers_stops_nobody(tmp_path: Path) -> None:
    async def stall(_node: str, _message: Message) -> Message:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets that event")

    async def scene(made: Stand) -> None:
        staller = made.market.nodes[3]
        server = PeerServer(made.tls[staller], made.market.nodes, stall)
        port = await server.start("127.0.0.1", 0)
        async with made.running(made.setups(0, 1, 2), {staller: f"127.0.0.1:{port}"}):
            for number in range(4):
                assert len(await made.recorded(boundary(number), METERS)) == METERS
            await made.until(lambda: "silent" in made.states(3))
        await server.close()

    on_stand(tmp_path, scene)


class Dying:
    """A way to the ledger that breaks down with the report in it."""

    def __init__(self) -> None:
        self.reports: list[SignedReport] = []

    async def submit(self, report: SignedReport) -> str:
        self.reports.append(report)
        await asyncio.Event().wait()
        raise AssertionError("nothing sets that event")


def test_another_takes_over_from_a_node_that_dies_submitting(tmp_path: Path) -> None:
    async def scene(made: Stand) -> None:
        dying = Dying()
        setups = [made.setup(0, submitter=dying), *made.setups(1, 2, 3)]
        async with made.running(setups):
            for number in range(4):
                assert len(await made.recorded(boundary(number), METERS)) == METERS
        assert dying.reports

    on_stand(tmp_path, scene)


def test_a_node_whose_clock_is_90_s_off_is_found_out_and_left_out(tmp_path: Path) -> None:
    async def scene(made: Stand) -> None:
        setups = [*made.setups(0, 1, 2), made.setup(3, now=lambda: time.time_ns() + 90 * 10**9)]
        async with made.running(setups):
            for number in range(2):
                await made.recorded(boundary(number), METERS)
            await made.until(lambda: "clock" in made.states(3))
            did = made.market.nodes[3]
            await made.until(
                lambda: any(
                    isinstance(said, NodeHealth) and said.state == "clock" and said.seen_by == did
                    for said in made.said
                )
            )
        [signers] = await made.signers(boundary(0))
        assert made.market.nodes[3] not in signers

    on_stand(tmp_path, scene)


def test_a_silent_meter_is_left_out_and_reported_when_it_answers(tmp_path: Path) -> None:
    """It uses nothing meanwhile, so a look long after the boundary is as good as one at it."""

    async def scene(made: Stand) -> None:
        late = made.cast.homes[2].meter
        async with made.running(made.setups(0, 1, 2, 3)):
            for meters in made.meters.values():
                meters[late].powers = 0, 0
            await made.recorded(boundary(0), METERS)
            for meters in made.meters.values():
                meters[late].silent = True
            without = await made.recorded(boundary(2), METERS - 1)
            assert late not in without
            assert any(
                isinstance(said, MeterHealth) and (said.meter, said.state) == (late, "silent")
                for said in made.said
            )
            for meters in made.meters.values():
                meters[late].silent = False
            assert late in await made.recorded(boundary(2), METERS)

    on_stand(tmp_path, scene)


def test_a_meter_that_only_two_nodes_reach_is_left_out(tmp_path: Path) -> None:
    async def scene(made: Stand) -> None:
        hidden = made.cast.homes[0].meter
        async with made.running(made.setups(0, 1, 2, 3)):
            made.meters[0][hidden].silent = made.meters[1][hidden].silent = True
            assert hidden not in await made.recorded(boundary(0), METERS - 1)
            assert hidden not in await made.recorded(boundary(1), METERS - 1)

    on_stand(tmp_path, scene)


def test_nodes_report_through_the_ledger_gateway_behind_tls(tmp_path: Path) -> None:
    async def scene(made: Stand) -> None:
        server = LedgerGatewayServer(made.gateway, made.tls[LEDGER_NAME], made.market.nodes)
        address = f"127.0.0.1:{await server.start('127.0.0.1:0')}"
        gateways = [RemoteLedgerGateway(made.tls[node], address) for node in made.market.nodes]
        setups = [
            made.setup(number, submitter=gateway, view=gateway)
            for number, gateway in enumerate(gateways)
        ]
        async with made.running(setups):
            assert len(await made.recorded(boundary(0), METERS)) == METERS
        for gateway in gateways:
            await gateway.close()
        await server.close()

    on_stand(tmp_path, scene)
