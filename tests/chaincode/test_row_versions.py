"""Rows that earlier versions stored are read by this one, and no table lies over another."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import cast

import msgspec
import pytest

import chaincode
from chaincode.metering.readings import Reading
from chaincode.state import Row, Table
from identity.canonical import encode

FOLDER = Path(__file__).parent / "rows"
READINGS = "readings"


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row as a ledger holds it."""

    key: str
    row: msgspec.Raw


class Version(msgspec.Struct):
    """What any stored row says of its layout."""

    v: int


def tables() -> list[Table[Row]]:
    """Every table of the contract, each once."""
    found: dict[int, Table[Row]] = {}
    for module in pkgutil.walk_packages(chaincode.__path__, "chaincode."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, Table):
                table = cast("Table[Row]", value)
                found[id(table)] = table
    return list(found.values())


TABLES = tables()
FILES = sorted(FOLDER.glob("*.json"))


def file_name(table: Table[Row], version: int) -> str:
    """The file of a row of a table in some version of its layout."""
    return f"{table.number:02d}-{table.name.lower().replace(' ', '-')}.v{version}.json"


def read(path: Path) -> Stored:
    """A stored row from its file."""
    return msgspec.json.decode(path.read_bytes(), type=Stored)


def current_version(struct: type[msgspec.Struct]) -> int:
    """The version that a struct writes now."""
    return next(field.default for field in msgspec.structs.fields(struct) if field.name == "v")


def test_table_numbers_and_names_are_given_once() -> None:
    assert len({table.number for table in TABLES}) == len(TABLES)
    assert len({table.name for table in TABLES}) == len(TABLES)
    assert len(TABLES) > 25
    assert all(1 <= table.number <= 99 for table in TABLES), "two digits make keys sort by table"


def test_no_other_files_lie_among_the_rows() -> None:
    lawful = {
        file_name(table, version)
        for table in TABLES
        for version in range(1, current_version(table.struct) + 1)
    }

    assert {path.name for path in FILES} - {f"{READINGS}.v1.json"} == lawful


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_row_of_every_version_is_read(table: Table[Row]) -> None:
    current = current_version(table.struct)
    for version in range(1, current + 1):
        stored = read(FOLDER / file_name(table, version))
        assert msgspec.json.decode(stored.row, type=Version).v == version

        row = table.decode(bytes(stored.row))

        assert stored.key == table.key(*stored.key.split("/")[1:])
        assert len(stored.key.split("/")) == 1 + max(1, len(table.parts))
        if version == current:
            assert encode(row) == bytes(stored.row)


def test_a_reading_of_every_version_is_read() -> None:
    for version in range(1, current_version(Reading) + 1):
        stored = read(FOLDER / f"{READINGS}.v{version}.json")

        reading = msgspec.json.decode(stored.row, type=Reading)

        assert encode(reading) == bytes(stored.row)
        assert stored.key.split("/")[1] == reading.leaf.meter


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stored_row_is_canonical(path: Path) -> None:
    assert encode(read(path)) + b"\n" == path.read_bytes()
