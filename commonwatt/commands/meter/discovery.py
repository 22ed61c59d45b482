"""`commonwatt meter scan`: find devices on Modbus/TCP."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from commonwatt.command_line import FAILED, INTERRUPTED, Json, ended
from meter_oracle.drivers.modbus.discovery import Found, ScanRefused, hosts_of, numbers_of, scan
from meter_oracle.families.register_maps import register_maps

EXAMPLES = (
    "Examples: `commonwatt meter scan 127.0.0.1 --ports 15020-15029` · "
    "`commonwatt meter scan 192.0.2.0/28 --units 1-5 --json`"
)


def scan_command(
    host: Annotated[str, typer.Argument(help="A host, or a network such as 192.0.2.0/28.")],
    ports: Annotated[str, typer.Option(help="Ports and ranges of ports.")] = "502",
    units: Annotated[str, typer.Option(help="Unit ids and ranges of unit ids.")] = "1",
    wait: Annotated[
        float, typer.Option(min=0.05, max=60, help="Seconds to wait for each answer.")
    ] = 1.0,
    *,
    as_json: Json = False,
) -> None:
    """Find devices on Modbus/TCP, with SunSpec models and serial numbers; exit 1 if none answers."""
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
        raise ended(error) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    elif found:
        _print_found(found)
    else:
        sys.stderr.write(f"No device answers on {host}, ports {ports}, units {units}.\n")
    if not found:
        raise typer.Exit(FAILED)


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
        typer.echo(
            f"To read a device without SunSpec, name its register map with --registers: {fixed}."
        )
