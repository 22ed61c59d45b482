"""A peer: its address, the connection to it, and whether it is well.

A connection is made before anything is sent, so that a peer that cannot be reached is distinguished
from one that was lost while it worked. A peer that fails is not asked for a while, longer each
time, and then tried over a new connection, for which its TLS files are read again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio

from ledger_network.fabric.gateway.signing import certificate_hash

MESSAGE_BYTES_MAX = 100 << 20  # what peers take and send
METADATA_BYTES_MAX = 16 << 20  # a chaincode's refusal travels in a trailer, however long it is
BACK_OFF_FIRST_S = 0.2
BACK_OFF_MAX_S = 3.0  # below the time that a caller waits for a peer, so that each call tries one

PemOrFile = bytes | Path


class Unreachable(ConnectionError):
    """A peer could not be connected to; nothing was sent."""


class TlsPapers(NamedTuple):
    """Roots, and the client's key and certificate, in PEM; each None if it is not used."""

    roots: bytes | None
    key: bytes | None
    certificate: bytes | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A peer of organisation `msp_id` at `address` ("host:port").

    `tls_roots` are the certificates (PEM) that its server certificate must descend from; None means
    a peer without TLS. `server_name` is the name in that certificate where it differs from
    the host. `client_certificate` and `client_key` are shown to peers that ask for mutual TLS.
    A file given by its path is read again for every new connection.
    """

    address: str
    msp_id: str
    tls_roots: PemOrFile | None
    server_name: str | None = None
    client_certificate: PemOrFile | None = None
    client_key: PemOrFile | None = None

    def tls_hash(self) -> bytes:
        """The hash that binds a signed stream request to this client; empty without mutual TLS."""
        certificate = _pem(self.client_certificate)
        return b"" if certificate is None else certificate_hash(certificate)

    def papers(self) -> TlsPapers:
        """Return the TLS material as it is now; raises OSError if a file is missing."""
        return TlsPapers(_pem(self.tls_roots), _pem(self.client_key), _pem(self.client_certificate))

    def channel(self, papers: TlsPapers, *, keepalive_s: float) -> grpc.aio.Channel:
        """Return a new channel, which connects when it is first used."""
        options: list[tuple[str, Any]] = [
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_metadata_size", METADATA_BYTES_MAX),
            ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_retries", 0),  # this package decides what may be sent again
            ("grpc.keepalive_time_ms", int(keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        if self.server_name is not None:
            options.append(("grpc.ssl_target_name_override", self.server_name))
            options.append(("grpc.default_authority", self.server_name))
        if papers.roots is None:
            return grpc.aio.insecure_channel(self.address, options=options)
        credentials = grpc.ssl_channel_credentials(papers.roots, papers.key, papers.certificate)
        return grpc.aio.secure_channel(self.address, credentials, options=options)


class Connection:
    """The connection to one endpoint and its health, with `in_flight` requests in progress.

    `monotonic` gives seconds that never go back; `keepalive_s` is how long a silent connection is
    trusted before it is pinged.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        keepalive_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoint = endpoint
        self.in_flight = 0
        self.asked = 0
        self._keepalive_s = keepalive_s
        self._monotonic = monotonic
        self._channel: grpc.aio.Channel | None = None
        self._papers: TlsPapers | None = None
        self._retired: list[grpc.aio.Channel] = []
        self._dialling = asyncio.Lock()
        self._failures = 0
        self._retry_at = 0.0
        self._closed = False

    @property
    def failing(self) -> bool:
        """Return whether the last request failed to reach this peer."""
        return self._failures > 0

    @property
    def rests_s(self) -> float:
        """Seconds until the peer may be tried again; 0 if it may be tried now."""
        return max(0.0, self._retry_at - self._monotonic()) if self._failures else 0.0

    def failed(self) -> None:
        """Stop asking this peer for a while, longer with each failure in a row."""
        rest_s = min(BACK_OFF_FIRST_S * 2.0 ** min(self._failures, 16), BACK_OFF_MAX_S)
        self._failures += 1
        self._retry_at = self._monotonic() + rest_s

    def worked(self) -> None:
        """Note that the peer answered; even a refusal shows that it is up."""
        self._failures = 0

    @property
    def connected(self) -> bool:
        """Return whether the connection is up at this moment."""
        return self._channel is not None and _state(self._channel) is _READY

    async def ready(self, *, within_s: float) -> grpc.aio.Channel:
        """Return a connected channel; raises `Unreachable` if it does not connect in time."""
        channel = self._channel
        if channel is not None and _state(channel) is _READY:
            return channel
        try:
            async with asyncio.timeout(within_s), self._dialling:
                return await self._dialled()
        except TimeoutError as error:
            said = f"{self.endpoint.address} did not answer within {within_s:g} s"
            raise Unreachable(said) from error

    async def close(self) -> None:
        """Close the channel; requests in progress fail."""
        self._closed = True
        if self._channel is not None:
            self._retired.append(self._channel)
            self._channel = None
        await self._close_retired()

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().close()

    async def _dialled(self) -> grpc.aio.Channel:
        if self._closed:
            raise Unreachable(f"the connection to {self.endpoint.address} was closed")
        channel = self._channel
        if channel is not None and _state(channel) is _READY:
            return channel
        try:
            papers = self.endpoint.papers()
        except OSError as error:
            raise Unreachable(f"TLS files of {self.endpoint.address}: {error}") from error
        if channel is None or papers != self._papers or _state(channel) in {_FAILED, _SHUTDOWN}:
            if channel is not None:
                self._retired.append(channel)
            channel = self.endpoint.channel(papers, keepalive_s=self._keepalive_s)
            self._channel, self._papers = channel, papers
            # A peer that is shutting down may still be working on requests over the old one.
            if self.in_flight <= 1:
                await self._close_retired()
        state = channel.get_state(try_to_connect=True)
        while state is not _READY:
            if state in {_FAILED, _SHUTDOWN}:
                raise Unreachable(f"{self.endpoint.address} cannot be connected to")
            await channel.wait_for_state_change(state)
            state = channel.get_state(try_to_connect=True)
        return channel


_READY = grpc.ChannelConnectivity.READY
_FAILED = grpc.ChannelConnectivity.TRANSIENT_FAILURE
_SHUTDOWN = grpc.ChannelConnectivity.SHUTDOWN


def _state(channel: grpc.aio.Channel) -> grpc.ChannelConnectivity:
    return channel.get_state(try_to_connect=False)


def _pem(value: PemOrFile | None) -> bytes | None:
    return value.read_bytes() if isinstance(value, Path) else value
