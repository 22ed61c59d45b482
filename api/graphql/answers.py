"""Writes answers: data, errors with a code each, and the age of the data.

The client receives an `ApiFault` as it is, and a fault of its own for a read model that cannot be
read. Any other exception is an error of the API: the client receives a number to quote, and the log
has this number and the kind of the error. The text of such an error is neither sent nor logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import orjson
import structlog
from graphql import GraphQLError

from api.faults import READ_MODEL_UNAVAILABLE, Fault
from api.metrics import Metrics
from api.read_model.database import UNREADABLE

INTERNAL = Fault(
    "INTERNAL", "This is an error of the API, number {number}; quote the number when you report it."
)

log = structlog.get_logger("api")

STATUS: Mapping[str, int] = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "BODY_TOO_LARGE": 413,
    "CONTENT_TYPE": 415,
    "METHOD": 405,
    "ORIGIN": 403,
    "SESSIONS_TOO_MANY": 503,
    "SIGN_INS_TOO_MANY": 503,
}
"""HTTP status of a request that was refused as a whole, by code; 400 for all others."""


class Told(TypedDict):
    """An error as clients see it; its extensions contain at least a code."""

    message: str
    extensions: dict[str, Any]
    path: NotRequired[list[str | int]]


def code_of(error: GraphQLError) -> str:
    """Return the code of an error; `ARGUMENT` for graphql-core's own errors about variables."""
    code: object = (error.extensions or {}).get("code")
    return code if isinstance(code, str) else "ARGUMENT"


def told(errors: Iterable[GraphQLError], metrics: Metrics) -> list[Told]:
    """Return errors as clients see them."""
    return [_told(error, metrics) for error in errors]


def _told(error: GraphQLError, metrics: Metrics) -> Told:
    fault = _fault_of(error, metrics)
    extensions = {**(fault.extensions or {}), "code": code_of(fault)}
    shown: Told = {"message": fault.message, "extensions": extensions}
    if error.path:
        shown["path"] = list(error.path)
    return shown


def _fault_of(error: GraphQLError, metrics: Metrics) -> GraphQLError:
    """Return the fault that clients see for an error: the error itself if it is meant for them."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return error
    if isinstance(cause, UNREADABLE):
        log.warning("read model unavailable", kind=type(cause).__name__)
        return READ_MODEL_UNAVAILABLE()
    number = secrets.token_hex(4)
    metrics.broken.inc()
    log.error("broken", number=number, kind=type(cause).__name__, at=_place(cause))
    return INTERNAL(number=number)


def _place(error: BaseException) -> str:
    """Return the line of code where an error was raised."""
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"


def written(data: object, errors: Sequence[Told], extensions: Mapping[str, object] | None) -> bytes:
    """Return an answer as JSON."""
    answer: dict[str, object] = {"data": data}
    if errors:
        answer["errors"] = list(errors)
    if extensions:
        answer["extensions"] = dict(extensions)
    return orjson.dumps(answer)
