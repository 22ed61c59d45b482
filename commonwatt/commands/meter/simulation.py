"""`commonwatt meter simulate`: a fleet of simulated meters on Modbus/TCP."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from commonwatt.command_line import Json, ended
from commonwatt.commands.meter.open_files import raise_file_limit
from commonwatt.demonstration.meter_curve import HouseholdCurve, simulated_meter
from commonwatt.demonstration.profiles import SLOT_S, SLOTS_PER_WEEK, draw_households, simbench_week
from meter_oracle.drivers.sources import dump_sources
from meter_oracle.simulated.device import FaultKind, FaultRefused
from meter_oracle.simulated.fleet import METERS_MAX, UNITS_MAX, Fleet, FleetRefused
from meter_oracle.simulated.market_clock import MarketClock
from meter_oracle.simulated.orders import LINE_BYTES_MAX, obey_all

PORT_DEFAULT = 15_020
SPEED_MAX = 3_600
NS_PER_S = 1_000_000_000
_KINDS = ", ".join(kind.value for kind in FaultKind)
EXAMPLES = (
    "Examples: `commonwatt meter simulate --meters 50 --sources meters.json` · "
    "`commonwatt meter simulate --speed 90 --fault meter-00003=silent`"
)

Units = Annotated[
    int,
    typer.Option(min=1, max=UNITS_MAX, help="How many meters share a port, as behind a gateway."),
]


def simulate(
    *,
    meters: Annotated[int, typer.Option(min=1, max=METERS_MAX, help="How many meters.")] = 10,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The first port; 0 takes free ports.")
    ] = PORT_DEFAULT,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    units: Units = 1,
    speed: Annotated[
        int, typer.Option(min=1, max=SPEED_MAX, help="How much faster than real time.")
    ] = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="The seed that the households are drawn from.")
    ] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(help=f"METER=KIND, any number of times; kinds: {_KINDS}.", show_default=False),
    ] = None,
    sources: Annotated[
        Path | None, typer.Option(help="Write the addresses of the meters to this file.")
    ] = None,
    orders: Annotated[
        bool,
        typer.Option(
            "--orders", help="Read orders from standard input, one JSON document per line."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Serve simulated meters on Modbus/TCP until Ctrl-C.

    The households follow the SimBench week, and their registers have counted for one week already.
    Households with a roof have SunSpec model 701, the others 203.
    """
    names = [f"meter-{number:05d}" for number in range(meters)]
    homes = dict(zip(names, draw_households(seed, meters), strict=True))
    now_ns = time.time_ns()
    now_slot = now_ns // NS_PER_S // SLOT_S * SLOT_S
    curve = HouseholdCurve(homes, simbench_week(), now_slot - SLOTS_PER_WEEK * SLOT_S)
    clock = MarketClock(now_ns, now_ns, speed)
    try:
        fleet = Fleet([simulated_meter(name, home) for name, home in homes.items()], curve, clock)
        ordered = [_fault(text) for text in fault or ()]
        asyncio.run(
            _serve(
                fleet,
                ordered,
                host=host,
                port=port,
                units=units,
                sources=sources,
                orders=orders,
                as_json=as_json,
            )
        )
    except (FleetRefused, FaultRefused, OSError) as error:
        raise ended(error) from None


def _fault(text: str) -> tuple[str, FaultKind]:
    meter, _, kind = text.partition("=")
    if kind not in {each.value for each in FaultKind}:
        raise ended(f"--fault: {text!r} is not METER=KIND; the kinds are {_KINDS}.")
    return meter, FaultKind(kind)


async def _serve(
    fleet: Fleet,
    faults: Sequence[tuple[str, FaultKind]],
    *,
    host: str,
    port: int,
    units: int,
    sources: Path | None,
    orders: bool,
    as_json: bool,
) -> None:
    raise_file_limit()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await fleet.start(host=host, port=port, units_per_port=units)
    try:
        for meter, kind in faults:
            fleet.order(meter, kind)
        _announce(fleet, sources, as_json=as_json)
        if orders:
            await _until_stopped(fleet, stop)
        else:
            await stop.wait()
    finally:
        await fleet.close()


def _announce(fleet: Fleet, sources: Path | None, *, as_json: bool) -> None:
    """Print that the meters can be read now, and how."""
    listed = fleet.sources()
    if sources is not None:
        sources.write_bytes(dump_sources([*listed]))
    if as_json:
        typer.echo(msgspec.json.encode({"meters": listed}).decode())
        return
    first, last = listed[0], listed[-1]
    ports = f"{first.port}" if first.port == last.port else f"{first.port} to {last.port}"
    typer.echo(
        f"{len(listed)} meters on {first.host}, ports {ports}; {fleet.clock.rate} times real time."
    )
    for meter, kind in fleet.faults().items():
        typer.echo(f"{meter} is {kind.value}")
    if sources is not None:
        typer.echo(f"Read them: commonwatt meter read --sources {sources}")
    else:
        typer.echo(f"Read one: commonwatt meter read --host {first.host} --port {first.port}")
    typer.echo("Ctrl-C stops them.")


async def _until_stopped(fleet: Fleet, stop: asyncio.Event) -> None:
    """Take orders until `stop` is set or the input ends, so that no orphaned process remains."""
    waiting = {asyncio.create_task(_take_orders(fleet)), asyncio.create_task(stop.wait())}
    done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    for task in done:
        await task


async def _take_orders(fleet: Fleet) -> None:
    """Read orders from standard input and answer each on standard output."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        await loop.connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    except ValueError as error:
        raise FleetRefused("--orders: standard input must be a pipe or a terminal.") from error
    output = sys.stdout.buffer

    def answer(line: bytes) -> None:
        output.write(line)
        output.flush()

    await obey_all(fleet, reader, answer)
