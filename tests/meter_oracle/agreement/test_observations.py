"""Whose word is taken: replays, foreign markets, wrong clocks, nodes that contradict themselves."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.metering.oracles import configuration_digest
from identity.did import did_key
from identity.keys import PrivateKey
from meter_oracle.agreement.consensus import Values
from meter_oracle.agreement.observations import Moment, Observations
from meter_oracle.peers.messages import ObservationHeader, Observe, Observed, sign_observation
from meter_oracle.settings import MarketSettings

KEYS = [PrivateKey.from_seed(bytes([number]) * 32) for number in range(5)]
NODES = [did_key(key.public) for key in KEYS]
MARKET = MarketSettings(
    area="area", channel="channel", contract="contract", nodes=NODES[:4], faulty_max=1
)
NOW_NS = 1_800_000_000 * 10**9
BOUNDARY = 1_799_999_100
MOMENT = Moment(now_ns=NOW_NS, market_s=1_800_000_000, oldest_s=1_799_900_000)
VALUES = [Observed("m1", 100, 0, 1), Observed("m2", 200, 5, 1)]


@pytest.fixture
def observations() -> Observations:
    return Observations(
        MARKET, configuration_digest(MARKET.oracle), clock_ms_max=10_000, early_s=10
    )


def header(**fields: int | str) -> ObservationHeader:
    plain = ObservationHeader(
        area="area",
        boundary=BOUNDARY,
        channel="channel",
        configuration=configuration_digest(MARKET.oracle),
        contract="contract",
        digest="",
        sent_ns=str(NOW_NS),
        sequence=0,
    )
    return msgspec.structs.replace(plain, **fields)


def said(number: int = 0, values: list[Observed] | None = None, /, **fields: int | str) -> Observe:
    return sign_observation(KEYS[number], header(**fields), VALUES if values is None else values)


def test_an_observation_is_taken_once_and_again(observations: Observations) -> None:
    assert observations.take(NODES[0], said(), MOMENT).code == "OK"
    assert observations.take(NODES[0], said(), MOMENT).code == "OK"
    assert observations.at(BOUNDARY) == {
        NODES[0]: {"m1": Values(100, 0, 1), "m2": Values(200, 5, 1)}
    }


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"area": "elsewhere"}, "MARKET_WRONG"),
        ({"channel": "elsewhere"}, "MARKET_WRONG"),
        ({"contract": "elsewhere"}, "MARKET_WRONG"),
        ({"configuration": "ab" * 32}, "MARKET_WRONG"),
        ({"sent_ns": str(NOW_NS + 90 * 10**9)}, "CLOCK"),
        ({"sent_ns": str(NOW_NS - 90 * 10**9)}, "CLOCK"),
        ({"sent_ns": "yesterday"}, "CLOCK"),
        ({"boundary": BOUNDARY + 1}, "REPLAYED"),
        ({"boundary": 1_799_899_200}, "REPLAYED"),
        ({"boundary": 1_800_000_900}, "EARLY"),
    ],
)
def test_what_belongs_to_another_place_or_time_is_not_taken(
    observations: Observations, fields: dict[str, int | str], code: str
) -> None:
    assert observations.take(NODES[0], said(**fields), MOMENT).code == code
    assert observations.at(BOUNDARY) == {}


def test_a_clock_that_is_off_is_told_by_how_much(observations: Observations) -> None:
    heard = observations.take(NODES[0], said(sent_ns=str(NOW_NS + 90 * 10**9)), MOMENT)

    assert heard.sentence == "The node's clock is 90.0 s ahead of the receiver's."


def test_an_observation_of_another_or_of_a_stranger_is_not_taken(
    observations: Observations,
) -> None:
    assert observations.take(NODES[1], said(0), MOMENT).code == "SIGNER_WRONG"
    assert observations.take(NODES[4], said(4), MOMENT).code == "SIGNER_WRONG"


def test_altered_values_and_altered_tokens_are_found(observations: Observations) -> None:
    good = said()
    altered = Observe(good.token, [VALUES[0], Observed("m2", 201, 5, 1)])
    forged = Observe(good.token[:-4] + "AAAA", VALUES)

    assert observations.take(NODES[0], altered, MOMENT).code == "DIGEST_WRONG"
    assert observations.take(NODES[0], forged, MOMENT).code.startswith("TOKEN_")


def test_a_later_observation_adds_meters_and_changes_none(observations: Observations) -> None:
    observations.take(NODES[0], said(0, VALUES[:1]), MOMENT)

    assert observations.take(NODES[0], said(0, VALUES[1:], sequence=1), MOMENT).code == "OK"
    assert set(observations.at(BOUNDARY)[NODES[0]]) == {"m1", "m2"}
    changed = said(0, [Observed("m1", 101, 0, 1)], sequence=2)
    assert observations.take(NODES[0], changed, MOMENT).code == "EQUIVOCATES"
    assert observations.at(BOUNDARY) == {}
    assert observations.is_liar(BOUNDARY, NODES[0])


def test_an_earlier_observation_after_a_later_one_is_a_replay(
    observations: Observations,
) -> None:
    observations.take(NODES[0], said(sequence=5), MOMENT)

    assert observations.take(NODES[0], said(sequence=4), MOMENT).code == "REPLAYED"


def test_two_signatures_under_one_sequence_are_a_contradiction(
    observations: Observations,
) -> None:
    observations.take(NODES[0], said(), MOMENT)

    other = said(0, [Observed("m1", 100, 0, 1)])

    assert observations.take(NODES[0], other, MOMENT).code == "EQUIVOCATES"
    assert observations.at(BOUNDARY) == {}


def test_a_contradiction_that_another_shows_counts_and_a_forgery_does_not(
    observations: Observations,
) -> None:
    """One node told us one thing and another node something else: its own tokens convict it."""
    observations.take(NODES[0], said(0), MOMENT)
    observations.take(NODES[1], said(1), MOMENT)
    other = said(0, [Observed("m1", 90, 0, 1)]).token
    forged = said(1, [Observed("m1", 90, 0, 1)]).token[:-4] + "AAAA"

    assert observations.shown([other, forged, said(1).token, "no token"]) == [NODES[0]]
    assert set(observations.at(BOUNDARY)) == {NODES[1]}


def test_a_contradiction_about_one_boundary_leaves_others(observations: Observations) -> None:
    observations.take(NODES[0], said(boundary=BOUNDARY - 900), MOMENT)
    observations.take(NODES[0], said(), MOMENT)
    observations.take(NODES[0], said(0, []), MOMENT)

    assert observations.at(BOUNDARY) == {}
    assert set(observations.at(BOUNDARY - 900)) == {NODES[0]}


def test_what_is_older_than_is_kept_is_forgotten(observations: Observations) -> None:
    observations.take(NODES[0], said(), MOMENT)

    observations.drop(BOUNDARY + 900)

    assert observations.at(BOUNDARY) == {}
    assert observations.tokens(BOUNDARY) == []


def test_values_are_forgotten_and_who_said_something_is_not(observations: Observations) -> None:
    observations.take(NODES[0], said(), MOMENT)
    observations.take(NODES[0], said(boundary=BOUNDARY - 900), MOMENT)

    observations.forget_values(BOUNDARY)

    assert observations.at(BOUNDARY) == {}
    assert set(observations.at(BOUNDARY - 900)) == {NODES[0]}
    assert observations.has_said(BOUNDARY, NODES[0])
    other = said(0, [Observed("m1", 90, 0, 1)])
    assert observations.take(NODES[0], other, MOMENT).code == "EQUIVOCATES"
