"""How an answer is written: data, errors with a code each, and the age of what is told.

A fault that was worded for the client is told as it is; a read model that cannot be read has a fault
of its own. Anything else that was raised is ours: the client gets a number to quote, the log gets the
number and the kind of the error, nobody its text.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import orjson
import structlog
from graphql import GraphQLError

from api.faults import READ_MODEL_UNAVAILABLE, Fault
from api.read_model.reads import UNREADABLE
from api.server.metrics import Metrics

INTERNAL = Fault(
    "INTERNAL", "This is a fault of ours, number {number}; nothing of it is known to have happened."
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
"""HTTP status of a request that was refused whole, by code; 400 for all others."""


class Told(TypedDict):
    """An error as clients see it; its extensions hold a code at least."""

    message: str
    extensions: dict[str, Any]
    path: NotRequired[list[str | int]]


def code_of(error: GraphQLError) -> str:
    """The code of an error; `ARGUMENT` for what graphql-core words about variables."""
    code: object = (error.extensions or {}).get("code")
    return code if isinstance(code, str) else "ARGUMENT"


def told(errors: Iterable[GraphQLError], metrics: Metrics) -> list[Told]:
    """Errors as clients see them."""
    return [_told(error, metrics) for error in errors]


def _told(error: GraphQLError, metrics: Metrics) -> Told:
    fault = _fault_of(error, metrics)
    extensions = {**(fault.extensions or {}), "code": code_of(fault)}
    shown: Told = {"message": fault.message, "extensions": extensions}
    if error.path:
        shown["path"] = list(error.path)
    return shown


def _fault_of(error: GraphQLError, metrics: Metrics) -> GraphQLError:
    """What is told of an error: itself, if it was worded for clients."""
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
    """The line of code where an error was raised."""
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"


def written(data: object, errors: Sequence[Told], extensions: Mapping[str, object] | None) -> bytes:
    """An answer as JSON."""
    answer: dict[str, object] = {"data": data}
    if errors:
        answer["errors"] = list(errors)
    if extensions:
        answer["extensions"] = dict(extensions)
    return orjson.dumps(answer)
