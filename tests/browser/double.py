"""A small double of the API, so that pages can be drawn and looked at without a market.

It answers the documents of the dashboard by the schema in `docs/reference/graphql.graphql` from rows made up here,
with the headers of the real API. It signs nobody in for real and keeps no order: what a market does
is tested with the real one.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from graphql import (
    build_schema,
    execute_sync,  # pyright: ignore[reportUnknownVariableType]  a type of theirs is open
    parse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.headers import SecurityHeaders
from api.server.assets import asset_response, read_assets
from api.services import Role
from identity.did import did_key
from identity.keys import PrivateKey
from tests.browser.rows import MARKET_START_S, SLOT_S, Rows

SDL = Path(__file__).parents[2] / "docs" / "reference" / "graphql.graphql"
ROLES: tuple[Role, ...] = ("HOUSEHOLD", "RETAILER", "DSO", "OPERATOR", "REGULATOR")
NAMES = ("Ada", "Northlight", "Rivergrid", "Fourfold", "Bureau")
RATE = 90
START_DEADLINE_S = 10


class Double:
    """Answers of one market at one moment; `fault` makes it fail as asked."""

    def __init__(self, dashboard: Path, *, empty: bool = False) -> None:
        self.schema = build_schema(SDL.read_text(encoding="utf-8"))
        self.assets = read_assets(dashboard)
        self.keys = {
            role: PrivateKey.from_seed(bytes([number]) * 32) for number, role in enumerate(ROLES, 1)
        }
        self.roles = {did_key(key.public): role for role, key in self.keys.items()}
        self.enrolled: set[str] = {did_key(self.keys["HOUSEHOLD"].public)}
        self.rows = Rows(list(self.roles), empty=empty)
        self.writable = True
        self.age_s = 1
        self.fault: str | None = None
        self.placed: list[str] = []
        self.asked: list[str] = []
        self.is_public = True  # a demonstration, which shows its book and its personas

    def app(self) -> Starlette:
        """The routes that the dashboard asks."""
        return Starlette(
            routes=[
                Route("/graphql", self.answer, methods=["POST"]),
                Route("/regulator/graphql", self.answer, methods=["POST"]),
                WebSocketRoute("/graphql", self.socket),
                Route("/demonstration/personas", self.personas),
                Route("/{path:path}", self.page),
            ]
        )

    async def page(self, request: Request) -> Response:
        return asset_response(self.assets, request)

    async def personas(self, _: Request) -> Response:
        return JSONResponse([
            {
                "name": name,
                "role": role,
                "did": did_key(self.keys[role].public),
                "member": None if role == "HOUSEHOLD" else name.lower(),
                "pkcs8": self.keys[role].to_pkcs8().decode(),
            }
            for name, role in zip(NAMES, ROLES, strict=True)
        ])  # fmt: skip

    async def answer(self, request: Request) -> Response:
        asked = await request.json()
        self.asked.append(asked["query"])
        if self.fault is not None:
            return JSONResponse(
                {"errors": [{"message": self.fault, "extensions": {"code": "LEDGER_UNAVAILABLE"}}]}
            )
        did = request.headers.get("authorization", "").removeprefix("Bearer ") or None
        result = execute_sync(
            self.schema,
            parse(asked["query"]),
            root_value=self.root(did),
            variable_values=asked.get("variables"),
        )
        formatted: dict[str, Any] = dict(result.formatted)
        formatted["extensions"] = {
            "block": self.rows.block,
            "blockTime": int(time.time()),
            "ageS": self.age_s,
            "writable": self.writable,
        }
        return JSONResponse(formatted)

    def root(self, did: str | None) -> dict[str, object]:
        """The root fields, as somebody sees them."""
        rows = self.rows
        role = None if did is None else self.roles.get(did, "HOUSEHOLD")

        def session(_: object, token: str) -> dict[str, Any]:
            who = _signer(token)
            return {
                "accessToken": who,
                "refreshToken": who,
                "expires": int(time.time()) + 600,
                "role": self.roles.get(who, "HOUSEHOLD"),
                "did": who,
            }

        def offer(_: object) -> dict[str, Any]:
            return {**rows.enrolment, "meter": "meter-new", "validUntil": rows.here + 86_400}

        def enrol(_: object, join: str, hold: str, supply: str) -> dict[str, Any]:
            assert did is not None
            assert _payload(join)["retailer"] == rows.enrolment["retailer"]
            assert _payload(hold)["meter"] == "meter-new"
            assert _payload(supply)["retailer"] == rows.enrolment["retailer"]
            self.enrolled.add(did)
            return {**rows.enrolment, "meter": "meter-new"}

        def place(_: object, tokens: list[str]) -> list[dict[str, Any]]:
            self.placed.extend(tokens)
            return [rows.place(_payload(token)) for token in tokens]

        viewer = None
        if role is not None and did is not None:
            viewer = rows.viewer(did, role, joined=did in self.enrolled)

        def challenge(_: object, did: str) -> dict[str, Any]:
            return {"nonce": f"for {did}", "audience": "double", "expires": 0}

        return {
            "market": rows.market(
                writable=self.writable, rate=RATE, is_demonstration=self.is_public
            ),
            "viewer": viewer,
            "challenge": challenge,
            "signIn": session,
            "offerHome": offer,
            "enrol": enrol,
            "placeOrders": place,
            **rows.fields(),
        }

    async def socket(self, socket: WebSocket) -> None:
        await socket.accept(subprotocol="graphql-transport-ws")
        try:
            while True:
                message = json.loads(await socket.receive_text())
                if message["type"] == "connection_init":
                    await socket.send_text('{"type":"connection_ack"}')
        except WebSocketDisconnect:
            return


@contextmanager
def served(double: Double) -> Generator[str]:
    """The double on a free port; the address of its page."""
    app = SecurityHeaders(double.app())
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    sockets = [config.bind_socket()]
    address = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets)), daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(START_DEADLINE_S)


def _segment(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _payload(token: str) -> dict[str, Any]:
    return _segment(token.split(".")[1])


def _signer(token: str) -> str:
    return str(_segment(token.split(".", maxsplit=1)[0])["kid"]).partition("#")[0]


__all__ = ["MARKET_START_S", "SLOT_S", "Double", "served"]
