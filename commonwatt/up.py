"""`commonwatt up`: the whole market on this machine, going on where it stopped.

The data folder holds the ledger and `market.json` (the seed of the demonstration and its first
slot). Market time stands still while the market is off: on start the clock is anchored where the
last block left it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.live import Live

from chaincode.clock import ClockArguments
from chaincode.queries import AreaAnswer, SlotView
from chaincode.zones import AreaName
from commonwatt.demonstration import (
    AREA,
    DSO,
    SLOT_S,
    TIME_ZONE,
    Cast,
    found,
    make_cast,
)
from commonwatt.engine import (
    LedgerKind,
    demonstration_network,
    embedded_ledger,
    fabric_ledger,
    require_demonstration,
    running,
)
from commonwatt.formats import moment
from commonwatt.operation import Operation
from commonwatt.snapshot import take_snapshot
from commonwatt.terminal import live_page, slot_line
from ledger_network.port import Ledger, Member

SPEED_DEFAULT = 90  # a slot of 15 minutes in 10 seconds
SPEED_MAX = 3_600
HOUSEHOLDS_DEFAULT = 24
HOUSEHOLDS_MAX = 1_000  # one report carries them all
MORNING_HOUR = 10  # a demonstration begins when the sun is up
HISTORY_SLOTS = 96


class UpRefused(Exception):
    """The market cannot be brought up as asked; the sentence says why and what to do."""


class MarketPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a data folder's market was drawn from."""

    seed: int
    households: int
    first_slot: int
    founded: bool
    ledger: LedgerKind = LedgerKind.EMBEDDED
    v: int = 1


def read_plan(data: Path) -> MarketPlan | None:
    """The plan of a data folder, None for a new one."""
    path = data / "market.json"
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=MarketPlan)
    except msgspec.DecodeError as error:
        raise UpRefused(f"{path} is damaged ({error}); restore it or use another --data.") from None


def write_plan(data: Path, plan: MarketPlan) -> None:
    """Store the plan, whole or not at all."""
    data.mkdir(parents=True, exist_ok=True)
    fresh = data / "market.json.new"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(plan)))
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(data / "market.json")


def choose_plan(
    data: Path,
    households: int | None,
    speed: int,
    now_s: int,
    ledger: LedgerKind = LedgerKind.EMBEDDED,
) -> MarketPlan:
    """The folder's plan, or a new one that begins now (in real time) or in the morning."""
    plan = read_plan(data)
    if plan is None:
        begin_s = now_s if speed == 1 else _morning_s(now_s)
        first_slot = begin_s - begin_s % SLOT_S + 2 * SLOT_S
        count = HOUSEHOLDS_DEFAULT if households is None else households
        plan = MarketPlan(secrets.randbits(32), count, first_slot, founded=False, ledger=ledger)
        write_plan(data, plan)
    elif households is not None and households != plan.households:
        raise UpRefused(
            f"The market in {data} has {plan.households} households, not {households}; "
            "leave --households out or choose another --data."
        )
    if ledger != plan.ledger:
        raise UpRefused(
            f"The market in {data} runs on the ledger {plan.ledger}, not {ledger}; "
            f"say --ledger {plan.ledger} or choose another --data."
        )
    return plan


def _morning_s(now_s: int) -> int:
    today = datetime.fromtimestamp(now_s, ZoneInfo(TIME_ZONE))
    morning = today.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0)
    return int(morning.timestamp())


class Market:
    """A running market: ledger, cast, operation, and what has been seen of its slots."""

    def __init__(self, ledger: Ledger, data: Path, plan: MarketPlan, speed: int) -> None:
        self._data = data
        self._plan = plan
        self.speed = speed
        self.history: deque[SlotView] = deque(maxlen=HISTORY_SLOTS)
        self.cast: Cast = make_cast(plan.seed, plan.households)
        self.ledger = ledger
        self.operation = Operation(
            self.ledger, self.cast, plan.first_slot, settled=self.history.append
        )

    async def start(self) -> int:
        """Found or resume the market and let its clock run; the market time it begins at."""
        now_s = int(time.time())
        if not self._plan.founded:
            begin_s = now_s if self.speed == 1 else self._plan.first_slot - SLOT_S
            rule = ClockArguments(AREA, now_s, begin_s, self.speed)
            first_slot = self._plan.first_slot
            await found(self.ledger, self.cast, first_slot=first_slot, clock=rule)
            self._plan = msgspec.structs.replace(self._plan, founded=True)
            write_plan(self._data, self._plan)
        market_s = await self._last_market_s()
        if self.speed == 1:
            market_s = max(market_s, now_s)  # real time does not wait
        rule = ClockArguments(AREA, now_s, market_s, self.speed)
        await self.operation.submit("set_clock", rule, Member(DSO, "admin"))
        await self.operation.resume()
        self.history.extend(await self.operation.settled_before(HISTORY_SLOTS))
        return market_s

    async def work(self) -> None:
        """Do what is due now."""
        area = await self._area()
        lookahead_s = max(SLOT_S, 2 * self.speed)
        await self.operation.tick(area.market_s or 0, lookahead_s=lookahead_s)

    async def _area(self) -> AreaAnswer:
        answer = await self.ledger.evaluate("describe_area", AreaName(AREA), member=Member(DSO))
        return msgspec.json.decode(answer, type=AreaAnswer)

    async def _last_market_s(self) -> int:
        """Market time when the last block was made."""
        height = (await self.ledger.health()).height
        block = await self.ledger.block(height - 1)
        clock = (await self._area()).clock
        if block is None or clock is None:
            return self._plan.first_slot - SLOT_S
        return clock.market_s(block.time_s)


@asynccontextmanager
async def _ledger(data: Path, kind: LedgerKind, console: Console) -> AsyncGenerator[Ledger]:
    """The ledger of a market's folder, closed at the end; on Fabric with its network."""
    if kind is LedgerKind.EMBEDDED:
        async with embedded_ledger(data / "ledger") as embedded:
            for notice in embedded.notices:
                console.print(f"Note: {notice}", soft_wrap=True)
            yield embedded
        return

    def told(what: str) -> None:
        console.print(f"Fabric: {what} …", style="bright_black", soft_wrap=True)

    network = await asyncio.to_thread(demonstration_network, data / "network")
    require_demonstration(network.consortium)
    async with running(network, told), await fabric_ledger(network) as fabric:
        yield fabric


async def run_up(
    *,
    data: Path,
    households: int | None,
    speed: int,
    console: Console,
    terminal: bool,
    ledger: LedgerKind = LedgerKind.EMBEDDED,
) -> None:
    """Bring the market up and keep it running until SIGINT or SIGTERM."""
    plan = choose_plan(data, households, speed, int(time.time()), ledger)
    verb = "Going on with" if plan.founded else "Founding"
    console.print(f"{verb} a market of {plan.households} households in {data} …", soft_wrap=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with _ledger(data, plan.ledger, console) as opened:
        market = Market(opened, data, plan, speed)
        market_s = await market.start()
        time_text = moment(market_s, ZoneInfo(TIME_ZONE))
        console.print(f"Market time is {time_text}. Ctrl-C stops.", soft_wrap=True)
        if terminal:
            await _run_live(market, stop, console)
        else:
            await _run_lines(market, stop, console)
    tally = market.operation.tally
    console.print(
        f"Stopped after {tally.slots} slots and {tally.trades} trades; everything is on disk. "
        "The same command goes on from here.",
        soft_wrap=True,
    )


async def _run_live(market: Market, stop: asyncio.Event, console: Console) -> None:
    """Redraw the page with every second of transaction time."""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while not stop.is_set():
            await market.work()
            snapshot = await take_snapshot(
                market.ledger,
                market.cast,
                open_slot=market.operation.open_slot,
                history=list(market.history),
                orders=market.operation.tally.orders,
                slots=market.operation.tally.slots,
            )
            page = live_page(snapshot, market.cast, speed=market.speed, columns=console.width)
            live.update(page, refresh=True)
            await _next_second(stop)


async def _run_lines(market: Market, stop: asyncio.Event, console: Console) -> None:
    """Print a line per settled slot, for logs and pipes."""
    shown = 0
    while not stop.is_set():
        await market.work()
        fresh = market.operation.tally.slots - shown
        for view in list(market.history)[-fresh:] if fresh else []:
            console.print(slot_line(view), highlight=False, soft_wrap=True)
        shown += fresh
        await _next_second(stop)


async def _next_second(stop: asyncio.Event) -> None:
    """Wait until transaction time moves on, or for `stop`."""
    now = time.time()
    try:
        await asyncio.wait_for(stop.wait(), timeout=int(now) + 1.01 - now)
    except TimeoutError:
        return
