"""The published form of an outcome and its digest."""

from __future__ import annotations

import json
from hashlib import sha256

import msgspec
import pytest

from chaincode.auctions.book import Zone
from chaincode.auctions.outcome import LossAccount, Outcome, outcome_json
from chaincode.auctions.uniform import clear
from identity.canonical import canonical_json
from tests.chaincode.auctions.table import one_zone, read_orders

BOOK = """
    buy      price   sell
    b1 500     90
    b2 900     50    s1 600
    b2 100     40    s2 800
"""


def outcome_in(zone: str) -> Outcome:
    orders = [msgspec.structs.replace(order, zone=zone) for order in read_orders(BOOK)]
    return clear(msgspec.structs.replace(one_zone(orders), zones=[Zone(zone)]))


def test_outcome_is_published_whole() -> None:
    outcome = outcome_in("p")

    published = outcome_json(outcome)

    digest = published.pop("digest")
    assert published == {
        "volume": 1400,
        "welfare": 500 * 90 + 900 * 50 - 800 * 40 - 600 * 50,
        "prices": {"p": 50},
        "price_range": {"p": [50, 50]},
        "flows": {},
        "congestion_rent": {},
        "edge_income": {},
        "loss_account": {},
        "area_income": 0,
        "fills": [
            {"order": "b1", "quantity": 500, "price": 50},
            {"order": "b2#1", "quantity": 900, "price": 50},
            {"order": "s1", "quantity": 600, "price": 50},
            {"order": "s2", "quantity": 800, "price": 50},
        ],
        "trades": [
            {"buy": "b1", "sell": "s2", "quantity": 500, "buy_price": 50, "sell_price": 50}
            | {"path": ["p"]},
            {"buy": "b2#1", "sell": "s2", "quantity": 300, "buy_price": 50, "sell_price": 50}
            | {"path": ["p"]},
            {"buy": "b2#1", "sell": "s1", "quantity": 600, "buy_price": 50, "sell_price": 50}
            | {"path": ["p"]},
        ],
        "unfilled": [{"order": "b2#2", "quantity": 100, "reason": "PRICE"}],
    }
    # All ASCII and small: sorted compact JSON is canonical.
    canonical = json.dumps(published, sort_keys=True, separators=(",", ":")).encode()
    assert digest == outcome.digest == sha256(canonical).hexdigest()


@pytest.mark.parametrize("zone", ["p", "Zöne", "\U0001f50c", '"\\\n', "\x7f\x1f"])
def test_digest_is_over_the_canonical_json_of_everything_else(zone: str) -> None:
    published = outcome_json(outcome_in(zone))

    digest = published.pop("digest")

    assert digest == sha256(canonical_json(published)).hexdigest()


def test_digest_sorts_zones_as_the_canonical_form_does() -> None:
    outcome = msgspec.structs.replace(
        outcome_in("p"), flows={"\U0001f50c": 1, "\ufb33": 2}, prices={"\U0001f50c": 1, "\ufb33": 2}
    )

    published = outcome_json(outcome)

    digest = published.pop("digest")
    assert digest == sha256(canonical_json(published)).hexdigest()


def test_integers_beyond_doubles_are_strings() -> None:
    last, beyond = 2**53 - 1, 2**53
    outcome = msgspec.structs.replace(
        outcome_in("p"),
        volume=last,
        welfare=beyond,
        prices={"p": -last},
        price_range={"p": (-beyond, -last)},
        congestion_rent={"c": beyond},
        loss_account={"c": LossAccount(collected=beyond, energy=1, spent=last)},
        area_income=-beyond,
    )

    published = outcome_json(outcome)

    assert published["volume"] == last
    assert published["welfare"] == "9007199254740992"
    assert published["prices"] == {"p": -last}
    assert published["price_range"] == {"p": ["-9007199254740992", -last]}
    assert published["congestion_rent"] == {"c": "9007199254740992"}
    assert published["loss_account"] == {
        "c": {"collected": "9007199254740992", "energy": 1, "spent": last}
    }
    assert published["area_income"] == "-9007199254740992"


def test_digest_tells_outcomes_apart() -> None:
    outcome = outcome_in("p")

    assert msgspec.structs.replace(outcome, area_income=1).digest != outcome.digest
