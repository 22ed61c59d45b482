"""Waiting for nodes: until they are well or a deadline says what is missing; and free ports."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from ledger_network.fabric.consortium.definition import Node, Organisation, Site
from ledger_network.fabric.runtime.probe import (
    NotReady,
    PortTaken,
    health,
    listens,
    require_free,
    until,
)

HOST = "127.0.0.1"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncGenerator[tuple[int, list[bytes]]]:
    """A port that gives one and the same answer, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


@contextmanager
def taken_port() -> Generator[int]:
    """A port that somebody listens at."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def node(port: int, kind: str = "peer") -> Node:
    organisation = Organisation("North", "dso", "north.test")
    return Node("contract" if kind == "contract" else "peer", organisation, 0, Site(port))


def test_what_is_missing_is_asked_for_until_nothing_is() -> None:
    answers = ["two missing", "one missing", ""]
    left = iter(answers)

    async def check() -> str:
        return next(left)

    asyncio.run(until("the network", check, within_s=30))

    assert list(left) == []


def test_deadline_says_what_was_missing_last_and_what_the_log_ends_with(tmp_path: Path) -> None:
    log = tmp_path / "peer-north" / "logs" / "log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number}\n" for number in range(20)))

    async def check() -> str:
        return "no answer at 127.0.0.1:1"

    with pytest.raises(NotReady) as missed:
        asyncio.run(until("peer-north", check, within_s=0, log=log))

    said = str(missed.value)
    assert said.startswith("peer-north was not ready within 0 s: no answer at 127.0.0.1:1\n")
    assert said.endswith("line 19")
    assert "line 14" in said
    assert "line 13" not in said


def test_deadline_without_a_log_is_a_sentence_too(tmp_path: Path) -> None:
    async def check() -> str:
        return "nothing"

    with pytest.raises(NotReady, match=r"^x was not ready within 0 s: nothing$"):
        asyncio.run(until("x", check, within_s=0, log=tmp_path / "gone"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n{}", ""),
        (b"HTTP/1.0 503 Gone\r\n\r\n" + b'{"failed_checks":["disk"]}', 'says 503: {"failed'),
        (b"HTTP/1.0 503 Gone\r\n\r\n\xff", "says 503: \N{REPLACEMENT CHARACTER}"),
        (b"SSH-2.0 nobody\r\n", "no answer at 127.0.0.1"),
    ],
)
def test_health_is_what_the_node_says(answer: bytes, said: str) -> None:
    async def ask() -> tuple[str, list[bytes]]:
        async with answering(answer) as (port, asked):
            return await health(HOST, port), asked

    told, asked = asyncio.run(ask())

    assert said in told if said else told == ""
    assert asked[0].startswith(b"GET /healthz HTTP/1.0\r\n")


def test_health_asks_for_another_page_where_a_node_has_that() -> None:
    async def ask() -> list[bytes]:
        async with answering(b"HTTP/1.0 200 OK\r\n\r\n") as (port, asked):
            assert await health(HOST, port, "/metrics") == ""
            return asked

    assert asyncio.run(ask())[0].startswith(b"GET /metrics ")


def test_nobody_there_is_an_answer_and_no_fault() -> None:
    with taken_port() as port:
        pass

    said = asyncio.run(health(HOST, port))

    assert said == f"no answer at {HOST}:{port} (ConnectionRefusedError)"
    assert f"nobody listens at {HOST}:{port}" in asyncio.run(listens(HOST, port))


def test_somebody_who_listens_is_found() -> None:
    with taken_port() as port:
        assert asyncio.run(listens(HOST, port)) == ""


def test_port_that_is_taken_is_named_with_who_needs_it() -> None:
    with taken_port() as port:
        said = f"peer-north needs port {port} on {HOST}, and it cannot be had .*in use"
        with pytest.raises(PortTaken, match=said):
            require_free([node(port)])


def test_port_further_on_in_a_block_is_looked_at_as_well() -> None:
    with taken_port() as port, pytest.raises(PortTaken, match="peer-north needs port"):
        require_free([node(port - 9)])


def test_contract_has_its_ports_in_its_peer_s_block() -> None:
    with taken_port() as port:
        require_free([node(port, "contract")])


def test_host_that_is_not_this_machine_s_is_named() -> None:
    stranger = Node("peer", Organisation("North", "dso", "north.test"), 0, Site(17000, "192.0.2.1"))

    with pytest.raises(PortTaken, match=r"needs port 17000 on 192\.0\.2\.1.*cannot be had"):
        require_free([stranger])
