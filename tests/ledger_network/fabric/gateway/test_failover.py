"""Several peers: the load is spread, one that is away is passed over and tried again later."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.endpoint import (
    BACK_OFF_FIRST_S,
    BACK_OFF_MAX_S,
    Connection,
    Endpoint,
    Unreachable,
)
from ledger_network.fabric.gateway.errors import EvaluateError
from ledger_network.fabric.gateway.peers import Limits
from ledger_network.fabric.gateway.signing import SigningIdentity
from tests.ledger_network.fabric.gateway.papers import Papers, issued
from tests.ledger_network.fabric.gateway.scripted import (
    Act,
    ScriptedPeer,
    channel_header,
    refuse,
    vanish,
    wait_for,
)
from tests.ledger_network.fabric.gateway.stage import Stage, play, user

GET = [b"get"]


def test_load_is_spread_evenly() -> None:
    async def scene(stage: Stage) -> None:
        for _ in range(10):
            await stage.gateway.evaluate("market", GET)

        assert stage.asked("Evaluate") == (5, 5)

    play(scene, prefer_first=False)


def test_busy_peer_gets_less() -> None:
    async def scene(stage: Stage) -> None:
        go = asyncio.Event()
        stage.north.at_next("Evaluate", wait_for(go))
        slow = asyncio.create_task(stage.gateway.evaluate("market", GET))
        await stage.north.was_asked("Evaluate")

        for _ in range(6):
            await stage.gateway.evaluate("market", GET)
        go.set()
        await slow

        assert stage.asked("Evaluate") == (1, 6)

    play(scene, prefer_first=False)


def test_preferred_peer_gets_all_while_it_is_well() -> None:
    async def scene(stage: Stage) -> None:
        for _ in range(4):
            await stage.gateway.evaluate("market", GET)
        await stage.north.stop()
        await stage.gateway.evaluate("market", GET)

        assert stage.asked("Evaluate") == (4, 1)

    play(scene)


def test_endpoint_asked_for_by_name_is_the_only_one_asked() -> None:
    async def scene(stage: Stage) -> None:
        south = stage.south.endpoint
        await stage.gateway.evaluate("market", GET, endpoint=south)
        await stage.south.stop()

        with pytest.raises(EvaluateError):
            await stage.gateway.evaluate("market", GET, endpoint=south)
        stranger = Endpoint("localhost:1", "XMSP", None)
        with pytest.raises(ValueError, match="not an endpoint"):
            await stage.gateway.evaluate("market", GET, endpoint=stranger)
        assert stage.asked("Evaluate") == (0, 1)

    play(scene, limits=Limits(connect_s=0.5))


@pytest.mark.parametrize(
    "act",
    [
        vanish,
        refuse(grpc.StatusCode.UNAVAILABLE, "failed to get config for channel [market]: none"),
        refuse(
            grpc.StatusCode.UNKNOWN, "too many requests for /g, exceeding concurrency limit (5)"
        ),
        refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "full"),
        refuse(grpc.StatusCode.FAILED_PRECONDITION, "no combination of peers can be derived"),
    ],
)
@pytest.mark.parametrize("method", ["Evaluate", "Endorse"])
def test_what_changes_nothing_goes_to_the_next_peer(act: Act, method: str) -> None:
    async def scene(stage: Stage) -> None:
        stage.north.at_next(method, act)

        if method == "Evaluate":
            await stage.gateway.evaluate("market", GET)
        else:
            await stage.gateway.endorse("market", [b"put"])

        assert stage.asked(method) == (1, 1)

    play(scene)


def test_peer_that_comes_back_is_used_again() -> None:
    async def scene(stage: Stage) -> None:
        for peer in stage.peers:
            await peer.stop()
        with pytest.raises(EvaluateError):
            await stage.gateway.evaluate("market", GET)

        await stage.north.start()

        assert await stage.gateway.evaluate("market", GET) == b"market|get"

    play(scene, limits=Limits(connect_s=1.0))


def test_failing_peer_rests_longer_each_time_and_is_well_after_an_answer() -> None:
    now = [100.0]
    endpoint = Endpoint("127.0.0.1:1", "NorthMSP", None)
    connection = Connection(endpoint, keepalive_s=20, monotonic=lambda: now[0])
    assert (connection.failing, connection.rests_s) == (False, 0.0)

    rests: list[float] = []
    for _ in range(8):
        connection.failed()
        rests.append(round(connection.rests_s, 6))

    assert rests[:3] == [BACK_OFF_FIRST_S, 2 * BACK_OFF_FIRST_S, 4 * BACK_OFF_FIRST_S]
    assert rests == sorted(rests)
    assert rests[-1] == BACK_OFF_MAX_S
    now[0] += BACK_OFF_MAX_S
    assert (connection.failing, connection.rests_s) == (True, 0.0)
    connection.worked()
    assert not connection.failing


@asynccontextmanager
async def silent_peer() -> AsyncGenerator[Endpoint]:
    """A peer that takes a connection and never says a word."""
    over = asyncio.Event()

    async def never_answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Endpoint(f"127.0.0.1:{port}", "SilentMSP", issued("x").certificate)
    finally:
        over.set()
        server.close()
        await server.wait_closed()


def test_silent_peer_is_unreachable_in_time_and_keeps_nobody_from_the_next() -> None:
    async def scene(stage: Stage) -> None:
        async with silent_peer() as silent:
            connection = Connection(silent, keepalive_s=20)
            with pytest.raises(Unreachable, match="did not answer within"):
                await connection.ready(within_s=0.2)
            await connection.close()

            both = [silent, stage.north.endpoint]
            few = Limits(connect_s=0.6)
            async with Gateway(
                user(), both, channel="market", prefer_first=True, limits=few
            ) as gateway:
                assert await gateway.evaluate("market", GET) == b"market|get"

    play(scene)


def test_peer_that_shuts_down_gently_may_finish_what_it_is_at() -> None:
    async def scene(stage: Stage) -> None:
        go = asyncio.Event()
        stage.north.at_next("Evaluate", wait_for(go))
        held = asyncio.create_task(stage.gateway.evaluate("market", [b"held"]))
        await stage.north.was_asked("Evaluate")
        stopping = asyncio.create_task(stage.north.stop(grace_s=10))

        with pytest.raises(EvaluateError):
            await stage.gateway.evaluate("market", GET, endpoint=stage.north.endpoint)
        go.set()

        assert await held == b"market|held"
        await stopping

    play(scene, limits=Limits(connect_s=0.5))


def test_server_certificate_must_descend_from_the_roots_and_they_are_read_anew(
    tmp_path: Path,
) -> None:
    async def scene(stage: Stage) -> None:
        roots = tmp_path / "roots.pem"
        roots.write_bytes(issued("other").certificate)
        endpoint = Endpoint(stage.north.endpoint.address, "NorthMSP", roots)
        async with Gateway(
            user(), [endpoint], channel="market", limits=Limits(connect_s=0.5)
        ) as gateway:
            with pytest.raises(EvaluateError):
                await gateway.evaluate("market", GET)

            roots.write_bytes(stage.north.papers.certificate)

            assert await gateway.evaluate("market", GET) == b"market|get"

    play(scene)


def test_client_shows_its_certificate_and_binds_its_streams_to_it() -> None:
    async def scene(stage: Stage) -> None:
        papers = issued("client")
        await stage.north.stop()
        stage.north.client_roots = papers.certificate
        await stage.north.start()
        plain = stage.north.endpoint
        shown = replace(plain, client_certificate=papers.certificate, client_key=papers.key)
        few = Limits(connect_s=0.5)
        async with Gateway(user(), [plain], channel="market", limits=few) as gateway:
            with pytest.raises(EvaluateError):
                await gateway.evaluate("market", GET)
        async with Gateway(user(), [shown], channel="market") as gateway:
            await gateway.submit("market", [b"put"])
            async with aclosing(gateway.blocks(start=0)) as blocks:
                await anext(blocks)

        (_, envelope) = stage.north.calls[-1]
        der = load_pem_x509_certificate(papers.certificate).public_bytes(Encoding.DER)
        header = channel_header(envelope.SerializeToString())
        assert header.tls_cert_hash == hashlib.sha256(der).digest()

    play(scene)


def test_certificate_may_change_between_proposal_and_transaction(tmp_path: Path) -> None:
    first, second = issued("user"), issued("user")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def place(papers: Papers) -> None:
        certificate.write_bytes(papers.certificate)
        key.write_bytes(papers.key)

    async def renew(_peer: ScriptedPeer, _request: Any, _context: Any) -> None:
        place(second)

    async def scene(stage: Stage) -> None:
        stage.north.at_next("Endorse", renew)

        assert (await stage.gateway.submit("market", [b"put"])).valid
        assert (await stage.gateway.submit("market", [b"put"])).valid

        assert [first.certificate in one for one in stage.north.creators] == [True, False]
        assert [second.certificate in one for one in stage.north.creators] == [False, True]

    place(first)
    play(scene, identity=SigningIdentity.from_files("NorthMSP", certificate, key))


def test_missing_file_of_roots_is_told(tmp_path: Path) -> None:
    async def scene(_stage: Stage) -> None:
        connection = Connection(
            Endpoint("127.0.0.1:1", "NorthMSP", tmp_path / "none.pem"), keepalive_s=20
        )

        with pytest.raises(Unreachable, match=r"none\.pem"):
            await connection.ready(within_s=1)
        await connection.close()

    play(scene)
