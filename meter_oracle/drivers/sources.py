"""The sources of meters: one struct per kind of source, and the file that lists the sources.

The file is TOML or JSON with one array, `meters`. A field that is unknown, missing or out of range is
refused with its place in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

POWER_MAX_DEFAULT_W = 69_000  # three phases of 100 A at 230 V, the largest without a transformer
SOURCES_MAX = 10_000
FILE_BYTES_MAX = 8_000_000

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Unit = Annotated[int, msgspec.Meta(ge=0, le=255)]
PowerW = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
WaitS = Annotated[float, msgspec.Meta(gt=0, le=60)]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of every source.

    `serial` is the number that the device must report; if it is empty, the first answer sets it.
    `power_max_w` is what the connection can carry; a register that rises faster is not believed.
    """

    meter: Name
    serial: str = ""
    power_max_w: PowerW = POWER_MAX_DEFAULT_W


class ModbusSource(Source, frozen=True, kw_only=True, tag="modbus", tag_field="kind"):
    """A meter or inverter on Modbus/TCP.

    `registers` names a register map of `meter_oracle/families`, or `sunspec` for a device that
    describes itself. An answer after `late_s` is a fault, because it cannot be placed in time; after
    `deadline_s` the driver gives up the connection. It asks for the serial number again every
    `serial_again_s`. `rated_w` is the rated power of the device to limit, 0 if there is none.
    """

    host: str
    port: Port = 502
    unit: Unit = 1
    registers: str = "sunspec"
    late_s: WaitS = 1.0
    deadline_s: WaitS = 2.0
    serial_again_s: Annotated[float, msgspec.Meta(ge=0)] = 300.0
    rated_w: Annotated[int, msgspec.Meta(ge=0)] = 0


class FileDropSource(Source, frozen=True, kw_only=True, tag="file-drop", tag_field="kind"):
    """A meter whose registers arrive as CSV files in a folder.

    The newest row may be at most `age_max_s` old. Lines that cannot be read are added to the file
    `set_aside`, if one is named.
    """

    folder: str
    age_max_s: Annotated[int, msgspec.Meta(ge=1)] = 3600
    set_aside: str = ""


class JsonRpcSource(Source, frozen=True, kw_only=True, tag="json-rpc", tag_field="kind"):
    """A meter behind a gateway that answers JSON-RPC 2.0 over HTTP.

    The fields ending in `_at` say where in the result a value is: names and positions, separated by
    dots. `unit_wh` is the gateway's unit in Wh: 1, or 1000 if it counts in kWh. Without `time_at`
    (seconds UTC) a reading is of the moment of the request.
    """

    url: str
    method: str
    params: dict[str, str | int] = {}
    import_at: str
    export_at: str
    serial_at: str = ""
    time_at: str = ""
    unit_wh: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    resolution_wh: Annotated[int, msgspec.Meta(ge=1)] = 1
    age_max_s: Annotated[int, msgspec.Meta(ge=1)] = 3600
    late_s: WaitS = 1.0
    deadline_s: WaitS = 3.0


MeterSource = ModbusSource | FileDropSource | JsonRpcSource


class SourcesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file that lists meters."""

    meters: Annotated[list[MeterSource], msgspec.Meta(max_length=SOURCES_MAX)]


class SourcesRefused(Exception):
    """A list of sources is invalid; the sentence names file and field."""


def load_sources(path: Path) -> list[MeterSource]:
    """Read the meters that a file lists: TOML if its name ends in `.toml`, else JSON.

    Raises `SourcesRefused`.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise SourcesRefused(f"{path} is larger than {FILE_BYTES_MAX} bytes.")
        data = path.read_bytes()
        decode = msgspec.toml.decode if path.suffix == ".toml" else msgspec.json.decode
        sources = decode(data, type=SourcesFile).meters
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SourcesRefused(f"{path} lists no meters: {error}.") from error
    names = [source.meter for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1}) if _repeats(names) else []
    if twice:
        raise SourcesRefused(f"{path} lists {', '.join(twice)} more than once.")
    return sources


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)


def dump_sources(sources: list[MeterSource]) -> bytes:
    """Return the content of a JSON file that lists `sources`."""
    return msgspec.json.format(msgspec.json.encode(SourcesFile(sources)), indent=1) + b"\n"
