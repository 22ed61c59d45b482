"""`commonwatt auction`: reads a book in JSON and prints its outcome in JSON.

`auction_book.py` reads and checks the book; the mechanism clears it.
"""

from __future__ import annotations

import sys

import msgspec

from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.auctions.outcome import outcome_json
from commonwatt.command_line import command_group, ended
from commonwatt.commands.auction_book import read_book
from commonwatt.commands.auction_json import AuctionInputError

app = command_group()


@app.command(name="auction", epilog="Example: `commonwatt auction < book.json > result.json`")
def auction_command() -> None:
    """Clear one book: JSON on standard input, the outcome with its digest on standard output.

    A book that is refused ends the command with exit code 2 and one line that names the field.
    """
    try:
        outcome = run_auction(sys.stdin.buffer.read())
    except AuctionInputError as error:
        raise ended(error) from None
    sys.stdout.buffer.write(outcome)
    sys.stdout.buffer.flush()


def run_auction(text: bytes) -> bytes:
    """Clear the book in `text`; return indented JSON in UTF-8, which ends in a newline.

    Raises `AuctionInputError` if the book is refused.
    """
    book = read_book(text)
    outcome = MECHANISMS[book.mechanism].clear(book)
    return msgspec.json.format(msgspec.json.encode(outcome_json(outcome)), indent=2) + b"\n"
