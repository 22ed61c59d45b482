"""The app over HTTP: what is refused before anything is asked, rights, headers, health, files."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import orjson
import pytest

from api.graphql.endpoint import BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX
from api.headers import HEADERS
from api.metrics import TOOK_MAX
from commonwatt.demonstration.cast import make_cast
from identity.keys import PrivateKey
from tests.api.served_market import (
    CLERK,
    GRID,
    OPERATOR,
    ORIGIN,
    REGULATOR,
    SLOT,
    Client,
    large_body,
    served,
)

MARKET = "{market{area block}}"
HOME = make_cast(1, 3).homes[0].key
STRANGE = PrivateKey.from_seed(b"strange".ljust(32, b"-"))
Work = Callable[[Client], Awaitable[None]]


def run(folder: Path, work: Work, **changed: object) -> None:
    """Do `work` with a market that is served."""

    async def all_of_it() -> None:
        async with asyncio.timeout(60), served(folder, **changed) as (client, _):  # pyright: ignore[reportArgumentType]  # whatever a setting is
            await work(client)

    asyncio.run(all_of_it())


def test_requests_of_another_form_are_refused(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        json_type = {"Content-Type": "application/json"}
        asked = orjson.dumps({"query": MARKET})
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            answer = await client.http.request(method, "/graphql", params={"query": MARKET})
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        for content, headers, code in (
            (asked, {"Content-Type": "text/plain"}, "CONTENT_TYPE"),
            (asked, {"Content-Type": "multipart/form-data; boundary=x"}, "CONTENT_TYPE"),
            (asked, {}, "CONTENT_TYPE"),
            (b"[" + asked + b"]", json_type, "BATCH"),
            (b" [" + asked + b"," + asked + b"]", json_type, "BATCH"),
            (b"", json_type, "BODY_FORM"),
            (b"null", json_type, "BODY_FORM"),
            (b"{}", json_type, "BODY_FORM"),
            (b'{"query":1}', json_type, "BODY_FORM"),
            (b'{"query":"{market{area}}","more":1}', json_type, "BODY_FORM"),
            (b'{"query":"{market{area}}","variables":[]}', json_type, "BODY_FORM"),
            (b'{"query":"\xff"}', json_type, "BODY_FORM"),
            (b'{"variables":' + b"[" * 20_000, json_type, "BODY_FORM"),
            (asked, {**json_type, "Origin": "https://evil.example"}, "ORIGIN"),
            (asked, {**json_type, "Origin": "null"}, "ORIGIN"),
            (asked, {**json_type, "Authorization": "Bearer x"}, "UNAUTHENTICATED"),
        ):
            answer = await client.http.post("/graphql", content=content, headers=headers)
            assert answer.json()["errors"][0]["extensions"]["code"] == code, content[:60]
            assert answer.status_code >= 400

    run(tmp_path, work)


def test_every_answer_tells_its_block_and_age(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        for query in (MARKET, "{myOrders{totalCount}}", "{"):
            extensions = (await client.ask(query)).json()["extensions"]
            assert extensions["block"] > 0
            assert set(extensions) == {"block", "blockTime", "ageS", "writable"}

    run(tmp_path, work)


def test_body_is_read_no_further_than_its_reader_may_send(tmp_path: Path) -> None:
    """A stranger 64 KB; a trader 1.2 MB, and that for orders alone."""

    async def work(client: Client) -> None:
        headers = {"Content-Type": "application/json"}
        large = large_body(200_000)
        answer = await client.http.post("/graphql", content=large, headers=headers)
        assert answer.json()["errors"][0]["extensions"]["code"] == "BODY_TOO_LARGE"
        assert answer.status_code == 413

        trader = {**headers, "Authorization": f"Bearer {await client.access(CLERK)}"}
        answer = await client.http.post("/graphql", content=large, headers=trader)
        assert [each["code"] for each in answer.json()["data"]["placeOrders"]] == [
            "SHEET_UNREADABLE"
        ] * (200_000 // 40_000)

        other = orjson.dumps({"query": MARKET, "variables": {"a": "x" * BODY_BYTES_MAX}})
        answer = await client.http.post("/graphql", content=other, headers=trader)
        assert answer.status_code == 413
        beyond = large_body(BATCH_BODY_BYTES_MAX + 40_000)
        answer = await client.http.post("/graphql", content=beyond, headers=trader)
        assert answer.status_code == 413

    run(tmp_path, work)


def test_body_without_a_length_is_counted_as_it_comes(tmp_path: Path) -> None:
    async def endless(pieces: list[int]) -> AsyncGenerator[bytes]:
        for _ in range(1_000):
            pieces.append(1)
            yield b" " * 10_000

    async def work(client: Client) -> None:
        pieces: list[int] = []
        answer = await client.http.post(
            "/graphql",
            content=endless(pieces),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 413
        assert len(pieces) < 10

    run(tmp_path, work)


def test_roles_are_told_apart_over_http(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        nodes, trades = "{oracleNodes{did}}", "{trades(slot:0){totalCount}}"
        assert await client.code(nodes) == (401, "UNAUTHENTICATED")
        for key, allowed in (
            (CLERK, set[str]()),
            (GRID, {nodes, trades}),
            (OPERATOR, {nodes}),
            (REGULATOR, {nodes, trades}),
        ):
            token = await client.access(key)
            for query in (nodes, trades):
                answer = await client.ask(query, token=token)
                assert answer.status_code == (200 if query in allowed else 403), (key, query)

    run(tmp_path, work)


def test_regulators_endpoint_is_the_regulators_and_has_no_mutation(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        path = "/regulator/graphql"
        regulator = await client.access(REGULATOR)
        assert await client.code(MARKET, path=path) == (401, "UNAUTHENTICATED")
        assert (await client.code(MARKET, path=path, token=await client.access(GRID)))[0] == 403
        data = await client.data("{market{area} meters{totalCount}}", path=path, token=regulator)
        assert data["meters"]["totalCount"] == 3
        status, code = await client.code("mutation{signOut}", path=path, token=regulator)
        assert (status, code) == (400, "FIELD_UNKNOWN")
        answer = await client.ask("{__schema{mutationType{name}}}", path=path, token=regulator)
        assert answer.json()["data"]["__schema"]["mutationType"] is None

    run(tmp_path, work)


def test_sign_in_is_for_those_whom_the_market_knows(tmp_path: Path) -> None:
    query = "mutation($t: String!) { signIn(token: $t) { role } }"

    async def work(client: Client) -> None:
        token = await client.login_token(STRANGE)
        answer = await client.ask(query, variables={"t": token})
        assert answer.json()["errors"][0]["extensions"]["code"] == "LOGIN_UNKNOWN"

    run(tmp_path, work)


def test_newcomer_of_a_demonstration_signs_in_and_enrols(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        token = await client.access(STRANGE)
        offered = await client.data("mutation { offerHome { meter retailer } }", token=token)
        assert offered["offerHome"]["meter"] == "meter-1"
        enrol = 'mutation { enrol(join: "j", hold: "h", supply: "s") { meter deposit } }'
        given = await client.data(enrol, token=token)
        assert given["enrol"] == {"meter": "meter-1", "deposit": "1000000000"}
        personas = await client.http.get("/demonstration/personas")
        assert personas.json()[0]["pkcs8"].startswith("-----BEGIN PRIVATE KEY-----")

    run(tmp_path, work, is_demonstration=True)


def test_keys_are_given_away_in_demonstrations_alone(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        answer = await client.http.get("/demonstration/personas")
        assert b"PRIVATE KEY" not in answer.content

    run(tmp_path, work)


@pytest.mark.parametrize(
    ("changed", "is_shown"),
    [
        ({}, False),
        ({"public_book": True}, True),
        ({"is_demonstration": True}, True),
    ],
)
def test_book_is_shown_to_strangers_of_a_demonstration_or_by_setting(
    tmp_path: Path,
    changed: dict[str, object],
    is_shown: bool,  # noqa: FBT001 pytest passes it by name
) -> None:
    """What they are shown is the depth; who ordered, and what only those signed in may ask, is not."""
    book = f'{{book(slot:{SLOT},zone:"lindenhof-north"){{buys{{price}} sells{{quantity}} block}}}}'

    async def work(client: Client) -> None:
        market = (await client.data("{market{publicBook demonstration} zones{id}}"))["market"]
        assert market["publicBook"] is is_shown
        if is_shown:
            assert (await client.data(book))["book"]["block"] > 0
        else:
            assert await client.code(book) == (401, "UNAUTHENTICATED")
        assert (await client.data(book, token=await client.access(HOME)))["book"]["block"] > 0
        for query in ("{myOrders{totalCount}}", "{meters{totalCount}}", "{__schema{description}}"):
            assert await client.code(query) == (401, "UNAUTHENTICATED")

    run(tmp_path, work, **changed)


def test_login_of_a_page_of_another_origin_is_refused(tmp_path: Path) -> None:
    query = "mutation($t: String!) { signIn(token: $t) { role } }"

    async def work(client: Client) -> None:
        token = await client.login_token(CLERK)
        answer = await client.ask(
            query, variables={"t": token}, headers={"Origin": "http://localhost:8400"}
        )
        assert answer.json()["errors"][0]["extensions"]["code"] == "LOGIN_ORIGIN"
        answer = await client.ask(query, variables={"t": token}, headers={"Origin": ORIGIN})
        assert answer.json()["data"]["signIn"]["role"] == "RETAILER"
        answer = await client.ask(query, variables={"t": token}, headers={"Origin": ORIGIN})
        assert answer.json()["errors"][0]["extensions"]["code"] == "NONCE_USED"

    run(tmp_path, work)


def test_session_is_refreshed_and_ended_over_http(tmp_path: Path) -> None:
    refresh = "mutation($t: String!) { refresh(refreshToken: $t) { accessToken refreshToken } }"

    async def work(client: Client) -> None:
        first = await client.session(CLERK)
        variables: dict[str, object] = {"t": first["refreshToken"]}
        second = (await client.data(refresh, variables=variables))["refresh"]
        assert (await client.data("mutation{signOut}", token=second["accessToken"]))["signOut"]
        for token in (first["accessToken"], second["accessToken"]):
            assert await client.code(MARKET, token=token) == (401, "UNAUTHENTICATED")

    run(tmp_path, work)


def test_ledger_that_is_closed_leaves_reads_and_says_so(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        await client.services.ledger.close()
        token = await client.access(GRID)
        answer = (await client.ask("{meters{totalCount}}", token=token)).json()
        assert answer["data"]["meters"]["totalCount"] == 3

    run(tmp_path, work)


@pytest.mark.parametrize("table", ["trade", "checkpoint"])
def test_read_model_that_cannot_be_read_is_told_as_that(tmp_path: Path, table: str) -> None:
    short = "{myTrades{nodes{id}}}"
    long = "query Trades{own: myTrades{nodes{...on Trade{id}}}}"

    async def work(client: Client) -> None:
        token = await client.access(HOME)
        drop_table(tmp_path, table)
        client.services.freshness.drop()
        for query in (short, long, MARKET):
            answer = (await client.ask(query, token=token)).json()
            if "errors" in answer:
                [error] = answer["errors"]
                assert error["extensions"] == {"code": "READ_MODEL_UNAVAILABLE"}
                assert error["path"]
            assert ("errors" in answer) == (table == ("checkpoint" if query == MARKET else "trade"))
            assert answer["extensions"]["writable"] is True
            assert ("block" in answer["extensions"]) == (table != "checkpoint")
        refused = await client.ask("{" * 100)
        assert refused.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_TOO_DEEP"
        ready = await client.http.get("/health/ready")
        assert ready.status_code == (503 if table == "checkpoint" else 200)
        assert "commonwatt_api_broken_total 0.0" in (await client.http.get("/metrics")).text

    run(tmp_path, work)


def drop_table(folder: Path, table: str) -> None:
    """Take a table away behind the API's back."""
    with contextlib.closing(sqlite3.connect(folder / "read-model.sqlite3")) as connection:
        connection.execute(f"DROP TABLE {table}")


def test_health_and_metrics(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        assert (await client.http.get("/health/live")).json() == {"status": "live"}
        ready = await client.http.get("/health/ready")
        assert ready.status_code == 200
        assert (ready.json()["status"], ready.json()["lag"]) == ("ready", 0)
        await client.ask("{" * 100)
        metrics = (await client.http.get("/metrics")).text
        assert 'commonwatt_api_refused_total{code="DOCUMENT_TOO_DEEP"} 1.0' in metrics
        assert "commonwatt_api_ledger_writable 1.0" in metrics
        assert 'commonwatt_api_operation_seconds_count{kind="none"} 1.0' in metrics
        for _ in range(TOOK_MAX + 2):
            await client.ask(MARKET)
        metrics = (await client.http.get("/metrics")).text
        assert f'_operation_seconds_count{{kind="query"}} {TOOK_MAX + 2:.1f}' in metrics

    run(tmp_path, work)


def test_every_answer_has_the_security_headers(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        for path in ("/", "/health/live", "/metrics", "/trades/7", "/nothing.js", "/graphql"):
            answer = await client.http.get(path)
            for name, value in HEADERS.items():
                assert answer.headers[name] == value, (path, name)
        policy = HEADERS["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy

    run(tmp_path, work)


@pytest.fixture
def dashboard(tmp_path: Path) -> Path:
    """A dashboard of two files."""
    folder = tmp_path / "built"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>page</title>" + "x" * 500)
    (folder / "assets" / "main-1a2b.js").write_text("export const a = 1;\n" * 100)
    (tmp_path / "secret.txt").write_text("secret")
    return folder


def test_files_are_compressed_and_asked_for_once(tmp_path: Path, dashboard: Path) -> None:
    async def work(client: Client) -> None:
        file = await client.http.get("/assets/main-1a2b.js")
        assert file.headers["content-encoding"] == "gzip"
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "javascript" in file.headers["content-type"]
        assert file.text == "export const a = 1;\n" * 100
        plain = await client.http.get(
            "/assets/main-1a2b.js", headers={"Accept-Encoding": "identity"}
        )
        assert "content-encoding" not in plain.headers
        assert len(gzip.compress(plain.content)) < len(plain.content)
        again = await client.http.get(
            "/", headers={"If-None-Match": (await client.http.get("/")).headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")

    run(tmp_path, work, dashboard=dashboard)


def test_addresses_of_the_page_get_the_page_and_others_nothing(
    tmp_path: Path, dashboard: Path
) -> None:
    async def work(client: Client) -> None:
        for path in ("/", "/trades/7", "/household"):
            assert "<title>page</title>" in (await client.http.get(path)).text
        for path in ("/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/assets/none.js"):
            answer = await client.http.get(path)
            assert answer.status_code == 404, path
            assert "secret" not in answer.text

    run(tmp_path, work, dashboard=dashboard)


def test_dashboard_that_is_not_built_says_how(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        assert "make up" in (await client.http.get("/")).text

    run(tmp_path, work)
