"""Somebody who knows a market by its address and its schema, and signs with a key of their own.

Nothing of ours is used: the did:key, the canonical JSON and the compact JWS are made here as
`docs/guides/use-the-api.md` tells them. No document is sent that the schema does not hold.
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from graphql import GraphQLSchema, parse, validate
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ED25519_PREFIX = b"\xed\x01"
WAIT_S = 120  # for what a market does within seconds, on a machine with other work
PAGE = 500

CHALLENGE = "mutation Challenge($did: ID!) { challenge(did: $did) { nonce audience } }"
SIGN_IN = "mutation SignIn($token: String!) { signIn(token: $token) { accessToken role did } }"
PLACE_OF = "{ market { channel contract } }"
OFFER = "mutation { offerHome { meter retailer fromSlot validUntil } }"
ENROL = """mutation Enrol($join: String!, $hold: String!, $supply: String!) {
  enrol(join: $join, hold: $hold, supply: $supply) { meter zone deposit fromSlot }
}"""
GATES = "{ market { area openSlots { start gate } } }"
PLACE = """mutation Place($tokens: [String!]!) {
  placeOrders(tokens: $tokens) { code sentence orders transaction block }
}"""
BALANCE = "{ balance { owner amount available reserved block } }"
POSTINGS = """query Postings($first: Int!, $after: String) {
  postings(first: $first, after: $after) {
    nodes { id slot account amount kind block } pageInfo { hasNextPage endCursor }
  }
}"""
TRADES = """{ myTrades(first: 500) { nodes {
  id slot side buyer seller quantity buyPrice sellPrice settled state
} } }"""

Row = dict[str, Any]


class Statement(NamedTuple):
    """An account at one moment: its balance, and its lines, oldest first."""

    balance: Row
    postings: list[Row]


class Stranger:
    """Somebody at a market's address; `schema` is that of `commonwatt api schema`."""

    def __init__(
        self, address: str, schema: GraphQLSchema, key: Ed25519PrivateKey | None = None
    ) -> None:
        self.address = address
        self.key = key or Ed25519PrivateKey.generate()
        name = base58(ED25519_PREFIX + self.key.public_key().public_bytes_raw())
        self.did = f"did:key:z{name}"
        self.schema = schema
        self._token: str | None = None
        self._place: Row = {}

    def ask(self, document: str, **variables: object) -> Row:
        """The whole answer to a document that the schema holds."""
        assert validate(self.schema, parse(document)) == []
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        answer = httpx.post(
            f"{self.address}/graphql",
            json={"query": document, "variables": variables},
            headers=headers,
            timeout=WAIT_S,
            trust_env=False,
        )
        return answer.json()

    def data(self, document: str, **variables: object) -> Row:
        """What a document is answered, which has to be without errors."""
        answer = self.ask(document, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    def code(self, document: str, **variables: object) -> str:
        """The code with which a document is refused; nothing is told besides."""
        answer = self.ask(document, **variables)
        told: Row = answer.get("data") or {}
        assert not any(told.values()), answer
        return answer["errors"][0]["extensions"]["code"]

    def sign_in(self) -> None:
        """Prove the key; what is asked from then on is asked in its name."""
        given = self.data(CHALLENGE, did=self.did)["challenge"]
        self._place = self.data(PLACE_OF)["market"]
        login = {
            **self._place,
            "aud": given["audience"],
            "iat": int(time.time()),
            "nonce": given["nonce"],
            "origin": self.address,
        }
        session = self.data(SIGN_IN, token=self.sign("commonwatt-login+jws", login))["signIn"]
        assert session["did"] == self.did
        self._token = session["accessToken"]

    def sign(self, typ: str, payload: Row) -> str:
        """The compact JWS of a payload."""
        kid = f"{self.did}#{self.did.removeprefix('did:key:')}"
        parts = ({"alg": "EdDSA", "kid": kid, "typ": typ}, payload)
        message = ".".join(base64url(canonical(part)) for part in parts)
        return f"{message}.{base64url(self.key.sign(message.encode()))}"

    def sheet(self, home: Row, side: str, slot: int, *, limit: int, quantity: int) -> str:
        """The token of one order: `limit` in micro-currency per kWh, `quantity` in Wh."""
        order = {
            "id": f"order-{secrets.token_hex(4)}",
            "side": side,
            "slot": slot,
            "steps": [[limit, quantity]],
        }
        market = self.data(GATES)["market"]
        gates = {open_slot["start"]: open_slot["gate"] for open_slot in market["openSlots"]}
        payload = {
            **self._place,
            "area": market["area"],
            "meter": home["meter"],
            "orders": [order],
            "v": 1,
            "valid_until_s": gates[slot],
            "zone": home["zone"],
        }
        return self.sign("commonwatt-sheet+jws", payload)

    def move_in(self) -> Row:
        """Sign what the home on offer asks for: its retailer, its meter, its supply; the home."""
        offer = self.data(OFFER)["offerHome"]
        named = {
            **self._place,
            "area": self.data("{ market { area } }")["market"]["area"],
            "v": 1,
            "valid_until_s": offer["validUntil"],
        }
        join = {**named, "number": 1, "retailer": offer["retailer"]}
        hold = {**named, "meter": offer["meter"]}
        supply = {**hold, "from_slot": offer["fromSlot"], "retailer": offer["retailer"]}
        return self.data(
            ENROL,
            join=self.sign("commonwatt-join+jws", join),
            hold=self.sign("commonwatt-hold+jws", hold),
            supply=self.sign("commonwatt-supply+jws", supply),
        )["enrol"]

    def place(self, *tokens: str) -> Sequence[Row]:
        """What became of each token."""
        return self.data(PLACE, tokens=tokens)["placeOrders"]

    def trades(self) -> Mapping[str, Row]:
        """The stranger's trades by id; none stands there twice."""
        nodes: list[Row] = self.data(TRADES)["myTrades"]["nodes"]
        assert len(nodes) < PAGE
        return by_id(nodes)

    def statement(self) -> Statement:
        """Balance and postings, read again until the balance did not move in between."""
        after = self.data(BALANCE)["balance"]
        while True:
            before, postings = after, self._postings()
            after = self.data(BALANCE)["balance"]
            if before == after:
                return Statement(after, postings)

    def _postings(self) -> list[Row]:
        found: list[Row] = []
        page: Row = {"hasNextPage": True, "endCursor": None}
        while page["hasNextPage"]:
            answer = self.data(POSTINGS, first=PAGE, after=page["endCursor"])["postings"]
            found += answer["nodes"]
            page = answer["pageInfo"]
        return found[::-1]

    @contextmanager
    def watching(self, **documents: str) -> Generator[Watch]:
        """A socket of the stranger's with a subscription for each name."""
        for document in documents.values():
            assert validate(self.schema, parse(document)) == []
        address = self.address.replace("http:", "ws:", 1)
        with connect(
            f"{address}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            max_queue=None,
            proxy=None,
        ) as socket:
            payload = {"authorization": f"Bearer {self._token}"}
            socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            assert json.loads(socket.recv(WAIT_S)) == {"type": "connection_ack"}
            for name, document in documents.items():
                asked = {"type": "subscribe", "id": name, "payload": {"query": document}}
                socket.send(json.dumps(asked))
            yield Watch(socket, documents)


class Watch:
    """What subscriptions have told, by their names, oldest first."""

    def __init__(self, socket: ClientConnection, names: Mapping[str, str]) -> None:
        self.told: Mapping[str, list[Row]] = {name: [] for name in names}
        self._socket = socket

    def hear(self) -> None:
        """Wait for one message and keep it; fails for one that is not `next`."""
        message = json.loads(self._socket.recv(WAIT_S))
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (value,) = message["payload"]["data"].values()
        self.told[message["id"]].append(value)

    def until(self, holds: Callable[[], bool]) -> None:
        """Hear messages until `holds`; fails when that takes longer than `WAIT_S`."""
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline, self.told
            self.hear()


def by_id(rows: Sequence[Row]) -> Mapping[str, Row]:
    """Rows by their ids; fails where an id stands twice."""
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def canonical(value: Row) -> bytes:
    """Canonical JSON of texts and integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def base64url(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def base58(data: bytes) -> str:
    """The Bitcoin alphabet's base 58 of bytes that do not begin with a zero."""
    number, letters = int.from_bytes(data), ""
    while number:
        number, rest = divmod(number, 58)
        letters = BASE58[rest] + letters
    return letters
