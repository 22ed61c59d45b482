"""How an answer is written: data, errors with a code each, and the age of what is told.

A fault that was worded for the client is told as it is. Anything else that was raised is ours: the
client gets a number to quote, the log gets the number and the kind of the error, nobody its text.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

import orjson
import structlog
from graphql import GraphQLError

from api.metrics import Metrics

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


def code_of(error: GraphQLError) -> str:
    """The code of an error; `ARGUMENT` for what graphql-core words about variables."""
    code: object = (error.extensions or {}).get("code")
    return code if isinstance(code, str) else "ARGUMENT"


def told(errors: Iterable[GraphQLError], metrics: Metrics) -> list[dict[str, object]]:
    """Errors as clients see them."""
    return [_told(error, metrics) for error in errors]


def _told(error: GraphQLError, metrics: Metrics) -> dict[str, object]:
    shown: dict[str, object] = {}
    if error.path:
        shown["path"] = list(error.path)
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if cause is None or isinstance(cause, GraphQLError):
        extensions = {**(error.extensions or {}), "code": code_of(error)}
        return {"message": error.message, **shown, "extensions": extensions}
    number = secrets.token_hex(4)
    metrics.broken.inc()
    log.error("broken", number=number, kind=type(cause).__name__, at=_place(cause))
    sentence = f"This is a fault of ours, number {number}; nothing of it is known to have happened."
    return {"message": sentence, **shown, "extensions": {"code": "INTERNAL"}}


def _place(error: BaseException) -> str:
    """The line of code where an error was raised."""
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"


def written(
    data: object, errors: list[dict[str, object]], extensions: Mapping[str, object] | None
) -> bytes:
    """An answer as JSON."""
    answer: dict[str, object] = {"data": data}
    if errors:
        answer["errors"] = errors
    if extensions:
        answer["extensions"] = dict(extensions)
    return orjson.dumps(answer)
