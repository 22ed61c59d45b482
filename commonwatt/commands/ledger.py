"""`commonwatt ledger`: checks, rebuilds and exports the folder of a ledger that is not in use."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from chaincode.contract import Contract
from chaincode.errors import Refused
from chaincode.queries.market import BookAnswer, BookArguments, SlotView
from chaincode.slots.gate import SlotArguments
from commonwatt.command_line import FAILED, Json, command_group, ended
from commonwatt.demonstration.cast import AREA, CHANNEL, DSO, ORGANISATIONS
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.embedded.folder.faults import LedgerFault
from ledger_network.embedded.recovery.export import export as export_blocks
from ledger_network.embedded.recovery.rebuild import rebuild as rebuild_state
from ledger_network.embedded.recovery.verify import VerifyReport
from ledger_network.embedded.recovery.verify import verify as verify_ledger
from ledger_network.port import Member

app = command_group("Check, rebuild and export a ledger's folder.")

LEDGER_FAULTS = (LedgerFault, OSError)
"""Exceptions that say why a ledger cannot be opened; each has a sentence."""

Folder = Annotated[
    Path, typer.Option("--data", help="The market's folder, or the ledger's folder in it.")
]
DEFAULT = Path(".commonwatt")


@app.command(epilog="Example: `commonwatt ledger verify --data .commonwatt`")
def verify(data: Folder = DEFAULT, *, as_json: Json = False) -> None:
    """Check every byte, signature and private value, and the state; name any fault and exit 1."""
    console = Console(stderr=True)
    try:
        with console.status("checking blocks …") as status:
            report = verify_ledger(
                ledger_folder(data), progress=lambda number: status.update(f"block {number} …")
            )
    except LEDGER_FAULTS as error:
        raise ended(error) from None
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        _print_report(report)
    if report.fault is not None:
        raise typer.Exit(FAILED)


def _print_report(report: VerifyReport) -> None:
    for note in report.notes:
        typer.echo(f"note: {note}")
    if report.fault is None:
        typer.echo(
            f"All is well: {report.blocks} blocks, {report.transactions} transactions, "
            f"{report.private_values} private values, {report.purged} purged; the state follows from "
            "them."
        )
        return
    fault = report.fault
    place = (
        f"byte {fault.offset}"
        if fault.block is None
        else f"block {fault.block}, byte {fault.offset}"
    )
    typer.echo(f"DAMAGED: {fault.file}, {place}: {fault.sentence}")


@app.command(epilog="Example: `commonwatt ledger rebuild --data .commonwatt --json`")
def rebuild(data: Folder = DEFAULT, *, as_json: Json = False) -> None:
    """Rebuild the state from the log, without executing transactions again."""
    console = Console(stderr=True)
    try:
        with console.status("rebuilding the state from the log …"):
            rebuilt = rebuild_state(ledger_folder(data), counts=Contract().counts_in_state_hash)
    except LEDGER_FAULTS as error:
        raise ended(error, FAILED) from None
    if as_json:
        typer.echo(msgspec.json.encode(rebuilt).decode())
        return
    typer.echo(
        f"Rebuilt: {rebuilt.blocks} blocks, {rebuilt.rows} rows, state hash {rebuilt.state_hash}."
    )


@app.command(epilog="Example: `commonwatt ledger export --data .commonwatt > blocks.jsonl`")
def export(data: Folder = DEFAULT) -> None:
    """Print the blocks, one JSON document per line; blocks hold no private values."""
    try:
        for block in export_blocks(ledger_folder(data)):
            sys.stdout.buffer.write(msgspec.json.encode(block) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader closed the pipe; without this the interpreter would complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except LEDGER_FAULTS as error:
        raise ended(error, FAILED) from None


@app.command(
    epilog="Example: `commonwatt ledger book --slot 1781523900 --zone lindenhof-north "
    "| commonwatt auction` prints the digest of the clearing record."
)
def book(
    slot: Annotated[int, typer.Option(help="The slot: its start, in seconds UTC.")],
    zone: Annotated[str, typer.Option(help="The zone.")],
    data: Folder = DEFAULT,
) -> None:
    """Print a zone's cleared book in the format of `commonwatt auction`, to clear it again.

    The digests of the clearing record are printed on standard error, for comparison.
    """
    folder = ledger_folder(data)
    if not folder.exists():
        raise ended(f"{folder} holds no ledger.")
    try:
        answer, view = asyncio.run(_read_book(folder, slot, zone))
    except (Refused, *LEDGER_FAULTS) as error:
        raise ended(error) from None
    for record in view.zones:
        if record.zone == zone:
            sys.stderr.write(f"book {record.book_digest}\noutcome {record.outcome_digest}\n")
    typer.echo(bytes(answer.book).decode())


async def _read_book(folder: Path, slot: int, zone: str) -> tuple[BookAnswer, SlotView]:
    members = [organisation.name for organisation in ORGANISATIONS]
    reader = Member(DSO)
    async with EmbeddedLedger.open(
        folder, contract=Contract(), channel=CHANNEL, members=members
    ) as ledger:
        book = await ledger.evaluate("get_book", BookArguments(AREA, slot, zone), member=reader)
        view = await ledger.evaluate("describe_slot", SlotArguments(AREA, slot), member=reader)
    return (
        msgspec.json.decode(book, type=BookAnswer),
        msgspec.json.decode(view, type=SlotView),
    )


def ledger_folder(data: Path) -> Path:
    """Return the ledger's folder; `data` is that folder, or the market's folder around it."""
    inner = data / "ledger"
    return inner if inner.exists() else data
