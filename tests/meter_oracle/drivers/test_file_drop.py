"""Readings dropped as files: the newest counts, bad lines are named, nothing missing becomes 0."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from meter_oracle.drivers.driver import MeterDriver
from meter_oracle.drivers.file_drop import DropFolders, FileDropMeter
from meter_oracle.drivers.opening import open_driver
from meter_oracle.drivers.sources import FileDropSource
from meter_oracle.faults import MeterFault
from tests.meter_oracle.judged import JudgedMeter

HEADER = "meter,serial,time,import_wh,export_wh\n"
NOON_NS = 1_781_524_800_000_000_000  # 2026-06-15T12:00:00Z


def opened(
    folder: Path, *, now_ns: int = NOON_NS + 60 * 10**9, set_aside: str = ""
) -> FileDropMeter:
    source = FileDropSource(meter="m", folder=str(folder), set_aside=set_aside)
    driver = open_driver(source, clock=lambda: now_ns)
    assert isinstance(driver, FileDropMeter)
    return driver


def code_of(driver: MeterDriver) -> str:
    with pytest.raises(MeterFault) as refused:
        asyncio.run(driver.read())
    return refused.value.code


def test_newest_row_is_read_with_the_time_it_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        HEADER + "m,S1,2026-06-15T14:00:00+02:00,1100,20\nm,S1,2026-06-15T11:45:00Z,1000,10\n"
    )
    (tmp_path / "b.csv").write_text("time,extra,export_wh,import_wh,serial,meter\n")

    read = asyncio.run(opened(tmp_path).read())

    assert (read.import_wh, read.export_wh, read.serial) == (1_100, 20, "S1")
    assert (read.read_at_ns, read.uncertainty_ns) == (NOON_NS, 500_000_000)


def test_file_that_arrives_later_is_seen(tmp_path: Path) -> None:
    driver = opened(tmp_path)
    assert code_of(driver) == "METER_SILENT"
    (tmp_path / "a.csv").write_text(HEADER + "m,S1,2026-06-15T11:45:00Z,1000,10\n")
    assert asyncio.run(driver.read()).import_wh == 1_000
    (tmp_path / "b.csv").write_text(HEADER + "m,S1,2026-06-15T12:00:00Z,1010,10\n")

    assert asyncio.run(driver.read()).import_wh == 1_010


@pytest.mark.parametrize(
    "line",
    [
        "m,S1,2026-06-15T12:00:00Z,1000,",
        "m,S1,2026-06-15T12:00:00Z,1000",
        "m,S1,2026-06-15T12:00:00Z,-1,5",
        "m,S1,2026-06-15T12:00:00Z,1.5,5",
        "m,S1,2026-06-15T12:00:00Z,nan,5",
        "m,S1,2026-06-15T12:00:00Z,\u0661,5",
        "m,S1,2026-06-15T12:00:00Z," + "9" * 19 + ",5",
        "m,S1,2026-06-15 12:00:00,1000,5",
        "m,S1,noon,1000,5",
        ",S1,2026-06-15T12:00:00Z,1000,5",
        'm,S1,"2026"x,1000,5',
    ],
)
def test_bad_line_is_named_and_set_aside_and_the_next_counts(
    tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    aside = tmp_path / "aside.txt"
    good = "m,S1,2026-06-15T11:45:00Z,990,4\n"
    (tmp_path / "a.csv").write_text(HEADER + line + "\n" + good, encoding="utf-8")
    driver = opened(tmp_path, set_aside=str(aside))

    assert asyncio.run(driver.read()).import_wh == 990

    assert "lines that cannot be read: 1; the first is line 2: " in caplog.text
    (kept,) = aside.read_text(encoding="utf-8").splitlines()
    assert kept.startswith("a.csv:2: ")


@pytest.mark.parametrize("header", ["meter,serial,time,import_wh\n", "", "a,b\n", "\0\n"])
def test_file_without_its_columns_gives_nothing(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.csv").write_text(header + "m,S1,2026-06-15T12:00:00Z,1000,5\n")

    assert code_of(opened(tmp_path)) == "METER_SILENT"


@pytest.mark.parametrize("off_s", [3_700, -100])
def test_row_far_from_the_clock_is_late(tmp_path: Path, off_s: int) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "m,S1,2026-06-15T12:00:00Z,1000,5\n")

    assert code_of(opened(tmp_path, now_ns=NOON_NS + off_s * 10**9)) == "METER_LATE"


def test_other_serial_and_missing_folder_are_faults(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "m,S1,2026-06-15T12:00:00Z,1000,5\n")

    source = FileDropSource(meter="m", folder=str(tmp_path), serial="S2")
    assert code_of(JudgedMeter(opened(tmp_path), source)) == "METER_SERIAL"
    assert code_of(opened(tmp_path / "none")) == "METER_SILENT"


def test_shared_folder_is_read_once(tmp_path: Path) -> None:
    folders = DropFolders()

    assert folders.folder(str(tmp_path), "") is folders.folder(str(tmp_path), "")
