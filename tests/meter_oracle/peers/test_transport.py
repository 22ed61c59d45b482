"""Mutual TLS: who is answered, who is cut off, what becomes of silence and of rubbish."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meter_oracle.peers.certificates import make_certificates
from meter_oracle.peers.messages import Heard, Message, Submitted
from meter_oracle.peers.transport import (
    FRAME_BYTES_MAX,
    PeerLink,
    PeerServer,
    PeerUnreachable,
    TlsFiles,
    client_context,
    split_address,
)

NAMES = ("did:key:a", "did:key:b", "did:key:stranger")
Handler = Callable[[str, Message], Awaitable[Message]]


async def echo(name: str, message: Message) -> Message:
    assert isinstance(message, Submitted)
    return Heard("OK", f"{name} {message.boundary}")


@asynccontextmanager
async def serving(files: TlsFiles, handler: Handler = echo) -> AsyncGenerator[str]:
    server = PeerServer(files, ["did:key:b"], handler)
    port = await server.start("127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.close()


async def asked(files: TlsFiles, address: str, name: str = "did:key:a") -> Message:
    link = PeerLink(files, name, address)
    try:
        return await link.ask(Submitted(900), timeout_s=5)
    finally:
        await link.close()


def test_a_peer_is_answered_under_the_name_in_its_certificate(tmp_path: Path) -> None:
    files = make_certificates(tmp_path, NAMES)

    async def run() -> Message:
        async with serving(files["did:key:a"]) as address:
            return await asked(files["did:key:b"], address)

    assert asyncio.run(run()) == Heard("OK", "did:key:b 900")


def test_a_stranger_of_the_same_authority_is_cut_off(tmp_path: Path) -> None:
    files = make_certificates(tmp_path, NAMES)

    async def run() -> None:
        async with serving(files["did:key:a"]) as address:
            with pytest.raises(PeerUnreachable):
                await asked(files["did:key:stranger"], address)

    asyncio.run(run())


def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    files = make_certificates(tmp_path / "ours", NAMES)
    theirs = make_certificates(tmp_path / "theirs", NAMES)["did:key:b"]
    mixed = TlsFiles(theirs.certificate, theirs.key, files["did:key:b"].authority)

    async def run() -> None:
        async with serving(files["did:key:a"]) as address:
            for liar in (mixed, theirs):
                with pytest.raises(PeerUnreachable):
                    await asked(liar, address)
            assert await asked(files["did:key:b"], address) == Heard("OK", "did:key:b 900")

    asyncio.run(run())


def test_who_shows_no_certificate_is_refused(tmp_path: Path) -> None:
    files = make_certificates(tmp_path, NAMES)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(files["did:key:a"].authority)

    async def run() -> bytes:
        async with serving(files["did:key:a"]) as address:
            reader, writer = await asyncio.open_connection(*split_address(address), ssl=context)
            try:
                return await reader.read()
            except (OSError, ssl.SSLError):
                return b""
            finally:
                writer.close()

    assert asyncio.run(run()) == b""


def test_another_node_at_the_address_is_not_believed(tmp_path: Path) -> None:
    files = make_certificates(tmp_path, NAMES)

    async def run() -> None:
        async with serving(files["did:key:a"]) as address:
            with pytest.raises(PeerUnreachable, match="did:key:a"):
                await asked(files["did:key:b"], address, name="did:key:stranger")

    asyncio.run(run())


def test_silence_ends_with_the_deadline_and_the_next_question_is_answered(
    tmp_path: Path,
) -> None:
    files = make_certificates(tmp_path, NAMES)
    silent = asyncio.Event()

    async def stalls_once(name: str, message: Message) -> Message:
        if not silent.is_set():
            silent.set()
            await asyncio.Event().wait()
        return await echo(name, message)

    async def run() -> Message:
        async with serving(files["did:key:a"], stalls_once) as address:
            link = PeerLink(files["did:key:b"], "did:key:a", address)
            with pytest.raises(PeerUnreachable, match="did not answer within"):
                await link.ask(Submitted(1), timeout_s=0.3)
            answer = await link.ask(Submitted(2), timeout_s=5)
            await link.close()
            return answer

    assert asyncio.run(run()) == Heard("OK", "did:key:b 2")


def test_a_peer_that_was_started_again_is_asked_again(tmp_path: Path) -> None:
    files = make_certificates(tmp_path, NAMES)

    async def run() -> Message:
        server = PeerServer(files["did:key:a"], ["did:key:b"], echo)
        port = await server.start("127.0.0.1", 0)
        link = PeerLink(files["did:key:b"], "did:key:a", f"127.0.0.1:{port}")
        await link.ask(Submitted(1), timeout_s=5)
        await server.close()
        with pytest.raises(PeerUnreachable):
            await link.ask(Submitted(2), timeout_s=5)
        server = PeerServer(files["did:key:a"], ["did:key:b"], echo)
        await server.start("127.0.0.1", port)
        answer = await link.ask(Submitted(3), timeout_s=5)
        await link.close()
        await server.close()
        return answer

    assert asyncio.run(run()) == Heard("OK", "did:key:b 3")


@pytest.mark.parametrize(
    "rubbish",
    [
        (FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        (2).to_bytes(4, "big") + b"{}",
        (9).to_bytes(4, "big") + b'{"type":1',
        (5).to_bytes(4, "big") + b"\xff\xff\xff\xff\xff",
        b"\x00",
    ],
)
def test_rubbish_costs_its_connection_and_nothing_else(tmp_path: Path, rubbish: bytes) -> None:
    files = make_certificates(tmp_path, NAMES)

    async def run() -> Message:
        async with serving(files["did:key:a"]) as address:
            reader, writer = await asyncio.open_connection(
                *split_address(address), ssl=client_context(files["did:key:b"])
            )
            writer.write(rubbish)
            if len(rubbish) == 1:
                writer.close()
            assert await reader.read() == b""
            writer.close()
            return await asked(files["did:key:b"], address)

    assert asyncio.run(run()) == Heard("OK", "did:key:b 900")


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:port", "host:65536"])
def test_an_address_has_host_and_port(address: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        split_address(address)
