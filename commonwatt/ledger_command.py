"""`commonwatt ledger`: check, rebuild and export a ledger's folder that no process has open."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from chaincode.contract import Contract
from ledger_network.embedded.export import export as export_blocks
from ledger_network.embedded.faults import LedgerFault
from ledger_network.embedded.rebuild import rebuild as rebuild_state
from ledger_network.embedded.verify import Report
from ledger_network.embedded.verify import verify as verify_ledger

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


def _print_report(report: Report) -> None:
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
    except REFUSALS as error:
        raise _refused(error, code=1) from None


def ledger_folder(data: Path) -> Path:
    """The ledger's folder: the one named, or the one in the market's folder that is named."""
    inner = data / "ledger"
    return inner if inner.exists() else data


def _refused(error: Exception, code: int = 2) -> typer.Exit:
    sys.stderr.write(f"{error}\n")
    return typer.Exit(code)
