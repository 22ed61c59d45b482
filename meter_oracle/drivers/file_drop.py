"""The driver for file drop: register readings that another program writes into a folder as CSV.

A file has the columns `meter`, `serial`, `time`, `import_wh`, `export_wh`, in any order, and may have
more. `time` is ISO 8601 with a zone. Write a file under another ending than `.csv`, and rename it when
it is complete. The driver never changes or removes files, so several nodes may read one folder.

The newest row of a meter is the meter's reading. A line that cannot be read is set aside with its place
and the reason; the other lines are still used.
"""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from meter_oracle.drivers.driver import Instruction, RegisterRead
from meter_oracle.drivers.sources import FileDropSource
from meter_oracle.faults import MeterFault
from meter_oracle.schedule import NS_PER_S

COLUMNS = ("meter", "serial", "time", "import_wh", "export_wh")
FILE_BYTES_MAX = 16_000_000
FILES_MAX = 10_000
CELL_MAX = 64
DIGITS_MAX = 18  # below 2^63
STEP_NS = NS_PER_S // 2  # a time in whole seconds is off by half a second at most
AHEAD_MAX_S = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 the same name as in the package


log = logging.getLogger("meter_oracle.drivers.file_drop")


class DroppedRow(NamedTuple):
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
    """A folder and the newest rows of its files; a file is read again only when it has changed."""

    def __init__(self, path: Path, set_aside: Path | None) -> None:
        self._path = path
        self._file = set_aside
        self._read: dict[str, tuple[int, int]] = {}
        self._newest: dict[str, DroppedRow] = {}

    def newest(self, meter: str) -> DroppedRow | None:
        """Return the newest row of `meter`; raises `MeterFault` METER_SILENT if there is no folder."""
        self._look()
        return self._newest.get(meter)

    def _look(self) -> None:
        try:
            files = sorted(self._path.glob("*.csv"))
            if not files and not self._path.is_dir():
                raise MeterFault("METER_SILENT", f"There is no folder {self._path}.")
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
            self._put_aside([SetAside(file.name, 0, f"larger than {FILE_BYTES_MAX} bytes")])
            return
        text = file.read_bytes().decode("utf-8-sig", errors="replace")
        bad_lines: list[SetAside] = []
        for taken in read_rows(file.name, text):
            if isinstance(taken, SetAside):
                bad_lines.append(taken)
                continue
            meter, row = taken
            before = self._newest.get(meter)
            if before is None or row.time_ns >= before.time_ns:
                self._newest[meter] = row
        self._put_aside(bad_lines)

    def _put_aside(self, lines: Sequence[SetAside]) -> None:
        if not lines:
            return
        first = lines[0]
        log.warning(
            "%s: lines that cannot be read: %d; the first is line %d: %s",
            *(self._path / first.file, len(lines), first.line, first.why),
        )
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as kept:
                kept.writelines(f"{line.file}:{line.line}: {line.why}\n" for line in lines)


class DropFolders:
    """The folders of several meters; each folder is read once for all of them."""

    def __init__(self) -> None:
        self._folders: dict[tuple[str, str], DropFolder] = {}

    def folder(self, path: str, set_aside: str) -> DropFolder:
        """Return the folder at `path`."""
        key = (path, set_aside)
        if key not in self._folders:
            self._folders[key] = DropFolder(Path(path), Path(set_aside) if set_aside else None)
        return self._folders[key]


def read_rows(name: str, text: str) -> Iterator[tuple[str, DroppedRow] | SetAside]:
    """Yield the rows of a file as (meter, row), and the lines that cannot be read."""
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
                yield SetAside(name, 1, f"the header lacks {', '.join(missing)}")
                return
            places = [cells.index(column) for column in COLUMNS]
            continue
        try:
            yield _row(cells, places)
        except ValueError as error:
            yield SetAside(name, lines.line_num, str(error))


def _row(cells: list[str], places: list[int]) -> tuple[str, DroppedRow]:
    if len(cells) <= max(places):
        raise ValueError(f"{len(cells)} cells")
    meter, serial, stamp, imported, exported = (cells[place].strip() for place in places)
    if not meter or len(meter) > CELL_MAX or len(serial) > CELL_MAX:
        raise ValueError("the meter or the serial number is empty or too long")
    return meter, DroppedRow(serial, _time_ns(stamp), _register(imported), _register(exported))


def _register(text: str) -> int:
    # An empty cell is a missing register and never 0.
    if not (text.isascii() and text.isdigit()) or len(text) > DIGITS_MAX:
        raise ValueError(f"{text[:CELL_MAX]!r} is not a register in whole Wh")
    return int(text)


def _time_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text[:CELL_MAX]!r} is not a time") from error
    if moment.tzinfo is None:
        raise ValueError(f"{text[:CELL_MAX]!r} has no time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


class FileDropMeter:
    """A meter whose readings arrive as files."""

    def __init__(
        self,
        source: FileDropSource,
        folders: DropFolders,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._source = source
        self._clock = clock
        self._folder = folders.folder(source.folder, source.set_aside)

    async def read(self) -> RegisterRead:
        """Read the newest row, as of the time in it; raises `MeterFault`."""
        # The folder is small and on this machine, so a thread would cost more than reading it here.
        row = self._folder.newest(self._source.meter)
        where = f"{self._source.folder}, meter {self._source.meter}"
        if row is None:
            raise MeterFault("METER_SILENT", f"{where}: no row has arrived yet.")
        age_s = (self._clock() - row.time_ns) // NS_PER_S
        if age_s > self._source.age_max_s:
            raise MeterFault("METER_LATE", f"{where}: the newest row is {age_s} s old.")
        if age_s < -AHEAD_MAX_S:
            raise MeterFault("METER_LATE", f"{where}: a row is {-age_s} s ahead of the clock.")
        return RegisterRead(
            meter=self._source.meter,
            serial=row.serial,
            import_wh=row.import_wh,
            export_wh=row.export_wh,
            read_at_ns=row.time_ns,
            resolution_wh=1,
            uncertainty_ns=STEP_NS,
        )

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        """Raise `MeterFault` METER_CONTROL: files carry no instructions."""
        sentence = f"{self._source.meter} is read from files and cannot be limited to {limit_w} W for {revert_s} s."
        raise MeterFault("METER_CONTROL", sentence)

    async def close(self) -> None:
        """Do nothing: no file stays open."""
