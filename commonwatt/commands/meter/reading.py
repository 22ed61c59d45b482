"""`commonwatt meter read`: read the registers of meters once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from commonwatt.command_line import FAILED, INTERRUPTED, Json, ended
from commonwatt.commands.meter.open_files import raise_file_limit
from meter_oracle.drivers.driver import MeterDriver, RegisterRead
from meter_oracle.drivers.file_drop import DropFolders
from meter_oracle.drivers.opening import open_driver
from meter_oracle.drivers.sources import MeterSource, ModbusSource, SourcesRefused, load_sources
from meter_oracle.faults import FaultCode, MeterFault
from meter_oracle.readings.registers import RegisterTrack

READ_AT_ONCE = 200
NS_PER_S = 1_000_000_000
EXAMPLES = (
    "Examples: `commonwatt meter read --sources meters.json` · "
    "`commonwatt meter read meter-00003 --sources meters.json --json` · "
    "`commonwatt meter read --host 192.0.2.7 --registers eastron`"
)


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
        str | None, typer.Option(help="The host of one meter on Modbus/TCP, instead of a file.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Its port.")] = 502,
    unit: Annotated[int, typer.Option(min=0, max=255, help="Its unit id.")] = 1,
    registers: Annotated[
        str, typer.Option(help="Its register map; `sunspec` for a device that describes itself.")
    ] = "sunspec",
    as_json: Json = False,
) -> None:
    """Read import and export registers once; exit 1 if a meter gives no reading."""
    if (sources is None) == (host is None):
        raise ended("Name either --sources FILE or --host HOST.")
    try:
        if sources is not None:
            wanted = _chosen(load_sources(sources), names or [], sources)
        else:
            wanted = [_direct(host or "", port, unit, registers)]
        answer = asyncio.run(_read_all(wanted))
    except SourcesRefused as error:
        raise ended(error) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        typer.echo(msgspec.json.encode(answer).decode())
    else:
        _print_reads(answer)
    if answer.faults:
        raise typer.Exit(FAILED)


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
    raise_file_limit()
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
