"""The members' part in the draw: late seeds, restarts in the middle, slots that nobody ordered in."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec

from chaincode.area.clock import ClockArguments
from chaincode.queries.market import SlotView
from chaincode.slots.gate import SlotArguments
from commonwatt.demonstration.cast import (
    AREA,
    DSO,
    RETAILERS,
    SEED_HOLDERS,
    SLOT_S,
    found,
    make_cast,
    market_rules,
)
from commonwatt.demonstration.duties.members import MemberDuties
from commonwatt.demonstration.duties.seeds import SeedDuties, submit_to
from commonwatt.demonstration.simulated_reports import SimulatedReports
from ledger_network.port import Ledger, Member, Receipt
from tests.commonwatt.demonstration.test_cast import FIRST_SLOT, START_S, open_ledger

CAST = make_cast(1, 2)
RULES = market_rules(START_S)


async def founded(ledger: Ledger) -> MemberDuties:
    """The members' work on a new market."""
    await found(
        ledger, CAST, first_slot=FIRST_SLOT, clock=ClockArguments(AREA, START_S, START_S, 1)
    )
    return at_work(ledger)


def at_work(ledger: Ledger) -> MemberDuties:
    """The members' work as a process begins it."""
    return MemberDuties(
        ledger, CAST, FIRST_SLOT, reporter=SimulatedReports(ledger, CAST, FIRST_SLOT)
    )


def revealed(view: SlotView) -> dict[str, bool]:
    """Who takes part in a slot's draw, and whether it has revealed."""
    return {state.member: state.seed is not None for state in view.seeds}


def test_seeds_that_come_too_late_stop_nothing_and_the_next_slot_has_them(tmp_path: Path) -> None:
    async def scene() -> list[SlotView]:
        now_s = [START_S]
        async with open_ledger(tmp_path / "ledger", now_s) as ledger:
            duties = await founded(ledger)
            now_s[0] = RULES.gate_s(FIRST_SLOT) + RULES.seed_deadline_s
            await duties.tick(now_s[0], lookahead_s=0)
            now_s[0] = RULES.gate_s(FIRST_SLOT + 2 * SLOT_S)
            await duties.tick(now_s[0], lookahead_s=0)
            return [await duties.slot(FIRST_SLOT + place * SLOT_S) for place in range(3)]

    first, second, third = asyncio.run(scene())

    assert revealed(first) == dict.fromkeys(sorted(SEED_HOLDERS), False)
    assert first.row is not None
    assert first.row.withheld == sorted(SEED_HOLDERS)
    assert first.phase in ("CLEARED", "SETTLED")
    assert all(revealed(second).values())
    assert all(revealed(third).values())


def test_a_process_that_ends_between_two_reveals_goes_on_with_the_others(tmp_path: Path) -> None:
    async def scene() -> SlotView:
        now_s = [START_S]
        async with open_ledger(tmp_path / "ledger", now_s) as ledger:
            await founded(ledger)
            now_s[0] = RULES.gate_s(FIRST_SLOT)
            await ledger.submit("close_gate", SlotArguments(AREA, FIRST_SLOT), member=Member(DSO))
            submit, done = submit_to(ledger), [0]

            async def crashing(name: str, arguments: msgspec.Struct, member: Member) -> Receipt:
                if done[0]:
                    raise ConnectionError("the process is gone")
                done[0] += 1
                return await submit(name, arguments, member)

            with contextlib.suppress(ConnectionError):
                await SeedDuties(ledger, CAST, crashing).reveal(FIRST_SLOT)
            duties = at_work(ledger)
            assert sum(revealed(await duties.slot(FIRST_SLOT)).values()) == 1
            await duties.resume()
            return await duties.slot(FIRST_SLOT)

    view = asyncio.run(scene())

    assert view.phase == "CLEARED"
    assert revealed(view) == dict.fromkeys(sorted([DSO, *RETAILERS]), True)


def test_slots_of_days_that_the_market_stood_still_are_closed_at_once(tmp_path: Path) -> None:
    async def scene() -> tuple[int, list[SlotView]]:
        now_s = [START_S]
        async with open_ledger(tmp_path / "ledger", now_s) as ledger:
            duties = await founded(ledger)
            now_s[0] = RULES.gate_s(FIRST_SLOT + 40 * SLOT_S)
            before = (await ledger.health()).height
            await duties.tick(now_s[0], lookahead_s=0, last_slot=FIRST_SLOT + 40 * SLOT_S)
            blocks = (await ledger.health()).height - before
            return blocks, [await duties.slot(FIRST_SLOT + place * SLOT_S) for place in (0, 20, 40)]

    blocks, views = asyncio.run(scene())

    assert blocks < 41 * 5  # close, three reveals and a clearing of each slot would be as many
    assert [view.phase for view in views] == ["SETTLED", "SETTLED", "CLEARED"]
    assert [view.gate for view in views] == [None, None, None]
