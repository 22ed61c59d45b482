"""`commonwatt demonstration`: parts of a demonstration on Fabric that run in separate processes.

`meters` runs the households' devices on Modbus/TCP. `members` does the work that each member's own
systems do in a real market: it founds the market, submits the households' sheets, closes gates,
clears, settles and corrects. `members` holds the keys of all members, so use it only in a
demonstration.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from chaincode.area.zones import AreaName
from chaincode.contract import Contract
from chaincode.errors import Refused
from chaincode.queries.market import AreaAnswer, SlotView
from chaincode.queries.meters import MetersAnswer, MetersArguments
from commonwatt.command_line import FAILED, command_group, ended
from commonwatt.demonstration.cast import AREA, DSO, SLOT_S, found, start_clock
from commonwatt.demonstration.duties.corrections import correct_late_readings
from commonwatt.demonstration.duties.members import MemberDuties
from commonwatt.demonstration.market_plan import MarketPlan, PlanUnreadable, read_plan
from commonwatt.deploy.market_compose import METERS_PORT
from commonwatt.terminal.formats import kwh
from commonwatt.wiring.network_readiness import (
    ProfileUnreadable,
    read_profile,
    until_it_takes_orders,
)
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.runtime.probe import NotReady
from ledger_network.port import Conflict, Invalid, Ledger, Member, Unknown
from meter_oracle.simulated.fleet import FleetRefused

PROFILES = "profiles"
FOUND_AGAIN_S = 2.0
FOUND_ATTEMPTS = 60  # new peers need up to half a minute to find each other
READINGS_RECORDED = "readings_recorded"
UNREADABLE = (ProfileUnreadable, PlanUnreadable)
FAULTS = (Conflict, GatewayError, Invalid, NotReady, Refused, Unknown, FleetRefused, OSError)

app = command_group("Parts of a demonstration that run apart.")

Plan = Annotated[Path, typer.Option("--plan", help="The plan of the market, JSON.")]


@app.callback()
def demonstration() -> None:
    """Parts of a demonstration that run apart, as in containers."""


@app.command()
def meters(
    *,
    plan: Plan,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "0.0.0.0",  # noqa: S104 the container has its own network
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The first port.")] = METERS_PORT,
) -> None:
    """Serve a market's simulated meters on Modbus/TCP until SIGTERM, each on its own port."""
    _carry_out(_meters(plan, host, port))


@app.command()
def members(*, plan: Plan) -> None:
    """Found a market and do its members' work until SIGTERM.

    The members' profiles are in the folder `profiles` beside the plan.
    """
    _carry_out(_members(plan))


def _carry_out(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(_until_stopped(work))
    except UNREADABLE as fault:
        raise ended(fault) from None
    except FAULTS as fault:
        raise ended(fault, FAILED) from None


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it ends or SIGTERM arrives; the next start continues from the ledger."""
    task = asyncio.ensure_future(work)
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _meters(plan: Path, host: str, port: int) -> None:
    fleet = read_plan(plan).fleet()
    await fleet.start(host=host, port=port)
    try:
        typer.echo(f"{len(fleet.sources())} meters listen, from port {port} on.")
        await asyncio.get_running_loop().create_future()
    finally:
        await fleet.close()


async def _members(plan: Path) -> None:
    market = read_plan(plan)
    files = sorted((plan.parent / PROFILES).glob("*.json"))
    profiles = [read_profile(file) for file in files]
    if not profiles:
        raise ProfileUnreadable(f"{plan.parent / PROFILES} holds no member's profile.")
    await until_it_takes_orders(profiles[0])
    async with await FabricLedger.open(profiles, contract=Contract()) as ledger:
        first_slot = await _founded(ledger, market)
        duties = MemberDuties(ledger, market.cast(), first_slot, settled=_tell)
        await duties.resume()
        working = asyncio.create_task(_work(ledger, duties, market.clock.rate))
        watching = asyncio.create_task(correct_late_readings(ledger, duties))
        try:
            done, _ = await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)


async def _founded(ledger: Ledger, market: MarketPlan) -> int:
    """Found the market if it is not founded yet, and let its time run; return its first slot."""
    cast = market.cast()
    clock = market.clock_arguments()
    first_slot = market.first_slot(int(time.time()))
    for left in reversed(range(FOUND_ATTEMPTS)):
        try:
            registered = await _registered_from(ledger)
            if len(registered) >= len(cast.homes):
                await start_clock(ledger, clock)
                return min(registered)
            await found(ledger, cast, first_slot=first_slot, clock=clock)
        except (Conflict, Invalid, Unknown) as fault:
            if not left:
                raise
            sys.stderr.write(f"founding is tried again: {fault}\n")
            await asyncio.sleep(FOUND_AGAIN_S)
    raise NotReady(f"The market was not founded in {FOUND_ATTEMPTS} attempts.")


async def _registered_from(ledger: Ledger) -> list[int]:
    """Return the first slot of each certified meter."""
    found_slots: list[int] = []
    after: str | None = ""
    while after is not None:
        try:
            answer = await ledger.evaluate(
                "list_meters", MetersArguments(AREA, after), member=Member(DSO)
            )
        except Refused:
            return []  # there is no area yet
        page = msgspec.json.decode(answer, type=MetersAnswer)
        found_slots += [meter.versions[0].from_slot for meter in page.meters]
        after = page.after
    return found_slots


async def _work(ledger: Ledger, duties: MemberDuties, rate: int) -> None:
    """Do what is due every second until a fault ends this; a new start resumes from the ledger."""
    while True:
        answer = await ledger.evaluate("describe_area", AreaName(AREA), member=Member(DSO))
        market_s = msgspec.json.decode(answer, type=AreaAnswer).market_s or 0
        await duties.tick(market_s, lookahead_s=max(SLOT_S, 2 * rate))
        now_s = time.time()
        await asyncio.sleep(int(now_s) + 1.01 - now_s)


def _tell(view: SlotView) -> None:
    """Print a line for a slot that has settled."""
    trades = sum(zone.trades for zone in view.zones)
    settled_wh = 0 if view.settlement is None else view.settlement.settled_wh
    typer.echo(f"slot {view.slot}: {trades} trades, {kwh(settled_wh)} kWh delivered")
