"""The server that peers dial: one package id, any number of streams, one pool of threads."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType

import grpc
from prometheus_client import CollectorRegistry

from chaincode.shim.calls.invocation import Handler
from chaincode.shim.faults import SettingsFault, TransactionOver
from chaincode.shim.serving.credentials import TlsMaterial
from chaincode.shim.serving.metrics import Metrics
from chaincode.shim.serving.settings import ServerSettings, split_address
from chaincode.shim.serving.stream import Context, PeerStream
from chaincode.shim.serving.workers import Workers
from identity.verification import Verification

logger = logging.getLogger("chaincode.shim")

GRACE_S = 25.0  # less than the time that orchestrators give a process to end
PEER_PING_MS = 10_000  # peers ping every 60 s; with some settings they ping more often
OWN_PING_MS = 30_000  # the time within which the server notices that a peer is gone
OWN_PING_TIMEOUT_MS = 20_000
HANDSHAKE_TIMEOUT_MS = 10_000  # a client that connects and says nothing holds no socket for longer


class ChaincodeServer:
    """Serves `handler` to peers; also an async context manager that starts and stops."""

    def __init__(
        self,
        settings: ServerSettings,
        handler: Handler,
        *,
        registry: CollectorRegistry | None = None,
        verification: Verification | None = None,
    ) -> None:
        """Add metrics to `registry`; a caller that passes a `verification` must close it."""
        self.settings = settings
        self.metrics = Metrics(registry if registry is not None else CollectorRegistry())
        self._handler = handler
        self._own_verification = verification is None
        self._verification = verification if verification is not None else Verification()
        self._server: grpc.aio.Server | None = None
        self._workers: Workers | None = None
        self._streams: set[PeerStream] = set()
        self._draining = False
        self._host, self._port = split_address(settings.address)

    @property
    def port(self) -> int:
        """The port that the server listens on; it is not 0 once the server has started."""
        return self._port

    @property
    def address(self) -> str:
        """The host:port that the server listens on."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen; raises `SettingsFault` if TLS files do not match or the address is in use."""
        if self._server is not None:
            raise RuntimeError("a server can be started only once")
        credentials = TlsMaterial(self.settings.tls).credentials() if self.settings.tls else None
        server = grpc.aio.server(options=connection_options(self.settings))
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "protos.Chaincode",
                    {"Connect": grpc.stream_stream_rpc_method_handler(self._connect)},
                ),
            )
        )
        try:
            self._port = (
                server.add_secure_port(self.settings.address, credentials)
                if credentials is not None
                else server.add_insecure_port(self.settings.address)
            )
        except RuntimeError as fault:
            await server.stop(None)
            raise SettingsFault(f"{self.settings.address} cannot be listened on") from fault
        self._workers = Workers(self.settings, self._handler, self._verification, self.metrics)
        self._server = server
        await server.start()
        logger.info("serving %s at %s", self.settings.package_id, self.address)
        if credentials is None:
            logger.warning("serving without TLS, as the settings ask for")

    async def stop(self, *, grace_s: float = GRACE_S) -> None:
        """Answer new transactions with 503, wait for running ones, then end all streams.

        Transactions that still run after `grace_s` are answered with 503, and the server does not
        wait for them. A second call does nothing.
        """
        if self._server is None or self._workers is None or self._draining:
            return
        self._draining = True
        streams = list(self._streams)
        for stream in streams:
            stream.draining = True
        try:
            async with asyncio.timeout(grace_s):
                for stream in streams:
                    await stream.idle()
        except TimeoutError:
            logger.warning("stopping with transactions still running after %g s", grace_s)
            for stream in streams:
                stream.abandon(TransactionOver("The chaincode has stopped."))
        for stream in streams:
            stream.close()
        await self._server.stop(1.0)  # leaves time for answers that are not sent yet
        for stream in streams:  # gRPC has ended the streams; their tasks may still clean up
            await stream.ended.wait()
        self._workers.close()
        if self._own_verification:
            await asyncio.to_thread(self._verification.close)
        logger.info("stopped")

    async def __aenter__(self) -> ChaincodeServer:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _connect(self, _requests: object, context: Context) -> None:
        """Serve one stream; messages are read and written through the context, as bytes."""
        if (
            self._draining
            or len(self._streams) >= self.settings.streams_max
            or self._workers is None
        ):
            reason = "stopping" if self._draining else "too many streams"
            logger.warning("stream of %s is refused: %s", context.peer(), reason)
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
        stream = PeerStream(context, self.settings, self._workers, self.metrics)
        self._streams.add(stream)
        self.metrics.streams.set(len(self._streams))
        try:
            await stream.serve()
        finally:
            self._streams.discard(stream)
            stream.ended.set()
            self.metrics.streams.set(len(self._streams))


def connection_options(settings: ServerSettings) -> list[tuple[str, int]]:
    """The options of gRPC's connections: message sizes and rules for pings."""
    return [
        ("grpc.max_receive_message_length", settings.message_bytes_max),
        ("grpc.max_send_message_length", settings.message_bytes_max),
        # By default gRPC accepts one ping in five minutes and drops the connection at the next.
        ("grpc.http2.min_ping_interval_without_data_ms", PEER_PING_MS),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", OWN_PING_MS),
        ("grpc.keepalive_timeout_ms", OWN_PING_TIMEOUT_MS),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS),
        ("grpc.so_reuseport", 0),  # otherwise a second server could share the port unnoticed
    ]
