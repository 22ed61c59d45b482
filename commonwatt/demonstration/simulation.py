"""A seeded market in one process, with the real contract, signatures and embedded ledger.

Keys, salts, seed chains, the ledger's own key and nonces are drawn from the seed, and time is
virtual. So the same seed gives the same state hash on every machine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from chaincode.area.clock import ClockArguments
from chaincode.auctions.book import PriceRule
from chaincode.contract import Contract
from chaincode.queries.market import SlotView
from commonwatt.bench.fabric.network import bench_network, open_ledger
from commonwatt.demonstration.cast import (
    AREA,
    CHANNEL,
    DSO,
    ORGANISATIONS,
    SLOT_S,
    Cast,
    found,
    make_cast,
)
from commonwatt.demonstration.conservation import area_totals
from commonwatt.demonstration.duties.members import SLOTS_PER_DAY, MemberDuties
from commonwatt.demonstration.seeded_keys import Draw
from commonwatt.demonstration.simulated_reports import SimulatedReports
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import Ledger, Member

START_S = 1_781_474_400  # Monday 2026-06-15 00:00 in Berlin; the week of the profiles is in June
DAYS_MAX = 3_650
HOUSEHOLDS_MAX = 1_000  # one report contains the readings of all households


class SimulationResult(msgspec.Struct, frozen=True):
    """The result of a simulation; money in nano-currency, energy in Wh."""

    days: int
    households: int
    seed: int
    slots: int
    orders: int
    trades: int
    volume_wh: int
    settled_wh: int
    money_sum: int
    certificates_minted_wh: int
    certificates_retired_wh: int
    certificates_live_wh: int
    state_hash: str
    blocks: int
    seconds: float


class VirtualClock:
    """A clock in seconds UTC that moves only when it is set."""

    def __init__(self, now_s: int) -> None:
        self.now_s = now_s

    def __call__(self) -> int:
        """Return the present second."""
        return self.now_s


class _Entropy:
    """Bytes drawn from the seed, a new draw for each call."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._count = 0

    def __call__(self, size: int) -> bytes:
        """Return the next `size` bytes, up to 32."""
        self._count += 1
        return self._draw.bytes32("entropy", self._count)[:size]


async def simulate(
    *,
    days: int,
    households: int,
    seed: int,
    data: Path | None = None,
    price_rule: PriceRule = "midpoint",
    lot_wh: int = 1,
    settled: Callable[[SlotView], None] | None = None,
) -> SimulationResult:
    """Trade and settle `days` x 96 slots; `data` keeps the ledger, without it the ledger is removed.

    Households order in whole lots of `lot_wh`.
    """
    began = time.perf_counter()
    drawn = make_cast(seed, households)
    cast = msgspec.structs.replace(drawn, price_rule=price_rule, lot_wh=lot_wh)
    with ExitStack() as kept:
        if data is None:
            folder = tempfile.TemporaryDirectory(prefix="commonwatt-simulate-")
            data = Path(kept.enter_context(folder)) / "ledger"
        return await _simulate(days, cast, seed, data, settled, began=began)


async def _simulate(
    days: int,
    cast: Cast,
    seed: int,
    data: Path,
    settled: Callable[[SlotView], None] | None,
    *,
    began: float,
) -> SimulationResult:
    households = len(cast.homes)
    clock = VirtualClock(START_S)
    ledger = EmbeddedLedger.open(
        data,
        contract=Contract(),
        channel=CHANNEL,
        members=[organisation.name for organisation in ORGANISATIONS],
        seed=cast.draw.bytes32("ledger"),
        clock=clock,
        entropy=_Entropy(cast.draw),
    )

    async def at(second: int) -> None:
        clock.now_s = second

    async with ledger:
        rule = ClockArguments(AREA, START_S, START_S, 1)
        duties = await _trade(ledger, cast, days, clock=rule, at=at, settled=settled)
        state_hash = await ledger.state_hash()
        return await _result(
            ledger, duties, days, households, seed, state_hash=state_hash, began=began
        )


async def simulate_on_fabric(
    *,
    days: int,
    households: int,
    seed: int,
    settled: Callable[[SlotView], None] | None = None,
) -> SimulationResult:
    """Run the simulation on a Fabric network, which is made for it and removed at its end.

    Peers accept only real time, so market time is anchored again before each step. Clock rules are not
    part of the state hash, and nothing else in the state depends on time.
    """
    began = time.perf_counter()
    cast = make_cast(seed, households)
    async with bench_network() as network, await open_ledger(network) as ledger:

        async def at(second: int) -> None:
            rule = ClockArguments(AREA, int(time.time()), second, 1)
            await ledger.submit("set_clock", rule, member=Member(DSO, "admin"))

        rule = ClockArguments(AREA, int(time.time()), START_S, 1)
        duties = await _trade(ledger, cast, days, clock=rule, at=at, settled=settled)
        state_hash = await ledger.state_hash()
        return await _result(
            ledger, duties, days, households, seed, state_hash=state_hash, began=began
        )


async def _result(
    ledger: Ledger,
    duties: MemberDuties,
    days: int,
    households: int,
    seed: int,
    *,
    state_hash: str,
    began: float,
) -> SimulationResult:
    totals = await area_totals(ledger)
    tally = duties.tally
    return SimulationResult(
        days=days,
        households=households,
        seed=seed,
        slots=tally.slots,
        orders=tally.orders,
        trades=tally.trades,
        volume_wh=tally.volume_wh,
        settled_wh=tally.settled_wh,
        money_sum=totals.money_nano,
        certificates_minted_wh=totals.minted_wh,
        certificates_retired_wh=totals.retired_wh,
        certificates_live_wh=totals.live_wh,
        state_hash=state_hash,
        blocks=(await ledger.health()).height,
        seconds=round(time.perf_counter() - began, 3),
    )


async def _trade(
    ledger: Ledger,
    cast: Cast,
    days: int,
    *,
    clock: ClockArguments,
    at: Callable[[int], Awaitable[None]],
    settled: Callable[[SlotView], None] | None,
) -> MemberDuties:
    """Found the market under the rule `clock` and trade; `at` sets market time before each step."""
    first_slot = START_S + SLOT_S
    await found(ledger, cast, first_slot=first_slot, clock=clock)
    reporter = SimulatedReports(ledger, cast, first_slot)
    duties = MemberDuties(ledger, cast, first_slot, reporter=reporter, settled=settled)
    last_slot = first_slot + (days * SLOTS_PER_DAY - 1) * SLOT_S
    now_s = START_S
    while not duties.is_settled(last_slot):
        await at(now_s)
        await duties.tick(now_s, last_slot=last_slot)
        now_s += SLOT_S if now_s > START_S else SLOT_S - 300
    return duties
