"""Request lines and headers over a real socket: as long as they may be, longer, and without an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.server.app import listen, serve
from api.server.request_heads import HEAD_BYTES_MAX
from api.settings import ApiSettings

WAIT_S = 20
PIECE = b"x" * 4_096
FEW_PIECES = (
    4 * HEAD_BYTES_MAX // len(PIECE)
)  # what a socket's own buffers may swallow comes on top
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class NoSockets:
    """What `serve` ends when it stops."""

    def leave(self) -> None:
        """There is nobody."""


@asynccontextmanager
async def listening() -> AsyncGenerator[int]:
    """The port of a server whose page says how many headers it was sent."""

    async def page(request: Request) -> Response:
        return PlainTextResponse(str(len(request.headers)))

    app = Starlette(routes=[Route("/{path:path}", page)])
    app.state.sockets = NoSockets()
    own, settings = listen(ApiSettings(port=0))
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, own, settings, stop=stop))
    try:
        yield settings.port
    finally:
        stop.set()
        await asyncio.wait_for(serving, WAIT_S)


def run(talk: Talk) -> None:
    """Talk to the server over one connection."""

    async def all_of_it() -> None:
        async with asyncio.timeout(2 * WAIT_S), listening() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await talk(reader, writer)
            writer.close()

    asyncio.run(all_of_it())


def test_head_of_the_largest_size_is_answered_and_the_next_counted_anew() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        value = b"x" * (HEAD_BYTES_MAX - 100)
        for _ in range(3):
            writer.write(b"GET /a HTTP/1.1\r\nhost: a\r\nx-long: " + value + b"\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(1) == b"2"

    run(talk)


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"x" * HEAD_BYTES_MAX + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx-long: " + b"x" * HEAD_BYTES_MAX + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x-many: 1\r\n" * 5_000 + b"\r\n",
    ],
    ids=["line", "header", "headers"],
)
def test_head_that_is_too_long_is_answered_by_400_and_cut_off(request_head: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request_head)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1

    run(talk)


@pytest.mark.parametrize(
    "beginning", [b"GET /", b"GET / HTTP/1.1\r\nhost: a\r\nx-endless: ", b"GET / HTTP/1.1\r\nx"]
)
def test_head_without_an_end_is_read_no_further_than_its_bound(beginning: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        answered = asyncio.create_task(reader.read())
        pieces = 0
        while not answered.done() and pieces < 10 * FEW_PIECES:
            writer.write(PIECE)
            await writer.drain()
            await asyncio.sleep(0.001)
            pieces += 1
        assert (await answered).startswith(b"HTTP/1.1 400 ")
        assert pieces < FEW_PIECES

    run(talk)
