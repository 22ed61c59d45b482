"""A retailer's server: takes its clients' signed sheets over HTTP, submits them in batches.

    python examples/retailer_server.py --port 8500
    curl -d '<the sheet as its wallet signed it>' http://127.0.0.1:8500/sheets

The server holds no client's key. It collects what arrives within a moment, submits it as one
transaction, and gives each client the answer to its own sheet. It knows the port `Ledger` alone:
here a market of its own on an embedded ledger is behind it, and on a Fabric network it would be a
`FabricLedger`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from chaincode.area.clock import ClockArguments
from chaincode.contract import Contract
from chaincode.errors import BATCH_FULL, Refused
from chaincode.orders.handlers import TokenAnswer, TokensAnswer
from chaincode.orders.sheets import SHEET_BYTES_MAX, TokensArguments
from commonwatt.demonstration.cast import AREA, CHANNEL, ORGANISATIONS, SLOT_S, found, make_cast
from ledger_network.embedded.engine import EmbeddedLedger
from ledger_network.port import Conflict, Invalid, Ledger, Member, Receipt, Unknown

RETAILER = "GreenPower"
GATHER_S = 0.05  # how long the first sheet of a batch waits for others
BATCH_SHEETS_MAX = 500  # the contract takes no more in one transaction,
BATCH_BYTES_MAX = 1_000_000  # nor more bytes
WAITING_MAX = 5_000  # sheets that wait; the next client is asked to come again
ATTEMPTS_MAX = 20  # of a batch that conflicts: each attempt loses only to one that committed


class Waiting(NamedTuple):
    """A sheet that waits for its batch, and where its answer goes."""

    token: str
    answer: asyncio.Future[dict[str, object]]


class Full(Exception):
    """So many sheets wait that no more are taken."""


class Batches:
    """Collects sheets and submits them in batches, one after the other."""

    def __init__(self, ledger: Ledger, member: Member) -> None:
        self._ledger = ledger
        self._member = member
        self._waiting: asyncio.Queue[Waiting] = asyncio.Queue(WAITING_MAX)
        self._next: Waiting | None = None  # did not fit into the batch before

    async def place(self, token: str) -> dict[str, object]:
        """The contract's answer to a sheet. Raises `Full`."""
        waiting = Waiting(token, asyncio.get_running_loop().create_future())
        try:
            self._waiting.put_nowait(waiting)
        except asyncio.QueueFull:
            raise Full from None
        return await waiting.answer

    async def run(self) -> None:
        """Submit batches until cancelled."""
        while True:
            batch = await self._gather()
            for waiting, answer in zip(batch, await self._submit(batch), strict=True):
                if not waiting.answer.done():  # its client may have gone
                    waiting.answer.set_result(answer)

    async def _gather(self) -> list[Waiting]:
        """The next batch: at least one sheet, and what else has come after a moment."""
        first = self._next or await self._waiting.get()
        self._next = None
        await asyncio.sleep(GATHER_S)
        batch, size = [first], len(first.token)
        while len(batch) < BATCH_SHEETS_MAX and not self._waiting.empty():
            waiting = self._waiting.get_nowait()
            size += len(waiting.token)
            if size > BATCH_BYTES_MAX:
                self._next = waiting
                break
            batch.append(waiting)
        return batch

    async def _submit(self, batch: Sequence[Waiting]) -> list[dict[str, object]]:
        """One answer for each sheet of the batch."""
        arguments = TokensArguments([waiting.token for waiting in batch])
        try:
            receipt = await self._repeated(arguments)
        except Refused as refused:
            if len(batch) == 1:
                return [{"code": refused.code, "sentence": refused.sentence}]
            # The batch as a whole was refused: one sheet alone stops no other.
            return [answer for waiting in batch for answer in await self._submit([waiting])]
        except Unknown as unknown:
            # To send the same sheet again is safe: where it was taken, the answer is EXISTS.
            return [{"code": "UNKNOWN", "sentence": f"{unknown}; send it again."}] * len(batch)
        except (Conflict, Invalid) as error:
            return [{"code": "UNAVAILABLE", "sentence": f"{error}"}] * len(batch)
        answers: list[TokenAnswer] = receipt.read(TokensAnswer).answers
        later = [place for place, answer in enumerate(answers) if answer.code == BATCH_FULL.code]
        told = self._told(receipt, answers)
        if 0 < len(later) < len(batch):  # each batch gets further, so this ends
            again = await self._submit([batch[place] for place in later])
            for place, answer in zip(later, again, strict=True):
                told[place] = answer
        return told

    def _told(self, receipt: Receipt, answers: Sequence[TokenAnswer]) -> list[dict[str, object]]:
        """What the clients are told."""
        return [
            {
                "code": answer.code,
                "sentence": answer.sentence,
                "transaction": receipt.transaction,
                "block": receipt.block,
            }
            for answer in answers
        ]

    async def _repeated(self, arguments: TokensArguments) -> Receipt:
        """Submit, and again while another transaction commits first."""
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return await self._ledger.submit("place_orders", arguments, member=self._member)
            except Conflict:
                continue
        return await self._ledger.submit("place_orders", arguments, member=self._member)


def make_app(batches: Batches) -> Starlette:
    """`POST /sheets` with a sheet as its body."""

    async def sheets(request: Request) -> JSONResponse:
        body = b""
        try:
            async for part in request.stream():
                body += part
                if len(body) > SHEET_BYTES_MAX:
                    return JSONResponse({"code": "TOO_LARGE"}, 413)
        except ClientDisconnect:
            return JSONResponse({"code": "GONE"}, 400)
        if not body.isascii():
            return JSONResponse({"code": "NOT_ASCII"}, 400)
        try:
            return JSONResponse(await batches.place(body.decode().strip()))
        except Full:
            return JSONResponse({"code": "FULL"}, 503)

    return Starlette(routes=[Route("/sheets", sheets, methods=["POST"])])


@asynccontextmanager
async def market(data: Path) -> AsyncGenerator[Ledger]:
    """A market of its own: the demonstration's cast on a new embedded ledger, from now on."""
    now_s = int(time.time())
    first_slot = now_s - now_s % SLOT_S + SLOT_S
    ledger = EmbeddedLedger.open(
        data / "ledger",
        contract=Contract(),
        channel=CHANNEL,
        members=[organisation.name for organisation in ORGANISATIONS],
    )
    async with ledger:
        clock = ClockArguments(AREA, now_s, now_s, 1)
        await found(ledger, make_cast(1, 20), first_slot=first_slot, clock=clock)
        yield ledger


async def serve(data: Path, port: int) -> None:
    """Serve until the process is told to stop."""
    async with market(data) as ledger:
        batches = Batches(ledger, Member(RETAILER))
        running = asyncio.create_task(batches.run())
        config = uvicorn.Config(make_app(batches), host="127.0.0.1", port=port)
        try:
            await uvicorn.Server(config).serve()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description="Take signed sheets, submit them in batches.")
    parser.add_argument("--port", type=int, default=8500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="commonwatt-retailer-") as folder:
        asyncio.run(serve(Path(folder), asked.port))


if __name__ == "__main__":
    main()
