"""Slots that take orders: named before the market's first slot begins, each by its own rules."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from api.features.market.types import open_slots
from chaincode.state import Dated
from commonwatt.demonstration.cast import SLOT_S, TIME_ZONE, market_rules
from commonwatt.demonstration.simulation import START_S
from tests.api.served_market import SLOT, served
from tests.api.traded_slot import SELL, place, sheet

RULES = market_rules(START_S)
MARKET = "{ market { timeZone openSlots { start gate priceMin priceMax shortfallPenalty } } }"


def test_market_names_its_first_slot_before_that_begins_and_takes_orders_for_it(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            market = (await client.data(MARKET))["market"]
            token = await client.access(cast.homes[0].key)
            (placed,) = await place(client, token, sheet(cast.homes[0], SELL))

        assert market["timeZone"] == TIME_ZONE
        starts = [slot["start"] for slot in market["openSlots"]]
        assert starts == list(range(SLOT, START_S + RULES.opens_s + 1, SLOT_S))
        assert market["openSlots"][0]["gate"] == RULES.gate_s(SLOT)
        low, high = RULES.price_band
        assert {(slot["priceMin"], slot["priceMax"]) for slot in market["openSlots"]} == {
            (low, high)
        }
        assert {slot["shortfallPenalty"] for slot in market["openSlots"]} == {0}
        assert placed["code"] == "PLACED"

    asyncio.run(story())


def test_each_slot_is_named_by_the_rules_that_hold_for_it() -> None:
    """The later rules close gates half an hour before, so the first slot of theirs is closed already."""
    later = msgspec.structs.replace(
        RULES, gate_lead_s=1_800, price_band=(0, 1), shortfall_penalty=80_000
    )
    change = SLOT + SLOT_S

    named = open_slots([Dated(SLOT, RULES), Dated(change, later)], now_s=START_S, slot_s=SLOT_S)

    terms = {int(slot.start): (slot.gate, slot.price_max, slot.shortfall_penalty) for slot in named}
    assert terms[SLOT] == (SLOT - 300, RULES.price_band[1], 0)
    assert change not in terms
    assert terms[change + SLOT_S] == (change + SLOT_S - 1_800, 1, 80_000)
    assert list(terms) == sorted(terms)


def test_no_slot_is_open_whose_gate_is_now_or_that_has_no_rules() -> None:
    assert open_slots([], now_s=START_S, slot_s=SLOT_S) == []

    (first, *_) = open_slots([Dated(SLOT, RULES)], now_s=SLOT - 300, slot_s=SLOT_S)

    assert first.start == SLOT + SLOT_S
