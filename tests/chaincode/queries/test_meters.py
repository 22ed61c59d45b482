"""Pages of meters: of their full size, in order, each meter once."""

from __future__ import annotations

import msgspec

from chaincode.metering.meters import METERS, Meter, MeterVersion
from chaincode.queries.meters import (
    PAGE_METERS,
    PAGE_VERSIONS,
    MetersAnswer,
    MetersArguments,
    ReadingsAnswer,
    ReadingsArguments,
)
from chaincode.state import Dated
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


def test_meters_with_many_versions_make_a_page_shorter() -> None:
    town = crowded([Household()] * 15)
    for number in range(15):
        key = METERS.key(meter_number(number))
        meter = METERS.decode(town.view.rows[key])
        town.view.rows[key] = encode(
            msgspec.structs.replace(meter, versions=[_at(meter, place) for place in range(200)])
        )

    pages = all_meters(town)

    assert [len(page) for page in pages] == [10, 5]
    assert PAGE_VERSIONS == 2_000


def _at(meter: Meter, place: int) -> Dated[MeterVersion]:
    return Dated(SLOT + place * SLOT_S, meter.versions[0].value)
