"""`commonwatt up`: the whole market on this machine, resumed where it stopped.

This process runs the ledger, the members' work and the API with its dashboard. Another process runs
the meters and the oracle nodes (`commonwatt.demonstration.meter_process`). The data folder holds the
ledger, the read model and `market.json`.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.live import Live

from api.server.dashboard_build import build
from commonwatt.demonstration.cast import TIME_ZONE
from commonwatt.demonstration.duties.corrections import correct_late_readings
from commonwatt.demonstration.meter_process import running_meter_process
from commonwatt.terminal.formats import moment
from commonwatt.terminal.page import live_page, slot_line
from commonwatt.terminal.snapshot import take_snapshot
from commonwatt.wiring.ledger_choice import (
    LedgerKind,
    demonstration_network,
    embedded_ledger,
    fabric_ledger,
    require_demonstration,
    running,
)
from commonwatt.wiring.market_folder import choose_market
from commonwatt.wiring.running_market import RunningMarket
from commonwatt.wiring.web_server import Web, serving, take_address
from ledger_network.port import Ledger
from meter_oracle.simulated.device import FaultKind

PORT_DEFAULT = 8400


@asynccontextmanager
async def _ledgers(
    data: Path, kind: LedgerKind, console: Console
) -> AsyncGenerator[tuple[Ledger, Ledger | None]]:
    """Yield the ledgers of a market's folder, closed at the end; start the network on Fabric.

    The second ledger reads from the regulator's own peer; the embedded ledger has no such peer.
    """
    if kind is LedgerKind.EMBEDDED:
        async with embedded_ledger(data / "ledger") as embedded:
            for notice in embedded.notices:
                console.print(f"Note: {notice}", soft_wrap=True)
            yield embedded, None
        return

    def told(what: str) -> None:
        console.print(f"Fabric: {what} …", style="bright_black", soft_wrap=True)

    network = await asyncio.to_thread(demonstration_network, data / "network")
    require_demonstration(network.consortium)
    async with (
        running(network, told),
        await fabric_ledger(network) as fabric,
        await fabric_ledger(network, roles=("regulator",)) as regulator,
    ):
        yield fabric, regulator


async def run_up(
    *,
    data: Path,
    households: int | None,
    speed: int,
    console: Console,
    terminal: bool,
    port: int = PORT_DEFAULT,
    fault: FaultKind | None = None,
    ledger: LedgerKind = LedgerKind.EMBEDDED,
) -> None:
    """Start the market and keep it running until SIGINT or SIGTERM.

    With `terminal` the market is drawn in the terminal, instead of a line per slot. `fault` makes the
    second household's meter misbehave.
    """
    address = take_address(port)  # checked before anything is founded
    kept = choose_market(data, households, speed, int(time.time()), ledger)
    verb = "Resuming" if kept.founded else "Founding"
    console.print(
        f"{verb} a market of {kept.plan.households} households in {data} …", soft_wrap=True
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await asyncio.to_thread(build, lambda what: console.print(f"Dashboard: {what} …"))
    async with _ledgers(data, kept.ledger, console) as (opened, regulator):
        market = RunningMarket(opened, data, kept, speed)
        plan = await market.start()
        faults = {} if fault is None else {market.cast.homes[1].meter: fault}
        async with (
            serving(market, data, at=address, regulator=regulator) as web,
            running_meter_process(
                opened,
                market.cast,
                folder=data / "meters",
                plan=plan,
                faults=faults,
                api=web.address,
            ) as meters,
        ):
            _welcome(console, market, web, plan.clock.market_anchor_s)
            show = _run_live if terminal else _run_lines
            late = correct_late_readings(opened, market.duties)
            await _first_of(stop, web.ended(), meters.ended(), late, show(market, stop, console))
    tally = market.duties.tally
    console.print(
        f"Stopped after {tally.slots} slots and {tally.trades} trades; everything is on disk. "
        "Run the same command to resume it.",
        soft_wrap=True,
    )


def _welcome(console: Console, market: RunningMarket, web: Web, market_s: int) -> None:
    time_text = moment(market_s, ZoneInfo(TIME_ZONE))
    for line in (
        f"Open {web.address} in a browser: make a wallet, or play one of these:",
        *(f"  {persona.name}: {persona.did}" for persona in web.services.personas),
        f"Market time is {time_text}, {market.speed} x real time. Ctrl-C stops.",
    ):
        console.print(line, emoji=False, markup=False, highlight=False, soft_wrap=True)


async def _first_of(stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Run all tasks until `stop` is set or one of them ends; raise the fault that ended it."""
    tasks = [asyncio.create_task(work) for work in works]
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():  # the last task is the market's own work, which ends between two steps
            await tasks[-1]
        for task in done:
            task.result()
    finally:
        waiting.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run_live(market: RunningMarket, stop: asyncio.Event, console: Console) -> None:
    """Redraw the page with every second of transaction time."""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while not stop.is_set():
            await market.work()
            snapshot = await take_snapshot(
                market.ledger,
                market.cast,
                open_slot=market.duties.open_slot,
                history=list(market.history),
                orders=market.duties.tally.orders,
                slots=market.duties.tally.slots,
            )
            page = live_page(snapshot, market.cast, speed=market.speed, columns=console.width)
            live.update(page, refresh=True)
            await _next_second(stop)


async def _run_lines(market: RunningMarket, stop: asyncio.Event, console: Console) -> None:
    """Print a line per settled slot, for logs and pipes."""
    shown = 0
    while not stop.is_set():
        await market.work()
        fresh = market.duties.tally.slots - shown
        for view in list(market.history)[-fresh:] if fresh else []:
            console.print(slot_line(view), highlight=False, soft_wrap=True)
        shown += fresh
        await _next_second(stop)


async def _next_second(stop: asyncio.Event) -> None:
    """Wait until transaction time has advanced or `stop` is set."""
    now = time.time()
    try:
        await asyncio.wait_for(stop.wait(), timeout=int(now) + 1.01 - now)
    except TimeoutError:
        return
