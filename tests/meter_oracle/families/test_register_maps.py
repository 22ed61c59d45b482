"""Every register map read once from bytes as the family's manual lays them out."""

from __future__ import annotations

import struct

import pytest

from meter_oracle.families.register_maps import (
    RegisterMap,
    SerialPoint,
    read_energies,
    read_serial,
    register_maps,
    sunspec_maps,
)
from meter_oracle.faults import MeterFault

# name, import as the meter holds it, export, in Wh, step in Wh
ANSWERS = [
    ("eastron", struct.pack(">f", 1234.5), struct.pack(">f", 0.25), 1_234_500, 250, 1),
    ("eastron", struct.pack(">f", 20_000.0), struct.pack(">f", 0.0), 20_000_000, 0, 2),
    ("eastron", struct.pack(">f", 200_000.0), struct.pack(">f", 0.0), 200_000_000, 0, 16),
    ("carlo-gavazzi-em24", b"\x00\x02\x00\x01", b"\x00\x05\x00\x00", 6_553_800, 500, 100),
    ("carlo-gavazzi-em340", b"\xff\xff\x00\x00", b"\x00\x00\x00\x00", 6_553_500, 0, 100),
    ("schneider-iem3000", struct.pack(">q", 5_000_000_000), struct.pack(">q", 3), 5 * 10**9, 3, 1),
    ("janitza", struct.pack(">f", 1500.0), struct.pack(">f", 2.0), 1_500, 2, 1),
    ("abb", struct.pack(">Q", 123_456), struct.pack(">Q", 7), 1_234_560, 70, 10),
    ("sunspec-701", struct.pack(">Q", 42), struct.pack(">Q", 17), 42, 17, 1),
    ("sunspec-203", struct.pack(">I", 4_294_967_294), struct.pack(">I", 0), 4_294_967_294, 0, 1),
    ("sunspec-213", struct.pack(">f", 99.0), struct.pack(">f", 1.0), 99, 1, 1),
]


def answer(family: RegisterMap, imported: bytes, exported: bytes, *, scale: int = 0) -> bytes:
    data = bytearray(2 * family.registers)
    for at, raw in ((family.imported.at, imported), (family.exported.at, exported)):
        begin = 2 * (at - family.first)
        data[begin : begin + len(raw)] = raw
    if family.scale_at is not None:
        begin = 2 * (family.scale_at - family.first)
        data[begin : begin + 2] = struct.pack(">h", scale)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "imported", "exported", "expected"), [(*row[:3], row[3:]) for row in ANSWERS]
)
def test_map_reads_registers_in_wh(
    name: str, imported: bytes, exported: bytes, expected: tuple[int, int, int]
) -> None:
    family = register_maps()[name]

    seen = read_energies(family, answer(family, imported, exported), "here")

    assert (seen.import_wh, seen.export_wh, seen.resolution_wh) == expected


def test_every_map_has_an_answer_in_the_table() -> None:
    assert set(register_maps()) == {name for name, *_ in ANSWERS}


def test_every_map_names_its_source_and_fits_one_answer() -> None:
    for family in register_maps().values():
        assert len(family.source) > 20
        assert 4 <= family.registers <= 125


@pytest.mark.parametrize("scale", [-3, 0, 3])
def test_scale_multiplies_counts_and_the_rollover(scale: int) -> None:
    family = register_maps()["sunspec-203"]

    seen = read_energies(
        family, answer(family, struct.pack(">I", 5_999), struct.pack(">I", 0), scale=scale), "here"
    )

    assert seen.import_wh == {-3: 5, 0: 5_999, 3: 5_999_000}[scale]
    assert seen.rolls_at_wh == {-3: 4_294_967, 0: 1 << 32, 3: 1000 << 32}[scale]
    assert seen.resolution_wh == {-3: 1, 0: 1, 3: 1_000}[scale]


@pytest.mark.parametrize(
    ("name", "imported", "exported"),
    [
        ("abb", struct.pack(">Q", 5), b"\xff" * 8),
        ("sunspec-701", b"\xff" * 8, struct.pack(">Q", 5)),
        ("sunspec-203", b"\xff" * 4, struct.pack(">I", 5)),
        ("schneider-iem3000", b"\x80" + b"\0" * 7, struct.pack(">q", 5)),
        ("schneider-iem3000", struct.pack(">q", -5), struct.pack(">q", 5)),
        ("eastron", struct.pack(">f", float("nan")), struct.pack(">f", 5.0)),
        ("eastron", struct.pack(">f", 5.0), struct.pack(">f", float("inf"))),
        ("janitza", struct.pack(">f", -1.0), struct.pack(">f", 5.0)),
    ],
)
def test_no_number_all_ones_and_less_than_nothing_are_no_reading(
    name: str, imported: bytes, exported: bytes
) -> None:
    family = register_maps()[name]

    with pytest.raises(MeterFault) as refused:
        read_energies(family, answer(family, imported, exported), "here")

    assert refused.value.code == "METER_VALUE"


@pytest.mark.parametrize("scale", [-32_768, 11, -11])
def test_scale_that_cannot_be_is_a_wrong_unit(scale: int) -> None:
    family = register_maps()["sunspec-701"]

    with pytest.raises(MeterFault) as refused:
        read_energies(family, answer(family, b"\0" * 8, b"\0" * 8, scale=scale), "here")

    assert refused.value.code == "METER_UNIT"


def test_serials_are_written_as_people_write_them() -> None:
    number = SerialPoint(at=0, type="uint32", function=3)
    text = SerialPoint(at=0, type="text", function=3, registers=4)

    assert read_serial(number, struct.pack(">I", 20_260_001)) == "20260001"
    assert read_serial(number, b"\xff" * 4) == ""
    assert read_serial(text, b"AB-12\0\0\0") == "AB-12"


def test_sunspec_prefers_the_longest_counter() -> None:
    assert [model for model, _ in sunspec_maps()][:2] == [701, 203]
