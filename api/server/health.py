"""The API's health: whether it is live, whether it is ready, and its metrics.

The API is live if this process answers. It is ready if it can answer queries with fresh data, that
is, if the read model can be read and does not lag. A ledger that takes no writes does not make the
API unready, because reads still work, but the answer says so.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.metrics import CONTENT_TYPE, Metrics
from api.services import Services
from api.sign_in.session import Sessions


class Readiness(msgspec.Struct, frozen=True):
    """Whether to send requests here; `lag` is in blocks, `age_s` is the last block's age."""

    status: Literal["ready", "unready"]
    sentence: str
    block: int
    lag: int
    age_s: int
    writable: bool
    engine: str


LAG_MAX = 50  # blocks, which is some seconds of a busy ledger


async def readiness(services: Services) -> Readiness:
    """Return the readiness of the API now."""
    health = await services.freshness.health()
    fresh = await services.freshness.extensions()
    block, age_s = _integer(fresh.get("block")), _integer(fresh.get("ageS"))
    lag = max(0, health.height - 1 - block)
    sentence = health.sentence
    is_late = lag > LAG_MAX or (lag > 0 and age_s > services.settings.ready_age_s)
    if is_late:
        sentence = f"The read model is {lag} blocks behind the ledger."
    is_unreadable = "block" not in fresh
    if is_unreadable:
        sentence = "The read model cannot be read."
    return Readiness(
        status="unready" if is_late or is_unreadable else "ready",
        sentence=sentence,
        block=block,
        lag=lag,
        age_s=age_s,
        writable=health.writable,
        engine=health.engine,
    )


def health_routes(services: Services, sessions: Sessions, metrics: Metrics) -> list[Route]:
    """Return the routes `/health/live`, `/health/ready` and `/metrics`."""

    async def live(_: Request) -> Response:
        return Response(b'{"status":"live"}', media_type="application/json")

    async def ready(_: Request) -> Response:
        found = await readiness(services)
        status = 200 if found.status == "ready" else 503
        return Response(
            msgspec.json.encode(found), status_code=status, media_type="application/json"
        )

    async def numbers(_: Request) -> Response:
        found = await readiness(services)
        metrics.block.set(found.block)
        metrics.age_s.set(found.age_s)
        metrics.writable.set(found.writable)
        metrics.sessions.set(len(sessions))
        return Response(metrics.written(), media_type=CONTENT_TYPE)

    return [
        Route("/health/live", live, methods=["GET"]),
        Route("/health/ready", ready, methods=["GET"]),
        Route("/metrics", numbers, methods=["GET"]),
    ]


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
