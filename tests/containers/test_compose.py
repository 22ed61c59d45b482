"""The consortium in containers: built, up, trading while some are replaced, down without a trace."""

from __future__ import annotations

import asyncio
import os
import re
import runpy
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chaincode.area.zones import AreaName
from chaincode.contract import Contract
from chaincode.queries.market import AreaAnswer, SlotView
from chaincode.slots.gate import SlotArguments
from commonwatt.demonstration.cast import AREA, DSO, SLOT_S
from commonwatt.deploy.market_compose import API, DATABASE, ORACLES, compose_file
from ledger_network.fabric.consortium.definition import read_consortium
from ledger_network.fabric.images.compose import AGREEMENT
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.runtime.probe import until
from ledger_network.port import Member
from tests.containers.machine import base_image, require_podman, run
from tests.containers.stand import HOUSEHOLDS, READY_S, TAG, Stand
from tests.containers.visitor import Visitor
from tests.house.tree import ROOT
from tests.own_ports import on_own_ports

pytestmark = pytest.mark.network

USER = "10001"
GUIDE = ROOT / "docs" / "guides" / "containers.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """The whole consortium, taken down in the end."""
    require_podman()
    consortium = on_own_ports(read_consortium())
    stand = Stand(tmp_path_factory.mktemp("containers"), consortium, f"commonwatt-{os.getpid()}")
    composed = stand.make(base_image())
    assert len(composed.images) == 3
    assert stand.file.read_bytes() == compose_file(consortium)
    try:
        stand.compose("up", "-d")
        asyncio.run(stand.until_agreed())
        yield stand
    finally:
        stand.down()
        run("podman", "image", "rm", "--force", *composed.images)


def test_every_service_is_sealed(stand: Stand) -> None:
    for service in stand.services():
        status = stand.status(service)
        assert status.user == USER, service
        assert status.capabilities == 0, service
        assert status.no_new_privileges, service
    for service in (*stand.services(), AGREEMENT):
        found = stand.inspect(service)
        assert found["HostConfig"]["ReadonlyRootfs"], service
        assert found["HostConfig"]["Memory"] > 0, service
        assert found["ImageName"].endswith(f":{TAG}"), service


def test_every_service_has_its_own_folder_and_no_other(stand: Stand) -> None:
    nodes = {node.name: f"nodes/{node.name}/config" for node in stand.nodes()}
    keeping = [node.name for node in stand.nodes() if node.kind != "contract"]
    for service in stand.services():
        mounts = stand.inspect(service)["Mounts"]
        folders = [mount["Source"] for mount in mounts if mount["Type"] == "bind"]
        volumes = [mount["Name"] for mount in mounts if mount["Type"] == "volume"]
        assert folders == [str(stand.material / nodes.get(service, f"market/{service}"))]
        assert not any(mount["RW"] for mount in mounts if mount["Type"] == "bind")
        has_volume = service in (*keeping, DATABASE)
        assert volumes == ([f"{stand.project}_{service}-data"] if has_volume else [])


def test_only_gateways_and_the_api_are_published_and_on_this_machine_alone(stand: Stand) -> None:
    published = {node.name: (node.port, node.port) for node in stand.consortium.nodes("peer")}
    published[API] = (8400, stand.api_port)
    for service in stand.services():
        bindings = stand.inspect(service)["HostConfig"]["PortBindings"]
        inner, outer = published.get(service, (0, 0))
        if inner:
            own = [{"HostIp": "127.0.0.1", "HostPort": str(outer)}]
            assert bindings == {f"{inner}/tcp": own}, service
        else:
            assert not bindings, service


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


def test_market_is_metered_settled_and_read_from_postgresql(stand: Stand) -> None:
    """A household signs in at the API and places an order. The order, and readings that the
    oracle's nodes took from the meters, come back through the ledger into the database. What the
    nodes say of its meter's health is on the page.
    """
    asyncio.run(_order_over_graphql(stand))


async def _order_over_graphql(stand: Stand) -> None:
    home = stand.market().cast().homes[0]
    async with Visitor(stand.api_port) as visitor:
        await visitor.until_ready(within_s=READY_S)
        await _until_founded(stand)
        assert "/assets/" in await visitor.page()  # the built dashboard, not the notice without one
        token = await visitor.sign_in(home.key)

        placed = await visitor.place(token, home, price=300_000, quantity_wh=50)

        assert placed["code"] == "PLACED"

        async def missing() -> str:
            orders = stand.selected("SELECT block FROM order_row WHERE client_id = 'visitor-1'")
            readings = stand.selected("SELECT DISTINCT rank FROM reading")
            settled = stand.selected("SELECT slot FROM slot WHERE phase = 'SETTLED'")
            # The row's block is that of its last change, and the order may have traded by now.
            is_placed = [int(block) >= placed["block"] for block in orders] == [True]
            is_there = is_placed and "oracle" in readings and settled
            return "" if is_there else f"orders {orders}, readings {readings}, settled {settled}"

        await until("the read model", missing, within_s=READY_S)

        async def unheard() -> str:
            health = await visitor.meters_health(token)
            return "" if set(health.values()) == {"good"} else str(health)

        await until("the meter's health", unheard, within_s=READY_S)
        (block,) = stand.selected("SELECT block FROM checkpoint")
        assert (await visitor.until_ready(within_s=READY_S))["block"] >= int(block)
        assert (await visitor.until_ready(within_s=READY_S))["engine"] == "fabric"


async def _until_founded(stand: Stand) -> None:
    """Wait until the last home has its meter."""

    async def missing() -> str:
        (count,) = stand.selected("SELECT COUNT(*) FROM meter")
        return "" if int(count) == HOUSEHOLDS else f"{count} meters"

    await until("the market", missing, within_s=READY_S)


def test_market_goes_on_while_containers_are_killed_and_replaced(stand: Stand) -> None:
    """First the processes of an orderer and of an oracle's node are killed and the engine starts
    them again; then a peer, another orderer and the database are removed, so that the first has to
    take part again; then `up` brings all back with the data that they had, the peer has all
    blocks and the API is ready again.
    """
    asyncio.run(_trade_through_replacements(stand))


async def _trade_through_replacements(stand: Stand) -> None:
    first, second, *_ = (node.name for node in stand.consortium.nodes("orderer"))
    peer = next(n for n in stand.consortium.nodes("peer") if n.organisation.name == "SouthGrid")
    removed = (second, peer.name, DATABASE)
    async with await FabricLedger.open(stand.profiles(), contract=Contract()) as ledger:
        market = Market(ledger)

        killed = {service: stand.process(service) for service in (first, ORACLES[0])}
        for process in killed.values():
            os.kill(process, signal.SIGKILL)
        await market.goes_on()
        for service, process in killed.items():
            await stand.until_replaced(service, process)

        before = stand.selected("SELECT COUNT(*) FROM reading")
        for service in removed:
            run("podman", "rm", "--force", "--time", "0", stand.container(service))
        await market.goes_on()

        stand.compose("up", "-d")
        for service in removed:
            await stand.until_replaced(service, 0)
        await stand.until_agreed()
        await market.goes_on()
        height = (await ledger.health()).height
        await _until_caught_up(stand, peer.organisation.name, height)
    async with Visitor(stand.api_port) as visitor:
        await visitor.until_ready(within_s=READY_S)
    after = stand.selected("SELECT COUNT(*) FROM reading")
    assert int(after[0]) >= int(before[0]) > 0
    assert market.trades > 0


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
    """The market that the containers run, as seen by a member from outside."""

    def __init__(self, ledger: FabricLedger) -> None:
        self._ledger = ledger
        self.trades = 0

    async def goes_on(self) -> None:
        """Wait until the slot that is open now has been cleared with orders, and the one whose
        gate closed last has been settled of measured readings.
        """
        closed = (await self._area()).lane.closed_slot

        async def missing() -> str:
            last, following = await self._slot(closed), await self._slot(closed + SLOT_S)
            orders = sum(zone.orders for zone in following.zones)
            if last.phase != "SETTLED" or not orders:
                return f"{last.phase}, {following.phase} with {orders} orders"
            self.trades += sum(zone.trades for zone in (*last.zones, *following.zones))
            return ""

        await until("the market", missing, within_s=READY_S)

    async def _area(self) -> AreaAnswer:
        answer = await self._ledger.evaluate("describe_area", AreaName(AREA), member=Member(DSO))
        return msgspec.json.decode(answer, type=AreaAnswer)

    async def _slot(self, slot: int) -> SlotView:
        arguments = SlotArguments(AREA, slot)
        answer = await self._ledger.evaluate("describe_slot", arguments, member=Member(DSO))
        return msgspec.json.decode(answer, type=SlotView)


def test_nothing_is_left_when_it_is_down(stand: Stand) -> None:
    processes = stand.processes()

    stand.down()

    assert len(processes) > len(stand.services())
    assert stand.left() == []
    assert [process for process in processes if process.is_alive] == []
