"""GraphQL over HTTP: one operation by POST, from its bytes to the bytes of its answer.

Refused before anything is read: another method, another content type, another origin. A body is
read up to 64 KB; those who trade may send up to 1.2 MB, and then only to place, amend or cancel.
Then the guard, the table of rights, the schema. Batches are refused: a list is no request.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from strawberry import Schema
from strawberry.types import ExecutionResult

from api.access import Viewer, reader_of
from api.answers import STATUS, told, written
from api.faults import ApiFault, Fault
from api.guard import Admission, Guard, Kind
from api.metrics import Metrics
from api.plan import Plans
from api.selection import Answer, NotPlain
from api.services import Services
from api.session import RequestContext, Sessions

BODY_BYTES_MAX = 65_536
BATCH_BODY_BYTES_MAX = 1_258_291  # 1.2 MB: the contract's batch of 1 MB, and its JSON
BATCH_FIELDS = frozenset({"placeOrders", "amendOrders", "cancelOrders"})
TRADING_ROLES = frozenset({"HOUSEHOLD", "RETAILER"})
JSON = "application/json"

METHOD = Fault("METHOD", "GraphQL is asked by POST here.")
CONTENT_TYPE = Fault("CONTENT_TYPE", f"The content type is not {JSON}.")
ORIGIN = Fault("ORIGIN", "Pages of another origin may not ask here; it can be set (origins).")
BODY_TOO_LARGE = Fault("BODY_TOO_LARGE", "The body has more than {limit} bytes.")
BODY_FORM = Fault("BODY_FORM", "The body is no GraphQL request: {reason}.")
BATCH = Fault("BATCH", "Several operations in one request are not taken; send one.")

log = structlog.get_logger("api")


class Asked(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A request's body; `extensions` are read over."""

    query: str
    variables: dict[str, object] | None = None
    operation_name: str | None = None
    extensions: dict[str, object] | None = None


_asked = msgspec.json.Decoder(Asked)


@dataclass(frozen=True)
class Endpoint:
    """One schema behind one address. `viewers` says who may ask at all (None: everybody)."""

    schema: Schema
    guard: Guard
    services: Services
    sessions: Sessions
    metrics: Metrics
    kinds: frozenset[Kind] = frozenset({"query", "mutation"})
    require: Callable[[Viewer | None], None] | None = None
    plans: Plans = field(default_factory=Plans)

    async def answer(self, request: Request) -> Response:
        """The answer to a request; never raises for what a client sent."""
        began_s = time.perf_counter()
        kind, roots, status, code = "none", (), 200, None
        try:
            viewer, asked, size = await self._asked(request)
            admission = self.guard.admit(
                asked.query,
                reader_of(viewer),
                variables=asked.variables,
                operation_name=asked.operation_name,
                kinds=self.kinds,
            )
            kind, roots = admission.kind, admission.roots
            _check_size(size, admission)
            body = await self._executed(asked, admission, viewer, request)
        except ApiFault as fault:
            code, status = fault.code, STATUS.get(fault.code, 400)
            self.metrics.refused.labels(code).inc()
            extensions = await self.services.freshness.extensions()
            body = written(None, told([fault], self.metrics), extensions)
        except ClientDisconnect:
            return Response(status_code=400)
        seconds = time.perf_counter() - began_s
        self.metrics.operations_s.labels(kind).observe(seconds)
        log.info(
            "graphql",
            kind=kind,
            fields=list(roots),
            status=status,
            code=code,
            ms=round(seconds * 1e3, 2),
        )
        headers = {"Cache-Control": "no-store"}
        if status == 405:
            headers["Allow"] = "POST"
        return Response(body, status_code=status, media_type=JSON, headers=headers)

    async def _asked(self, request: Request) -> tuple[Viewer | None, Asked, int]:
        """Who asks what, and the bytes of the body."""
        if request.method != "POST":
            raise METHOD()
        headers = request.headers
        if headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise CONTENT_TYPE()
        check_origin(headers.get("origin"), self.services)
        viewer = self.sessions.viewer(headers.get("authorization"))
        if self.require is not None:
            self.require(viewer)
        trades = viewer is not None and viewer.role in TRADING_ROLES
        body = await _body(request, BATCH_BODY_BYTES_MAX if trades else BODY_BYTES_MAX)
        return viewer, _decoded(body), len(body)

    async def _executed(
        self, asked: Asked, admission: Admission, viewer: Viewer | None, request: Request
    ) -> bytes:
        result = await self._planned(asked, admission, viewer)
        if result is None:
            result = await self._standard(asked, admission, viewer, request)
        extensions = await self.services.freshness.extensions()
        return written(result.data, told(result.errors or (), self.metrics), extensions)

    async def _planned(
        self, asked: Asked, admission: Admission, viewer: Viewer | None
    ) -> Answer | None:
        """The answer where there is a short way to it."""
        plan = self.plans.plan(admission.document, asked.operation_name)
        if plan is None:
            return None
        try:
            return await plan.answer(self.services, viewer, asked.variables or {})
        except NotPlain:
            return None

    async def _standard(
        self, asked: Asked, admission: Admission, viewer: Viewer | None, request: Request
    ) -> ExecutionResult:
        context = RequestContext(
            viewer, self.services, self.sessions, admission, request.headers.get("origin")
        )
        return await self.schema.execute(
            asked.query,
            variable_values=asked.variables,
            context_value=context,
            operation_name=asked.operation_name,
        )


def check_origin(origin: str | None, services: Services) -> None:
    """Raise `ORIGIN` for a page of another origin; programs send none."""
    if origin is not None and origin not in services.settings.own_origins:
        raise ORIGIN()


async def _body(request: Request, limit: int) -> bytes:
    """The body, read no further than `limit` bytes."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12 or int(length) > limit:
        raise BODY_TOO_LARGE(limit=limit)
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise BODY_TOO_LARGE(limit=limit)
        pieces.append(piece)
    return b"".join(pieces)


def _decoded(body: bytes) -> Asked:
    if body.lstrip()[:1] == b"[":
        raise BATCH()
    try:
        return _asked.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BODY_FORM(
            reason='it is an object with "query", "variables", "operationName"'
        ) from None


def _check_size(size: int, admission: Admission) -> None:
    """A large body is for orders alone."""
    if size > BODY_BYTES_MAX and not (
        admission.kind == "mutation" and BATCH_FIELDS.issuperset(admission.roots)
    ):
        raise BODY_TOO_LARGE(limit=BODY_BYTES_MAX)
