"""Takes health reports of the oracle's nodes into the read model.

`POST /oracle/health` takes one report: a compact JWS by a node's own key (`application/jose`) over
at most 50 findings about meters, about the node itself and about other nodes. A report needs no
sign-in, because only the area's oracle nodes that the ledger names may sign one, and others cannot
alter it. In order of precedence the API refuses a text that is not a report, a report for another
market, of another signer or with an invalid signature, one whose time differs from this machine's
by more than a minute, one that is not newer than the node's last, and one that comes too fast. The
API ignores findings about meters that the area does not have. The answer is `{"code", "sentence"}`,
with `OK` for an accepted report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from api.faults import READ_MODEL_UNAVAILABLE, ApiFault, Fault
from api.features.oracle_health.reads import HealthRecord
from api.metrics import Metrics
from api.read_model.database import UNREADABLE
from api.services import Services
from chaincode.documents.document import Opened, misdirected
from chaincode.documents.health import HEALTH, HEALTH_BYTES_MAX, HealthWord
from chaincode.metering.oracles import NODES_MAX, OracleSet
from identity.jws import TokenRefused

MEDIA_TYPE = "application/jose"
OFF_MS_MAX = 60_000  # how far a node's clock may be off; the oracle itself allows less
WORDS_AT_ONCE = 256  # reports of one node: all its 10,000 meters, and some more
WORDS_PER_S = 16  # all meters every 30 s, and the changes in between

CONTENT_TYPE = Fault("CONTENT_TYPE", f"The content type is not {MEDIA_TYPE}.")
BODY_TOO_LARGE = Fault("BODY_TOO_LARGE", "The body has more than {limit} bytes.")
HEALTH_UNREADABLE = Fault("HEALTH_UNREADABLE", "This is not a health report: {reason}")
HEALTH_MARKET = Fault("HEALTH_MARKET", "The report is for {named}; this API serves {here}.")
HEALTH_SIGNER = Fault(
    "HEALTH_SIGNER", "The ledger does not name {did} as an oracle node of area {area}."
)
HEALTH_SIGNATURE = Fault("HEALTH_SIGNATURE", "The signature by {did} is not valid.")
HEALTH_TIME = Fault(
    "HEALTH_TIME",
    "The report's time differs from this machine's by {off_ms} ms; at most {limit} are allowed.",
)
HEALTH_OLD = Fault(
    "HEALTH_OLD",
    "The report is of {said_ms} ms, the node's last one of {last_ms}; a report must be newer.",
)
HEALTH_RATE = Fault("HEALTH_RATE", "The node sends more than {limit} reports a second; wait.")
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


@dataclass
class _Speaker:
    """A node's newest report time, and how many reports it could send at once at `counted_s`."""

    said_ms: int
    left: float
    counted_s: float


class OracleHealth:
    """Writes the reports of one market's nodes to the read models of its endpoints."""

    def __init__(
        self, services: Services, regulators: Services, metrics: Metrics, now_s: Callable[[], float]
    ) -> None:
        self._services = services
        self._read_models = dict.fromkeys((services.read_model, regulators.read_model))
        self._metrics = metrics
        self._now_s = now_s
        self._speakers: dict[str, _Speaker] = {}
        self._one_at_a_time = asyncio.Lock()  # reports are written in the order of their arrival

    @property
    def route(self) -> Route:
        """The route that takes reports."""
        return Route("/oracle/health", self.answer, methods=["POST"])

    async def answer(self, request: Request) -> Response:
        """Answer a report; nothing that a stranger sends makes this raise."""
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
            opened = HEALTH.open(token)
        except TokenRefused as refused:
            raise HEALTH_UNREADABLE(reason=refused.sentence) from None
        word = opened.payload
        self._check_market(word)
        try:
            async with self._one_at_a_time:
                oracle = await self._services.freshness.oracle()
                self._check_signer(opened, oracle)
                await self._check_time(opened.did, word.said_ms)
                await self._write(opened.did, word, [] if oracle is None else oracle.nodes)
        except UNREADABLE:
            raise READ_MODEL_UNAVAILABLE() from None

    def _check_market(self, word: HealthWord) -> None:
        services = self._services
        ledger = services.ledger
        if word.area != services.area or misdirected(word, ledger) is not None:
            named = f"{word.contract} on {word.channel}, area {word.area}"
            here = f"{ledger.contract} on {ledger.channel}, area {services.area}"
            raise HEALTH_MARKET(named=named, here=here)

    def _check_signer(self, opened: Opened[HealthWord], oracle: OracleSet | None) -> None:
        if oracle is None or opened.did not in oracle.nodes:
            raise HEALTH_SIGNER(did=opened.did, area=self._services.area)
        if not opened.holds():
            raise HEALTH_SIGNATURE(did=opened.did)

    async def _check_time(self, did: str, said_ms: int) -> None:
        """Compare a report's time with this machine's and the node's last, and count the report."""
        now_s = self._now_s()
        off_ms = said_ms - int(now_s * 1_000)
        if abs(off_ms) > OFF_MS_MAX:
            raise HEALTH_TIME(off_ms=off_ms, limit=OFF_MS_MAX)
        speaker = self._speakers.get(did)
        if speaker is None:
            last_ms = await self._services.read_model.last_said_ms(did)
            if len(self._speakers) > 2 * NODES_MAX:  # nodes that the ledger no longer names
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
    """Return the body of a request, of which no more is read than a report may have."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise CONTENT_TYPE()
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > HEALTH_BYTES_MAX:
            raise BODY_TOO_LARGE(limit=HEALTH_BYTES_MAX)
        pieces.append(piece)
    return b"".join(pieces)
