"""`commonwatt up`: the whole market on this machine, going on where it stopped.

The ledger, the members' work, the API with its dashboard in this process; the meters and the
oracle's nodes in another (`commonwatt.demonstration.meter_process`). The data folder holds the ledger, the read model and
`market.json`.
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
from commonwatt.demonstration.market_plan import choose_plan
from commonwatt.demonstration.meter_process import running_field
from commonwatt.demonstration.running_market import Market
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
from commonwatt.wiring.web_server import Web, serving, take_address
from ledger_network.port import Ledger
from meter_oracle.simulated.device import FaultKind

PORT_DEFAULT = 8400


@asynccontextmanager
async def _ledgers(
    data: Path, kind: LedgerKind, console: Console
) -> AsyncGenerator[tuple[Ledger, Ledger | None]]:
    """The ledger of a market's folder, closed at the end; on Fabric with its network.

    The second is the regulator's own, where it has a peer of its own.
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
    """Bring the market up and keep it running until SIGINT or SIGTERM.

    `terminal` draws the market in the terminal instead of printing a line per slot. `fault` is what
    the second household's meter does wrong.
    """
    address = take_address(port)  # before anything is founded
    plan = choose_plan(data, households, speed, int(time.time()), ledger)
    verb = "Going on with" if plan.founded else "Founding"
    console.print(f"{verb} a market of {plan.households} households in {data} …", soft_wrap=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await asyncio.to_thread(build, lambda what: console.print(f"Dashboard: {what} …"))
    async with _ledgers(data, plan.ledger, console) as (opened, regulator):
        market = Market(opened, data, plan, speed)
        clock = await market.start()
        faults = {} if fault is None else {market.cast.homes[1].meter: fault}
        async with (
            serving(market, data, at=address, regulator=regulator) as web,
            running_field(
                opened,
                market.cast,
                folder=data / "field",
                seed=plan.seed,
                first_slot=plan.first_slot,
                clock=clock,
                faults=faults,
                late=market.operation.correct,
                api=web.address,
            ) as field,
        ):
            _welcome(console, market, web, clock.market_anchor_s)
            show = _run_live if terminal else _run_lines
            await _first_of(stop, web.ended(), field.ended(), show(market, stop, console))
    tally = market.operation.tally
    console.print(
        f"Stopped after {tally.slots} slots and {tally.trades} trades; everything is on disk. "
        "The same command goes on from here.",
        soft_wrap=True,
    )


def _welcome(console: Console, market: Market, web: Web, market_s: int) -> None:
    time_text = moment(market_s, ZoneInfo(TIME_ZONE))
    for line in (
        f"Open {web.address} in a browser: make a wallet, or play one of these:",
        *(f"  {persona.name}: {persona.did}" for persona in web.services.personas),
        f"Market time is {time_text}, {market.speed} x real time. Ctrl-C stops.",
    ):
        console.print(line, emoji=False, markup=False, highlight=False, soft_wrap=True)


async def _first_of(stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Work on all until `stop`, or until one ends; raises what ended it."""
    tasks = [asyncio.create_task(work) for work in works]
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():  # the market's own work ends between two steps, not within one
            await tasks[-1]
        for task in done:
            task.result()
    finally:
        waiting.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
