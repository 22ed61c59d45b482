"""Register maps: which registers of a meter family hold what, read from data files.

A map holds everything that differs between families: addresses, types, the order of words, the Wh of one
count. The code knows only the types. Addresses are those of the protocol; in the maps of SunSpec models
they count from the model's id register. Each family is a file in `meter_oracle/families`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Literal, NamedTuple

import msgspec

from meter_oracle.faults import MeterFault

SPAN_REGISTERS_MAX = 125  # both energies and the scale come in one answer, for one moment
SCALE_MAX = 10  # SunSpec: powers of ten from -10 to 10
FLOAT_DIGITS = 24  # binary digits of a float32
_NOT_IMPLEMENTED_SCALE = -(1 << 15)

PointType = Literal["uint32", "int32", "uint64", "int64", "float32", "acc32"]


class _Format(NamedTuple):
    """A register type: its length and sign, the value that means "no value", where the counter rolls."""

    registers: int
    signed: bool
    none: int
    rolls_at: int


_FORMATS: Mapping[PointType, _Format] = {
    "uint32": _Format(2, signed=False, none=0xFFFF_FFFF, rolls_at=1 << 32),
    "acc32": _Format(2, signed=False, none=0xFFFF_FFFF, rolls_at=1 << 32),
    "int32": _Format(2, signed=True, none=-(1 << 31), rolls_at=1 << 31),
    "uint64": _Format(4, signed=False, none=(1 << 64) - 1, rolls_at=0),
    "int64": _Format(4, signed=True, none=-(1 << 63), rolls_at=0),
    "float32": _Format(2, signed=False, none=0xFFFF_FFFF, rolls_at=0),
}

Address = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class Point(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An energy register: its address, its type, and whether the low word comes first."""

    at: Address
    type: PointType
    low_word_first: bool = False


class SerialPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The place of a meter's serial number, which is a number or a text of several registers."""

    at: Address
    type: Literal["uint32", "text"]
    function: Literal[3, 4]
    registers: Annotated[int, msgspec.Meta(ge=1, le=32)] = 2


class RegisterMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The map of a family. One count is `count_wh` Wh, times ten to the power at `scale_at`.

    `models` lists the SunSpec models that the map reads, the likeliest first; other maps have none.
    """

    name: str
    title: str
    source: str
    function: Literal[3, 4]
    count_wh: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    imported: Point = msgspec.field(name="import")
    exported: Point = msgspec.field(name="export")
    scale_at: Address | None = None
    serial: SerialPoint | None = None
    models: list[int] = []

    def __post_init__(self) -> None:
        if self.registers > SPAN_REGISTERS_MAX:
            raise ValueError(
                f"its registers are {self.registers} apart; one answer holds {SPAN_REGISTERS_MAX}"
            )

    @property
    def first(self) -> int:
        """Return the address of the first register to read."""
        places = [self.imported.at, self.exported.at]
        return min(places if self.scale_at is None else [*places, self.scale_at])

    @property
    def registers(self) -> int:
        """Return how many registers to read at once."""
        ends = [
            point.at + _FORMATS[point.type].registers for point in (self.imported, self.exported)
        ]
        if self.scale_at is not None:
            ends.append(self.scale_at + 1)
        return max(ends) - self.first

    @property
    def rolls_at(self) -> int:
        """Return after how many counts the registers begin again at 0; 0 means never."""
        return _FORMATS[self.imported.type].rolls_at


class Energies(NamedTuple):
    """Both energies as a device sent them, with the fields of `RegisterRead`."""

    import_wh: int
    export_wh: int
    resolution_wh: int
    rolls_at_wh: int
    scale: int


def read_energies(family: RegisterMap, data: bytes, where: str) -> Energies:
    """Decode both energies from `data`, the registers from `family.first` on.

    Raises `MeterFault` METER_VALUE for a register without a valid number or with a negative one, and
    METER_UNIT for an invalid scale.
    """
    scale = 0
    if family.scale_at is not None:
        begin = 2 * (family.scale_at - family.first)
        scale = int.from_bytes(data[begin : begin + 2], "big", signed=True)
        if not -SCALE_MAX <= scale <= SCALE_MAX:
            said = "none" if scale == _NOT_IMPLEMENTED_SCALE else str(scale)
            raise MeterFault("METER_UNIT", f"{where} gave {said} as the scale of its registers.")
    import_wh, import_step_wh = _energy(family, family.imported, data, scale, where)
    export_wh, export_step_wh = _energy(family, family.exported, data, scale, where)
    return Energies(
        import_wh=import_wh,
        export_wh=export_wh,
        resolution_wh=max(import_step_wh, export_step_wh),
        rolls_at_wh=_scaled(family.rolls_at * family.count_wh, scale),
        scale=scale,
    )


def _energy(
    family: RegisterMap, point: Point, data: bytes, scale: int, where: str
) -> tuple[int, int]:
    """Return a register in Wh, rounded down, and the step by which it moves, rounded up."""
    form = _FORMATS[point.type]
    begin = 2 * (point.at - family.first)
    raw = data[begin : begin + 2 * form.registers]
    if point.low_word_first:
        words = [raw[index : index + 2] for index in range(0, len(raw), 2)]
        raw = b"".join(reversed(words))
    if point.type == "float32":
        return _float_energy(family, raw, where)
    value = int.from_bytes(raw, "big", signed=form.signed)
    if value == form.none:
        raise MeterFault("METER_VALUE", f"{where} has no value now ({raw.hex()}).")
    if value < 0:
        raise MeterFault(
            "METER_VALUE", f"{where} gave {value} counts; a register is never negative."
        )
    return _scaled(value * family.count_wh, scale), max(1, _scaled(family.count_wh, scale))


def _float_energy(family: RegisterMap, raw: bytes, where: str) -> tuple[int, int]:
    (value,) = struct.unpack(">f", raw)
    if not math.isfinite(value) or value < 0:
        raise MeterFault("METER_VALUE", f"{where} gave {value} in a register.")
    # This is exact: a float32 is a fraction over a power of two, and so is its product with an integer.
    numerator, denominator = value.as_integer_ratio()
    exponent = math.frexp(value)[1] - FLOAT_DIGITS
    step_wh = family.count_wh << exponent if exponent > 0 else -(-family.count_wh >> -exponent)
    return numerator * family.count_wh // denominator, max(1, step_wh)


def _scaled(value: int, scale: int) -> int:
    return value * 10**scale if scale >= 0 else value // 10**-scale


def read_serial(point: SerialPoint, data: bytes) -> str:
    """Return the serial number as people write it, or an empty text if the device has no number."""
    if point.type == "text":
        return data.decode("ascii", errors="replace").strip(" \0")
    number = int.from_bytes(data, "big")
    return "" if number in {0, 0xFFFF_FFFF} else str(number)


@cache
def register_maps() -> Mapping[str, RegisterMap]:
    """Return every family by its name; raises `ValueError` with the name of an invalid file."""
    found: dict[str, RegisterMap] = {}
    folder = resources.files("meter_oracle.families")
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".toml"):
            continue
        try:
            family = msgspec.toml.decode(file.read_bytes(), type=RegisterMap)
        except msgspec.MsgspecError as error:
            raise ValueError(f"{file.name}: {error}") from error
        if file.name != f"{family.name}.toml":
            raise ValueError(f"{file.name} holds the map {family.name}")
        found[family.name] = family
    return found


@cache
def sunspec_maps() -> tuple[tuple[int, RegisterMap], ...]:
    """Return the SunSpec models with their maps, in order of preference: 701 first."""
    families = [family for family in register_maps().values() if family.models]
    families.sort(key=lambda family: (701 not in family.models, family.name))
    return tuple((model, family) for family in families for model in family.models)
