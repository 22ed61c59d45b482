"""Mutual TLS between nodes: length-prefixed JSON frames, one question and one answer at a time.

A peer's certificate says who it is: the one URI among its subject alternative names is a node's DID or
the name of the ledger gateway. The authority in the settings must have issued the certificate. The
server closes the connection of any other peer, and of a name that it does not expect, before it reads
a message from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, cast

import msgspec

from meter_oracle.peers.messages import Heard, Message, from_bytes, to_bytes

FRAME_BYTES_MAX = 8 * 1024 * 1024  # a report of 1,000 leaves has some 300 KB
CONNECTIONS_MAX = 128  # 31 nodes with three connections each, and peers not yet rejected
HANDSHAKE_S = 5.0
IDLE_S = 3_600.0  # a peer that is silent for longer opens a new connection when it needs one
LENGTH_BYTES = 4

log = logging.getLogger("meter_oracle.peers.transport")

Handler = Callable[[str, Message], Awaitable[Message]]
"""Answers a message from the peer of the given name."""


class TlsFiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paths of PEM files: the own certificate, its key, and the authority of all peers."""

    certificate: str
    key: str
    authority: str

    def under(self, folder: Path) -> TlsFiles:
        """Return the same files, with relative paths taken from `folder`."""
        return TlsFiles(
            *(str(folder / path) for path in (self.certificate, self.key, self.authority))
        )


class PeerUnreachable(Exception):
    """A peer did not answer, answered too late, or is not the expected peer. The caller may ask again."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(name, sentence)
        self.name = name
        self.sentence = sentence


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a TLS 1.3 context for a server that demands a certificate from its peers."""
    return _context(ssl.PROTOCOL_TLS_SERVER, files)


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a TLS 1.3 context for a client; `PeerLink` compares the peer's name."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, files)
    context.check_hostname = False  # the peer's name is in a URI, and is compared there
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`; raises `ValueError`."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


class PeerServer:
    """Listens for peers of given names and answers each peer's messages in order."""

    def __init__(self, files: TlsFiles, names: Collection[str], handler: Handler) -> None:
        self._files = files
        self._names = frozenset(names)
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port; the system chooses one if `port` is 0."""
        self._server = await asyncio.start_server(
            self._serve,
            host,
            port,
            ssl=server_context(self._files),
            ssl_handshake_timeout=HANDSHAKE_S,
        )
        return self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        self._writers.add(writer)
        name = peer_name(writer)
        try:
            if name not in self._names or len(self._writers) > CONNECTIONS_MAX:
                log.warning("connection of peer %r closed: not expected, or too many", name)
                return
            await self._answer(name, reader, writer)
        except (OSError, EOFError, TimeoutError, msgspec.MsgspecError, FrameTooLong) as fault:
            log.info("connection of %s ended: %s", name, fault)
        except asyncio.CancelledError:
            log.debug("connection of %s closed: the node stops", name)
        finally:
            self._writers.discard(writer)
            if task is not None:
                self._tasks.discard(task)
            await _close(writer)

    async def _answer(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            async with asyncio.timeout(IDLE_S):
                question = await _read_frame(reader)
            if question is None:
                return
            answer = await self._handler(name, from_bytes(question))
            _write_frame(writer, to_bytes(answer))
            await writer.drain()


class PeerLink:
    """Asks one peer, over one connection that is opened when it is first needed."""

    def __init__(self, files: TlsFiles, name: str, address: str) -> None:
        self.name = name
        self._host, self._port = split_address(address)
        self._context = client_context(files)
        self._one_at_a_time = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, message: Message, *, timeout_s: float) -> Message:
        """Return the peer's answer, over a new connection if the old one is dead.

        Raises `PeerUnreachable`.
        """
        data = to_bytes(message)
        try:
            async with asyncio.timeout(timeout_s), self._one_at_a_time:
                was_open = self._streams is not None
                try:
                    return await self._ask(data)
                except (OSError, EOFError):
                    if not was_open:
                        raise
                    return await self._ask(data)
        except TimeoutError:
            raise PeerUnreachable(self.name, f"It did not answer within {timeout_s:g} s.") from None
        except (OSError, EOFError, FrameTooLong, msgspec.MsgspecError) as fault:
            raise PeerUnreachable(self.name, f"It cannot be reached: {_words(fault)}.") from None

    async def close(self) -> None:
        """Close the connection."""
        streams, self._streams = self._streams, None
        if streams is not None:
            await _close(streams[1])

    async def _ask(self, data: bytes) -> Message:
        try:
            reader, writer = await self._open()
            _write_frame(writer, data)
            await writer.drain()
            return from_bytes(await _read_answer(reader))
        except BaseException:  # the rest of the stream must not answer a later question
            if self._streams is not None:
                self._streams[1].close()
                self._streams = None
            raise

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._host, self._port, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S
            )
            name = peer_name(self._streams[1])
            if name != self.name:
                raise ConnectionError(f"{name!r} answers at its address")
        return self._streams


class FrameTooLong(Exception):
    """A peer announced more bytes than a frame may hold."""


def peer_name(writer: asyncio.StreamWriter) -> str:
    """Return the name in the peer's certificate, or an empty text unless there is exactly one."""
    certificate = cast("dict[str, Any] | None", writer.get_extra_info("peercert")) or {}
    entries = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    names = [value for kind, value in entries if kind == "URI"]
    return names[0] if len(names) == 1 else ""


def unreachable(heard: Message, name: str) -> PeerUnreachable:
    """Return the error for an answer of the wrong kind."""
    said = f"{heard.code}: {heard.sentence}" if isinstance(heard, Heard) else type(heard).__name__
    return PeerUnreachable(name, f"It answered with {said}.")


async def _read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """Read the next frame; None if the peer closed the connection between two frames."""
    try:
        head = await reader.readexactly(LENGTH_BYTES)
    except asyncio.IncompleteReadError as short:
        if short.partial:
            raise
        return None
    length = int.from_bytes(head, "big")
    if length > FRAME_BYTES_MAX:
        raise FrameTooLong(f"a frame of {length} bytes, at most {FRAME_BYTES_MAX}")
    return await reader.readexactly(length)


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    answer = await _read_frame(reader)
    if answer is None:
        raise EOFError("the peer closed the connection")
    return answer


def _write_frame(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(len(data).to_bytes(LENGTH_BYTES, "big"))
    writer.write(data)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(HANDSHAKE_S):
            await writer.wait_closed()


def _words(fault: BaseException) -> str:
    return str(fault).rstrip(".") or type(fault).__name__
