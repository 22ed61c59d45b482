"""What a node signs about health: at once, in small words, the newest, and all of it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from identity.did import did_key
from identity.jws import decode_payload, verify_compact
from identity.keys import PrivateKey
from meter_oracle.health.board import MeterHealth, NodeHealth
from meter_oracle.health.teller import FINDINGS_MAX, HEALTH_TYP, HealthTeller, HealthWord
from meter_oracle.settings import MarketSettings

KEY = PrivateKey.from_seed(b"teller".ljust(32, b"-"))
DID = did_key(KEY.public)
MARKET = MarketSettings(area="area", channel="channel", contract="market", nodes=[DID])
NOW_NS = 1_790_000_000_000_000_000
NEVER_S = 3_600.0


class Listener:
    """A receiver that answers with the codes it is given, then with OK."""

    def __init__(self, *codes: str) -> None:
        self.words: list[HealthWord] = []
        self._codes = list(codes)
        self._news = asyncio.Event()

    async def tell(self, token: str) -> str:
        compact = verify_compact(token, typ=HEALTH_TYP, bytes_max=131_072)
        assert compact.did == DID
        self.words.append(decode_payload(compact.payload, msgspec.json.Decoder(HealthWord)))
        self._news.set()
        return self._codes.pop(0) if self._codes else "OK"

    async def heard(self, count: int) -> None:
        """Return when `count` words have come."""
        async with asyncio.timeout(20):
            while len(self.words) < count:
                self._news.clear()
                await self._news.wait()


def telling(
    listener: Listener,
    scene: Callable[[HealthTeller], Awaitable[None]],
    *,
    repeat_s: float = NEVER_S,
    again_s: float = 0.01,
) -> None:
    async def run() -> None:
        teller = HealthTeller(
            MARKET, listener, key=KEY, now=lambda: NOW_NS, repeat_s=repeat_s, again_s=again_s
        )
        task = asyncio.create_task(teller.run())
        await scene(teller)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def found(meter: str, state: str = "good", sentence: str = "It is read.") -> MeterHealth:
    return msgspec.convert(
        {
            "type": "meter",
            "meter": meter,
            "node": DID,
            "state": state,
            "sentence": sentence,
            "at_s": 9,
        },
        MeterHealth,
    )


def test_all_meters_are_told_at_once_in_words_of_rising_time() -> None:
    listener = Listener()
    meters = [f"meter-{number}" for number in range(2 * FINDINGS_MAX + 1)]

    async def scene(teller: HealthTeller) -> None:
        for meter in meters:
            teller.find(found(meter))
        teller.find(NodeHealth(DID, DID, "good", "It takes part.", 9, 900))
        await listener.heard(3)

    telling(listener, scene)
    assert [len(word.findings) for word in listener.words] == [50, 50, 2]
    told = [finding.subject for word in listener.words for finding in word.findings]
    assert told == [*meters, DID]
    first_ms = NOW_NS // 1_000_000
    assert [word.said_ms for word in listener.words] == [first_ms, first_ms + 1, first_ms + 2]
    assert {(w.area, w.channel, w.contract) for w in listener.words} == {
        ("area", "channel", "market")
    }


def test_word_that_was_not_taken_is_told_again_as_it_is_by_then() -> None:
    listener = Listener("API_UNAVAILABLE", "API_UNAVAILABLE")

    async def scene(teller: HealthTeller) -> None:
        teller.find(found("m1", "late"))
        teller.find(found("m2"))
        await listener.heard(1)
        teller.find(found("m1", "silent"))
        await listener.heard(3)

    telling(listener, scene)
    states = [{f.subject: f.state for f in word.findings} for word in listener.words]
    assert states[0] == {"m1": "late", "m2": "good"}
    assert states[2] == {"m1": "silent", "m2": "good"}


def test_everything_is_told_again_after_a_while_though_nothing_is_new() -> None:
    listener = Listener()

    async def scene(teller: HealthTeller) -> None:
        teller.find(found("m1"))
        teller.find(found("m2", "faulty"))
        await listener.heard(3)

    telling(listener, scene, repeat_s=0.05)
    assert listener.words[1].findings == listener.words[0].findings
    assert listener.words[2].findings == listener.words[0].findings
    assert listener.words[1].said_ms > listener.words[0].said_ms


def test_one_word_that_nobody_takes_does_not_silence_the_others() -> None:
    """The first word is refused for ever; what else there is to tell is told, again and again."""
    refused = "meter-0"

    class Choosy(Listener):
        async def tell(self, token: str) -> str:
            await super().tell(token)
            subjects = [finding.subject for finding in self.words[-1].findings]
            return "HEALTH_UNREADABLE" if refused in subjects else "OK"

    listener = Choosy()

    async def scene(teller: HealthTeller) -> None:
        for number in range(2 * FINDINGS_MAX):
            teller.find(found(f"meter-{number}"))
        await listener.heard(12)

    telling(listener, scene, repeat_s=0.05)
    others = [w for w in listener.words if refused not in [f.subject for f in w.findings]]
    assert len(others) > 1
    assert {f.subject for w in others for f in w.findings} == {f"meter-{n}" for n in range(50, 100)}


def test_sentence_of_a_driver_is_cut_and_made_text() -> None:
    listener = Listener()

    async def scene(teller: HealthTeller) -> None:
        teller.find(found("m1", "faulty", "\ud800" + "x" * 1_000))
        await listener.heard(1)

    telling(listener, scene)
    (finding,) = listener.words[0].findings
    assert finding.sentence == "?" + "x" * 239
