"""The demonstration: its cast, its local time, its founding, the seed chains that follow each other."""

from __future__ import annotations

import asyncio
import typing
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from chaincode.area.clock import ClockArguments
from chaincode.area.zones import AreaName
from chaincode.contract import Contract
from chaincode.queries.market import AreaAnswer, SeedChainsAnswer
from chaincode.slots.gate import SlotArguments
from commonwatt.demonstration import cast as demonstration
from commonwatt.demonstration.cast import (
    AREA,
    DSO,
    ORGANISATIONS,
    RETAILERS,
    ROOT,
    SLOT_S,
    ZONES,
    export_w,
    found,
    import_w,
    local_offsets,
    make_cast,
    market_rules,
    seed_chain,
)
from commonwatt.demonstration.duties.members import MemberDuties
from commonwatt.demonstration.seeded_keys import Draw, SeedChain
from commonwatt.demonstration.simulated_reports import SimulatedReports
from commonwatt.demonstration.simulation import START_S
from identity.did import did_key
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import Ledger, Member, Receipt

FIRST_SLOT = START_S + SLOT_S


def open_ledger(folder: Path, now_s: list[int]) -> EmbeddedLedger:
    """A ledger whose time is `now_s[0]`."""
    return EmbeddedLedger.open(
        folder,
        contract=Contract(),
        channel="test-market",
        members=[organisation.name for organisation in ORGANISATIONS],
        seed=b"\x07" * 32,
        clock=lambda: now_s[0],
    )


def test_a_cast_is_the_same_each_time_and_another_for_another_seed() -> None:
    one, again, other = make_cast(1, 30), make_cast(1, 30), make_cast(2, 30)

    assert [home.did for home in one.homes] == [home.did for home in again.homes]
    assert [home.profile for home in one.homes] == [home.profile for home in again.homes]
    assert one.oracle == again.oracle
    assert not {home.did for home in one.homes} & {home.did for home in other.homes}


def test_one_household_more_changes_no_other() -> None:
    fewer, more = (
        [(home.did, home.profile, home.meter, home.zone, home.retailer) for home in homes]
        for homes in (make_cast(1, 20).homes, make_cast(1, 21).homes)
    )

    assert fewer == more[:20]


def test_homes_are_spread_over_zones_and_retailers() -> None:
    homes = make_cast(1, 40).homes

    assert Counter(home.zone for home in homes) == dict.fromkeys(ZONES, 20)
    assert Counter(home.retailer for home in homes) == dict.fromkeys(RETAILERS, 20)
    assert len({(home.zone, home.retailer) for home in homes}) == 4
    assert len({home.did for home in homes} | {home.meter for home in homes}) == 80
    assert all(home.did == did_key(home.key.public) for home in homes)


def test_meters_are_certified_for_what_their_homes_can_do() -> None:
    for home in make_cast(1, 60).homes:
        assert home.profile.load_peak_w <= import_w(home) < home.profile.load_peak_w + 1_000
        assert home.profile.pv_peak_w <= export_w(home) < home.profile.pv_peak_w + 1_000
        assert import_w(home) % 1_000 == export_w(home) % 1_000 == 0


def test_offsets_of_berlin_change_in_spring_and_autumn() -> None:
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())

    offsets = list(local_offsets("Europe/Berlin", start, days=365))

    assert offsets == [
        (start, 3_600),
        (int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()), 7_200),
        (int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()), 3_600),
    ]


def test_rules_know_the_local_hour_of_every_slot_of_two_years() -> None:
    rules = market_rules(START_S)

    assert rules.offset_s(START_S) == 7_200
    assert rules.offset_s(int(datetime(2027, 1, 15, tzinfo=UTC).timestamp())) == 3_600
    assert rules.offset_s(int(datetime(2028, 6, 1, tzinfo=UTC).timestamp())) == 7_200


def test_a_seed_chain_leads_from_its_anchor_back_to_its_end() -> None:
    chain = SeedChain(Draw(b"some"), 0, 5)

    tips = [chain.anchor]
    while chain.left(tips[-1]):
        tips.append(chain.before(tips[-1]))

    assert len(tips) == 6
    for tip, before in pairwise(tips):
        assert sha256(bytes.fromhex(before)).hexdigest() == tip
    with pytest.raises(KeyError):
        chain.before(tips[-1])
    assert SeedChain(Draw(b"some"), 1, 5).left(chain.anchor) == 0


class Cut(Exception):
    """A founding ends here."""


class CutLedger:
    """Takes so many transactions of a founding and no more."""

    def __init__(self, ledger: Ledger, takes: int) -> None:
        self.channel, self.contract = ledger.channel, ledger.contract
        self._ledger = ledger
        self._takes = takes

    async def submit(self, name: str, arguments: msgspec.Struct, *, member: Member) -> Receipt:
        """Submit, unless the founding ends before."""
        if not self._takes:
            raise Cut
        self._takes -= 1
        return await self._ledger.submit(name, arguments, member=member)


def test_founding_done_twice_or_cut_short_ends_in_the_same_market(tmp_path: Path) -> None:
    """The second founding passes over what is there; the third began with half of it."""
    cast = make_cast(1, 3)
    clock = ClockArguments(AREA, START_S, START_S, 1)

    async def founded(folder: Path, *, before: int, times: int) -> tuple[str, AreaAnswer]:
        async with open_ledger(folder, [START_S]) as ledger:
            if before:
                cut = typing.cast("Ledger", CutLedger(ledger, before))
                with pytest.raises(Cut):
                    await found(cut, cast, first_slot=FIRST_SLOT, clock=clock)
            for _ in range(times):
                await found(ledger, cast, first_slot=FIRST_SLOT, clock=clock)
            answer = await ledger.evaluate("describe_area", AreaName(AREA), member=Member(DSO))
            area = msgspec.json.decode(answer, type=AreaAnswer)
            return await ledger.state_hash(), area

    once, area = asyncio.run(founded(tmp_path / "once", before=0, times=1))
    twice, _ = asyncio.run(founded(tmp_path / "twice", before=0, times=2))
    for before in (5, 22, 26):  # within the area's terms, and between two acts on a home
        mended, _ = asyncio.run(founded(tmp_path / f"mended-{before}", before=before, times=1))
        assert mended == once

    assert once == twice
    assert [zone.id for zone in area.area.zones] == [ROOT, *ZONES]
    assert area.market_s == START_S


def test_seed_chains_follow_each_other_before_they_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Three short chains of each member over a day: every member reveals for every slot."""
    monkeypatch.setattr(demonstration, "CHAIN_LENGTH", 40)
    for name, value in (("CHAIN_LEFT_MIN", 30), ("CHAIN_AHEAD_SLOTS", 20)):
        monkeypatch.setattr(f"commonwatt.demonstration.duties.seeds.{name}", value)
    cast = make_cast(1, 2)
    slots = 75

    async def trade() -> list[bool]:
        now_s = [START_S]
        async with open_ledger(tmp_path / "ledger", now_s) as ledger:
            clock = ClockArguments(AREA, START_S, START_S, 1)
            await found(ledger, cast, first_slot=FIRST_SLOT, clock=clock)
            duties = MemberDuties(
                ledger, cast, FIRST_SLOT, reporter=SimulatedReports(ledger, cast, FIRST_SLOT)
            )
            first = await anchors(ledger, FIRST_SLOT)
            for number in range(slots):
                await duties.tick(now_s[0], lookahead_s=0)
                now_s[0] += SLOT_S if number else SLOT_S - 300
                if number in (25, 55):  # a process begins again and finds the chain in use
                    duties = MemberDuties(
                        ledger,
                        cast,
                        FIRST_SLOT,
                        reporter=SimulatedReports(ledger, cast, FIRST_SLOT),
                    )
                    await duties.resume()
            last = FIRST_SLOT + (slots - 2) * SLOT_S
            assert set(first) == {DSO, *RETAILERS}
            assert set(first.values()).isdisjoint((await anchors(ledger, last)).values())
            views = [await duties.slot(s) for s in range(FIRST_SLOT, last + 1, SLOT_S)]
            return [all(state.seed for state in view.seeds) for view in views]

    revealed = asyncio.run(trade())

    assert len(revealed) == slots - 1
    assert all(revealed)


async def anchors(ledger: Ledger, slot: int) -> dict[str, str]:
    """The anchors of the seed chains that hold for a slot, by member."""
    asked = SlotArguments(AREA, slot)
    answer = await ledger.evaluate("list_seed_chains", asked, member=Member(DSO))
    chains = msgspec.json.decode(answer, type=SeedChainsAnswer).chains
    return {chain.member: chain.anchor for chain in chains}


def test_the_chain_of_a_cast_is_as_long_as_forty_days() -> None:
    chain = seed_chain(make_cast(1, 2), DSO, 0)

    assert chain.left(chain.anchor) == demonstration.CHAIN_LENGTH >= 40 * 96
    assert demonstration.CHAIN_AHEAD_SLOTS < demonstration.CHAIN_LEFT_MIN
    opens_slots = market_rules(START_S).opens_s // SLOT_S
    assert opens_slots < demonstration.CHAIN_AHEAD_SLOTS, "a chain is posted before its slots open"
