"""Nodes that run by themselves: what they sign of health comes over the ledger gateway to the pages.

Everything is real: four nodes over mutual TLS, their ledger, the API on a socket, GraphQL. Last,
the same on a whole `commonwatt up`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from api.features.reads import open_read_model
from api.live.projection import Projection
from api.server.app import listen, make_app, serve
from api.services import Services
from api.settings import ApiSettings
from chaincode.metering.reports import ReadingsRecorded
from commonwatt.demonstration.cast import AREA, DSO, Home
from commonwatt.wiring.market_folder import read_market
from ledger_network.port import Position
from meter_oracle.health.api_client import HealthApi
from meter_oracle.node.assembly import NodeSetup, make_node
from meter_oracle.peers.ledger_gateway import LEDGER_NAME, LedgerGatewayServer, RemoteLedgerGateway
from tests.api.served_market import ACCOUNTS, OPERATOR, ORIGIN, Client
from tests.commonwatt.wiring.running_market import address_of, market, slots_of, stop
from tests.containers.visitor import Visitor
from tests.meter_oracle.stand import TIMING, Stand, stand

METERS = 3
DEADLINE_S = 40.0
SHOWN = "{ oracleNodes { did state } meters { nodes { id health { state } } } }"
Shown = tuple[dict[str, str], dict[str, str | None]]


class Heard:
    """A receiver that passes words on, and tells of each that it has."""

    def __init__(self, api: HealthApi) -> None:
        self._api = api
        self._news = asyncio.Event()
        self.codes: list[str] = []

    async def tell(self, token: str) -> str:
        code = await self._api.tell(token)
        self.codes.append(code)
        self._news.set()
        return code

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Look again after each word."""
        async with asyncio.timeout(DEADLINE_S):
            self._news.clear()  # first: a word may come while it looks
            while not await holds():
                await self._news.wait()
                self._news.clear()


class Pages:
    """The API on a socket, to be stopped and started again, and what an operator sees there."""

    def __init__(self, services: Services, listening: socket.socket) -> None:
        self.address = listening.getsockname()
        self._app = make_app(services)
        self._settings = services.settings
        self._client = Client(self._app, services)
        self._stop = asyncio.Event()
        self._work = asyncio.create_task(
            serve(self._app, listening, services.settings, stop=self._stop)
        )

    async def shown(self) -> Shown:
        """States of nodes by DID, and of meters by name."""
        data: dict[str, Any] = await self._client.data(
            SHOWN, token=await self._client.access(OPERATOR)
        )
        nodes = {node["did"]: node["state"] for node in data["oracleNodes"]}
        meters = {
            meter["id"]: meter["health"] and meter["health"]["state"]
            for meter in data["meters"]["nodes"]
        }
        return nodes, meters

    async def lose(self) -> None:
        self._stop.set()
        await self._work

    async def find_again(self) -> None:
        self._stop = asyncio.Event()
        listening = socket.create_server(self.address)
        self._work = asyncio.create_task(
            serve(self._app, listening, self._settings, stop=self._stop)
        )

    async def close(self) -> None:
        await self.lose()
        await self._client.http.aclose()


@asynccontextmanager
async def pages(made: Stand, folder: Path) -> AsyncGenerator[Pages]:
    wanted = ApiSettings.model_validate({"port": 0, "origins": (ORIGIN,), "grace_s": 0})
    listening, settings = listen(wanted)
    async with await open_read_model(f"sqlite:///{folder}/read-model.sqlite3") as read_model:
        projection = Projection(made.ledger, DSO, read_model)
        await projection.catch_up()
        projecting = asyncio.create_task(projection.run())
        services = Services(
            ledger=made.ledger, area=AREA, member=DSO, read_model=read_model,
            projection=projection, settings=settings, carriers={}, accounts=ACCOUNTS,
        )  # fmt: skip
        shown = Pages(services, listening)
        try:
            yield shown
        finally:
            await shown.close()
            projecting.cancel()
            await asyncio.gather(projecting, return_exceptions=True)


@asynccontextmanager
async def nodes(made: Stand, receiver: Heard) -> AsyncGenerator[list[asyncio.Task[None]]]:
    """Four nodes that reach the ledger through its gateway; a task each."""
    server = LedgerGatewayServer(made.gateway, made.tls[LEDGER_NAME], made.market.nodes, receiver)
    address = f"127.0.0.1:{await server.start('127.0.0.1:0')}"
    gateways = [RemoteLedgerGateway(made.tls[did], address) for did in made.market.nodes]
    setups = [
        NodeSetup(
            key=key, tls=made.tls[did], meters=made.opens(number), submitter=gateway, view=gateway,
            receiver=gateway,
        )
        for number, (key, did, gateway) in enumerate(
            zip(made.cast.oracle_keys, made.market.nodes, gateways, strict=True)
        )
    ]  # fmt: skip
    running = [make_node(made.market, TIMING, setup, rule=made.clock) for setup in setups]
    addresses = {node.did: f"127.0.0.1:{await node.listen('127.0.0.1:0')}" for node in running}
    for node in running:
        node.connect(addresses)
    tasks = [asyncio.create_task(node.run()) for node in running]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for gateway in gateways:
            await gateway.close()
        await server.close()


async def reported_after(made: Stand, height: int, count: int) -> None:
    """Wait for a report of `count` meters in a block from `height` on."""
    async with asyncio.timeout(DEADLINE_S):
        async for happened in made.ledger.events(after=Position(height, 0)):
            reports = [
                msgspec.json.decode(event.data, type=ReadingsRecorded)
                for event in happened.events
                if event.name == "readings_recorded"
            ]
            if any(report.recorded == count for report in reports):
                return


def on_pages(
    folder: Path, scene: Callable[[Stand, Pages, Heard, list[asyncio.Task[None]]], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with stand(folder, households=METERS) as made, pages(made, folder) as shown:
            host, port = shown.address
            api = HealthApi(f"http://{host}:{port}")
            receiver = Heard(api)
            async with nodes(made, receiver) as tasks:
                await scene(made, shown, receiver, tasks)
            await api.close()

    asyncio.run(run())


def test_health_of_meters_and_nodes_comes_to_the_pages(tmp_path: Path) -> None:
    """A meter is silent for all nodes; then one of the nodes dies, and the others miss it."""

    async def scene(
        made: Stand, shown: Pages, receiver: Heard, tasks: list[asyncio.Task[None]]
    ) -> None:
        silent, *others = [home.meter for home in made.cast.homes]
        dids = made.market.nodes
        for meters in made.meters.values():
            meters[silent].silent = True
        await made.start()

        async def all_is_told() -> bool:
            states, meters = await shown.shown()
            return states == dict.fromkeys(dids, "good") and meters == {
                silent: "silent", **dict.fromkeys(others, "good")
            }  # fmt: skip

        await receiver.until(all_is_told)
        assert set(receiver.codes) == {"OK"}

        tasks[3].cancel()

        async def it_is_missed() -> bool:
            states, _ = await shown.shown()
            return states == {**dict.fromkeys(dids[:3], "good"), dids[3]: "silent"}

        await receiver.until(it_is_missed)

    on_pages(tmp_path, scene)


def test_nodes_are_on_the_pages_before_their_first_boundary(tmp_path: Path) -> None:
    """Market time stands still, as it seems to for up to a slot where it is the time of day."""

    async def scene(
        made: Stand, shown: Pages, receiver: Heard, _: list[asyncio.Task[None]]
    ) -> None:
        async def all_are_there() -> bool:
            states, meters = await shown.shown()
            assert set(meters.values()) == {None}
            return states == dict.fromkeys(made.market.nodes, "good")

        await receiver.until(all_are_there)

    on_pages(tmp_path, scene)


def test_losing_the_api_disturbs_no_report_and_the_newest_word_comes_after_it(
    tmp_path: Path,
) -> None:
    async def scene(
        made: Stand, shown: Pages, receiver: Heard, tasks: list[asyncio.Task[None]]
    ) -> None:
        meter = made.cast.homes[0].meter
        await made.start()

        async def shows(state: str) -> bool:
            _, meters = await shown.shown()
            return meters[meter] == state

        await receiver.until(lambda: shows("good"))

        await shown.lose()
        for meters in made.meters.values():
            meters[meter].silent = True
        await reported_after(made, (await made.ledger.health()).height, METERS - 1)
        assert not any(task.done() for task in tasks)
        assert receiver.codes[-1] == "API_UNAVAILABLE"
        assert await shows("good")

        await shown.find_again()
        await receiver.until(lambda: shows("silent"))

    on_pages(tmp_path, scene)


def test_household_of_a_market_that_is_up_sees_that_its_meter_is_read(tmp_path: Path) -> None:
    """It looks again with each slot that settles, until the nodes have told the API."""

    async def seen_by(home: Home, port: int) -> str | None:
        async with Visitor(port) as visitor:
            token = await visitor.sign_in(home.key)
            return (await visitor.meters_health(token))[home.meter]

    with market(tmp_path, "--households", "6") as process:
        port = int(address_of(process).rpartition(":")[2])
        kept = read_market(tmp_path)
        assert kept is not None
        home = kept.plan.cast().homes[0]
        seen: list[str | None] = []
        while "good" not in seen and slots_of(process, 1):
            seen.append(asyncio.run(seen_by(home, port)))
        stopped = stop(process)

    assert seen[-1:] == ["good"]
    assert stopped.code == 0
