"""What the oracle's nodes say of meters, of themselves and of each other, as it reaches the API.

`POST /oracle/health` takes one word: a compact JWS by a node's own key (`application/jose`) over at
most 50 findings. Nobody signs in for it: who may speak are the area's oracle nodes as the ledger
has them, and who carries a word can alter nothing in it. In order of precedence a word is refused
that is no such thing, is for another market, is a stranger's or forged, has a time beyond a minute
of ours, is not newer than the node's last, or comes too fast. A meter that the area does not
have is left out. The answer is `{"code", "sentence"}`, `OK` for a word that was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from api.faults import READ_MODEL_UNAVAILABLE, ApiFault, Fault
from api.read_model.reads import UNREADABLE
from api.read_model.records import HealthRecord
from api.server.metrics import Metrics
from api.services import Services
from chaincode.metering.reports import NODES_MAX, OracleSet
from identity.canonical import INTEGER_MAX
from identity.jws import Compact, TokenRefused, decode_payload, parse_compact
from identity.keys import verify

HEALTH_TYP = "commonwatt-health+jws"
MEDIA_TYPE = "application/jose"
WORD_BYTES_MAX = 131_072
FINDINGS_MAX = 50
OFF_MS_MAX = 60_000  # a node's clock is ours within this; the oracle itself allows less
WORDS_AT_ONCE = 256  # of one node: all its 10,000 meters, and some more
WORDS_PER_S = 16  # all of them again every 30 s, and what changes meanwhile

CONTENT_TYPE = Fault("CONTENT_TYPE", f"The content type is not {MEDIA_TYPE}.")
BODY_TOO_LARGE = Fault("BODY_TOO_LARGE", "The body has more than {limit} bytes.")
HEALTH_UNREADABLE = Fault("HEALTH_UNREADABLE", "This is no word on health: {reason}")
HEALTH_MARKET = Fault("HEALTH_MARKET", "The word is for {named}; this is {here}.")
HEALTH_SIGNER = Fault("HEALTH_SIGNER", "{did} is no oracle node of area {area} on the ledger.")
HEALTH_SIGNATURE = Fault("HEALTH_SIGNATURE", "The signature of {did} does not hold.")
HEALTH_TIME = Fault("HEALTH_TIME", "The word's time is {off_ms} ms off ours; {limit} at most.")
HEALTH_OLD = Fault("HEALTH_OLD", "The word is of {said_ms} ms; the node's last is of {last_ms}.")
HEALTH_RATE = Fault("HEALTH_RATE", "The node says more than {limit} words a second; wait.")
STATUS = {
    "CONTENT_TYPE": 415,
    "BODY_TOO_LARGE": 413,
    "HEALTH_SIGNER": 403,
    "HEALTH_SIGNATURE": 403,
    "HEALTH_OLD": 409,
    "HEALTH_RATE": 429,
    "READ_MODEL_UNAVAILABLE": 503,
}
"""HTTP status of a refusal; 400 for all others."""

log = structlog.get_logger("api")

Natural = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a meter, or the node of a DID, was found at a market time, s."""

    at_s: Natural
    sentence: Annotated[str, msgspec.Meta(max_length=240)]
    state: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{1,32}\Z")]
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class HealthWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node signs; `said_ms` is its own clock, milliseconds UTC."""

    area: str
    channel: str
    contract: str
    findings: Annotated[list[Finding], msgspec.Meta(max_length=FINDINGS_MAX)]
    said_ms: Natural
    v: Literal[1]


_words = msgspec.json.Decoder(HealthWord)


@dataclass
class _Speaker:
    """A node's newest time, and how many words it may say at once by `counted_s`."""

    said_ms: int
    left: float
    counted_s: float


class OracleHealth:
    """Takes the words of one market's nodes into the read models of its endpoints."""

    def __init__(
        self, services: Services, regulators: Services, metrics: Metrics, now_s: Callable[[], float]
    ) -> None:
        self._services = services
        self._read_models = dict.fromkeys((services.read_model, regulators.read_model))
        self._metrics = metrics
        self._now_s = now_s
        self._speakers: dict[str, _Speaker] = {}
        self._one_at_a_time = asyncio.Lock()  # of words, so that none overtakes a newer one

    @property
    def route(self) -> Route:
        """Where words are sent."""
        return Route("/oracle/health", self.answer, methods=["POST"])

    async def answer(self, request: Request) -> Response:
        """The answer to a word; never raises for what a stranger sent."""
        code, sentence, status = "OK", "", 200
        try:
            await self._take(await _body(request))
        except ApiFault as fault:
            code, sentence, status = fault.code, fault.message, STATUS.get(fault.code, 400)
            self._metrics.refused.labels(code).inc()
        except ClientDisconnect:
            return Response(status_code=400)
        log.info("oracle health", status=status, code=code)
        content = msgspec.json.encode({"code": code, "sentence": sentence})
        headers = {"Cache-Control": "no-store"}
        return Response(content, status, headers, media_type="application/json")

    async def _take(self, token: bytes) -> None:
        try:
            compact = parse_compact(token, typ=HEALTH_TYP, bytes_max=WORD_BYTES_MAX)
            word = decode_payload(compact.payload, _words)
        except TokenRefused as refused:
            raise HEALTH_UNREADABLE(reason=refused.sentence) from None
        self._check_market(word)
        try:
            async with self._one_at_a_time:
                oracle = await self._services.freshness.oracle()
                self._check_signer(compact, oracle)
                await self._check_time(compact.did, word.said_ms)
                await self._write(compact.did, word, [] if oracle is None else oracle.nodes)
        except UNREADABLE:
            raise READ_MODEL_UNAVAILABLE() from None

    def _check_market(self, word: HealthWord) -> None:
        services = self._services
        named = f"{word.contract} on {word.channel}, area {word.area}"
        ledger = services.ledger
        here = f"{ledger.contract} on {ledger.channel}, area {services.area}"
        if named != here:
            raise HEALTH_MARKET(named=named, here=here)

    def _check_signer(self, compact: Compact, oracle: OracleSet | None) -> None:
        if oracle is None or compact.did not in oracle.nodes:
            raise HEALTH_SIGNER(did=compact.did, area=self._services.area)
        if not verify(compact.check):
            raise HEALTH_SIGNATURE(did=compact.did)

    async def _check_time(self, did: str, said_ms: int) -> None:
        """Hold a word's time against ours and the node's last; count it."""
        now_s = self._now_s()
        off_ms = said_ms - int(now_s * 1_000)
        if abs(off_ms) > OFF_MS_MAX:
            raise HEALTH_TIME(off_ms=off_ms, limit=OFF_MS_MAX)
        speaker = self._speakers.get(did)
        if speaker is None:
            last_ms = await self._services.read_model.last_said_ms(did)
            if len(self._speakers) > 2 * NODES_MAX:  # those of sets that have gone
                self._speakers.clear()
            speaker = self._speakers[did] = _Speaker(last_ms, WORDS_AT_ONCE, now_s)
        if said_ms <= speaker.said_ms:
            raise HEALTH_OLD(said_ms=said_ms, last_ms=speaker.said_ms)
        left = speaker.left + max(0.0, now_s - speaker.counted_s) * WORDS_PER_S
        speaker.left, speaker.counted_s = min(WORDS_AT_ONCE, left), now_s
        if speaker.left < 1:
            raise HEALTH_RATE(limit=WORDS_PER_S)
        speaker.left -= 1

    async def _write(self, did: str, word: HealthWord, nodes: list[str]) -> None:
        subjects = [finding.subject for finding in word.findings]
        known = await self._services.read_model.known_meters(self._services.area, subjects)
        known.update(nodes)
        found = [
            HealthRecord(one.subject, did, one.state, one.sentence, one.at_s, word.said_ms)
            for one in word.findings
            if one.subject in known
        ]
        for read_model in self._read_models:
            await read_model.write_health(found)
        self._speakers[did].said_ms = word.said_ms


async def _body(request: Request) -> bytes:
    """The body of a request, read no further than a word may be long."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise CONTENT_TYPE()
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > WORD_BYTES_MAX:
            raise BODY_TOO_LARGE(limit=WORD_BYTES_MAX)
        pieces.append(piece)
    return b"".join(pieces)
