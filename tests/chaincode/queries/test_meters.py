"""Pages of meters: of their full size, in order, each meter once."""

from __future__ import annotations

import msgspec

from chaincode.context import BYTES_MAX
from chaincode.metering.meters import METERS, VERSIONS_INLINE
from chaincode.queries.meters import (
    PAGE_METERS,
    MetersAnswer,
    MetersArguments,
    ReadingsAnswer,
    ReadingsArguments,
)
from chaincode.state import D, Dated
from identity.canonical import encode
from tests.chaincode.crowd import Household, meter_number, settle_in
from tests.chaincode.town import AREA, SLOT, SLOT_S, Town

COUNT = 2 * PAGE_METERS + 1


def crowded(households: list[Household]) -> Town:
    """A town of nobody but these households."""
    town = Town(0, slots=1)
    settle_in(town, households)
    return town


def all_readings(town: Town, boundary: int = SLOT) -> list[list[str]]:
    """The meters of all pages of readings."""
    pages: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        data = town.submit("list_readings", ReadingsArguments(AREA, boundary, after))
        answer = msgspec.json.decode(data, type=ReadingsAnswer)
        pages.append([reading.leaf.meter for reading in answer.readings])
        after = answer.after
    return pages


def all_meters(town: Town) -> list[list[str]]:
    """The meters of all pages of certified ones."""
    pages: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        data = town.submit("list_meters", MetersArguments(AREA, after))
        answer = msgspec.json.decode(data, type=MetersAnswer)
        pages.append([meter.meter for meter in answer.meters])
        after = answer.after
    return pages


def test_pages_of_readings_hold_every_meter_once_in_order() -> None:
    town = crowded([Household(import_wh=number) for number in range(COUNT)])

    pages = all_readings(town)

    assert [len(page) for page in pages] == [PAGE_METERS, PAGE_METERS, 1]
    assert [name for page in pages for name in page] == [meter_number(n) for n in range(COUNT)]
    assert all_readings(town, SLOT + SLOT_S) == pages
    assert all_readings(town, SLOT + 2 * SLOT_S) == [[], [], []]


def test_meters_without_a_reading_make_a_page_shorter_and_not_the_last() -> None:
    mute = Household(import_wh=None)
    town = crowded([mute] * PAGE_METERS + [Household()] * 3)

    assert [len(page) for page in all_readings(town)] == [0, 3]


def test_pages_of_meters_hold_every_meter_once_in_order() -> None:
    town = crowded([Household()] * COUNT)

    pages = all_meters(town)

    assert [len(page) for page in pages] == [PAGE_METERS, PAGE_METERS, 1]
    assert [name for page in pages for name in page] == [meter_number(n) for n in range(COUNT)]


def test_page_of_the_largest_rows_stays_far_below_what_an_answer_may_hold() -> None:
    town = crowded([Household()] * PAGE_METERS)
    for number in range(PAGE_METERS):
        key = METERS.key(meter_number(number))
        meter = METERS.decode(town.view.rows[key])
        versions = [_at(meter.versions, place) for place in range(VERSIONS_INLINE)]
        supplies = [_at(meter.supplies, place) for place in range(VERSIONS_INLINE)]
        largest = msgspec.structs.replace(meter, versions=versions, supplies=supplies)
        town.view.rows[key] = encode(largest)

    arguments = MetersArguments(AREA)
    answer = town.submit("list_meters", arguments)

    assert len(answer) < BYTES_MAX // 2


def _at(versions: list[Dated[D]], place: int) -> Dated[D]:
    return Dated(SLOT + place * SLOT_S, versions[0].value)
