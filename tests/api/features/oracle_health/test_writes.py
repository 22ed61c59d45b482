"""Words on health over HTTP: who may speak, what is refused in which order, what comes of a word."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest

from api.features.oracle_health.reads import HealthRecord
from api.features.oracle_health.types import HEARD_MS_MAX
from api.features.oracle_health.writes import OFF_MS_MAX, WORDS_AT_ONCE
from api.features.reads import open_read_model
from api.server.app import make_app
from chaincode.area.clock import ClockArguments
from chaincode.documents.health import HEALTH_BYTES_MAX, HEALTH_TYP, Finding, HealthWord
from chaincode.metering.oracles import OracleArguments
from commonwatt.demonstration.cast import AREA, CHANNEL, DSO, ORACLE, SLOT_S, Cast
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey
from ledger_network.port import Member, Position
from tests.api.served_market import OPERATOR, ORIGIN, SLOT, Client, served

JOSE = {"Content-Type": "application/jose"}
PATH = "/oracle/health"
STRANGE = PrivateKey.from_seed(b"strange".ljust(32, b"-"))
SHOWN = (
    "{ oracleNodes { did state sentence at } meters { nodes { id health { state sentence at } } } }"
)
Scene = Callable[[Client, Cast], Awaitable[None]]


def on_market(folder: Path, scene: Scene) -> None:
    """Play a scene with a market that is served."""

    async def run() -> None:
        async with asyncio.timeout(60), served(folder) as (client, cast):
            await scene(client, cast)

    asyncio.run(run())


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def word(*findings: Finding, said_ms: int | None = None) -> HealthWord:
    """What a node of the demonstration's market signs."""
    return HealthWord(
        area=AREA, channel=CHANNEL, contract="commonwatt", findings=list(findings),
        said_ms=now_ms() if said_ms is None else said_ms, v=1,
    )  # fmt: skip


def signed(key: PrivateKey, payload: object, typ: str = HEALTH_TYP) -> str:
    return sign_compact(key, typ, encode(payload))


async def said(http: httpx.AsyncClient, token: str | bytes) -> tuple[int, str]:
    """Status and code of the answer to a word."""
    answer = await http.post(PATH, content=token, headers=JOSE)
    return answer.status_code, answer.json()["code"]


async def shown(client: Client) -> tuple[dict[str, dict[str, object]], dict[str, object]]:
    """What an operator sees: nodes by DID, and the health of meters by name."""
    data = await client.data(SHOWN, token=await client.access(OPERATOR))
    nodes = {node["did"]: node for node in data["oracleNodes"]}
    return nodes, {meter["id"]: meter["health"] for meter in data["meters"]["nodes"]}


def test_word_of_a_node_is_shown_for_its_meters_and_for_itself(tmp_path: Path) -> None:
    async def scene(client: Client, cast: Cast) -> None:
        key, meter = cast.oracle_keys[0], cast.homes[0].meter
        did = did_key(key.public)
        own = Finding(SLOT, "It has reported.", "good", did)
        silent = Finding(SLOT, "It does not answer.", "silent", meter)
        unknown = Finding(SLOT, "It is read.", "good", "meter-of-nobody")

        assert await said(client.http, signed(key, word(own, silent, unknown))) == (200, "OK")

        nodes, meters = await shown(client)
        assert meters[meter] == {"state": "silent", "sentence": silent.sentence, "at": SLOT}
        assert meters[cast.homes[1].meter] is None
        assert set(nodes) == set(cast.oracle.nodes)
        assert nodes[did]["state"] == "good"
        assert str(nodes[did]["sentence"]).startswith("It has reported. 0 of 1 meters")
        others = [node for name, node in nodes.items() if name != did]
        assert {(node["state"], node["at"]) for node in others} == {("silent", None)}
        assert await client.services.read_model.health_of(["meter-of-nobody"]) == []

    on_market(tmp_path, scene)


def test_each_fault_of_a_word_has_its_code_and_the_first_one_is_told(tmp_path: Path) -> None:
    """Each row repairs the fault of the row above and has those of all rows below."""
    text = {"Content-Type": "text/plain"}

    async def scene(client: Client, cast: Cast) -> None:
        node, meter = cast.oracle_keys[0], cast.homes[0].meter
        finding = Finding(SLOT, "It is read.", "good", meter)
        late_ms = now_ms() - OFF_MS_MAX - 1_000
        old_ms = now_ms() - OFF_MS_MAX // 2
        assert await said(client.http, signed(node, word(finding))) == (200, "OK")
        elsewhere = msgspec.structs.replace(word(finding, said_ms=late_ms), channel="elsewhere")
        late, old = (signed(node, word(finding, said_ms=ms)) for ms in (late_ms, old_ms))
        forged = ".".join((*late.split(".")[:2], signed(node, elsewhere).split(".")[2]))
        rows: tuple[tuple[str | bytes, dict[str, str], int, str], ...] = (
            (b"x" * (HEALTH_BYTES_MAX + 1), text, 415, "CONTENT_TYPE"),
            (b"x" * (HEALTH_BYTES_MAX + 1), JOSE, 413, "BODY_TOO_LARGE"),
            (b"x" * HEALTH_BYTES_MAX, JOSE, 400, "HEALTH_UNREADABLE"),
            (signed(STRANGE, elsewhere), JOSE, 400, "HEALTH_MARKET"),
            (signed(STRANGE, word(finding, said_ms=late_ms)), JOSE, 403, "HEALTH_SIGNER"),
            (forged, JOSE, 403, "HEALTH_SIGNATURE"),
            (late, JOSE, 400, "HEALTH_TIME"),
            (old, JOSE, 409, "HEALTH_OLD"),
            (signed(node, word(finding)), JOSE, 200, "OK"),
        )
        for content, headers, status, code in rows:
            before = await client.services.read_model.health_of([meter])
            answer = await client.http.post(PATH, content=content, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert (await client.services.read_model.health_of([meter]) == before) == (code != "OK")

    on_market(tmp_path, scene)


WRONG: tuple[tuple[str, object, str], ...] = (
    ("area", "other", "HEALTH_MARKET"),
    ("channel", "other", "HEALTH_MARKET"),
    ("contract", "other", "HEALTH_MARKET"),
    ("v", 2, "HEALTH_UNREADABLE"),
    ("said_ms", -1, "HEALTH_UNREADABLE"),
    ("said_ms", 2**53, "HEALTH_UNREADABLE"),
    ("said_ms", "1", "HEALTH_UNREADABLE"),
    ("more", 1, "HEALTH_UNREADABLE"),
    ("findings", [Finding(0, "", "good", "m")] * 51, "HEALTH_UNREADABLE"),
    ("findings", [Finding(-1, "", "good", "m")], "HEALTH_UNREADABLE"),
    ("findings", [Finding(0, "x" * 241, "good", "m")], "HEALTH_UNREADABLE"),
    ("findings", [Finding(0, "", "GOOD", "m")], "HEALTH_UNREADABLE"),
    ("findings", [Finding(0, "", "good", "")], "HEALTH_UNREADABLE"),
    ("findings", [Finding(0, "", "good", "m" * 129)], "HEALTH_UNREADABLE"),
)


def test_word_of_another_form_or_market_is_refused(tmp_path: Path) -> None:
    async def scene(client: Client, cast: Cast) -> None:
        for field, value, code in WRONG:
            payload = msgspec.to_builtins(word()) | {field: value}
            token = signed(cast.oracle_keys[0], payload)
            assert (field, await said(client.http, token)) == (field, (400, code))

    on_market(tmp_path, scene)


def test_token_of_another_purpose_is_no_word(tmp_path: Path) -> None:
    async def scene(client: Client, cast: Cast) -> None:
        token = signed(cast.oracle_keys[0], word(), "commonwatt-report+jws")

        assert await said(client.http, token) == (400, "HEALTH_UNREADABLE")
        assert (await client.http.get(PATH)).headers["content-type"] != "application/json"

    on_market(tmp_path, scene)


@pytest.mark.parametrize("off_ms", [-OFF_MS_MAX - 5_000, OFF_MS_MAX + 5_000])
def test_word_of_a_clock_that_is_off_is_refused(tmp_path: Path, off_ms: int) -> None:
    async def scene(client: Client, cast: Cast) -> None:
        token = signed(cast.oracle_keys[0], word(said_ms=now_ms() + off_ms))

        assert await said(client.http, token) == (400, "HEALTH_TIME")

    on_market(tmp_path, scene)


def test_older_word_replaces_no_newer_one_not_even_after_a_restart(tmp_path: Path) -> None:
    async def scene(client: Client, cast: Cast) -> None:
        key, meter = cast.oracle_keys[0], cast.homes[0].meter
        at_ms = now_ms()
        newer = signed(key, word(Finding(9, "New.", "faulty", meter), said_ms=at_ms))
        older = signed(key, word(Finding(9, "Old.", "good", meter), said_ms=at_ms - 1))
        assert await said(client.http, newer) == (200, "OK")
        again = httpx.ASGITransport(make_app(client.services))

        async with httpx.AsyncClient(transport=again, base_url=ORIGIN) as restarted:
            for http in (client.http, restarted):
                assert await said(http, newer) == (409, "HEALTH_OLD")
                assert await said(http, older) == (409, "HEALTH_OLD")

        (record,) = await client.services.read_model.health_of([meter])
        assert (record.sentence, record.said_ms) == ("New.", at_ms)

    on_market(tmp_path, scene)


def test_node_that_floods_is_held_back_and_no_other(tmp_path: Path) -> None:
    async def scene(client: Client, cast: Cast) -> None:
        first, second = cast.oracle_keys[:2]
        began_s = time.time()
        app = make_app(client.services, now_s=lambda: began_s)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as http:
            times_ms = range(now_ms(), now_ms() + WORDS_AT_ONCE)
            for said_ms in times_ms:
                assert await said(http, signed(first, word(said_ms=said_ms))) == (200, "OK")

            flooding = signed(first, word(said_ms=times_ms[-1] + 1))
            assert await said(http, flooding) == (429, "HEALTH_RATE")
            assert await said(http, signed(second, word())) == (200, "OK")
            began_s += 1
            assert await said(http, flooding) == (200, "OK")

    on_market(tmp_path, scene)


def test_who_may_speak_follows_the_ledger(tmp_path: Path) -> None:
    """The operator names other nodes from a slot on: there the new one is heard, the old no more."""

    async def scene(client: Client, cast: Cast) -> None:
        old, others = cast.oracle_keys[0], cast.oracle.nodes[1:]
        new = did_key(STRANGE.public)
        assert await said(client.http, signed(old, word())) == (200, "OK")
        assert await said(client.http, signed(STRANGE, word())) == (403, "HEALTH_SIGNER")

        later = SLOT + 20 * SLOT_S  # a slot that has not opened
        nodes = OracleArguments(AREA, later, [*others, new], 1)
        ledger = client.services.ledger
        await ledger.submit("set_oracle_nodes", nodes, member=Member(ORACLE, "admin"))
        clock = ClockArguments(AREA, int(time.time()), later, 1)
        receipt = await ledger.submit("set_clock", clock, member=Member(DSO, "admin"))
        await client.services.projection.reached(Position(receipt.block, receipt.index))

        assert await said(client.http, signed(STRANGE, word())) == (200, "OK")
        assert await said(client.http, signed(old, word())) == (403, "HEALTH_SIGNER")
        assert set((await shown(client))[0]) == {*others, new}

    on_market(tmp_path, scene)


def test_regulator_sees_it_in_a_read_model_of_its_own(tmp_path: Path) -> None:
    async def scene(client: Client, cast: Cast) -> None:
        services, meter = client.services, cast.homes[0].meter
        async with await open_read_model(f"sqlite:///{tmp_path}/regulator.sqlite3") as own:
            app = make_app(services, regulators=replace(services, read_model=own))
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
                finding = Finding(9, "It is read.", "good", meter)
                token = signed(cast.oracle_keys[0], word(finding))
                assert await said(http, token) == (200, "OK")

            found = await services.read_model.health_of([meter])
            assert await own.health_of([meter]) == found
            assert [record.sentence for record in found] == ["It is read."]

    on_market(tmp_path, scene)


def test_nobody_s_old_words_count(tmp_path: Path) -> None:
    """A node that has said nothing for long is silent, and its meters are told to be stale."""

    async def scene(client: Client, cast: Cast) -> None:
        first, second = cast.oracle.nodes[:2]
        meter, other = cast.homes[0].meter, cast.homes[1].meter
        fresh_ms = now_ms()
        gone_ms = fresh_ms - HEARD_MS_MAX - 120_000
        await client.services.read_model.write_health([
            HealthRecord(first, first, "good", "It has reported.", 9, gone_ms),
            HealthRecord(meter, first, "silent", "It does not answer.", 9, gone_ms),
            HealthRecord(other, first, "silent", "It does not answer.", 9, gone_ms),
            HealthRecord(second, second, "good", "It has reported.", 9, fresh_ms),
            HealthRecord(other, second, "good", "It is read.", 9, fresh_ms),
        ])  # fmt: skip

        nodes, meters = await shown(client)

        assert nodes[first] == {
            "did": first, "state": "silent", "at": 9,
            "sentence": "This node has not reported for 4 minutes.",
        }  # fmt: skip
        assert nodes[second]["state"] == "good"
        assert nodes[second]["sentence"] == "It has reported. 1 of 1 meters are read well."
        assert meters[meter] == {
            "state": "stale", "at": 9,
            "sentence": "No oracle node reports on this meter any more. The last report: It does not answer.",
        }  # fmt: skip
        assert meters[other] == {"state": "good", "sentence": "It is read.", "at": 9}

    on_market(tmp_path, scene)


@pytest.mark.parametrize(
    ("witnesses", "state", "at_s", "seen"),
    [
        (1, "silent", 10, "good"),  # one may be faulty
        (2, "silent", 10, "silent"),
        (2, "silent", 9, "good"),  # it has spoken since
        (2, "disagrees", 9, "disagrees"),
        (1, "equivocates", 10, "good"),
        (3, "good", 10, "good"),
    ],
)
def test_node_is_what_more_of_the_others_find_than_may_be_faulty(
    tmp_path: Path, witnesses: int, state: str, at_s: int, seen: str
) -> None:
    async def scene(client: Client, cast: Cast) -> None:
        accused, *others = cast.oracle.nodes
        at_ms = now_ms()
        own = HealthRecord(accused, accused, "good", "It has reported.", 9, at_ms)
        found = [
            HealthRecord(accused, other, state, "So it is.", at_s, at_ms)
            for other in others[:witnesses]
        ]
        await client.services.read_model.write_health([own, *found])

        node = (await shown(client))[0][accused]

        sentence = "It has reported." if seen == "good" else "Other nodes report: So it is."
        assert (node["state"], node["sentence"]) == (seen, sentence)

    on_market(tmp_path, scene)
