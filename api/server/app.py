"""The app with its routes, and the server that runs it.

    POST /graphql             the market's schema       WS /graphql   graphql-transport-ws
    POST /regulator/graphql   without mutations, for the regulator only
    POST /oracle/health       signed health reports of the oracle's nodes
    GET  /health/live, /health/ready, /metrics, /demonstration/personas
    GET  everything else      the dashboard

`make_app` builds the app from services that the caller has opened and will close.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.table import Viewer
from api.faults import FORBIDDEN, UNAUTHENTICATED
from api.features.oracle_health.writes import OracleHealth
from api.graphql.document import guard_of, market_schema, regulator_schema
from api.graphql.endpoint import Endpoint
from api.graphql.sockets import FRAME_BYTES_MAX, Sockets
from api.headers import SecurityHeaders
from api.metrics import Metrics
from api.server.assets import asset_response, read_assets
from api.server.health import health_routes
from api.server.logs import silence_libraries
from api.server.request_heads import BoundedHeads
from api.services import Services
from api.settings import ApiSettings, SettingsInvalid
from api.sign_in.access_tokens import AccessTokens, load_signing_key
from api.sign_in.nonces import Nonces
from api.sign_in.session import Sessions, Standing

DASHBOARD = Path(__file__).parents[1] / "dashboard" / "dist"
REGULATOR = "The regulator's endpoint"
SEND_BUFFER_BYTES = 131_072


class _App(Starlette):
    """A Starlette app that passes requests for GraphQL to their endpoints before any middleware.

    The endpoints refuse requests themselves, and set all headers of their answers.
    """

    def __init__(
        self,
        endpoints: Mapping[str, ASGIApp],
        routes: Sequence[BaseRoute],
        lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    ) -> None:
        headers = [Middleware(SecurityHeaders)]
        super().__init__(routes=routes, middleware=headers, lifespan=lifespan)
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one socket."""
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await super().__call__(scope, receive, send)
        else:
            await endpoint(scope, receive, send)


def make_app(
    services: Services,
    *,
    regulators: Services | None = None,
    now_s: Callable[[], float] = time.time,
    dashboard: Path = DASHBOARD,
) -> Starlette:
    """Return the app of these services. Raises `SettingsInvalid` for an invalid signing key.

    The regulator's endpoint reads from `regulators` if they are given, for a peer of its own.
    """
    silence_libraries()
    metrics = Metrics()
    sessions = make_sessions(services, now_s)
    schema, readonly = market_schema(), regulator_schema()
    guard, readonly_guard = guard_of(schema), guard_of(readonly)
    endpoint = Endpoint(schema, guard, services, sessions, metrics)
    regulator = Endpoint(
        readonly,
        readonly_guard,
        regulators or services,
        sessions,
        metrics,
        kinds=frozenset({"query"}),
        require=_require_regulator,
    )
    sockets = Sockets(schema, guard, services, sessions, metrics)
    assets = read_assets(dashboard)

    async def page(request: Request) -> Response:
        return asset_response(assets, request)

    routes: list[BaseRoute] = [
        WebSocketRoute("/graphql", sockets.serve),
        *health_routes(services, sessions, metrics),
        OracleHealth(services, regulators or services, metrics, now_s).route,
        *_demonstration(services),
        Route("/{path:path}", page, methods=["GET"]),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        sockets.leave()

    endpoints = {"/graphql": endpoint, "/regulator/graphql": regulator}
    app = _App(endpoints, routes, lifespan)
    app.state.sockets = sockets
    app.state.sessions = sessions
    return app


def make_sessions(services: Services, now_s: Callable[[], float] = time.time) -> Sessions:
    """Return the sessions of these services, with the signing key of the settings or a new key."""
    settings, ledger = services.settings, services.ledger

    async def standing(did: str) -> Standing | None:
        account = services.accounts.get(did)
        if account is not None:
            return Standing(account.role, account.member)
        if services.enrolment is not None:
            return Standing("HOUSEHOLD", None)
        known = await services.read_model.participant(did)
        return None if known is None else Standing("HOUSEHOLD", None)

    tokens = AccessTokens(
        [_signing_key(settings)],
        now_s,
        audience=settings.own_audience,
        life_s=settings.access_token_s,
    )
    return Sessions(
        settings,
        tokens,
        Nonces(now_s, life_s=settings.challenge_s),
        standing,
        now_s,
        channel=ledger.channel,
        contract=ledger.contract,
        area=services.area,
    )


def listen(settings: ApiSettings) -> tuple[socket.socket, ApiSettings]:
    """Return a listening socket, and the settings with its port.

    Call this before `make_app`, because origins and audience contain the port. Raises `OSError`.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.create_server((settings.host, settings.port), family=family, backlog=2_048)
    # Unread data of a client waits in the kernel first; this bounds it per connection.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    # Accepted sockets inherit this option; without it a small answer waits 40 ms for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = listening.getsockname()[1]
    return listening, settings.model_copy(update={"port": port})


class Server(uvicorn.Server):
    """A uvicorn server that runs as a task; signal handling is left to the caller."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Install no signal handlers."""
        yield


async def serve(
    app: Starlette, listening: socket.socket, settings: ApiSettings, *, stop: asyncio.Event
) -> None:
    """Serve `app` until `stop` is set; running requests then have `grace_s` to finish."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        http=BoundedHeads,
        ws="websockets-sansio",
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,  # it takes 256 KB per socket; messages have 200 bytes
        ws_ping_interval=30,
        ws_ping_timeout=30,
        timeout_graceful_shutdown=settings.grace_s,
        proxy_headers=False,
    )
    server = Server(config)
    sockets: Sockets = app.state.sockets

    async def watch() -> None:
        await stop.wait()
        sockets.leave()
        server.should_exit = True

    watching = asyncio.create_task(watch())
    try:
        await server.serve(sockets=[listening])
    finally:
        watching.cancel()
        listening.close()


def _require_regulator(viewer: Viewer | None) -> None:
    if viewer is None:
        raise UNAUTHENTICATED(what=REGULATOR)
    if viewer.role != "REGULATOR":
        raise FORBIDDEN(what=REGULATOR, role=viewer.role)


def _signing_key(settings: ApiSettings) -> Ed25519PrivateKey:
    if settings.signing_key is not None:
        return load_signing_key(settings.signing_key.get_secret_value().encode())
    if settings.signing_key_file is not None:
        try:
            return load_signing_key(settings.signing_key_file.read_bytes())
        except OSError as error:
            raise SettingsInvalid(f"signing_key_file: {error.strerror}.") from None
    return Ed25519PrivateKey.generate()


def _demonstration(services: Services) -> list[BaseRoute]:
    """Return the route to the keys of a demonstration's personas; no route in other markets."""
    if not services.personas:
        return []
    content = msgspec.json.encode([
        {
            "name": each.name,
            "role": each.role,
            "did": each.did,
            "member": each.member,
            "pkcs8": each.pkcs8,
        }
        for each in services.personas
    ])  # fmt: skip

    async def personas(_: Request) -> Response:
        headers = {"Cache-Control": "no-store"}
        return Response(content, media_type="application/json", headers=headers)

    return [Route("/demonstration/personas", personas, methods=["GET"])]
