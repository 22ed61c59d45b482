"""SunSpec: a device describes itself as a chain of models, and this module walks the chain.

The module follows the SunSpec device information model specification: the marker "SunS" at one of three
addresses, then each model as id, length and registers, and an id of all ones at the end. Every walk is
bounded, because a damaged chain may lead in circles.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from meter_oracle.drivers.modbus.link import (
    ILLEGAL_ADDRESS,
    READ_HOLDING,
    ExceptionAnswer,
    ModbusLink,
)
from meter_oracle.families.register_maps import RegisterMap, sunspec_maps
from meter_oracle.faults import MeterFault

MARKER = b"SunS"
BASES = (40_000, 50_000, 0)
END_MODEL = 0xFFFF
MODELS_MAX = 64
ADDRESS_MAX = 65_535
COMMON_MODEL = 1
COMMON_LENGTHS = (65, 66)
_MAKER, _MODEL, _VERSION, _SERIAL = (2, 16), (18, 16), (42, 8), (50, 16)  # offset, registers


class NotSunSpec(MeterFault):
    """The device speaks Modbus but has no chain of models."""

    def __init__(self, where: str) -> None:
        super().__init__("METER_MISSING", f"{where} speaks Modbus but not SunSpec.")


class Model(NamedTuple):
    """A model of the chain: its id, the address of its id register, and its length after the header."""

    id: int
    address: int
    length: int


class SunSpecDevice(NamedTuple):
    """The description that a device gives of itself."""

    maker: str
    model: str
    version: str
    serial: str
    models: tuple[Model, ...]

    def find(self, model_id: int) -> Model | None:
        """Return the first model with that id."""
        return next((model for model in self.models if model.id == model_id), None)

    def energy(self) -> tuple[Model, RegisterMap] | None:
        """Return the model to read energy from, with its map: the one with the longest counter."""
        for model_id, family in sunspec_maps():
            model = self.find(model_id)
            if model is not None:
                return model, family
        return None


async def discover(link: ModbusLink) -> SunSpecDevice:
    """Walk the models of the device at `link`.

    Raises `NotSunSpec`, or `MeterFault` METER_GARBLED for a damaged chain.
    """
    address = await _find_marker(link) + 2
    models: list[Model] = []
    while len(models) < MODELS_MAX and address + 2 <= ADDRESS_MAX:
        model_id, length = struct.unpack(">HH", await link.read(READ_HOLDING, address, 2))
        if model_id == END_MODEL:
            return await _describe(link, tuple(models))
        models.append(Model(model_id, address, length))
        address += 2 + length
    raise MeterFault("METER_GARBLED", f"{link.where} has a chain of SunSpec models without an end.")


async def _find_marker(link: ModbusLink) -> int:
    for base in BASES:
        try:
            if await link.read(READ_HOLDING, base, 2) == MARKER:
                return base
        except ExceptionAnswer as answer:
            if answer.exception != ILLEGAL_ADDRESS:
                raise
    raise NotSunSpec(link.where)


async def _describe(link: ModbusLink, models: tuple[Model, ...]) -> SunSpecDevice:
    common = next((model for model in models if model.id == COMMON_MODEL), None)
    if common is None or common.length not in COMMON_LENGTHS:
        raise MeterFault("METER_GARBLED", f"{link.where} lacks SunSpec's common model.")
    data = await link.read(READ_HOLDING, common.address, common.length + 2)
    maker, model, version, serial = (
        data[2 * offset : 2 * (offset + registers)].decode("ascii", errors="replace").strip(" \0")
        for offset, registers in (_MAKER, _MODEL, _VERSION, _SERIAL)
    )
    return SunSpecDevice(maker, model, version, serial, models)


async def read_serial_again(link: ModbusLink, device: SunSpecDevice) -> str:
    """Return the serial number that the device has now."""
    common = device.find(COMMON_MODEL)
    if common is None:
        return ""
    offset, registers = _SERIAL
    data = await link.read(READ_HOLDING, common.address + offset, registers)
    return data.decode("ascii", errors="replace").strip(" \0")
