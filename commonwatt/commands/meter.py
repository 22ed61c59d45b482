"""`commonwatt meter`: simulate a fleet of meters, read meters, find out what speaks Modbus."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from commonwatt.demonstration.meter_curve import HouseholdCurve, simulated_meter
from commonwatt.demonstration.profiles import SLOT_S, SLOTS_PER_WEEK, draw_households, simbench_week
from meter_oracle.drivers.driver import MeterDriver, RegisterRead
from meter_oracle.drivers.file_drop import DropFolders
from meter_oracle.drivers.modbus.discovery import Found, ScanRefused, hosts_of, numbers_of, scan
from meter_oracle.drivers.opening import open_driver
from meter_oracle.drivers.sources import (
    MeterSource,
    ModbusSource,
    SourcesRefused,
    dump_sources,
    load_sources,
)
from meter_oracle.families.register_maps import register_maps
from meter_oracle.faults import FaultCode, MeterFault
from meter_oracle.readings.registers import RegisterTrack
from meter_oracle.simulated.device import FaultKind, FaultRefused
from meter_oracle.simulated.fleet import METERS_MAX, UNITS_MAX, Fleet, FleetRefused
from meter_oracle.simulated.market_clock import MarketClock
from meter_oracle.simulated.orders import LINE_BYTES_MAX, obey_all

app = typer.Typer(help="Simulate meters, read them, find them.", no_args_is_help=True)

PORT_DEFAULT = 15_020
SPEED_MAX = 3_600
READ_AT_ONCE = 200
NS_PER_S = 1_000_000_000
_KINDS = ", ".join(kind.value for kind in FaultKind)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


class ReadFault(msgspec.Struct, frozen=True):
    """A meter that gave no reading: what is wrong with it, and what to do."""

    meter: str
    code: FaultCode
    sentence: str
    advice: str


class ReadAnswer(msgspec.Struct, frozen=True):
    """What `commonwatt meter read --json` prints."""

    reads: list[RegisterRead]
    faults: list[ReadFault]


@app.command(
    epilog="Examples: `commonwatt meter simulate --meters 50 --sources meters.json` · "
    "`commonwatt meter simulate --speed 90 --fault meter-00003=silent`"
)
def simulate(
    *,
    meters: Annotated[int, typer.Option(min=1, max=METERS_MAX, help="How many meters.")] = 10,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The first port; 0 takes any that are free.")
    ] = PORT_DEFAULT,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    units: Annotated[
        int,
        typer.Option(
            min=1, max=UNITS_MAX, help="How many meters share a port, as behind a gateway."
        ),
    ] = 1,
    speed: Annotated[
        int, typer.Option(min=1, max=SPEED_MAX, help="How much faster than real time.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Which households are drawn.")] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(help=f"METER=KIND, any number of times; kinds: {_KINDS}.", show_default=False),
    ] = None,
    sources: Annotated[
        Path | None, typer.Option(help="Write where the meters are read to this file.")
    ] = None,
    orders: Annotated[
        bool, typer.Option("--orders", help="Take orders as JSON lines on standard input.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Serve simulated meters on Modbus/TCP until Ctrl-C.

    Households of the SimBench week that have counted for a week; SunSpec model 701 where there is a
    roof, 203 elsewhere.
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
        raise _refused(str(error)) from None


def _fault(text: str) -> tuple[str, FaultKind]:
    meter, _, kind = text.partition("=")
    if kind not in {each.value for each in FaultKind}:
        raise _refused(f"--fault: {text!r} is no METER=KIND; the kinds are {_KINDS}.")
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
    _raise_file_limit()
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
    """Say that the meters can be read now, and how."""
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
    """Take orders until told to stop, or until there can be none: no orphan stays behind."""
    waiting = {asyncio.create_task(_take_orders(fleet)), asyncio.create_task(stop.wait())}
    done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    for task in done:
        await task


async def _take_orders(fleet: Fleet) -> None:
    """Orders from standard input, an answer to each on standard output."""
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


def _raise_file_limit() -> None:
    """Each connection is an open file, and four nodes read every meter."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@app.command(
    epilog="Examples: `commonwatt meter read --sources meters.json` · "
    "`commonwatt meter read meter-00003 --sources meters.json --json` · "
    "`commonwatt meter read --host 192.0.2.7 --registers eastron`"
)
def read(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="METER...", help="Which meters (default: all).", show_default=False),
    ] = None,
    *,
    sources: Annotated[
        Path | None, typer.Option(help="The file that lists meters, TOML or JSON.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="One meter on Modbus/TCP, in place of a file.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Its port.")] = 502,
    unit: Annotated[int, typer.Option(min=0, max=255, help="Its unit id.")] = 1,
    registers: Annotated[
        str, typer.Option(help="Its register map; sunspec for a device that describes itself.")
    ] = "sunspec",
    as_json: Json = False,
) -> None:
    """Read import and export registers once; exit 1 when a meter gives none."""
    if (sources is None) == (host is None):
        raise _refused("Name either --sources FILE or --host HOST.")
    try:
        if sources is not None:
            wanted = _chosen(load_sources(sources), names or [], sources)
        else:
            wanted = [_direct(host or "", port, unit, registers)]
        answer = asyncio.run(_read_all(wanted))
    except SourcesRefused as error:
        raise _refused(str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(msgspec.json.encode(answer).decode())
    else:
        _print_reads(answer)
    if answer.faults:
        raise typer.Exit(1)


def _direct(host: str, port: int, unit: int, registers: str) -> ModbusSource:
    return ModbusSource(
        meter=f"{host}:{port}/{unit}"[-64:], host=host, port=port, unit=unit, registers=registers
    )


def _chosen(
    listed: Sequence[MeterSource], names: Sequence[str], file: Path
) -> Sequence[MeterSource]:
    if not names:
        return listed
    by_name = {source.meter: source for source in listed}
    for name in names:
        if name not in by_name:
            raise SourcesRefused(f"{file} lists no meter {name!r}.")
    return [by_name[name] for name in names]


async def _read_all(sources: Sequence[MeterSource]) -> ReadAnswer:
    _raise_file_limit()
    folders = DropFolders()
    drivers = [open_driver(source, folders=folders) for source in sources]
    gate = asyncio.Semaphore(READ_AT_ONCE)

    async def once(source: MeterSource, driver: MeterDriver) -> RegisterRead | ReadFault:
        async with gate:
            try:
                read = await driver.read()
                RegisterTrack(power_max_w=source.power_max_w, serial=source.serial).believe(read)
            except MeterFault as fault:
                return ReadFault(source.meter, fault.code, fault.sentence, fault.row.advice)
            else:
                return read
            finally:
                await driver.close()

    answers = await asyncio.gather(*map(once, sources, drivers))
    return ReadAnswer(
        reads=[each for each in answers if isinstance(each, RegisterRead)],
        faults=[each for each in answers if isinstance(each, ReadFault)],
    )


def _print_reads(answer: ReadAnswer) -> None:
    if answer.reads:
        table = Table()
        for name in ("meter", "serial"):
            table.add_column(name, overflow="fold")
        for name in ("import Wh", "export Wh", "step", "UTC"):
            table.add_column(name, justify="right", no_wrap=True)
        for each in answer.reads:
            moment = datetime.fromtimestamp(each.read_at_ns // NS_PER_S, UTC)
            table.add_row(
                each.meter,
                each.serial or "-",
                f"{each.import_wh:,}",
                f"{each.export_wh:,}",
                str(each.resolution_wh),
                moment.strftime("%H:%M:%S"),
            )
        Console().print(table)
    for fault in answer.faults:
        sys.stderr.write(f"{fault.meter}: {fault.code}: {fault.sentence} {fault.advice}\n")


@app.command(
    name="scan",
    epilog="Examples: `commonwatt meter scan 127.0.0.1 --ports 15020-15029` · "
    "`commonwatt meter scan 192.0.2.0/28 --units 1-5 --json`",
)
def scan_command(
    host: Annotated[str, typer.Argument(help="A host, or a network such as 192.0.2.0/28.")],
    ports: Annotated[str, typer.Option(help="Ports and ranges of them.")] = "502",
    units: Annotated[str, typer.Option(help="Unit ids and ranges of them.")] = "1",
    wait: Annotated[
        float, typer.Option(min=0.05, max=60, help="Seconds to wait for each answer.")
    ] = 1.0,
    *,
    as_json: Json = False,
) -> None:
    """Find what speaks Modbus/TCP: SunSpec models and serial numbers; exit 1 when nothing does."""
    try:
        found = asyncio.run(
            scan(
                hosts_of(host),
                numbers_of(ports, lowest=1, highest=65_535),
                numbers_of(units, lowest=0, highest=255),
                wait_s=wait,
            )
        )
    except ScanRefused as error:
        raise _refused(str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    elif found:
        _print_found(found)
    else:
        sys.stderr.write(f"Nothing speaks Modbus on {host}, ports {ports}, units {units}.\n")
    if not found:
        raise typer.Exit(1)


def _print_found(found: Sequence[Found]) -> None:
    table = Table()
    for name in ("host", "port", "unit", "device", "serial", "models", "read with"):
        table.add_column(name, overflow="fold")
    for each in found:
        device = f"{each.maker} {each.model}" if each.sunspec else "Modbus without SunSpec"
        models = " ".join(str(model) for model in each.models)
        table.add_row(
            each.host,
            str(each.port),
            str(each.unit),
            device,
            each.serial,
            models,
            each.energy_map or "-",
        )
    Console().print(table)
    if not all(each.sunspec for each in found):
        fixed = ", ".join(name for name, each in register_maps().items() if not each.models)
        typer.echo(f"A device without SunSpec is read with --registers and a map: {fixed}.")


def _refused(sentence: str) -> typer.Exit:
    sys.stderr.write(sentence.replace("\n", " ") + "\n")
    return typer.Exit(2)
