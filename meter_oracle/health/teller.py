"""Signs what a node finds about its meters, itself and the other nodes, and sends it on.

A word on health is a compact JWS by the node's key over canonical JSON: the market, the time by the
node's own clock, and up to 50 findings. The time rises with each word, so a receiver can tell an older
word from a newer one. A node sends new findings at once, and all of them again every `REPEAT_S`: by then
a receiver has the words that it lost, and a receiver that hears nothing for longer knows that the node is
down.

The teller keeps only the last finding on each meter and node, so no queue grows while no receiver
listens. Reports never wait for the teller.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import islice

from chaincode.documents.health import (
    FINDINGS_MAX,
    HEALTH_TYP,
    SENTENCE_CHARACTERS_MAX,
    Finding,
    HealthWord,
)
from identity.canonical import encode
from identity.jws import sign_compact
from identity.keys import PrivateKey
from meter_oracle.health.board import MeterHealth, NodeHealth
from meter_oracle.peers.ledger_gateway import HealthReceiver
from meter_oracle.peers.messages import OK
from meter_oracle.schedule import Now, wait_for
from meter_oracle.settings import MarketSettings

REPEAT_S = 30.0
AGAIN_S = 5.0  # between attempts while words are not taken
NS_PER_MS = 1_000_000

log = logging.getLogger("meter_oracle.health")


class HealthTeller:
    """Signs one node's findings and sends them to `receiver`."""

    def __init__(
        self,
        market: MarketSettings,
        receiver: HealthReceiver,
        *,
        key: PrivateKey,
        now: Now,
        repeat_s: float = REPEAT_S,
        again_s: float = AGAIN_S,
    ) -> None:
        self._market = market
        self._receiver = receiver
        self._key = key
        self._now = now
        self._repeat_s = repeat_s
        self._again_s = again_s
        self._known: dict[str, Finding] = {}
        self._untold: dict[str, Finding] = {}
        self._news = asyncio.Event()
        self._said_ms = 0
        self._code = OK

    def find(self, said: MeterHealth | NodeHealth) -> None:
        """Take a finding; it replaces the one before on the same meter or node."""
        subject = said.meter if isinstance(said, MeterHealth) else said.node
        sentence = said.sentence[:SENTENCE_CHARACTERS_MAX].encode(errors="replace").decode()
        finding = Finding(said.at_s, sentence, said.state, subject)
        self._known[subject] = self._untold[subject] = finding
        self._news.set()

    async def run(self) -> None:
        """Send new findings at once and all findings from time to time, until cancelled."""
        loop = asyncio.get_running_loop()
        repeat_s = loop.time() + self._repeat_s
        while True:
            await wait_for(self._news, repeat_s - loop.time())
            if loop.time() >= repeat_s:
                self._untold = self._known | self._untold
                repeat_s = loop.time() + self._repeat_s
            self._news.clear()
            while self._untold and loop.time() < repeat_s:
                if not await self._tell_some():
                    await asyncio.sleep(self._again_s)

    async def _tell_some(self) -> bool:
        """Send as many findings as one word holds; findings of a word not taken are queued again."""
        some = dict(islice(self._untold.items(), FINDINGS_MAX))
        for subject in some:
            del self._untold[subject]
        code = await self._receiver.tell(self._sign(list(some.values())))
        if code != self._code:
            log.log(logging.INFO if code == OK else logging.WARNING, "word on health: %s", code)
            self._code = code
        if code == OK:
            return True
        for subject, finding in some.items():
            self._untold.setdefault(subject, finding)
        return False

    def _sign(self, findings: list[Finding]) -> str:
        self._said_ms = max(self._now() // NS_PER_MS, self._said_ms + 1)
        word = HealthWord(
            area=self._market.area,
            channel=self._market.channel,
            contract=self._market.contract,
            findings=findings,
            said_ms=self._said_ms,
            v=1,
        )
        return sign_compact(self._key, HEALTH_TYP, encode(word))
