"""Serves a founded market by the API in another process, and provides a fast caller.

One household sells to a hundred neighbours, so it has a hundred trades in one slot.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import socket
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import msgspec
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.features.reads import open_read_model
from api.live.projection import Projection
from api.server.app import listen, make_app, serve
from api.server.logs import configure_logs
from api.services import Services
from api.settings import ApiSettings
from api.sign_in.session import LOGIN_TYP, Login
from chaincode.contract import Contract
from chaincode.orders.sheets import SheetOrder
from chaincode.slots.gate import SlotAnswer, SlotArguments
from commonwatt.bench.market import BenchMarket, bench_market
from commonwatt.demonstration.cast import AREA, CHANNEL, DSO, SLOT_S, market_rules
from commonwatt.demonstration.duties.seeds import SeedDuties, submit_to
from commonwatt.wiring.garbage_collection import collect_seldom
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey
from ledger_network.port import Member

NEIGHBOURS = 100
HOUSEHOLDS = 2 * NEIGHBOURS + 2  # half of the households are in the seller's zone
SLOTS = 12
ORDER_EVERY_S = 0.5
STOP_S = 30


class Served(msgspec.Struct):
    """A running server, with its port and the pipe that ends it."""

    port: int
    pipe: Connection


async def match_hundred(market: BenchMarket) -> None:
    """Let the first home sell ten Wh to each of a hundred neighbours, and clear the slot."""
    slot = market.first_slot
    sells = [market.sheet(0, SheetOrder("s", "sell", slot, [(100_000, 10 * NEIGHBOURS)]))]
    buys = [
        market.sheet(home, SheetOrder("b", "buy", slot, [(200_000, 10)]))
        for home in range(2, HOUSEHOLDS, 2)
    ]
    await market.place([*sells, *buys])
    market.clock.now_s = market_rules(slot).gate_s(slot)
    await market.ledger.submit("close_gate", SlotArguments(AREA, slot), member=Member(DSO))
    await SeedDuties(market.ledger, market.cast, submit_to(market.ledger)).reveal(slot)
    phase = ""
    while phase != "CLEARED":
        receipt = await market.ledger.submit(
            "clear_slot", SlotArguments(AREA, slot), member=Member(DSO)
        )
        phase = receipt.read(SlotAnswer).phase


@contextmanager
def served(*, bare: bytes | None = None) -> Generator[Served]:
    """Run the API, or a bare route that answers with the decoded `bare`, in another process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, bare))
    process.start()
    theirs.close()  # closed here, so that the end of the child is noticed
    try:
        port: int = ours.recv()
        yield Served(port, ours)
        ours.send("stop")
        process.join(STOP_S)
    finally:
        process.kill()
        process.join()


def _serve(pipe: Connection, bare: bytes | None) -> None:
    collect_seldom()  # as every command does
    asyncio.run(_serve_bare(pipe, bare) if bare is not None else _serve_market(pipe))


async def _serve_bare(pipe: Connection, answer: bytes) -> None:
    content: object = orjson.loads(answer)

    async def route(request: Request) -> Response:
        await request.body()
        return Response(orjson.dumps(content), media_type="application/json")

    app = Starlette(routes=[Route("/graphql", route, methods=["POST"])])
    app.state.sockets = _NoSockets()
    await _until_told(app, pipe)


class _NoSockets:
    """Replaces the sockets that `serve` closes when it stops; the bare route has no sockets."""

    def leave(self) -> None:
        """Do nothing: there are no sockets."""


async def _serve_market(pipe: Connection) -> None:
    async with bench_market(HOUSEHOLDS) as market:
        await match_hundred(market)
        async with services_of(market) as services, _trading(market, services):
            await _until_told(services, pipe)


@asynccontextmanager
async def _trading(market: BenchMarket, services: Services) -> AsyncGenerator[None]:
    """Let other households place orders meanwhile, so that the read model changes."""

    async def others() -> None:
        for number in itertools.count():
            home = 1 + 2 * (number % NEIGHBOURS)
            slot = market.first_slot + (1 + number % SLOTS) * SLOT_S
            await market.place(
                [market.sheet(home, SheetOrder(f"o{number}", "buy", slot, [(1, 1)]))]
            )
            await asyncio.sleep(ORDER_EVERY_S)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in (services.projection.run(), others())]
        yield
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def services_of(market: BenchMarket) -> AsyncGenerator[Services]:
    """Yield the services of an API of the market, with a read model that is up to date."""
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'read-model.sqlite3'}"
        async with await open_read_model(url) as read_model:
            projection = Projection(market.ledger, DSO, read_model)
            await projection.catch_up()
            yield Services(
                ledger=market.ledger,
                area=AREA,
                member=DSO,
                read_model=read_model,
                projection=projection,
                settings=ApiSettings(port=0, log_level="WARNING"),
                carriers={},
                accounts={},
            )


async def _until_told(what: Services | Starlette, pipe: Connection) -> None:
    """Serve until a message arrives through the pipe."""
    stop = asyncio.Event()
    waiting: asyncio.Future[object] | None = None

    def listening(port: int) -> None:
        nonlocal waiting
        pipe.send(port)
        waiting = asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        waiting.add_done_callback(lambda _: stop.set())

    await serve_until(what, stop, listening)
    if waiting is not None:
        await waiting


async def serve_until(
    what: Services | Starlette, stop: asyncio.Event, listening: Callable[[int], None]
) -> None:
    """Serve until `stop` is set; `listening` is called with the port first."""
    accepting, settings = listen(ApiSettings(port=0, log_level="WARNING"))
    configure_logs(settings)
    # Accepted sockets inherit this option; without it a small answer waits 40 ms for an ACK.
    accepting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    app = make_app(replace(what, settings=settings)) if isinstance(what, Services) else what
    listening(settings.port)
    await serve(app, accepting, settings, stop=stop)


class _Line(asyncio.Protocol):
    """A connection with one request at a time, which reads only length and body of the answer."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._read = b""
        self._answer: asyncio.Future[bytes] | None = None

    def ask(self, request: bytes, loop: asyncio.AbstractEventLoop) -> asyncio.Future[bytes]:
        """Send a request and return the body of the answer."""
        self._answer = loop.create_future()
        self.transport.write(request)
        return self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Complete the answer when its whole body has arrived."""
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found or self._answer is None:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) >= int(length):
            self._read = b""
            self._answer.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the answer that a caller waits for."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed"))


class Caller:
    """Posts to one path over connections that stay open, and parses as little as possible."""

    def __init__(self, port: int, *, token: str | None) -> None:
        self._port = port
        self._head = (
            f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Content-Type: application/json\r\n"
        ) + (f"Authorization: Bearer {token}\r\n" if token else "")
        self._open: list[_Line] = []

    def request(self, query: str, variables: dict[str, object] | None = None) -> bytes:
        """Return the bytes of a request."""
        body = orjson.dumps({"query": query, "variables": variables or {}})
        return f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def ask(self, request: bytes) -> bytes:
        """Send a request over an open connection and return the body of the answer."""
        loop = asyncio.get_running_loop()
        if not self._open:
            _, line = await loop.create_connection(_Line, "127.0.0.1", self._port)
            self._open.append(line)
        line = self._open.pop()
        body = await line.ask(request, loop)
        self._open.append(line)
        return body

    async def rate(self, request: bytes, *, count: int, in_flight: int) -> float:
        """Return the answers per second to `count` requests, with `in_flight` of them at a time."""

        async def some() -> None:
            for _ in range(count // in_flight):
                await self.ask(request)

        self.close()  # the server may be about to close idle connections
        began = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(in_flight)))
        return count / (time.perf_counter() - began)

    async def sign_in(self, key: PrivateKey) -> str:
        """Return an access token for a wallet."""
        challenge = "mutation($did: ID!) { challenge(did: $did) { nonce audience } }"
        asked = self.request(challenge, {"did": did_key(key.public)})
        given = orjson.loads(await self.ask(asked))["data"]["challenge"]
        login = Login(
            aud=given["audience"],
            channel=CHANNEL,
            contract=Contract.name,
            iat=int(time.time()),
            nonce=given["nonce"],
            origin=f"http://127.0.0.1:{self._port}",
        )
        query = "mutation($token: String!) { signIn(token: $token) { accessToken } }"
        token = sign_compact(key, LOGIN_TYP, encode(login))
        answer = orjson.loads(await self.ask(self.request(query, {"token": token})))
        return answer["data"]["signIn"]["accessToken"]

    def close(self) -> None:
        """Close the connections."""
        for line in self._open:
            line.transport.close()
        self._open.clear()
