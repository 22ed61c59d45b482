"""The file that lists meters: both formats, and what is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter_oracle.drivers.sources import (
    FileDropSource,
    JsonRpcSource,
    MeterSource,
    ModbusSource,
    SourcesRefused,
    dump_sources,
    load_sources,
)

ALL: list[MeterSource] = [
    ModbusSource(meter="a", host="192.0.2.1", unit=3, registers="abb", serial="7"),
    FileDropSource(meter="b", folder="drop"),
    JsonRpcSource(meter="c", url="http://192.0.2.2/", method="get", import_at="i", export_at="e"),
]


def test_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "meters.json"
    file.write_bytes(dump_sources(ALL))

    assert load_sources(file) == ALL


def test_list_may_be_toml(tmp_path: Path) -> None:
    file = tmp_path / "meters.toml"
    file.write_text('[[meters]]\nkind = "modbus"\nmeter = "a"\nhost = "192.0.2.1"\n')

    assert load_sources(file) == [ModbusSource(meter="a", host="192.0.2.1")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "malformed|truncated"),
        ('{"meters":[{"kind":"dlms","meter":"a"}]}', "dlms"),
        ('{"meters":[{"kind":"modbus","meter":"a"}]}', "host"),
        ('{"meters":[{"kind":"modbus","meter":"a","host":"h","port":0}]}', "port"),
        ('{"meters":[{"kind":"modbus","meter":"a","host":"h","wait":1}]}', "wait"),
        ('{"meters":[{"kind":"modbus","meter":"","host":"h"}]}', "meter"),
        (
            (
                '{"meters":[{"kind":"modbus","meter":"a","host":"h"},'
                '{"kind":"file-drop","meter":"a","folder":"f"}]}'
            ),
            "a more than once",
        ),
    ],
)
def test_list_that_cannot_be_taken_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "meters.json"
    file.write_text(text)

    with pytest.raises(SourcesRefused, match=said):
        load_sources(file)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourcesRefused, match="lists no meters"):
        load_sources(tmp_path / "none.json")
