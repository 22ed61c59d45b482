"""A household at the API's door, with nothing but HTTP and its wallet's key."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

import httpx

from api.sign_in.session import LOGIN_TYP, Login
from chaincode.orders.sheets import SheetOrder
from commonwatt.demonstration.bidding import sign_sheet
from commonwatt.demonstration.cast import CHANNEL, Home
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey
from ledger_network.fabric.runtime.probe import until

ORDER = "visitor-1"
CONTRACT = "commonwatt"
OPEN_S = 60.0  # a market that was founded just now begins within two slots
CHALLENGE = "mutation($did: ID!) { challenge(did: $did) { nonce audience } }"
SIGN_IN = "mutation($t: String!) { signIn(token: $t) { accessToken role } }"
OPEN_SLOTS = "{ market { channel contract openSlots { start gate } } }"
HEALTH = "{ meters { nodes { id health { state } } } }"
PLACE = "mutation($t: [String!]!) { placeOrders(tokens: $t) { code sentence block } }"


class Visitor:
    """A client of the API that is published at a port of this machine."""

    def __init__(self, port: int) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        self._http = httpx.AsyncClient(base_url=self._origin, timeout=30)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def until_ready(self, *, within_s: float) -> dict[str, Any]:
        """What the API says of itself as soon as it is ready."""
        said: dict[str, Any] = {}

        async def missing() -> str:
            try:
                answer = await self._http.get("/health/ready")
            except httpx.TransportError as error:
                return type(error).__name__
            if not answer.is_success:
                return answer.text
            said.update(answer.json())
            return ""

        await until("the API", missing, within_s=within_s)
        return said

    async def page(self) -> str:
        """The dashboard's first page."""
        return (await self._http.get("/")).text

    async def sign_in(self, key: PrivateKey) -> str:
        """The access token of a household."""
        given = (await self._data(CHALLENGE, {"did": did_key(key.public)}))["challenge"]
        login = Login(
            aud=given["audience"],
            channel=CHANNEL,
            contract=CONTRACT,
            iat=int(time.time()),
            nonce=given["nonce"],
            origin=self._origin,
        )
        token = sign_compact(key, LOGIN_TYP, encode(login))
        session = (await self._data(SIGN_IN, {"t": token}))["signIn"]
        assert session["role"] == "HOUSEHOLD"
        return session["accessToken"]

    async def place(
        self, token: str, home: Home, *, price: int, quantity_wh: int
    ) -> dict[str, Any]:
        """The answer to an order to buy in the open slot whose gate is last."""
        market: dict[str, Any] = {}

        async def missing() -> str:
            market.update((await self._data(OPEN_SLOTS, {}))["market"])
            return "" if market["openSlots"] else "no slot is open"

        await until("the market", missing, within_s=OPEN_S)
        slot = max(each["start"] for each in market["openSlots"])
        order = SheetOrder(id=ORDER, side="buy", slot=slot, steps=[(price, quantity_wh)])
        sheet = sign_sheet(home, [order], channel=market["channel"], contract=market["contract"])
        (answer,) = (await self._data(PLACE, {"t": [sheet]}, token))["placeOrders"]
        return answer

    async def meters_health(self, token: str) -> dict[str, str | None]:
        """The states of the household's meters by name, None for one of which nothing was heard."""
        meters = (await self._data(HEALTH, {}, token))["meters"]["nodes"]
        return {meter["id"]: meter["health"] and meter["health"]["state"] for meter in meters}

    async def _data(
        self, query: str, variables: dict[str, Any], token: str | None = None
    ) -> dict[str, Any]:
        headers = {"Origin": self._origin}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = {"query": query, "variables": variables}
        answer = (await self._http.post("/graphql", json=body, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]
