"""A clock that is too far off is called that, and is not held against peers that are right."""

from __future__ import annotations

from datetime import UTC, datetime

import grpc
import pytest

from ledger_network.fabric.gateway.errors import ClockSkew, Outcome
from ledger_network.fabric.gateway.skew import PeerClocks
from tests.ledger_network.fabric.gateway.scripted import Act, refuse
from tests.ledger_network.fabric.gateway.stage import NOON, Stage, play

FAILED = "failed to endorse transaction, see attached details for more info"


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def refused(msp_id: str, *, own: float, peer: float, window: str = "1m0s") -> Act:
    words = (
        f"request unauthorized due to incorrect timestamp {stamp(own)}, peer time {stamp(peer)}, "
        f"peer.authentication.timewindow {window}"
    )
    return refuse(grpc.StatusCode.ABORTED, FAILED, (msp_id, words))


def test_wrong_clock_is_named_with_cause_and_mend() -> None:
    async def scene(stage: Stage) -> None:
        for peer in stage.peers:
            peer.at_next("Endorse", refused(peer.msp_id, own=NOON, peer=NOON - 600))

        with pytest.raises(ClockSkew, match="600 s ahead, and peers accept 60 s") as caught:
            await stage.gateway.submit("market", [b"put"])

        error = caught.value
        assert (error.outcome, error.repeatable) == (Outcome.NOTHING, False)
        assert (error.own_seconds, error.peer_seconds, error.window_s) == (NOON, NOON - 600, 60.0)
        assert "NTP" in str(error)

    play(scene)


def test_what_two_organisations_said_is_remembered_until_the_clock_is_set() -> None:
    clock = [NOON]

    async def scene(stage: Stage) -> None:
        for peer in stage.peers:
            peer.at_next("Endorse", refused(peer.msp_id, own=NOON, peer=NOON + 7200))
        with pytest.raises(ClockSkew):
            await stage.gateway.submit("market", [b"put"])
        asked = stage.asked("Endorse")

        with pytest.raises(ClockSkew, match="7200 s behind"):
            await stage.gateway.submit("market", [b"put"])
        with pytest.raises(ClockSkew):
            await stage.gateway.check_clock()
        assert stage.asked("Endorse") == asked == (1, 1)

        clock[0] = NOON + 7200
        assert (await stage.gateway.submit("market", [b"put"])).valid

    play(scene, clock=lambda: clock[0])


def test_one_peer_with_a_wrong_clock_stops_nobody() -> None:
    async def scene(stage: Stage) -> None:
        stage.north.at_next("Endorse", *[refused("NorthMSP", own=NOON, peer=NOON - 600)] * 2)

        for _ in range(2):
            assert (await stage.gateway.submit("market", [b"put"])).valid

        assert stage.asked("Endorse") == (2, 2)

    play(scene)


def test_check_asks_each_peer_and_passes_over_those_away() -> None:
    async def scene(stage: Stage) -> None:
        await stage.gateway.check_clock()
        assert stage.asked("Evaluate") == (1, 1)

        await stage.north.stop()
        stage.south.at_next("Evaluate", refused("SouthMSP", own=NOON, peer=NOON + 86_400))
        with pytest.raises(ClockSkew):
            await stage.gateway.check_clock()

    play(scene)


def test_peers_time_goes_on_while_it_is_remembered() -> None:
    now = [0.0]
    clocks = PeerClocks(lambda: now[0])
    for organisation in ("a", "b"):
        error = ClockSkew(own_seconds=0, peer_seconds=1000, window_s=10, endpoint=organisation)
        clocks.learn(error)

    now[0] = 500.0

    with pytest.raises(ClockSkew):
        clocks.check(1000.0)
    clocks.check(1495.0)
    clocks.check(1000.0)  # one agreed and was believed, and so are all


def test_endorsement_wipes_out_what_was_said() -> None:
    clocks = PeerClocks(lambda: 0.0)
    for organisation in ("a", "b"):
        clocks.learn(
            ClockSkew(own_seconds=0, peer_seconds=1000, window_s=10, endpoint=organisation)
        )
    with pytest.raises(ClockSkew):
        clocks.check(0.0)

    clocks.agreed()

    clocks.check(0.0)


@pytest.mark.parametrize(
    ("written", "seconds"), [("15m0s", 900.0), ("1h2m3.5s", 3723.5), ("30s", 30.0)]
)
def test_window_is_read_as_go_writes_it(written: str, seconds: float) -> None:
    async def scene(stage: Stage) -> float:
        for peer in stage.peers:
            peer.at_next("Endorse", refused(peer.msp_id, own=NOON, peer=0, window=written))
        with pytest.raises(ClockSkew) as caught:
            await stage.gateway.endorse("market", [b"put"])
        return caught.value.window_s

    assert play(scene) == seconds
