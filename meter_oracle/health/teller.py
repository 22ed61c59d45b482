"""What a node tells the world of its meters, of itself and of the others: words that it signs.

A word is a compact JWS by the node's key over canonical JSON: which market, when by the node's own
clock, and up to 50 findings. Its time rises with each word, so that whoever takes them lets no older
one replace a newer one. What is new is told at once. All of it is told again after `REPEAT_S`:
whoever has lost a word has it then, and whoever hears nothing for longer knows that the node is gone.

Of each meter and node only the last finding is kept, so there is no queue to grow while nobody
listens, and reports wait for none of it.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from typing import Literal, Protocol

import msgspec

from identity.canonical import encode
from identity.jws import sign_compact
from identity.keys import PrivateKey
from meter_oracle.agreement.observations import OK
from meter_oracle.agreement.signatures import wait_for
from meter_oracle.health.board import MeterHealth, NodeHealth
from meter_oracle.schedule import Now
from meter_oracle.settings import MarketSettings

HEALTH_TYP = "commonwatt-health+jws"
FINDINGS_MAX = 50  # of a word: it stays below 128 KB, whatever its sentences are
SENTENCE_CHARACTERS_MAX = 240
REPEAT_S = 30.0
AGAIN_S = 5.0  # until somebody who did not take a word is told again
NS_PER_MS = 1_000_000

log = logging.getLogger("meter_oracle.health")


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a meter, or the node of a DID, was found at a market time, s."""

    at_s: int
    sentence: str
    state: str
    subject: str


class HealthWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node signs; `said_ms` is its own clock, milliseconds UTC."""

    area: str
    channel: str
    contract: str
    findings: list[Finding]
    said_ms: int
    v: Literal[1]


class Herald(Protocol):
    """Takes signed words to whoever shows them."""

    async def tell(self, token: str) -> str:
        """OK, or a code for a word that was not taken; never raises."""
        ...


class HealthTeller:
    """Signs what one node finds and hands it over, until it is cancelled."""

    def __init__(
        self,
        market: MarketSettings,
        herald: Herald,
        *,
        key: PrivateKey,
        now: Now,
        repeat_s: float = REPEAT_S,
        again_s: float = AGAIN_S,
    ) -> None:
        self._market = market
        self._herald = herald
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
        """Something to tell; it replaces what was found of the same meter or node before."""
        subject = said.meter if isinstance(said, MeterHealth) else said.node
        sentence = said.sentence[:SENTENCE_CHARACTERS_MAX].encode(errors="replace").decode()
        finding = Finding(said.at_s, sentence, said.state, subject)
        self._known[subject] = self._untold[subject] = finding
        self._news.set()

    async def run(self) -> None:
        """Tell what is new, and all of it again from time to time."""
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
        """Tell as much as one word holds; what is not taken stays, behind all the rest."""
        some = dict(islice(self._untold.items(), FINDINGS_MAX))
        for subject in some:
            del self._untold[subject]
        code = await self._herald.tell(self._sign(list(some.values())))
        if code != self._code:
            log.log(logging.INFO if code == OK else logging.WARNING, "words on health: %s", code)
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
