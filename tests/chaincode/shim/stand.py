"""A server with its authority, and peers that dial it, for one test."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chaincode.shim import ChaincodeServer, Handler, Invocation, ServerSettings
from tests.chaincode.shim.authority import Authority, write_tls
from tests.chaincode.shim.peer import ScriptedPeer

PACKAGE_ID = "book_1:0123456789abcdef"

AUTHORITY = Authority("peers")  # one for all tests: keys take longer than most of them
SERVER = AUTHORITY.issue("chaincode")
PEER = AUTHORITY.issue("peer0")


class Stand:
    """A running server and how to dial it."""

    def __init__(self, server: ChaincodeServer) -> None:
        self.server = server

    def peer(
        self, *, writes_max: int = 1000, keys_max: int = 1000, registers: bool = True
    ) -> ScriptedPeer:
        return ScriptedPeer(
            self.server.address,
            AUTHORITY.certificate,
            PEER,
            writes_max=writes_max,
            keys_max=keys_max,
            registers=registers,
        )

    def figure(self, name: str, **labels: str) -> float:
        """A metric of the server, 0 when it has none."""
        return self.server.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def stand(handler: Handler, **limits: Any) -> AsyncGenerator[Stand]:
    """A server over mutual TLS on a port of the system's choice, stopped in the end."""
    with TemporaryDirectory() as folder:
        settings = ServerSettings(
            address="127.0.0.1:0",
            package_id=PACKAGE_ID,
            tls=write_tls(Path(folder), SERVER, AUTHORITY.certificate),
        )
        server = ChaincodeServer(replace(settings, **limits), handler)
        await server.start()
        try:
            yield Stand(server)
        finally:
            await server.stop(grace_s=5)


class Logged(logging.Handler):
    """What gRPC complains of, as it does of exceptions that it caught."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run one scene; nothing may be left running, and no fault may go unseen."""
    unseen: list[str] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: unseen.append(
                f"{context.get('message')}: {context.get('exception')!r}"
            )
        )
        async with asyncio.timeout(25):
            await scene()

    logged = Logged()
    logging.getLogger("grpc").addHandler(logged)
    try:
        asyncio.run(watched())
    finally:
        logging.getLogger("grpc").removeHandler(logged)
    assert unseen == [], unseen
    assert logged.lines == [], logged.lines


def serve(handler: Handler, scene: Callable[[ScriptedPeer], Coroutine[Any, Any, None]]) -> None:
    """A scene with one peer and one server of `handler`."""

    async def whole() -> None:
        async with stand(handler) as place, place.peer() as peer:
            await scene(peer)

    play(whole)


def echo(invocation: Invocation) -> bytes:
    """A contract that answers with its arguments."""
    return b" ".join(invocation.arguments)
