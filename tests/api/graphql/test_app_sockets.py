"""Sockets of the app, over a real server: the protocol's order, bounds, and who is dropped."""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import resource
import socket as socketlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from api.graphql.guard.query_cost import REPEATED_MAX
from api.graphql.sockets import FRAME_BYTES_MAX, MESSAGES_MAX, OPERATIONS_MAX, PROTOCOL, Sockets
from api.server.app import listen, serve
from tests.api.served_market import CLERK, REGULATOR, SLOT, Client, served

INIT = {"type": "connection_init"}
SLOTS = "subscription { slots { start } }"
PRICES = "subscription { prices { price } }"
BOOK = f'{{book(slot:{SLOT},zone:"lindenhof-north"){{buys{{price}} block}}}}'
BALANCE = "subscription { myBalance { owner amount block } }"
WAIT_S = 20
IDLE_SOCKETS = 200


class Served(Client):
    """A client of an app that listens at a port."""

    port: int

    @property
    def address(self) -> str:
        """The socket's address."""
        return f"ws://127.0.0.1:{self.port}/graphql"

    @property
    def sockets(self) -> Sockets:
        """The app's own list of sockets."""
        return self.app.state.sockets

    def connect(self, *, protocol: str = PROTOCOL, origin: str | None = None) -> connect:
        """A socket, not yet introduced."""
        return connect(
            self.address,
            subprotocols=[Subprotocol(protocol)],
            origin=None if origin is None else Origin(origin),
            compression=None,
            proxy=None,
        )


@asynccontextmanager
async def listening(folder: Path, **changed: object) -> AsyncGenerator[Served]:
    """A market whose app listens at a free port."""
    async with served(folder, **changed) as (client, _):  # pyright: ignore[reportArgumentType]  # whatever a setting is
        settings = client.services.settings
        own, with_port = listen(settings.model_copy(update={"port": 0}))
        found = Served(client.app, client.services)
        found.port = with_port.port
        found.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{found.port}", trust_env=False)
        stop = asyncio.Event()
        work = asyncio.create_task(serve(client.app, own, with_port, stop=stop))
        try:
            yield found
        finally:
            stop.set()
            await asyncio.wait_for(work, WAIT_S)
            await found.http.aclose()


def run(folder: Path, work: Callable[[Served], Awaitable[None]], **changed: object) -> None:
    """Do `work` with an app that listens."""

    async def all_of_it() -> None:
        async with asyncio.timeout(90), listening(folder, **changed) as served_app:
            await work(served_app)

    asyncio.run(all_of_it())


async def send(socket: ClientConnection, message: dict[str, Any]) -> None:
    await socket.send(orjson.dumps(message).decode())


async def receive(socket: ClientConnection) -> dict[str, Any]:
    return orjson.loads(await asyncio.wait_for(socket.recv(), WAIT_S))


async def introduce(socket: ClientConnection, token: str | None = None) -> None:
    """Introduce a socket, as somebody or as a stranger."""
    payload = {} if token is None else {"payload": {"authorization": f"Bearer {token}"}}
    await send(socket, {**INIT, **payload})
    assert await receive(socket) == {"type": "connection_ack"}


def subscribe(name: str, query: str) -> dict[str, Any]:
    return {"type": "subscribe", "id": name, "payload": {"query": query}}


async def code_at_close(socket: ClientConnection) -> int:
    """The code that the API closes a socket with."""
    try:
        while True:
            await asyncio.wait_for(socket.recv(), WAIT_S)
    except ConnectionClosed as closed:
        return -1 if closed.rcvd is None else closed.rcvd.code


def test_subscription_begins_with_what_is_now_and_ends_when_asked(tmp_path: Path) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as socket:
            await introduce(socket, await app.access(CLERK))
            await send(socket, subscribe("1", BALANCE))
            first = await receive(socket)
            assert (first["type"], first["id"]) == ("next", "1")
            assert first["payload"]["data"]["myBalance"]["owner"] == "GreenPower"
            await send(socket, {"type": "complete", "id": "1"})
            await send(socket, {"type": "ping"})
            assert await receive(socket) == {"type": "pong"}

    run(tmp_path, work)


def test_query_goes_over_a_socket_and_a_mutation_does_not(tmp_path: Path) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as socket:
            await introduce(socket)
            await send(socket, subscribe("q", "{market{area}}"))
            assert (await receive(socket))["payload"]["data"]["market"]["area"] == "lindenhof"
            assert await receive(socket) == {"type": "complete", "id": "q"}
            await send(socket, subscribe("m", "mutation{signOut}"))
            refused = await receive(socket)
            assert refused["payload"][0]["extensions"]["code"] == "OPERATION_KIND"

    run(tmp_path, work)


def test_strangers_and_hostile_documents_are_refused_by_message(tmp_path: Path) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as socket:
            await introduce(socket)
            for query, code in (
                (BALANCE, "UNAUTHENTICATED"),
                (BOOK, "UNAUTHENTICATED"),
                ("{" * 100, "DOCUMENT_TOO_DEEP"),
                ("subscription{slots{start} prices{price}}", "DOCUMENT_ROOTS"),
            ):
                await send(socket, subscribe("1", query))
                answer = await receive(socket)
                assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == (
                    "error",
                    code,
                )

    run(tmp_path, work)


def test_onlooker_of_a_demonstration_watches_the_market_and_reads_the_book(tmp_path: Path) -> None:
    """Over one socket, within the same number of operations as anybody; accounts stay closed."""

    async def work(app: Served) -> None:
        async with app.connect() as socket:
            await introduce(socket)
            await send(socket, subscribe("book", BOOK))
            assert (await receive(socket))["payload"]["data"]["book"]["block"] > 0
            assert await receive(socket) == {"id": "book", "type": "complete"}
            await send(socket, subscribe("balance", BALANCE))
            refused = await receive(socket)
            assert refused["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            for number in range(OPERATIONS_MAX + 1):
                await send(socket, subscribe(str(number), PRICES))
            answer = await receive(socket)
            assert answer["payload"][0]["extensions"]["code"] == "OPERATIONS_TOO_MANY"

    run(tmp_path, work, is_demonstration=True)


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([subscribe("1", SLOTS)], 4401),
        ([INIT, INIT], 4429),
        ([INIT, {"type": "subscribe", "id": "", "payload": {"query": SLOTS}}], 4400),
        ([INIT, {"type": "subscribe", "id": "x" * 65, "payload": {"query": SLOTS}}], 4400),
        ([INIT, {"type": "subscribe", "id": "1"}], 4400),
        ([INIT, {"type": "connection_terminate"}], 4400),
        ([INIT, {"type": 1}], 4400),
        ([{**INIT, "payload": {"authorization": "Bearer x"}}], 4403),
        ([INIT, subscribe("1", PRICES), subscribe("1", PRICES)], 4409),
        ([INIT, *[{"type": "ping"}] * MESSAGES_MAX], 1013),
        ([INIT, {"type": "ping", "more": "x" * FRAME_BYTES_MAX}], 1009),
    ],
)
def test_socket_that_breaks_the_protocol_is_closed_with_its_code(
    tmp_path: Path, messages: list[dict[str, Any]], code: int
) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as socket:
            for message in messages:
                await send(socket, message)
            assert await code_at_close(socket) == code

    run(tmp_path, work)


@pytest.mark.parametrize("frame", ["", "[]", "{", b"{}", "[" * 10_000])
def test_frame_that_is_no_message_closes_the_socket(tmp_path: Path, frame: str | bytes) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as socket:
            await socket.send(frame)
            assert await code_at_close(socket) == 4400

    run(tmp_path, work)


def test_other_protocols_and_origins_get_no_socket(tmp_path: Path) -> None:
    async def work(app: Served) -> None:
        for protocol, origin in (("graphql-ws", None), (PROTOCOL, "https://evil.example")):
            with pytest.raises(InvalidStatus) as refused:
                async with app.connect(protocol=protocol, origin=origin):
                    pass
            assert refused.value.response.status_code == 403

    run(tmp_path, work)


def test_socket_that_does_not_introduce_itself_is_closed(tmp_path: Path) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as socket:
            assert await code_at_close(socket) == 4408

    run(tmp_path, work, connection_init_s=1)


def test_socket_without_subscriptions_is_closed_when_idle(tmp_path: Path) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as idle, app.connect() as busy:
            await introduce(idle)
            await introduce(busy)
            await send(busy, subscribe("1", PRICES))
            assert await code_at_close(idle) == 1001
            await send(busy, {"type": "ping"})
            assert await receive(busy) == {"type": "pong"}

    run(tmp_path, work, socket_idle_s=1)


def test_operations_of_one_socket_are_bounded(tmp_path: Path) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as socket:
            await introduce(socket)
            for number in range(OPERATIONS_MAX + 1):
                await send(socket, subscribe(str(number), PRICES))
            refused = await receive(socket)
            assert refused["id"] == str(OPERATIONS_MAX)
            assert refused["payload"][0]["extensions"]["code"] == "OPERATIONS_TOO_MANY"

    run(tmp_path, work)


def test_sockets_are_bounded(tmp_path: Path) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as one, app.connect() as two:
            await introduce(one)
            await introduce(two)
            with pytest.raises(InvalidStatus):
                async with app.connect():
                    pass

    run(tmp_path, work, sockets_max=2)


def test_sockets_end_when_the_api_stops(tmp_path: Path) -> None:
    async def work(app: Served) -> None:
        async with app.connect() as socket:
            await introduce(socket, await app.access(REGULATOR))
            app.sockets.leave()
            assert await code_at_close(socket) == 1001
        assert len(app.sockets) == 0

    run(tmp_path, work)


async def raw_socket(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A socket by hand, introduced, of which nothing more is read."""
    own = socketlib.socket()
    own.setsockopt(socketlib.SOL_SOCKET, socketlib.SO_RCVBUF, 4_096)
    own.setblocking(False)  # noqa: FBT003 the library has no name for it
    await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=own, limit=1_024)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n".encode()
    )
    assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
    writer.write(frame(orjson.dumps(INIT)))
    await asyncio.wait_for(reader.readexactly(2), WAIT_S)
    return reader, writer


def frame(text: bytes) -> bytes:
    """A text frame as a client sends it, masked with zeros."""
    length = (
        bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    )
    return b"\x81" + length + bytes(4) + text


@pytest.mark.parametrize(
    "count", [IDLE_SOCKETS, pytest.param(10_000, marks=pytest.mark.exhaustive)]
)
def test_many_idle_sockets_are_kept_and_the_app_still_answers(tmp_path: Path, count: int) -> None:
    needed = count + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), max(hard, needed)))
    except ValueError:  # only root may have more than the hard limit
        pytest.skip(f"this machine lets a process have {hard} files, {needed} are needed")
    context = multiprocessing.get_context("spawn")

    async def work(app: Served) -> None:
        ours, theirs = context.Pipe()
        clients = context.Process(target=hold, args=(app.port, count, theirs))
        clients.start()
        try:
            assert await asyncio.to_thread(ours.recv) == count
            assert len(app.sockets) == count
            assert (await app.data("{market{area}}"))["market"]["area"] == "lindenhof"
            ours.send("enough")
            await asyncio.to_thread(clients.join)
        finally:
            clients.kill()

    run(tmp_path, work)


def hold(port: int, count: int, pipe: Connection) -> None:
    """Hold sockets until told otherwise; in a process of its own, which has its own limit of files."""

    async def all_of_it() -> None:
        held = [await raw_socket(port) for _ in range(count)]
        pipe.send(len(held))
        await asyncio.to_thread(pipe.recv)

    asyncio.run(all_of_it())


def test_client_that_reads_nothing_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for much and never reads: its queue fills, and it costs no more than that."""
    monkeypatch.setattr("api.server.app.SEND_BUFFER_BYTES", 4_096)  # what the kernel holds for it
    monkeypatch.setattr("api.graphql.sockets.QUEUE_BYTES_MAX", 65_536)
    fields = "area channel contract currency timeZone slotS marketTime rate engine sentence block"
    query = "{" + " ".join(f"a{n}:market{{{fields}}}" for n in range(REPEATED_MAX)) + "}"

    async def work(app: Served) -> None:
        _, writer = await raw_socket(app.port)
        kernel: socketlib.socket = writer.get_extra_info("socket")
        kernel.setsockopt(socketlib.SOL_SOCKET, socketlib.SO_RCVBUF, 4_096)
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        for number in range(MESSAGES_MAX - 1):
            writer.write(frame(orjson.dumps(subscribe(f"q{number}", query))))
        async with asyncio.timeout(WAIT_S):
            while not value_of(app, "slow"):
                await app.data("{market{area}}")  # others are served meanwhile
        assert value_of(app, "slow") == 1
        writer.close()

    run(tmp_path, work)


def value_of(app: Served, reason: str) -> float:
    """How many sockets were dropped for a reason."""
    metrics = app.sockets.metrics
    found = metrics.registry.get_sample_value(
        "commonwatt_api_sockets_dropped_total", {"reason": reason}
    )
    return found or 0.0
