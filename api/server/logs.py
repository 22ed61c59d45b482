"""The API's logs: one event per line, with names and numbers but without a client's values.

The API logs no document, variable, token, DID or address of a client. A line about a request
has its route, its kind, its root fields, its status and its duration.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

from api.settings import ApiSettings

# These libraries would log what strangers send: Strawberry logs each error with its document.
_SILENT = ("strawberry.execution", "strawberry.ws.task")
_WARNING = ("uvicorn", "uvicorn.error", "tortoise", "asyncio")


def configure_logs(settings: ApiSettings, output: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers to `output`, in one format.

    Without `output` they write to standard error.
    """
    written = output or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=written.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(written),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(written)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    silence_libraries()


def silence_libraries() -> None:
    """Keep libraries from logging what strangers send."""
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    for name in _WARNING:
        logging.getLogger(name).setLevel(logging.WARNING)
