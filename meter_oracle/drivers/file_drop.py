"""The driver for file drop: register readings that somebody puts into a folder as CSV.

A file has the columns `meter`, `serial`, `time`, `import_wh`, `export_wh`, in any order, and may have
more. `time` is ISO 8601 with a zone. A file belongs under its name once it is complete: write it
under another ending than `.csv` and rename it. Files are never changed or removed here, so several
nodes may read one folder.

A line that cannot be read is named (file, line, why) and set aside; the others count. The newest
row of a meter is its reading.
"""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from meter_oracle.drivers.power_limit import Instruction
from meter_oracle.drivers.sources import FileDropSource
from meter_oracle.readings.registers import NS_PER_S, MeterFault, RegisterRead, RegisterTrack, Seen

COLUMNS = ("meter", "serial", "time", "import_wh", "export_wh")
FILE_BYTES_MAX = 16_000_000
FILES_MAX = 10_000
SET_ASIDE_MAX = 1_000  # lines remembered; the file of set-aside lines holds all
CELL_MAX = 64
DIGITS_MAX = 18  # below 2^63
STEP_NS = NS_PER_S // 2  # a stamp of whole seconds is off by half a second at most
AHEAD_MAX_S = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 the same name as in the package


class Row(NamedTuple):
    """A row of a file: a meter's registers at a time."""

    serial: str
    time_ns: int
    import_wh: int
    export_wh: int


class SetAside(NamedTuple):
    """A line that could not be read."""

    file: str
    line: int
    why: str


class DropFolder:
    """A folder and what its files said so far; a file is read again only when it has changed."""

    def __init__(self, path: Path, set_aside: Path | None) -> None:
        self._path = path
        self._file = set_aside
        self._read: dict[str, tuple[int, int]] = {}
        self._newest: dict[str, Row] = {}
        self.set_aside: list[SetAside] = []

    def newest(self, meter: str) -> Row | None:
        """The newest row of `meter`; raises `MeterFault` SILENT for a folder that is not there."""
        self._look()
        return self._newest.get(meter)

    def _look(self) -> None:
        try:
            files = sorted(self._path.glob("*.csv"))
            if not files and not self._path.is_dir():
                raise MeterFault("METER_SILENT", f"there is no folder {self._path}.")
            if len(files) > FILES_MAX:
                raise MeterFault("METER_SILENT", f"{self._path} holds over {FILES_MAX} files.")
            for file in files:
                about = file.stat()
                stamp = (about.st_mtime_ns, about.st_size)
                if self._read.get(file.name) != stamp:
                    self._take(file, about.st_size)
                    self._read[file.name] = stamp
            for gone in self._read.keys() - {file.name for file in files}:
                del self._read[gone]
        except OSError as error:
            raise MeterFault("METER_SILENT", f"{self._path} cannot be read: {error}.") from error

    def _take(self, file: Path, size_bytes: int) -> None:
        if size_bytes > FILE_BYTES_MAX:
            self._put_aside(SetAside(file.name, 0, f"larger than {FILE_BYTES_MAX} bytes"))
            return
        text = file.read_bytes().decode("utf-8-sig", errors="replace")
        for taken in read_rows(file.name, text):
            if isinstance(taken, SetAside):
                self._put_aside(taken)
                continue
            meter, row = taken
            before = self._newest.get(meter)
            if before is None or row.time_ns >= before.time_ns:
                self._newest[meter] = row

    def _put_aside(self, line: SetAside) -> None:
        if len(self.set_aside) < SET_ASIDE_MAX:
            self.set_aside.append(line)
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as kept:
                kept.write(f"{line.file}:{line.line}: {line.why}\n")


class DropFolders:
    """The folders of several meters, each read once for all of them."""

    def __init__(self) -> None:
        self._folders: dict[tuple[str, str], DropFolder] = {}

    def folder(self, path: str, set_aside: str) -> DropFolder:
        """The folder at `path`."""
        key = (path, set_aside)
        if key not in self._folders:
            self._folders[key] = DropFolder(Path(path), Path(set_aside) if set_aside else None)
        return self._folders[key]


def read_rows(name: str, text: str) -> Iterator[tuple[str, Row] | SetAside]:
    """The rows of a file as (meter, row), and its lines that cannot be read."""
    lines = csv.reader(StringIO(text, newline=""), strict=True)
    places: list[int] | None = None
    while True:
        try:
            cells = next(lines, None)
        except csv.Error as error:
            yield SetAside(name, lines.line_num, str(error))
            continue
        if cells is None:
            return
        if not cells:
            continue
        if places is None:
            missing = [column for column in COLUMNS if cells.count(column) != 1]
            if missing:
                yield SetAside(name, 1, f"its header lacks {', '.join(missing)}")
                return
            places = [cells.index(column) for column in COLUMNS]
            continue
        try:
            yield _row(cells, places)
        except ValueError as error:
            yield SetAside(name, lines.line_num, str(error))


def _row(cells: list[str], places: list[int]) -> tuple[str, Row]:
    if len(cells) <= max(places):
        raise ValueError(f"{len(cells)} cells")
    meter, serial, stamp, imported, exported = (cells[place].strip() for place in places)
    if not meter or len(meter) > CELL_MAX or len(serial) > CELL_MAX:
        raise ValueError("its meter or serial is empty or too long")
    return meter, Row(serial, _time_ns(stamp), _register(imported), _register(exported))


def _register(text: str) -> int:
    # An empty cell is a missing register and never 0.
    if not (text.isascii() and text.isdigit()) or len(text) > DIGITS_MAX:
        raise ValueError(f"{text[:CELL_MAX]!r} is no register in whole Wh")
    return int(text)


def _time_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text[:CELL_MAX]!r} is no time") from error
    if moment.tzinfo is None:
        raise ValueError(f"{text[:CELL_MAX]!r} names no zone")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


class FileDropMeter:
    """A meter whose readings arrive as files."""

    def __init__(
        self,
        source: FileDropSource,
        folders: DropFolders,
        *,
        clock: Callable[[], int] = time.time_ns,
        known: RegisterRead | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._folder = folders.folder(source.folder, source.set_aside)
        self._track = RegisterTrack(power_max_w=source.power_max_w, known=known)
        self._serial = known.serial if known is not None and not source.serial else source.serial
        self._lock = asyncio.Lock()

    @property
    def set_aside(self) -> list[SetAside]:
        """Lines of the folder that could not be read, the first thousand."""
        return self._folder.set_aside

    async def read(self) -> RegisterRead:
        """The newest row, of the time that it names; raises `MeterFault`."""
        async with self._lock:
            # The folder is small and on this machine: a thread would cost more than the look.
            row = self._folder.newest(self._source.meter)
            where = f"{self._source.folder}, meter {self._source.meter}"
            if row is None:
                raise MeterFault("METER_SILENT", f"{where}: no row so far.")
            age_s = (self._clock() - row.time_ns) // NS_PER_S
            if age_s > self._source.age_max_s:
                raise MeterFault("METER_LATE", f"{where}: the newest row is {age_s} s old.")
            if age_s < -AHEAD_MAX_S:
                raise MeterFault("METER_LATE", f"{where}: a row is {-age_s} s ahead of the clock.")
            if self._serial and row.serial != self._serial:
                sentence = f"{where}: it is {row.serial or 'nameless'}, not {self._serial}."
                raise MeterFault("METER_SERIAL", sentence)
            read = self._track.accept(
                Seen(row.import_wh, row.export_wh, resolution_wh=1, rolls_at_wh=0, scale=0),
                meter=self._source.meter,
                serial=row.serial,
                read_at_ns=row.time_ns,
                uncertainty_ns=STEP_NS,
            )
            self._serial = row.serial
            return read

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        """A file cannot be told anything: raises `MeterFault` CONTROL."""
        sentence = f"{self._source.meter} is read from files: no {limit_w} W for {revert_s} s."
        raise MeterFault("METER_CONTROL", sentence)

    async def close(self) -> None:
        """Nothing is held open."""
