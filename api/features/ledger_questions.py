"""The projection's queries to the ledger, for events that name a slot but do not hold its rows.

An answer shows the ledger as it is now, which may be later than the event. The peer that answers
may also be behind the peer that sent the event. The answer then has fewer rows than the event
announced, and the query is repeated for a limited time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from chaincode.accounts.posting import Posting
from chaincode.accounts.statements import FoldPageAnswer, FoldPageArguments
from chaincode.clearing.run import MatchedTrade
from chaincode.errors import Refused
from chaincode.metering.readings import Reading
from chaincode.queries.market import (
    BookAnswer,
    BookArguments,
    OrdersAnswer,
    PostingsAnswer,
    TraderArguments,
    TradesAnswer,
)
from chaincode.queries.meters import MeteredAnswer, ReadingsAnswer, ReadingsArguments
from chaincode.settlement.settled_slot import MeterSettled
from chaincode.slots.gate import PageArguments, SlotArguments
from ledger_network.port import Invalid, Ledger, Member

AGAIN_S = 0.2
ATTEMPTS_MAX = 50  # ten seconds, far more than a peer of a healthy network is behind

T = TypeVar("T")
Row = TypeVar("Row")


class _NamedOrder(msgspec.Struct, frozen=True):
    """The part of an order in a book that is read here."""

    id: str


class _Book(msgspec.Struct, frozen=True):
    """The part of a book that is read here."""

    orders: list[_NamedOrder]


class LedgerQuestions:
    """Queries one ledger as one member."""

    def __init__(self, ledger: Ledger, member: str) -> None:
        self._ledger = ledger
        self._member = Member(member)

    async def trades(self, area: str, slot: int, *, count: int) -> list[MatchedTrade]:
        """Return the trades of a slot, of which there are `count`."""

        async def ask() -> list[MatchedTrade]:
            answer = await self._ask("list_trades", SlotArguments(area, slot), TradesAnswer)
            return [view.trade for view in answer.trades]

        return await self._at_least(count, ask)

    async def postings(self, area: str, slot: int, *, count: int) -> list[Posting]:
        """Return the first `count` postings of a slot."""

        async def ask() -> list[Posting]:
            found: list[Posting] = []
            pages = 1
            page = 0
            while page < pages and len(found) < count:
                arguments = PageArguments(area, slot, page)
                answer = await self._ask("list_postings", arguments, PostingsAnswer)
                found += answer.postings
                pages = answer.pages
                page += 1
            return found

        return (await self._at_least(count, ask))[:count]

    async def fold_postings(self, area: str, page: int) -> list[Posting]:
        """Return a page of the lines that folding has posted; in pairs, the client's line first."""

        async def ask() -> list[Posting]:
            arguments = FoldPageArguments(area, page)
            try:
                answer = await self._ask("list_fold_postings", arguments, FoldPageAnswer)
            except Refused as refused:  # the peer is behind
                if refused.code != "PAGE_UNKNOWN":
                    raise
                return []
            return answer.postings

        return await self._at_least(1, ask)

    async def metered(self, area: str, slot: int, *, pages: int) -> list[MeterSettled]:
        """Return what a slot settled at its meters, which fill `pages` pages."""
        found: list[MeterSettled] = []
        for page in range(pages):

            async def ask(page: int = page) -> list[MeterSettled]:
                arguments = PageArguments(area, slot, page)
                return (await self._ask("list_metered", arguments, MeteredAnswer)).meters

            found += await self._at_least(1, ask)
        return found

    async def readings(self, area: str, boundary: int, *, root: str, count: int) -> list[Reading]:
        """Return a boundary's readings that came with `root`; there are at least `count` of them."""

        async def ask() -> list[Reading]:
            found: list[Reading] = []
            after: str | None = ""
            while after is not None:
                arguments = ReadingsArguments(area, boundary, after)
                answer = await self._ask("list_readings", arguments, ReadingsAnswer)
                found += [reading for reading in answer.readings if root in reading.roots]
                after = answer.after
            return found

        found = await ask()
        for _ in range(ATTEMPTS_MAX):
            if len(found) >= count:
                break
            await asyncio.sleep(AGAIN_S)
            found = await ask()
        return found

    async def orders_in_book(self, area: str, slot: int, zone: str) -> set[str]:
        """Return the full names of the orders in a zone's cleared book."""
        arguments = BookArguments(area, slot, zone)
        answer = await self._ask("get_book", arguments, BookAnswer)
        book = msgspec.json.decode(answer.book, type=_Book)
        return {order.id for order in book.orders}

    async def reasons(self, area: str, slot: int, did: str) -> dict[str, str]:
        """Return why orders of a trader are not in the book, by the client's id."""
        arguments = TraderArguments(area, slot, did)
        answer = await self._ask("list_orders", arguments, OrdersAnswer)
        return {view.order.id: view.left_out for view in answer.orders if view.left_out}

    async def _at_least(self, count: int, ask: Callable[[], Awaitable[list[Row]]]) -> list[Row]:
        found = await ask()
        for _ in range(ATTEMPTS_MAX):
            if len(found) >= count:
                return found
            await asyncio.sleep(AGAIN_S)
            found = await ask()
        raise Invalid(f"the ledger shows {len(found)} rows where an event spoke of {count}")

    async def _ask(self, name: str, arguments: msgspec.Struct, kind: type[T]) -> T:
        answer = await self._ledger.evaluate(name, arguments, member=self._member)
        return msgspec.json.decode(answer, type=kind)
