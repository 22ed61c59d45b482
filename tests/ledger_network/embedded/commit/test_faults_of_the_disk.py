"""A disk that is full or refuses: nothing acknowledged is lost, nothing refused is kept."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from ledger_network.embedded.commit.committer import Cut
from ledger_network.embedded.recovery.verify import verify
from ledger_network.port import Invalid, Receipt, Unknown
from tests.ledger_network.embedded.notebook import Key, Place, Places, Put
from tests.ledger_network.embedded.workbench import (
    NORTH,
    FullDisk,
    open_ledger,
    put_all,
    run,
    value_of,
)

FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
from ledger_network.port import Invalid, Unknown
from tests.ledger_network.embedded.notebook import Sheets
from tests.ledger_network.embedded.workbench import NORTH, open_ledger

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
rows, reads = int(sys.argv[2]), ["r" * 900] * int(sys.argv[3])

async def work():
    async with open_ledger(Path(sys.argv[1])) as ledger:
        for number in range(1_000):
            sheets = Sheets(f"{number}/", ["t" * 2_000] * rows, reads)
            try:
                await ledger.submit("place_sheets", sheets, member=NORTH)
            except (Invalid, Unknown) as failed:
                print(number, (await ledger.health()).writable, type(failed).__name__, failed)
                break
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

asyncio.run(work())
"""


@pytest.mark.parametrize(
    ("rows", "reads", "fate", "sentence"),
    [
        (1, 200, "Invalid", "the disk refused a write (File too large)"),
        (10, 0, "Unknown", "the state could not be updated"),
    ],
    ids=["the log fills up first", "the state fills up first"],
)
def test_a_file_that_may_not_grow_is_a_full_disk(
    tmp_path: Path, rows: int, reads: int, fate: str, sentence: str
) -> None:
    """In a process of its own, whose files are bounded by the kernel."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, str(tmp_path), str(rows), str(reads)],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[4],
        text=True,
    )
    assert done.stderr == ""
    written, writable, failed, told = done.stdout.split(maxsplit=3)
    assert int(written) > 3
    assert (writable, failed) == ("False", fate)
    assert sentence in told

    async def look() -> list[int]:
        async with open_ledger(tmp_path) as ledger:
            keys = [Key(f"{number}/{rows - 1:04d}") for number in range(100)]
            found = [await ledger.evaluate("get", key, member=NORTH) for key in keys]
            await put_all(ledger, ("put", Put("more", 1)))
            return [number for number, raw in enumerate(found) if raw != b"null"]

    # What is unknown is in the log: the state takes it when there is room again.
    assert run(look()) == list(range(int(written) + (fate == "Unknown")))
    assert verify(tmp_path).fault is None


@pytest.mark.parametrize("refuses", [("append",), ("sync",), ("append", "sync", "truncate")])
@pytest.mark.parametrize("at", range(1, 14))
def test_each_write_that_is_refused_loses_nothing(
    tmp_path: Path, refuses: tuple[str, ...], at: int
) -> None:
    """Fails each step in turn from the first after opening; `Unknown` is looked up afterwards."""

    async def prepare() -> None:
        async with open_ledger(tmp_path, cut=Cut(segment_blocks=3)) as ledger:
            await put_all(ledger, ("put", Put("a", 0)))

    async def fill() -> tuple[list[Receipt], list[str], int]:
        committed: list[Receipt] = []
        unknown: list[str] = []
        refused = 0
        disk = FullDisk(10_000, refuses=refuses)
        async with open_ledger(tmp_path, cut=Cut(segment_blocks=3), disk=disk) as ledger:
            disk.at = disk.steps + at
            for number in range(6):
                places = Places("p", [f"m{number}"])
                transient = {f"m{number}": b"secret"}
                try:
                    committed.append(
                        await ledger.submit(
                            "private_put", places, member=NORTH, transient=transient
                        )
                    )
                except Invalid:
                    refused += 1
                except Unknown as outcome:
                    unknown.append(outcome.transaction)
            health = await ledger.health()
            assert health.writable == (refused + len(unknown) == 0)
            assert await value_of(ledger, "a") == 0
        return committed, unknown, refused

    async def look(committed: list[Receipt], unknown: list[str], refused: int) -> None:
        async with open_ledger(tmp_path, cut=Cut(segment_blocks=3)) as ledger:
            for receipt in committed:
                assert await ledger.transaction(receipt.transaction) == receipt
            kept = [await ledger.transaction(each) is not None for each in unknown]
            values = [
                await ledger.evaluate("private_get", Place("p", f"m{number}"), member=NORTH)
                for number in range(6)
            ]
            assert values.count(b"null") == refused + kept.count(False)
            await put_all(ledger, ("put", Put("a", 1)))

    run(prepare())
    run(look(*run(fill())))
    assert verify(tmp_path).fault is None


def test_those_that_wait_when_the_disk_fails_are_told_too(tmp_path: Path) -> None:
    async def work() -> None:
        disk = FullDisk(10_000)
        async with open_ledger(tmp_path, cut=Cut(transactions_max=2), disk=disk) as ledger:
            disk.at = disk.steps + 1
            calls = [ledger.submit("put", Put(f"k{n}", n), member=NORTH) for n in range(20)]
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(each) for each in done} == {Invalid}
            with pytest.raises(Invalid, match="takes no writes"):
                await ledger.submit("put", Put("late", 1), member=NORTH)

    run(work())
