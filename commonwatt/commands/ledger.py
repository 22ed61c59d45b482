"""`commonwatt ledger`: check, rebuild and export a ledger's folder that no process has open."""

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
from commonwatt.demonstration.cast import AREA, CHANNEL, DSO, ORGANISATIONS
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.embedded.folder.faults import LedgerFault
from ledger_network.embedded.recovery.export import export as export_blocks
from ledger_network.embedded.recovery.rebuild import rebuild as rebuild_state
from ledger_network.embedded.recovery.verify import VerifyReport
from ledger_network.embedded.recovery.verify import verify as verify_ledger
from ledger_network.port import Member

app = typer.Typer(help="Check, rebuild and export a ledger's folder.", no_args_is_help=True)

REFUSALS = (LedgerFault, OSError)
"""What keeps a ledger from being opened; each has a sentence."""

Folder = Annotated[
    Path, typer.Option("--data", help="The market's folder, or the ledger's folder in it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
DEFAULT = Path(".commonwatt")


@app.command(epilog="Example: `commonwatt ledger verify --data .commonwatt`")
def verify(data: Folder = DEFAULT, *, as_json: Json = False) -> None:
    """Check every byte, signature, private value and the state; exit 1 and name any fault."""
    console = Console(stderr=True)
    try:
        with console.status("checking blocks …") as status:
            report = verify_ledger(
                ledger_folder(data), progress=lambda number: status.update(f"block {number} …")
            )
    except REFUSALS as error:
        raise _refused(error) from None
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        _print_report(report)
    if report.fault is not None:
        raise typer.Exit(1)


def _print_report(report: VerifyReport) -> None:
    for note in report.notes:
        typer.echo(f"note: {note}")
    if report.fault is None:
        typer.echo(
            f"All is well: {report.blocks} blocks, {report.transactions} transactions, "
            f"{report.private_values} private values, {report.purged} purged, and the state "
            "that follows from them."
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
    """Build the state again from the log; nothing is executed again."""
    console = Console(stderr=True)
    try:
        with console.status("building the state again from the log …"):
            rebuilt = rebuild_state(ledger_folder(data), counts=Contract().counts_in_state_hash)
    except REFUSALS as error:
        raise _refused(error, code=1) from None
    if as_json:
        typer.echo(msgspec.json.encode(rebuilt).decode())
        return
    typer.echo(
        f"Built again: {rebuilt.blocks} blocks, {rebuilt.rows} rows, "
        f"state hash {rebuilt.state_hash}."
    )


@app.command(epilog="Example: `commonwatt ledger export --data .commonwatt > blocks.jsonl`")
def export(data: Folder = DEFAULT) -> None:
    """Print the blocks, one JSON document a line; private values never stand there."""
    try:
        for block in export_blocks(ledger_folder(data)):
            sys.stdout.buffer.write(msgspec.json.encode(block) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Whoever read had enough. The interpreter would complain at exit about the same pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except REFUSALS as error:
        raise _refused(error, code=1) from None


@app.command(
    epilog="Example: `commonwatt ledger book --slot 1781523900 --zone lindenhof-north "
    "| commonwatt auction`: the digest is the one in the clearing record."
)
def book(
    slot: Annotated[int, typer.Option(help="The slot: its start, in seconds UTC.")],
    zone: Annotated[str, typer.Option(help="The zone.")],
    data: Folder = DEFAULT,
) -> None:
    """Print a zone's cleared book as `commonwatt auction` reads it, to clear it again.

    The digests of the clearing record go to standard error, to compare with.
    """
    folder = ledger_folder(data)
    if not folder.exists():
        raise _refused(FileNotFoundError(f"{folder} holds no ledger"))
    try:
        answer, view = asyncio.run(_read_book(folder, slot, zone))
    except (Refused, *REFUSALS) as error:
        raise _refused(error) from None
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
    """The ledger's folder: the one named, or the one in the market's folder that is named."""
    inner = data / "ledger"
    return inner if inner.exists() else data


def _refused(error: Exception, code: int = 2) -> typer.Exit:
    sys.stderr.write(f"{error}\n")
    return typer.Exit(code)
