"""Words on health on their way to an API that answers as it likes, or not at all."""

from __future__ import annotations

import asyncio
import socket

import pytest

from meter_oracle.health.api_client import API_UNAVAILABLE, HealthApi

HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


def told(answer: bytes) -> tuple[str, bytes]:
    """What the receiver makes of an answer, and the request that it sent."""
    request = b""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal request
        request = await reader.readuntil(b"the-token")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def run() -> str:
        server = await asyncio.start_server(respond, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        api = HealthApi(f"http://127.0.0.1:{port}")
        async with server:
            code = await api.tell("the-token")
        await api.close()
        return code

    code = asyncio.run(run())
    return code, request


def test_word_is_sent_as_it_is_and_the_api_s_code_comes_back() -> None:
    code, request = told(HEAD % b"409 Conflict" + b'{"code":"HEALTH_OLD","sentence":"It is old."}')

    assert code == "HEALTH_OLD"
    assert request.startswith(b"POST /oracle/health HTTP/1.1\r\n")
    assert b"content-type: application/jose\r\n" in request.lower()
    assert request.endswith(b"\r\n\r\nthe-token")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no HTTP\r\n\r\n",
        HEAD % b"200 OK",
        HEAD % b"502 Bad Gateway" + b"<html>",
        HEAD % b"200 OK" + b'{"sentence":"no code"}',
        HEAD % b"200 OK" + b'{"code":"OK","sentence":"' + b"x" * 100_000,
        HEAD % b"307 Temporary Redirect",
    ],
)
def test_answer_without_a_code_counts_as_none(answer: bytes) -> None:
    assert told(answer)[0] == API_UNAVAILABLE


def test_api_that_is_not_there_is_told_and_nothing_raised() -> None:
    async def run() -> str:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        api = HealthApi(f"http://127.0.0.1:{port}")
        code = await api.tell("the-token")
        await api.close()
        return code

    assert asyncio.run(run()) == API_UNAVAILABLE


@pytest.mark.parametrize(
    "address",
    ["", "api:8400", "ftp://api:8400", "http://", "http://api:8400/graphql", "http://api:x"],
)
def test_address_that_is_none_of_an_api_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="not http://host:port"):
        HealthApi(address)
