"""GraphQL over HTTP: one operation by POST, from its bytes to the bytes of its answer.

The endpoint refuses another method, content type or origin before it reads the body. It reads up
to 64 KB; traders may send up to 1.2 MB, but only to place, amend or cancel orders. Then the guard,
the table of rights and the schema decide. The endpoint refuses a list of requests.

The endpoint is an ASGI app without a framework: a framework's request and response objects cost as
much time as the rest of a mutation to the ledger and back (`commonwatt bench write`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from logging import INFO

import msgspec
import structlog
from starlette.types import Receive, Scope, Send
from strawberry import Schema
from strawberry.types import ExecutionResult

from api.access.table import Viewer, reader_of
from api.faults import ApiFault, Fault
from api.graphql.answers import STATUS, told, written
from api.graphql.context import RequestContext
from api.graphql.fast_path.list_plan import Plans
from api.graphql.fast_path.selection import Answer, Unplanned
from api.graphql.guard.admission import Admission, Guard, Kind
from api.headers import RAW_HEADERS
from api.metrics import Metrics
from api.services import Services
from api.sign_in.session import Sessions

BODY_BYTES_MAX = 65_536
BATCH_BODY_BYTES_MAX = 1_258_291  # 1.2 MB: the contract's batch of 1 MB, encoded as JSON
BATCH_FIELDS = frozenset({"placeOrders", "amendOrders", "cancelOrders"})
TRADING_ROLES = frozenset({"HOUSEHOLD", "RETAILER"})
JSON = "application/json"

METHOD = Fault("METHOD", "Send GraphQL requests by POST.")
CONTENT_TYPE = Fault("CONTENT_TYPE", f"The content type is not {JSON}.")
ORIGIN = Fault(
    "ORIGIN", "Pages of this origin may not use the API; the setting `origins` allows them."
)
BODY_TOO_LARGE = Fault("BODY_TOO_LARGE", "The body has more than {limit} bytes.")
BODY_FORM = Fault("BODY_FORM", "The body is not a GraphQL request: {reason}.")
BATCH = Fault("BATCH", "Send one operation in each request.")


class RequestBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A request's body; `extensions` are ignored."""

    query: str
    variables: dict[str, object] | None = None
    operation_name: str | None = None
    extensions: dict[str, object] | None = None


_asked = msgspec.json.Decoder(RequestBody)
_HEADERS = (
    *RAW_HEADERS, (b"content-type", JSON.encode()), (b"cache-control", b"no-store")
)  # fmt: skip
_READ = {
    name.encode(): name for name in ("authorization", "content-length", "content-type", "origin")
}


@dataclass(frozen=True)
class Endpoint:
    """One schema at one path. `require` raises for viewers that may not use this endpoint."""

    schema: Schema
    guard: Guard
    services: Services
    sessions: Sessions
    metrics: Metrics
    kinds: frozenset[Kind] = frozenset({"query", "mutation"})
    require: Callable[[Viewer | None], None] | None = None

    @cached_property
    def _log(self) -> structlog.typing.FilteringBoundLogger:
        """The logger; bound once, because structlog's own proxy binds it again for each line."""
        return structlog.get_logger("api").bind()

    @cached_property
    def plans(self) -> Plans:
        """The plans of the fast path for this schema."""
        return Plans(self.schema)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an HTTP request; nothing that a client sends makes this raise."""
        began_s = time.perf_counter()
        heads = _heads(scope)
        kind, roots, status = "none", (), 200
        try:
            viewer, asked, size = await self._asked(scope["method"], heads, receive)
            admission = self.guard.admit(
                asked.query,
                reader_of(viewer, shows_book=self.services.shows_book),
                variables=asked.variables,
                operation_name=asked.operation_name,
                kinds=self.kinds,
            )
            kind, roots = admission.kind, admission.roots
            _check_size(size, admission)
            result = await self._planned(asked, admission, viewer)
            if result is None:
                result = await self._standard(asked, admission, viewer, heads.get("origin"))
            data = result.data
            errors = told(result.errors, self.metrics) if result.errors else []
        except ApiFault as fault:
            status = STATUS.get(fault.code, 400)
            self.metrics.refused.labels(fault.code).inc()
            data, errors = None, told([fault], self.metrics)
        except _Gone:
            return
        body = written(data, errors, await self.services.freshness.extensions())
        await _send(send, status, body)
        seconds = time.perf_counter() - began_s
        self.metrics.took(kind, seconds)
        if self._log.is_enabled_for(INFO):
            self._log.info(
                "graphql",
                kind=kind,
                fields=roots,
                status=status,
                code=errors[0]["extensions"]["code"] if errors else None,
                ms=round(seconds * 1e3, 2),
            )

    async def _asked(
        self, method: str, heads: Mapping[str, str], receive: Receive
    ) -> tuple[Viewer | None, RequestBody, int]:
        """Return the viewer, the request and the size of its body in bytes."""
        if method != "POST":
            raise METHOD()
        content_type = heads.get("content-type", "")
        if content_type != JSON and content_type.partition(";")[0].strip().lower() != JSON:
            raise CONTENT_TYPE()
        check_origin(heads.get("origin"), self.services)
        viewer = self.sessions.viewer(heads.get("authorization"))
        if self.require is not None:
            self.require(viewer)
        trades = viewer is not None and viewer.role in TRADING_ROLES
        limit = BATCH_BODY_BYTES_MAX if trades else BODY_BYTES_MAX
        body = await _body(heads.get("content-length", "0"), receive, limit)
        return viewer, _decoded(body), len(body)

    async def _planned(
        self, asked: RequestBody, admission: Admission, viewer: Viewer | None
    ) -> Answer | None:
        """Return the answer from the fast path, or None if the fast path cannot give it."""
        plan = self.plans.plan(admission.document, asked.operation_name)
        if plan is None:
            return None
        try:
            return await plan.answer(self.services, viewer, asked.variables or {})
        except Unplanned:
            return None

    async def _standard(
        self, asked: RequestBody, admission: Admission, viewer: Viewer | None, origin: str | None
    ) -> ExecutionResult:
        context = RequestContext(viewer, self.services, self.sessions, admission, origin)
        return await self.schema.execute(
            asked.query,
            variable_values=asked.variables,
            context_value=context,
            operation_name=asked.operation_name,
        )


def check_origin(origin: str | None, services: Services) -> None:
    """Raise `ORIGIN` for a page of another origin; programs other than browsers send no origin."""
    if origin is not None and origin not in services.settings.own_origins:
        raise ORIGIN()


class _Gone(Exception):
    """The client disconnected before it had sent the whole body."""


def _heads(scope: Scope) -> dict[str, str]:
    """Return the headers that are read, by name; if one is repeated, the first one counts."""
    given: Iterable[tuple[bytes, bytes]] = reversed(scope["headers"])
    return {_READ[name]: value.decode("latin-1") for name, value in given if name in _READ}


async def _body(length: str, receive: Receive, limit: int) -> bytes:
    """Return the body, of at most `limit` bytes; `length` is the value of its header."""
    if not length.isdecimal() or len(length) > 12 or int(length) > limit:
        raise BODY_TOO_LARGE(limit=limit)
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise BODY_TOO_LARGE(limit=limit)
        pieces.append(piece)
        more = message.get("more_body", False)
    return b"".join(pieces)


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _decoded(body: bytes) -> RequestBody:
    try:
        return _asked.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if body.lstrip()[:1] == b"[":
            raise BATCH() from None
        raise BODY_FORM(
            reason='it must be an object with "query", "variables", "operationName"'
        ) from None


def _check_size(size: int, admission: Admission) -> None:
    """Refuse a large body unless it only places, amends or cancels orders."""
    if size > BODY_BYTES_MAX and not (
        admission.kind == "mutation" and BATCH_FIELDS.issuperset(admission.roots)
    ):
        raise BODY_TOO_LARGE(limit=BODY_BYTES_MAX)
