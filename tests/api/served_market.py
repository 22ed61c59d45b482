"""A real market behind the app: embedded ledger, founded, projected, with people to sign in.

Everything is as `commonwatt up` has it, save that sockets and clocks belong to the test.
"""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette

from api.features.reads import open_read_model
from api.live.projection import Projection
from api.server.app import make_app
from api.services import AccountRole, EnrolmentResult, HomeOffer, Persona, Services
from api.settings import ApiSettings
from api.sign_in.session import LOGIN_TYP, Login
from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from commonwatt.demonstration.cast import (
    AREA,
    CHANNEL,
    DSO,
    ORACLE,
    ORGANISATIONS,
    RETAILERS,
    Cast,
    found,
    make_cast,
)
from commonwatt.demonstration.simulation import START_S
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import Ledger
from tests.ledger_network.embedded.workbench import UnsyncedDisk

ORIGIN = "http://127.0.0.1:8400"
SLOT = START_S + 900
CLERK = PrivateKey.from_seed(b"clerk".ljust(32, b"-"))
GRID = PrivateKey.from_seed(b"grid".ljust(32, b"-"))
OPERATOR = PrivateKey.from_seed(b"operator".ljust(32, b"-"))
REGULATOR = PrivateKey.from_seed(b"regulator".ljust(32, b"-"))
ACCOUNTS: Mapping[str, AccountRole] = {
    did_key(CLERK.public): AccountRole("RETAILER", RETAILERS[0], "a clerk"),
    did_key(GRID.public): AccountRole("DSO", DSO, "the grid's desk"),
    did_key(OPERATOR.public): AccountRole("OPERATOR", ORACLE, "the operator"),
    did_key(REGULATOR.public): AccountRole("REGULATOR", "EnergyAuthority", "the authority"),
}


class Client:
    """A program or a page that talks to the app without a socket in between."""

    def __init__(self, app: Starlette, services: Services) -> None:
        self.app = app
        self.services = services
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=True), base_url=ORIGIN
        )

    async def ask(
        self,
        query: str,
        *,
        token: str | None = None,
        path: str = "/graphql",
        variables: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """The answer to one operation."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        body: dict[str, object] = {"query": query}
        if variables is not None:
            body["variables"] = variables
        return await self.http.post(path, json=body, headers=sent)

    async def data(self, query: str, **asked: Any) -> dict[str, Any]:
        """What an operation answers, which has to be without errors."""
        answer = (await self.ask(query, **asked)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def code(self, query: str, **asked: Any) -> tuple[int, str]:
        """Status and code of an operation that is refused."""
        answer = await self.ask(query, **asked)
        return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]

    async def login_token(self, key: PrivateKey, *, origin: str = ORIGIN) -> str:
        """A login that a wallet signs for a new challenge."""
        query = "mutation($did: ID!) { challenge(did: $did) { nonce audience expires } }"
        given = (await self.data(query, variables={"did": did_key(key.public)}))["challenge"]
        ledger = self.services.ledger
        login = Login(
            aud=given["audience"],
            channel=ledger.channel,
            contract=ledger.contract,
            iat=int(time.time()),
            nonce=given["nonce"],
            origin=origin,
        )
        return sign_compact(key, LOGIN_TYP, encode(login))

    async def session(self, key: PrivateKey) -> dict[str, Any]:
        """Sign a wallet in over the API."""
        query = (
            "mutation($t: String!) "
            "{ signIn(token: $t) { accessToken refreshToken expires role did } }"
        )
        variables: dict[str, object] = {"t": await self.login_token(key)}
        return (await self.data(query, variables=variables))["signIn"]

    async def access(self, key: PrivateKey) -> str:
        """The access token of a new session."""
        return (await self.session(key))["accessToken"]


class Newcomers:
    """Enrolment that remembers whom it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def offer(self, did: str) -> HomeOffer:
        """The same home for everybody."""
        return HomeOffer("meter-1", "lindenhof-north", RETAILERS[0], SLOT, SLOT)

    async def enrol(self, did: str, *, join: str, hold: str, supply: str) -> EnrolmentResult:
        """A meter for everybody who has signed something."""
        assert join
        assert hold
        assert supply
        self.asked.append(did)
        return EnrolmentResult("meter-1", "lindenhof-north", RETAILERS[0], 1_000_000_000, SLOT)


@asynccontextmanager
async def founded(folder: Path, cast: Cast) -> AsyncGenerator[Ledger]:
    """The demonstration's market on an embedded ledger."""
    await asyncio.to_thread(
        shutil.copytree, await _founded_before(len(cast.homes)), folder / "ledger"
    )
    ledger = opened(folder)
    try:
        yield ledger
    finally:
        await ledger.close()


def opened(folder: Path) -> EmbeddedLedger:
    """The ledger in a folder, of which nothing is synced."""
    return EmbeddedLedger.open(
        folder / "ledger",
        contract=Contract(),
        channel=CHANNEL,
        members=[organisation.name for organisation in ORGANISATIONS],
        disk=UnsyncedDisk(),
    )


READ_MODEL = "read-model.sqlite3"

_FOUNDED: dict[int, tempfile.TemporaryDirectory[str]] = {}


async def _founded_before(households: int) -> Path:
    """A founded ledger to copy, made once in a process: founding takes a second."""
    if households not in _FOUNDED:
        made = tempfile.TemporaryDirectory(prefix="commonwatt-founded-")
        ledger = opened(Path(made.name))
        clock = ClockArguments(AREA, int(time.time()), START_S, 1)
        await found(ledger, make_cast(1, households), first_slot=SLOT, clock=clock)
        await ledger.close()
        atexit.register(made.cleanup)
        _FOUNDED[households] = made
    return Path(_FOUNDED[households].name) / "ledger"


_MIGRATED: list[tempfile.TemporaryDirectory[str]] = []


async def _migrated_before() -> Path:
    """An empty read model to copy, made once in a process: its migrations take half a second."""
    if not _MIGRATED:
        made = tempfile.TemporaryDirectory(prefix="commonwatt-migrated-")
        await (await open_read_model(f"sqlite:///{made.name}/{READ_MODEL}")).close()
        atexit.register(made.cleanup)
        _MIGRATED.append(made)
    return Path(_MIGRATED[0].name) / READ_MODEL


@asynccontextmanager
async def served(
    folder: Path,
    *,
    households: int = 3,
    dashboard: Path | None = None,
    is_demonstration: bool = False,
    **changed: object,
) -> AsyncGenerator[tuple[Client, Cast]]:
    """A market with its app; `changed` are settings."""
    cast = make_cast(1, households)
    settings = ApiSettings.model_validate({"port": 8400, **changed})
    async with founded(folder, cast) as ledger:
        await asyncio.to_thread(shutil.copy, await _migrated_before(), folder / READ_MODEL)
        read_model = await open_read_model(f"sqlite:///{folder / READ_MODEL}")
        projection = Projection(ledger, DSO, read_model)
        await projection.catch_up()
        running = asyncio.create_task(projection.run())
        services = Services(
            ledger=ledger,
            area=AREA,
            member=DSO,
            read_model=read_model,
            projection=projection,
            settings=settings,
            carriers={},
            accounts=ACCOUNTS,
            enrolment=Newcomers() if is_demonstration else None,
            personas=[persona(cast)] if is_demonstration else [],
        )
        app = make_app(services, dashboard=dashboard or folder / "dist")
        client = Client(app, services)
        try:
            yield client, cast
        finally:
            await client.http.aclose()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await read_model.close()


def persona(cast: Cast) -> Persona:
    """The first home as a persona."""
    home = cast.homes[0]
    return Persona("Anna", "HOUSEHOLD", home.did, None, home.key.to_pkcs8().decode())


def large_body(size: int) -> bytes:
    """A request to place orders of about `size` bytes; its tokens are not valid."""
    token = b64encode(b"x" * 30_000).decode()
    query = "mutation($t: [String!]!) { placeOrders(tokens: $t) { code } }"
    tokens = [token] * (size // len(token))
    return orjson.dumps({"query": query, "variables": {"t": tokens}})
