"""Finds Modbus devices in a range of addresses, with the models and serial numbers of SunSpec devices.

Each place is asked for the SunSpec marker; nothing else is read unless the marker is there. A unit behind
a gateway that does not answer is left out. A unit that answers without a marker is listed as plain
Modbus, because a register map may fit it.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

import msgspec

from meter_oracle.drivers.modbus.link import ExceptionAnswer, ModbusLink
from meter_oracle.drivers.modbus.sunspec import NotSunSpec, discover
from meter_oracle.faults import MeterFault

PLACES_MAX = 16_384
AT_ONCE = 64
_NO_SUCH = {1, 2, 3}  # exceptions of a device that exists but lacks the registers


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A device; `energy_map` names the map with which it can be read, empty if there is none."""

    host: str
    port: int
    unit: int
    sunspec: bool
    maker: str = ""
    model: str = ""
    version: str = ""
    serial: str = ""
    models: list[int] = []
    energy_map: str = ""


class ScanRefused(Exception):
    """A range cannot be scanned; the sentence says why."""


def hosts_of(text: str) -> list[str]:
    """Return a host given by name or address, or every host of a network such as 192.0.2.0/28."""
    if "/" not in text:
        return [text]
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ScanRefused(f"{text} is not a network: {error}.") from error
    if network.num_addresses > PLACES_MAX:
        raise ScanRefused(f"{text} has {network.num_addresses} addresses, at most {PLACES_MAX}.")
    return [str(address) for address in network.hosts()]


def numbers_of(text: str, *, lowest: int, highest: int) -> list[int]:
    """Return the numbers of a list with ranges, such as `502,15020-15029`."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            begin, end = int(first), int(last or first)
        except ValueError as error:
            raise ScanRefused(f"{part!r} is neither a number nor a range such as 1-9.") from error
        if not lowest <= begin <= end <= highest:
            raise ScanRefused(f"{part} is not a range from {lowest} to {highest}.")
        found += range(begin, end + 1)
    return found


async def scan(
    hosts: Sequence[str], ports: Sequence[int], units: Sequence[int], *, wait_s: float
) -> list[Found]:
    """Return every device that answers within `wait_s`, in the order of the places.

    Raises `ScanRefused` if there are too many places.
    """
    places = len(hosts) * len(ports) * len(units)
    if places > PLACES_MAX:
        raise ScanRefused(f"{places} places are too many at once, at most {PLACES_MAX}.")
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(host: str, port: int) -> list[Found]:
        async with gate:
            return await _ask_port(host, port, units, wait_s)

    found = await asyncio.gather(*(ask(host, port) for host in hosts for port in ports))
    return [device for each in found for device in each]


async def _ask_port(host: str, port: int, units: Sequence[int], wait_s: float) -> list[Found]:
    found: list[Found] = []
    for unit in units:
        link = ModbusLink(host, port, unit)
        try:
            async with asyncio.timeout(wait_s):
                await link.connect()
        except (MeterFault, TimeoutError):
            return found  # nothing listens there, so no other unit will answer either
        try:
            async with asyncio.timeout(wait_s):
                device = await _ask_unit(link, host, port, unit)
        except (MeterFault, ConnectionError, TimeoutError):
            continue
        finally:
            link.drop()
        if device is not None:
            found.append(device)
    return found


async def _ask_unit(link: ModbusLink, host: str, port: int, unit: int) -> Found | None:
    try:
        device = await discover(link)
    except NotSunSpec:
        return Found(host=host, port=port, unit=unit, sunspec=False)
    except ExceptionAnswer as answer:
        if answer.exception not in _NO_SUCH:
            return None
        return Found(host=host, port=port, unit=unit, sunspec=False)
    energy = device.energy()
    return Found(
        host=host,
        port=port,
        unit=unit,
        sunspec=True,
        maker=device.maker,
        model=device.model,
        version=device.version,
        serial=device.serial,
        models=[model.id for model in device.models],
        energy_map="" if energy is None else energy[1].name,
    )
