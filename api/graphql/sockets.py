"""GraphQL over WebSocket: `graphql-transport-ws` and no other protocol.

Each socket has one task, and a second one while there is something to send. A client must send
`connection_init` within seconds. The number of its operations and the size and rate of its frames
are limited, and an idle socket is closed. Messages wait for the client in a short queue; a socket
whose queue is full is closed, so a slow client costs no more than its queue. Subscriptions end with
their session. Sockets take subscriptions and queries; mutations need POST, whose body may be large.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

import msgspec
import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry import Schema

from api.access.table import Viewer, reader_of
from api.faults import ApiFault, Fault
from api.graphql.answers import code_of, told
from api.graphql.context import RequestContext
from api.graphql.endpoint import ORIGIN
from api.graphql.guard.admission import Guard
from api.metrics import Metrics
from api.services import Services
from api.sign_in.session import Sessions

PROTOCOL = "graphql-transport-ws"
FRAME_BYTES_MAX = 32_768  # a document of 16 KB and its variables
OPERATIONS_MAX = 20  # operations of one socket
ID_CHARACTERS_MAX = 64
QUEUE_MAX = 64  # messages that wait for one client
QUEUE_BYTES_MAX = 262_144
MESSAGES_MAX = 100  # messages that one client may send within the window
MESSAGES_WINDOW_S = 10.0

# Close codes of the protocol, and of RFC 6455.
BAD_MESSAGE, UNAUTHORIZED, FORBIDDEN_CODE = 4400, 4401, 4403
INIT_TIMEOUT, TWICE_ID, TWICE_INIT = 4408, 4409, 4429
GOING_AWAY, TOO_BIG, TRY_LATER = 1001, 1009, 1013

OPERATIONS_TOO_MANY = Fault(
    "OPERATIONS_TOO_MANY", "This socket has {limit} operations already; complete one."
)


class _Payload(msgspec.Struct, rename="camel"):
    query: str = ""
    variables: dict[str, object] | None = None
    operation_name: str | None = None
    authorization: str | None = None


class _Message(msgspec.Struct):
    type: str
    id: str = ""
    payload: _Payload | None = None


class _Closing(Exception):
    """The socket has to be closed with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Closable(Protocol):
    """An open socket."""

    def leave(self) -> None:
        """Close the socket because the API stops."""
        ...


_messages = msgspec.json.Decoder(_Message)


class Sockets:
    """All open sockets of one app."""

    def __init__(
        self,
        schema: Schema,
        guard: Guard,
        services: Services,
        sessions: Sessions,
        metrics: Metrics,
    ) -> None:
        self.schema = schema
        self.guard = guard
        self.services = services
        self.sessions = sessions
        self.metrics = metrics
        self._open: set[Closable] = set()

    def __len__(self) -> int:
        """Return the number of open sockets."""
        return len(self._open)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a socket from its handshake until it is closed."""
        settings = self.services.settings
        origin = websocket.headers.get("origin")
        if origin is not None and origin not in settings.own_origins:
            self.dropped("origin")
            await websocket.close(reason=ORIGIN.code)  # not accepted: HTTP 403
            return
        if PROTOCOL not in websocket.scope.get("subprotocols", ()):
            self.dropped("protocol")
            await websocket.close(reason="only graphql-transport-ws is spoken here")
            return
        if len(self._open) >= settings.sockets_max:
            self.dropped("full")
            await websocket.close(code=TRY_LATER)
            return
        socket = _Socket(self, websocket, origin)
        self._open.add(socket)
        self.metrics.sockets.inc()
        try:
            await websocket.accept(subprotocol=PROTOCOL)
            await socket.run()
        finally:
            self._open.discard(socket)
            self.metrics.sockets.dec()

    def leave(self) -> None:
        """Close all sockets because the API stops."""
        for socket in list(self._open):
            socket.leave()

    def dropped(self, reason: str) -> None:
        """Count a socket that the API closed."""
        self.metrics.sockets_dropped.labels(reason).inc()


class _Socket:
    __slots__ = (
        "_bytes", "_leaving", "_limit", "_operations", "_origin", "_queue", "_seen", "_sockets",
        "_task", "_viewer", "_websocket", "_welcome", "_window_s", "_writer",
    )  # fmt: skip

    def __init__(self, sockets: Sockets, websocket: WebSocket, origin: str | None) -> None:
        self._sockets = sockets
        self._websocket = websocket
        self._origin = origin
        self._viewer: Viewer | None = None
        self._welcome = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._queue: deque[str] = deque()
        self._bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._limit: asyncio.Timeout | None = None
        self._seen = 0
        self._window_s = 0.0
        self._leaving: _Closing | None = None
        self._task: asyncio.Task[None] | None = None

    def leave(self) -> None:
        """Close the socket because the API stops."""
        self._end(_Closing(GOING_AWAY, "the API stops"))

    async def run(self) -> None:
        """Read messages until the client disconnects or the API closes the socket."""
        self._task = asyncio.current_task()
        reason = "client"
        try:
            await self._read()
        except WebSocketDisconnect:
            pass
        except _Closing as closing:
            reason = closing.reason
            await self._close(closing)
        except asyncio.CancelledError:
            if self._leaving is None:
                raise
            reason = self._leaving.reason
            await self._close(self._leaving)
        finally:
            if reason != "client":
                self._sockets.dropped(reason)
            await self._clear()

    async def _read(self) -> None:
        settings = self._sockets.services.settings
        try:
            async with asyncio.timeout(settings.connection_init_s) as limit:
                self._limit = limit
                while True:
                    message = await self._websocket.receive()
                    if message["type"] == "websocket.disconnect":
                        return
                    text = message.get("text")
                    self._count()
                    await self._take(_read_message(text))
                    self._rearm()
        except TimeoutError:
            if self._welcome:
                raise _Closing(GOING_AWAY, "idle") from None
            raise _Closing(INIT_TIMEOUT, "connection initialisation timeout") from None

    def _rearm(self) -> None:
        """Restart the idle time of an initialised socket; sockets with operations have no limit."""
        if self._limit is None or not self._welcome or self._limit.expired():
            return
        idle_s = self._sockets.services.settings.socket_idle_s
        now_s = asyncio.get_running_loop().time()
        self._limit.reschedule(None if self._operations else now_s + idle_s)

    def _count(self) -> None:
        """Limit the number of messages, because many small ones cost as much as a large one."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._window_s > MESSAGES_WINDOW_S:
            self._window_s, self._seen = now_s, 0
        self._seen += 1
        if self._seen > MESSAGES_MAX:
            raise _Closing(TRY_LATER, "too many messages")

    async def _take(self, message: _Message) -> None:
        match message.type:
            case "connection_init":
                self._greet(message.payload)
            case "ping":
                self._send({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                self._subscribe(message)
            case "complete":
                task = self._operations.pop(message.id, None)
                if task is not None:
                    task.cancel()
            case _:
                raise _Closing(BAD_MESSAGE, "unknown message")

    def _greet(self, payload: _Payload | None) -> None:
        if self._welcome:
            raise _Closing(TWICE_INIT, "too many initialisation requests")
        given = None if payload is None else payload.authorization
        try:
            self._viewer = self._sockets.sessions.viewer(given)
        except ApiFault:
            raise _Closing(FORBIDDEN_CODE, "forbidden") from None
        self._welcome = True
        self._send({"type": "connection_ack"})

    def _subscribe(self, message: _Message) -> None:
        if not self._welcome:
            raise _Closing(UNAUTHORIZED, "unauthorized")
        if not 1 <= len(message.id) <= ID_CHARACTERS_MAX or message.payload is None:
            raise _Closing(BAD_MESSAGE, "invalid message")
        if message.id in self._operations:
            raise _Closing(TWICE_ID, "subscriber exists already")
        if len(self._operations) >= OPERATIONS_MAX:
            self._refuse(message.id, OPERATIONS_TOO_MANY(limit=OPERATIONS_MAX))
            return
        task = asyncio.create_task(self._operate(message.id, message.payload))
        self._operations[message.id] = task

    async def _operate(self, name: str, asked: _Payload) -> None:
        """Execute one operation and send each of its results as a message."""
        sockets = self._sockets
        try:
            admission = sockets.guard.admit(
                asked.query,
                reader_of(self._viewer, shows_book=sockets.services.shows_book),
                variables=asked.variables,
                operation_name=asked.operation_name,
                kinds=frozenset({"subscription", "query"}),
            )
            context = RequestContext(
                self._viewer, sockets.services, sockets.sessions, admission, self._origin
            )
            results = await sockets.schema.stream(
                asked.query,
                variable_values=asked.variables,
                context_value=context,
                operation_name=asked.operation_name,
            )
            try:
                async for result in results:
                    self._next(name, result)
            finally:
                await results.aclose()
            self._send({"id": name, "type": "complete"})
        except GraphQLError as error:
            sockets.metrics.refused.labels(code_of(error)).inc()
            self._refuse(name, error)
        except _Closing as closing:
            self._end(closing)
        finally:
            self._operations.pop(name, None)
            self._rearm()

    def _next(self, name: str, result: object) -> None:
        if self._viewer is not None and not self._sockets.sessions.is_alive(self._viewer):
            raise _Closing(UNAUTHORIZED, "session over")
        data: object = getattr(result, "data", None)
        errors: list[GraphQLError] = getattr(result, "errors", None) or []
        if data is None and errors:
            raise errors[0]
        payload: dict[str, object] = {"data": data}
        if errors:
            payload["errors"] = told(errors, self._sockets.metrics)
        self._send({"id": name, "type": "next", "payload": payload})

    def _refuse(self, name: str, error: GraphQLError) -> None:
        payload = told([error], self._sockets.metrics)
        self._send({"id": name, "type": "error", "payload": payload})

    def _send(self, message: dict[str, object]) -> None:
        """Queue a message; close the socket if the client does not read its messages in time."""
        text = orjson.dumps(message).decode()
        self._queue.append(text)
        self._bytes += len(text)
        if len(self._queue) > QUEUE_MAX or self._bytes > QUEUE_BYTES_MAX:
            self._queue.clear()
            raise _Closing(TRY_LATER, "slow")
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # disconnected; the reader notices it too
            while self._queue:
                text = self._queue.popleft()
                self._bytes -= len(text)
                await self._websocket.send_text(text)

    def _end(self, closing: _Closing) -> None:
        """Cancel the reader, which then closes the socket."""
        if self._leaving is None and self._task is not None:
            self._leaving = closing
            self._task.cancel()

    async def _close(self, closing: _Closing) -> None:
        if self._websocket.application_state is not WebSocketState.CONNECTED:
            return
        writer = self._writer
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(1):
                if closing.reason != "slow" and writer is not None:
                    await writer
                await self._websocket.close(code=closing.code, reason=closing.reason)

    async def _clear(self) -> None:
        tasks = [*self._operations.values(), *([self._writer] if self._writer else [])]
        self._operations.clear()
        self._queue.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _read_message(text: object) -> _Message:
    if not isinstance(text, str):
        raise _Closing(BAD_MESSAGE, "text frames only")
    if len(text) > FRAME_BYTES_MAX:
        raise _Closing(TOO_BIG, "frame too large")
    try:
        return _messages.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        raise _Closing(BAD_MESSAGE, "invalid message") from None
