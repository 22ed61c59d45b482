"""Kills ledgers and looks what is left: run as a program, it prints a report as JSON.

A child process, forked while there is one thread only, opens a ledger and works until its disk ends
the process at a chosen step: before it, or inside an append, with a part of the bytes written. It
tells what was acknowledged over a pipe. The parent opens what is left and requires: everything
acknowledged so far, nothing in part, the state as a rebuild from the log makes it.

First each step in turn is chosen, then steps are drawn. A ledger lives through several crashes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import traceback
from pathlib import Path
from random import Random

import msgspec

from ledger_network.embedded.commit.committer import Cut
from ledger_network.embedded.recovery.rebuild import rebuild
from ledger_network.embedded.recovery.verify import verify
from ledger_network.port import Conflict, Receipt
from tests.ledger_network.embedded.notebook import Key, Many, Notebook, Place, Places, Put, Span
from tests.ledger_network.embedded.workbench import (
    KILLED,
    NORTH,
    DyingDisk,
    UnsyncedDisk,
    open_ledger,
)

CUT = Cut(segment_blocks=5)  # so that segments are sealed and snapshots taken all the time
LIFE = 8  # crashes a folder lives through
STEPS = 70  # about as many as a round has; some rounds end before their step comes
BROKEN = 9
PARTS = 3  # keys that one transaction writes: all of them or none are there


class Crashes(msgspec.Struct):
    """What happened: crashes, of them inside an append, acknowledged transactions, and faults."""

    crashes: int = 0
    finished: int = 0
    acknowledged: int = 0
    unacknowledged_kept: int = 0
    dropped_records: int = 0
    faults: list[str] = []


def main(count: int, seed: int) -> Crashes:
    """Crash `count` times; a round that ends by itself is not counted."""
    report, draw = Crashes(), Random(seed)  # noqa: S311 the seed is for repeating a run
    at = 0
    with tempfile.TemporaryDirectory() as scratch:
        while report.crashes < count and not report.faults:
            folder = Path(scratch) / f"{report.crashes:05d}-{at}"
            acknowledged: list[tuple[str, str]] = []
            for life in range(LIFE):
                at += 1
                # Every step in turn, until a round needs no more; then one that is drawn.
                step = draw.randrange(1, STEPS) if report.finished else at
                told, status = one_life(folder, step, life, Random(draw.randrange(2**32)))  # noqa: S311 see above
                report.finished += status == 0
                report.crashes += status == KILLED
                if status not in {0, KILLED}:
                    report.faults.append(f"{folder}: the child ended with {status}")
                acknowledged += told
                report.acknowledged += len(told)
                check(folder, acknowledged, life, report)
                if report.faults:
                    break
    return report


def one_life(folder: Path, step: int, life: int, draw: Random) -> tuple[list[tuple[str, str]], int]:
    """Fork a child that dies at `step`; what it said was acknowledged, and its exit status."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        ended = BROKEN
        try:
            asyncio.run(work(folder, DyingDisk(step, draw), life, writing))
            ended = 0
        finally:
            if ended:
                traceback.print_exc()
            os._exit(ended)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 a descriptor, no path
        lines = pipe.read().decode().splitlines()
    _, status = os.waitpid(child, 0)
    told = [(name, transaction) for name, transaction in (line.split() for line in lines)]
    return told, os.waitstatus_to_exitcode(status)


async def work(folder: Path, disk: DyingDisk, life: int, pipe: int) -> None:
    """The load: single writes, several at once, conflicts, private values, a purge."""

    def acknowledge(name: str, receipt: Receipt) -> None:
        os.write(pipe, f"{name} {receipt.transaction}\n".encode())

    async with open_ledger(folder, cut=CUT, disk=disk, verifiers=1) as ledger:

        async def do(name: str, args: msgspec.Struct, told: str, **transient: bytes) -> None:
            try:
                receipt = await ledger.submit(name, args, member=NORTH, transient=transient)
            except Conflict:
                return
            acknowledge(told, receipt)

        await do("put", Put(f"{life}/single", life), f"{life}/single")
        await asyncio.gather(
            *[
                do("put_many", Many(f"{life}/{each}/", PARTS), f"{life}/{each}/")
                for each in range(3)
            ],
            do("add", Put("sum", 1), "-"),
            do("add", Put("sum", 1), "-"),
        )
        here, gone = f"{life}kept", f"{life}gone"
        await do("private_put", Places("p", [here, gone]), "-", **{here: b"here", gone: b"gone"})
        await do("delete", Key(f"{life - 1}/single"), f"deleted:{life - 1}/single")
        await do("purge", Place("p", gone), f"purged:{gone}")
        await do("sum_into", Span("0", "9", into="total"), "-")


def check(folder: Path, acknowledged: list[tuple[str, str]], life: int, report: Crashes) -> None:
    """Open what is left and look for all that was acknowledged."""
    with asyncio.Runner() as runner:
        kept, state_hash, notices = runner.run(look(folder, acknowledged, life, report))
    report.unacknowledged_kept += kept
    report.dropped_records += len(notices)
    found = rebuild(folder, counts=Notebook().counts_in_state_hash, disk=UnsyncedDisk())
    if found.state_hash != state_hash:
        report.faults.append(f"{folder}: the rebuilt state is another one")
    if life % 4 == 3:
        checked = verify(folder)
        if checked.fault:
            report.faults.append(f"{folder}: {checked.fault}")


async def look(
    folder: Path, acknowledged: list[tuple[str, str]], life: int, report: Crashes
) -> tuple[int, str, list[str]]:
    """Find each acknowledged transaction, the writes of this life whole, purged values gone."""
    told = {name for name, _ in acknowledged}
    unacknowledged = 0
    async with open_ledger(folder, cut=CUT, disk=UnsyncedDisk(), verifiers=1) as ledger:
        for name, transaction in acknowledged:
            if await ledger.transaction(transaction) is None:
                report.faults.append(f"{folder}: {name} was acknowledged and is lost")
            if name.startswith("purged:"):
                place = Place("p", name.removeprefix("purged:"))
                if await ledger.evaluate("private_get", place, member=NORTH) != b"null":
                    report.faults.append(f"{folder}: {name} is still there")
        for each in range(3):
            name = f"{life}/{each}/"
            keys = [Key(f"{name}{part:06d}") for part in range(PARTS)]
            values = [await ledger.evaluate("get", key, member=NORTH) for key in keys]
            held = PARTS - values.count(b"null")
            if held not in {0, PARTS} or (name in told and not held):
                report.faults.append(f"{folder}: {held} of {PARTS} keys of {name}")
            unacknowledged += bool(held) and name not in told
        return unacknowledged, await ledger.state_hash(), ledger.notices


if __name__ == "__main__":
    crashed = main(int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.buffer.write(msgspec.json.encode(crashed))
    sys.exit(bool(crashed.faults))
