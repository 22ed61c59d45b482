"""Checks whether nodes are up and well, by polling until a deadline."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from ledger_network.fabric.consortium.definition import PORT_BLOCK, Node

T = TypeVar("T")

POLL_S = 0.05
WATCH_S = 0.2  # between two checks for a fault that ends the wait
ASK_S = 2.0
LOG_LINES = 6


class NotReady(Exception):
    """A node was not ready in time; the sentence says which, and quotes the end of its log."""


class PortTaken(Exception):
    """A port that a node needs is in use."""


async def until(
    what: str, check: Callable[[], Awaitable[str]], *, within_s: float, log: Path | None = None
) -> None:
    """Wait until `check` returns an empty string instead of a sentence on what is missing.

    Raises `NotReady` with the last answer of `check` and the end of `log`.
    """
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + within_s
    while missing := await check():
        if loop.time() > deadline_s:
            raise NotReady(f"{what} was not ready within {within_s:.0f} s: {missing}{_end(log)}")
        await asyncio.sleep(POLL_S)


async def attended(work: Awaitable[T], fault: Callable[[], str]) -> T:
    """Return the result of `work`, which waits for something, unless `fault` returns a sentence.

    Raises `NotReady` with the sentence as soon as there is one before the work has succeeded.
    """
    doing = asyncio.ensure_future(work)
    said = ""
    try:
        while not doing.done() and not (said := fault()):
            await asyncio.wait((doing,), timeout=WATCH_S)
        failed = doing.exception() if doing.done() else None
        if said := said or (fault() if failed else ""):
            raise NotReady(said) from failed
        return await doing
    finally:
        doing.cancel()
        await asyncio.wait((doing,))


def _end(log: Path | None) -> str:
    """The end of a log, for a sentence that says why something is not ready."""
    if log is None or not log.exists():
        return ""
    lines = log.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return (
        "\n" + "\n".join(f"  {log.parent.parent.name}: {line}" for line in lines) if lines else ""
    )


async def health(host: str, port: int, path: str = "/healthz") -> str:
    """Return an empty string if a node's operations service reports it well, else the fault."""
    try:
        async with asyncio.timeout(ASK_S):
            status, body = await _get(host, port, path)
    except (OSError, TimeoutError, ValueError) as error:
        return f"no answer at {host}:{port} ({type(error).__name__})"
    return "" if status == 200 else f"{host}:{port} says {status}: {body[:200]}"


async def _get(host: str, port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(maxsplit=2)[1:2] or [b"none"]  # a node that is ending may answer nothing
    return int(status[0]), body.decode("utf-8", "replace")


async def listens(host: str, port: int) -> str:
    """Return an empty string if the port accepts connections, else what is wrong."""
    try:
        async with asyncio.timeout(ASK_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        return f"nobody listens at {host}:{port} ({type(error).__name__})"
    writer.close()
    return ""


def require_free(nodes: Iterable[Node]) -> None:
    """Raise `PortTaken` unless the port blocks of all nodes are free."""
    for node in nodes:
        if node.kind != "contract":  # a contract's ports are in its peer's block
            _require(node, range(node.site.port, node.site.port + PORT_BLOCK))


def require_own_free(node: Node) -> None:
    """Raise `PortTaken` unless every port that this one node listens at is free.

    The other ports of its block are not checked: a peer's contract service may run while the peer
    does not.
    """
    if node.kind == "contract":
        _require(node, (node.port, node.operations_port))
    else:
        _require(node, range(node.port, node.operations_port + 1))


def _require(node: Node, ports: Iterable[int]) -> None:
    for port in ports:
        if fault := _taken(node.site.host, port):
            raise PortTaken(
                f"{node.name} needs port {port} on {node.site.host}, and {fault}: stop what "
                "listens there, or give the node another port in the consortium's file."
            )


def _taken(host: str, port: int) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return "this user may not listen there"
        except OSError as error:
            return f"it cannot be had ({error.strerror})"
    return ""
