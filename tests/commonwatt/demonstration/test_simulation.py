"""A simulation is the same on any machine, after a rebuild, and after being cut short."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import pytest

from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from commonwatt.demonstration.cast import AREA, ORGANISATIONS, SLOT_S, Cast, found, make_cast
from commonwatt.demonstration.duties.members import MemberDuties
from commonwatt.demonstration.simulated_reports import SimulatedReports
from commonwatt.demonstration.simulation import (
    CHANNEL,
    START_S,
    SimulationResult,
    VirtualClock,
    simulate,
)
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.embedded.recovery.rebuild import rebuild
from ledger_network.port import Member, Receipt
from tests.chaincode.crowd import cut_after

HASH_SEEDS = ("0", "4242")
FIRST_SLOT = START_S + SLOT_S
SLOTS = 10  # the ninth ends a day in UTC, when retailers look at their clients' balances


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, SimulationResult]]:
    """A day of the command in two processes with different hash seeds: ledger and answer."""
    return {
        seed: _day(tmp_path_factory.mktemp(f"seed-{seed}") / "ledger", seed) for seed in HASH_SEEDS
    }


def _day(folder: Path, hash_seed: str) -> tuple[Path, SimulationResult]:
    command = [sys.executable, "-m", "commonwatt", "simulate", "--json"]
    options = ["--days", "1", "--households", "12", "--seed", "5", "--data", str(folder)]
    done = subprocess.run(
        [*command, *options],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    return folder, msgspec.json.decode(done.stdout, type=SimulationResult)


Days = dict[str, tuple[Path, SimulationResult]]


def test_hash_seeds_make_no_difference(days: Days) -> None:
    one, other = (msgspec.structs.replace(days[seed][1], seconds=0.0) for seed in HASH_SEEDS)

    assert one == other
    assert len(one.state_hash) == 64


def test_the_day_adds_up(days: Days) -> None:
    day = days[HASH_SEEDS[0]][1]

    assert (day.days, day.households, day.seed, day.slots) == (1, 12, 5, 96)
    assert day.money_sum == 0
    assert day.certificates_minted_wh == (day.certificates_retired_wh + day.certificates_live_wh)
    assert 0 < day.certificates_retired_wh <= day.settled_wh <= day.volume_wh
    assert 0 < day.trades < day.orders
    assert day.blocks > 96


def test_the_log_of_one_rebuilt_gives_the_same_state(days: Days) -> None:
    folder, day = days[HASH_SEEDS[0]]

    rebuilt = rebuild(folder, counts=Contract().counts_in_state_hash)

    assert rebuilt.state_hash == day.state_hash
    assert rebuilt.blocks == day.blocks


def test_another_seed_is_another_market() -> None:
    results = [asyncio.run(simulate(days=1, households=2, seed=seed)) for seed in (1, 2)]

    assert results[0].state_hash != results[1].state_hash


class Cut(Exception):
    """The process ends here."""


class MortalLedger(EmbeddedLedger):
    """A ledger whose user is killed right after a submit was committed, if `left` counts down."""

    left: int | None = None

    async def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        *,
        member: Member,
        transient: Mapping[str, bytes] | None = None,
    ) -> Receipt:
        receipt = await super().submit(name, arguments, member=member, transient=transient)
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Cut
        return receipt


def _open(folder: Path, cast: Cast, clock: VirtualClock) -> MortalLedger:
    ledger = MortalLedger.open(
        folder,
        contract=Contract(),
        channel=CHANNEL,
        members=[organisation.name for organisation in ORGANISATIONS],
        seed=cast.draw.bytes32("ledger"),
        clock=clock,
    )
    assert isinstance(ledger, MortalLedger)
    return ledger


async def _found(folder: Path, cast: Cast) -> None:
    async with _open(folder, cast, VirtualClock(START_S)) as ledger:
        rule = ClockArguments(AREA, START_S, START_S, 1)
        await found(ledger, cast, first_slot=FIRST_SLOT, clock=rule)


async def _trade(folder: Path, cast: Cast, lives: Iterable[int]) -> tuple[str, int]:
    """Trade some slots; each life ends after so many submits, the last one at the end.

    The state hash and how many lives it took.
    """
    clock, last_slot = VirtualClock(START_S), FIRST_SLOT + (SLOTS - 1) * SLOT_S
    for count, submits in enumerate([*lives, None], start=1):
        async with _open(folder, cast, clock) as ledger:
            ledger.left = submits
            duties = MemberDuties(
                ledger, cast, FIRST_SLOT, reporter=SimulatedReports(ledger, cast, FIRST_SLOT)
            )
            try:
                await duties.resume()
                while not duties.is_settled(last_slot):
                    await duties.tick(clock.now_s, last_slot=last_slot)
                    clock.now_s += SLOT_S if clock.now_s > START_S else SLOT_S - 300
            except Cut:
                continue
            return await ledger.state_hash(), count
    raise AssertionError("unreachable: the last life has no end")


@pytest.fixture(scope="module")
def cast() -> Cast:
    """Four households, their members and oracle nodes."""
    return make_cast(3, 4)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory, cast: Cast) -> Path:
    """The folder of a market that has been founded and no more."""
    folder = tmp_path_factory.mktemp("founded") / "ledger"
    asyncio.run(_found(folder, cast))
    return folder


@pytest.mark.parametrize(
    "lives",
    [
        pytest.param(range(1, 40), id="each life one submit longer"),
        pytest.param(range(2, 60, 3), id="each life three longer"),
        *(pytest.param([at], id=f"after {at} submits") for at in range(46, 60, 2)),
    ],
)
def test_a_market_cut_short_goes_on_to_the_same_state(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cast: Cast,
    founded: Path,
    lives: Iterable[int],
) -> None:
    """Wherever its user is killed: batches half sent, a gate closed and not cleared, a report."""
    monkeypatch.setattr(
        "commonwatt.demonstration.duties.members.DEPOSIT_LOW_NANO", 10**18
    )  # everybody is topped up
    for name in ("whole", "cut"):
        shutil.copytree(founded, tmp_path / name)
    whole, _ = asyncio.run(_trade(tmp_path / "whole", cast, []))

    cut, count = asyncio.run(_trade(tmp_path / "cut", cast, lives))

    assert count > 1
    assert cut == whole


@pytest.mark.parametrize("lives", [range(5, 60, 7), range(9, 300, 4)], ids=["short", "long"])
def test_a_market_cut_short_in_the_middle_of_runs_goes_on_to_the_same_state(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cast: Cast,
    founded: Path,
    lives: Iterable[int],
) -> None:
    """Clearing and settling take many transactions each, as in a large market."""
    cut_after(monkeypatch, 1)
    for name in ("whole", "cut"):
        shutil.copytree(founded, tmp_path / name)
    whole, _ = asyncio.run(_trade(tmp_path / "whole", cast, []))

    cut, count = asyncio.run(_trade(tmp_path / "cut", cast, lives))

    assert count > 5
    assert cut == whole
