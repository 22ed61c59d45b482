"""The consortium in containers: built, up, trading while some are replaced, down without a trace."""

from __future__ import annotations

import asyncio
import os
import re
import runpy
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chaincode.clock import ClockArguments
from chaincode.contract import Contract
from chaincode.queries import AreaAnswer
from chaincode.zones import AreaName
from commonwatt.bench.fabric_network import on_free_ports
from commonwatt.demonstration import AREA, DSO, SLOT_S, found, make_cast
from commonwatt.operation import Operation
from commonwatt.simulate import START_S
from ledger_network.fabric.compose import AGREEMENT, compose_file
from ledger_network.fabric.consortium import read_consortium
from ledger_network.fabric.engine import FabricLedger
from ledger_network.fabric.probe import until
from ledger_network.port import Member
from tests.containers.machine import base_image, require_podman, run
from tests.containers.stand import READY_S, TAG, Stand
from tests.house.tree import ROOT

pytestmark = pytest.mark.network

SEED, HOUSEHOLDS = 1, 8
MORNING_S = START_S + 10 * 3600  # the sun is up, so that there is something to trade
RATE = 120  # market seconds in a real one: a slot takes seven and a half seconds
USER = "10001"
GUIDE = ROOT / "docs" / "guides" / "containers.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """The whole consortium, taken down in the end."""
    require_podman()
    consortium = on_free_ports(read_consortium())
    stand = Stand(tmp_path_factory.mktemp("containers"), consortium, f"commonwatt-{os.getpid()}")
    composed = stand.make(base_image())
    assert len(composed.images) == 2
    assert stand.file.read_bytes() == compose_file(consortium)
    try:
        stand.compose("up", "-d")
        asyncio.run(stand.until_agreed())
        yield stand
    finally:
        stand.down()
        run("podman", "image", "rm", "--force", *composed.images)


def test_every_service_is_sealed(stand: Stand) -> None:
    for node in stand.nodes():
        status = stand.status(node.name)
        assert status.user == USER, node.name
        assert status.capabilities == 0, node.name
        assert status.no_new_privileges, node.name
    for service in (*(node.name for node in stand.nodes()), AGREEMENT):
        found = stand.inspect(service)
        assert found["HostConfig"]["ReadonlyRootfs"], service
        assert found["HostConfig"]["Memory"] > 0, service
        assert found["ImageName"].endswith(f":{TAG}"), service


def test_every_service_has_its_own_folder_and_no_other(stand: Stand) -> None:
    for node in stand.nodes():
        mounts = stand.inspect(node.name)["Mounts"]
        folders = [mount["Source"] for mount in mounts if mount["Type"] == "bind"]
        volumes = [mount["Name"] for mount in mounts if mount["Type"] == "volume"]
        assert folders == [str(stand.material / "nodes" / node.name / "config")]
        assert not any(mount["RW"] for mount in mounts if mount["Type"] == "bind")
        kept = [] if node.kind == "contract" else [f"{stand.project}_{node.name}-data"]
        assert volumes == kept


def test_only_gateways_are_published_and_on_this_machine_alone(stand: Stand) -> None:
    for node in stand.nodes():
        bindings = stand.inspect(node.name)["HostConfig"]["PortBindings"]
        own = [{"HostIp": "127.0.0.1", "HostPort": str(node.port)}]
        if node.kind == "peer":
            assert bindings == {f"{node.port}/tcp": own}
        else:
            assert not bindings


def test_example_of_the_guide_reaches_the_network_from_this_machine(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = EXAMPLE.findall(GUIDE.read_text("utf-8"))
    (tmp_path / ".commonwatt").mkdir()
    (tmp_path / ".commonwatt" / "containers").symlink_to(stand.material)
    monkeypatch.chdir(tmp_path)

    height = asyncio.run(
        runpy.run_path(str(_written(tmp_path / "example.py", example)))["height"]()
    )

    assert height > 1


def _written(file: Path, text: str) -> Path:
    file.write_text(text, "utf-8")
    return file


def test_orders_go_on_while_containers_are_killed_and_replaced(stand: Stand) -> None:
    """A market trades from outside. First an orderer's process is killed and the engine starts it
    again; then a peer and another orderer are removed, so that the first has to take part again;
    then `up` brings both back with the data that they had, and the peer has all blocks.
    """
    asyncio.run(_trade_through_replacements(stand))


async def _trade_through_replacements(stand: Stand) -> None:
    first, second, *_ = (node.name for node in stand.consortium.nodes("orderer"))
    peer = next(n for n in stand.consortium.nodes("peer") if n.organisation.name == "SouthGrid")
    async with await FabricLedger.open(stand.profiles(), contract=Contract()) as ledger:
        market = await Market.founded(ledger)
        await market.goes_on()

        killed = stand.process(first)
        os.kill(killed, signal.SIGKILL)
        await market.goes_on()
        await stand.until_replaced(first, killed)

        for service in (second, peer.name):
            run("podman", "rm", "--force", "--time", "0", stand.container(service))
        await market.goes_on()

        stand.compose("up", "-d")
        await stand.until_replaced(second, 0)
        await stand.until_agreed()
        await market.goes_on()
        height = (await ledger.health()).height
        await _until_caught_up(stand, peer.organisation.name, height)
    assert market.traded > 0


async def _until_caught_up(stand: Stand, member: str, height: int) -> None:
    """Wait until a member's own peer has all blocks below `height`."""
    (own,) = stand.profiles(member)
    alone = msgspec.structs.replace(own, peers=own.peers[:1])
    async with await FabricLedger.open([alone], contract=Contract()) as ledger:

        async def missing() -> str:
            health = await ledger.health()
            return "" if health.height >= height else f"{health.height} of {height}"

        await until(alone.peers[0].endpoint, missing, within_s=READY_S)


class Market:
    """The demonstration's market, at a pace of its own."""

    def __init__(self, ledger: FabricLedger, operation: Operation) -> None:
        self._ledger = ledger
        self._operation = operation

    @classmethod
    async def founded(cls, ledger: FabricLedger) -> Market:
        """A new market, that begins now: peers take no other time."""
        cast = make_cast(SEED, HOUSEHOLDS)
        clock = ClockArguments(AREA, int(time.time()), MORNING_S, RATE)
        first_slot = MORNING_S + SLOT_S
        await found(ledger, cast, first_slot=first_slot, clock=clock)
        return cls(ledger, Operation(ledger, cast, first_slot))

    @property
    def traded(self) -> int:
        """How many trades have settled."""
        return self._operation.tally.trades

    async def goes_on(self) -> None:
        """Trade until orders have been placed and a slot has settled since the call."""
        tally = self._operation.tally
        orders, slots = tally.orders, tally.slots

        async def missing() -> str:
            answer = await self._ledger.evaluate(
                "describe_area", AreaName(AREA), member=Member(DSO)
            )
            area = msgspec.json.decode(answer, type=AreaAnswer)
            await self._operation.tick(area.market_s or 0)
            is_done = tally.orders > orders and tally.slots > slots
            return "" if is_done else f"{tally.orders} orders, {tally.slots} slots"

        await until("the market", missing, within_s=READY_S)


def test_nothing_is_left_when_it_is_down(stand: Stand) -> None:
    processes = stand.processes()

    stand.down()

    assert len(processes) > len(stand.nodes())
    assert stand.left() == []
    assert [process for process in processes if process.is_alive] == []
