"""Peers ping on quiet connections; gRPC's default drops who does so often."""

from __future__ import annotations

import asyncio

import grpc

from chaincode.shim import ChaincodeServer, ServerSettings
from tests.chaincode.shim.peer import DEADLINE_S, connect
from tests.chaincode.shim.stand import PACKAGE_ID, echo, play

EAGER = [
    ("grpc.keepalive_time_ms", 20),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.use_local_subchannel_pool", 1),
]


Stream = grpc.aio.StreamStreamCall[bytes, bytes]


async def open_stream(address: str) -> tuple[grpc.aio.Channel, Stream]:
    channel = grpc.aio.insecure_channel(address, options=EAGER)
    stream = connect(channel)
    await stream.read()
    return channel, stream


async def quiet(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
    """A stream on which nothing is said after the first message."""
    await context.write(b"hello")
    await asyncio.Event().wait()


def test_pings_that_a_default_server_takes_amiss_are_welcome() -> None:
    # Two servers are pinged alike, 20 ms apart. When the one with gRPC's defaults has dropped its
    # stream, ours must still have its own.
    settings = ServerSettings(address="127.0.0.1:0", package_id=PACKAGE_ID, plaintext=True)

    async def scene() -> None:
        usual = grpc.aio.server()
        usual.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "protos.Chaincode", {"Connect": grpc.stream_stream_rpc_method_handler(quiet)}
                ),
            )
        )
        port = usual.add_insecure_port("127.0.0.1:0")
        await usual.start()
        async with ChaincodeServer(settings, echo) as server:
            ours, our_stream = await open_stream(server.address)
            theirs, their_stream = await open_stream(f"127.0.0.1:{port}")
            async with asyncio.timeout(DEADLINE_S):
                dropped = await their_stream.code()

            assert dropped == grpc.StatusCode.UNAVAILABLE
            assert "ping" in str(await their_stream.details()).lower()
            assert not our_stream.done()
            our_stream.cancel()
            await ours.close()
            await theirs.close()
        await usual.stop(None)

    play(scene)
