"""A stranger does no harm: its stream is ended, the other streams continue."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence

import grpc
import pytest

from chaincode.shim import ChaincodeServer, ServerSettings
from tests.chaincode.shim.authority import Authority
from tests.chaincode.shim.peer import DEADLINE_S, ScriptedPeer, connect
from tests.chaincode.shim.proposals import Kind, Message, transaction_message
from tests.chaincode.shim.stand import AUTHORITY, PACKAGE_ID, PEER, Stand, echo, play, stand

REGISTERED = Message(type=Kind.REGISTERED)
READY = Message(type=Kind.READY)
FLOOD = 2_000  # messages of 64 KB: twice what all buffers on the way may hold


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_on_the_port_do_no_harm(seed: int) -> None:
    noise = hashlib.shake_128(bytes([seed])).digest(4096)

    async def scene() -> None:
        async with stand(echo) as place, place.peer() as peer:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.server.port)
            writer.write(noise)
            await writer.drain()
            async with asyncio.timeout(DEADLINE_S):
                await reader.read()
            writer.close()

            assert (await peer.invoke(b"x")).payload == b"x"

    play(scene)


def strangers(place: Stand) -> Sequence[ScriptedPeer]:
    address, roots = place.server.address, AUTHORITY.certificate
    return (
        ScriptedPeer(address, roots, None, registers=False),
        ScriptedPeer(address, roots, Authority("peers").issue("peer0"), registers=False),
        ScriptedPeer(address, Authority("peers").certificate, PEER, registers=False),
        ScriptedPeer(address, None, None, registers=False),
    )


@pytest.mark.parametrize(
    "stranger", range(4), ids=["no certificate", "other authority", "other roots", "plaintext"]
)
def test_client_without_our_certificates_fails_in_its_handshake(stranger: int) -> None:
    async def scene() -> None:
        async with stand(echo) as place, place.peer() as peer:
            async with strangers(place)[stranger] as other:
                await other.end()

                assert other.status is not None
                assert other.status[0] == grpc.StatusCode.UNAVAILABLE
                assert other.received == []
            assert (await peer.invoke(b"x")).payload == b"x"
            assert place.figure("chaincode_streams") == 1

    play(scene)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ([transaction_message("t1", [b"x"])], "TRANSACTION where REGISTERED was due"),
        ([REGISTERED, transaction_message("t1", [b"x"])], "TRANSACTION where READY was due"),
        ([REGISTERED, REGISTERED], "REGISTERED where READY was due"),
        ([REGISTERED, Message(type=Kind.READY, payload=b"\xff")], "parameters that cannot be"),
        ([REGISTERED, READY, READY], "READY is a message that peers never send"),
        ([REGISTERED, READY, Message(type=Kind.GET_STATE)], "GET_STATE is a message"),
        ([REGISTERED, READY, Message(type=Kind.COMPLETED)], "COMPLETED is a message"),
        ([REGISTERED, READY, b"\x08\xe7\x07"], "the kind 999 is a message"),
        ([REGISTERED, READY, b""], "UNDEFINED is a message"),
        ([REGISTERED, READY, b"\xff\xff\xff"], "a message that cannot be parsed"),
        ([b"garbage"], "a message that cannot be parsed"),
    ],
)
def test_client_that_breaks_the_protocol_is_ended_with_a_line_in_the_log(
    said: Sequence[Message | bytes], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with (
            stand(echo) as place,
            place.peer() as peer,
            place.peer(registers=False) as other,
        ):
            for message in said:
                await other.send_bytes(
                    message if isinstance(message, bytes) else message.SerializeToString()
                )
            await other.end()

            assert other.status is not None
            assert other.status[0] == grpc.StatusCode.FAILED_PRECONDITION
            assert sentence in other.status[1]
            assert (await peer.invoke(b"x")).payload == b"x"

    play(scene)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in warnings] == ["chaincode.shim"]
    assert sentence in warnings[0].getMessage()


def test_transaction_that_is_already_running_ends_the_stream() -> None:
    async def scene() -> None:
        async with (
            stand(lambda invocation: invocation.get("a") or b"") as place,
            place.peer() as peer,
        ):
            peer.scripts[Kind.GET_STATE] = lambda _: ()
            await peer.send(*[transaction_message("t1", [])] * 2)
            await peer.end()

            assert peer.status is not None
            assert "already running" in peer.status[1]

    play(scene)


def test_replies_to_nobody_are_passed_over() -> None:
    async def scene() -> None:
        async with stand(echo) as place, place.peer() as peer:
            for kind in (Kind.RESPONSE, Kind.ERROR):
                await peer.send(Message(type=kind, txid="unknown", channel_id="c"))

            assert (await peer.invoke(b"x")).payload == b"x"

    play(scene)


def test_client_that_does_not_register_is_ended() -> None:
    async def scene() -> None:
        async with (
            stand(echo, register_timeout_s=0.1) as place,
            place.peer(registers=False) as silent,
            place.peer(registers=False) as half,
        ):
            await half.send(REGISTERED)
            await silent.end()
            await half.end()

            for peer in (silent, half):
                assert peer.status is not None
                assert peer.status[1] == "it did not register us in time"
            async with place.peer() as peer:
                assert (await peer.invoke(b"x")).payload == b"x"

    play(scene)


def listener(place: Stand) -> grpc.aio.Channel:
    """A peer's channel whose stream is read when the test says so."""
    return grpc.aio.secure_channel(
        place.server.address,
        grpc.ssl_channel_credentials(AUTHORITY.certificate, PEER.key, PEER.certificate),
        options=[("grpc.use_local_subchannel_pool", 1)],
    )


def test_client_that_only_listens_does_not_fill_the_memory() -> None:
    # Keep-alives are sent and their answers never read: at some point no more are taken.
    async def scene() -> None:
        async with stand(echo) as place, place.peer() as peer:
            channel = listener(place)
            stream = connect(channel)
            ping = Message(type=Kind.KEEPALIVE, payload=b"x" * 65_536).SerializeToString()
            sent = 0

            async def flood() -> None:
                nonlocal sent
                while sent < FLOOD:
                    await stream.write(ping)
                    sent += 1

            await stream.read()
            flooding = asyncio.create_task(flood())
            seen = -1
            async with asyncio.timeout(DEADLINE_S):
                while (
                    seen != sent or not sent
                ):  # until nothing goes through while others are served
                    seen = sent
                    for _ in range(50):
                        await peer.invoke(b"x")
            flooding.cancel()
            stream.cancel()
            await channel.close()

            assert 0 < sent < FLOOD

    play(scene)


def test_plaintext_serves_when_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    settings = ServerSettings(address="127.0.0.1:0", package_id=PACKAGE_ID, plaintext=True)

    async def scene() -> None:
        async with (
            ChaincodeServer(settings, echo) as server,
            ScriptedPeer(server.address, None, None) as peer,
        ):
            assert (await peer.invoke(b"x")).payload == b"x"

    play(scene)
    assert "without TLS" in caplog.text
