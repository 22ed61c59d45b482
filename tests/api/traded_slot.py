"""A slot that two neighbours trade in, carried through its life over the API and the ledger.

The first home sells 500 Wh, the third buys 400 Wh in the same zone; at the gate the third is the
short side, so 400 Wh are matched.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from chaincode.area.clock import ClockArguments
from chaincode.orders.sheets import AMEND_TYP, CANCEL_TYP, Amend, Cancel, SheetOrder
from commonwatt.demonstration.bidding import sign_sheet
from commonwatt.demonstration.cast import (
    AREA,
    CHANNEL,
    DSO,
    GATE_LEAD_S,
    SLOT_S,
    Cast,
    Home,
    market_rules,
)
from commonwatt.demonstration.duties.members import MemberDuties
from commonwatt.demonstration.simulated_reports import SimulatedReports
from identity.canonical import encode
from identity.jws import sign_compact
from ledger_network.port import Member
from tests.api.served_market import SLOT, Client

CONTRACT = "commonwatt"
DEADLINE_S = 30
GATE_S = SLOT - GATE_LEAD_S
PLACE = (
    "mutation($t: [String!]!) "
    "{ placeOrders(tokens: $t) { code sentence remedy orders transaction block } }"
)
SELL = SheetOrder("s1", "sell", SLOT, [(100_000, 500)])
BUY = SheetOrder("b1", "buy", SLOT, [(200_000, 400)])


def sheet(home: Home, *orders: SheetOrder, channel: str = CHANNEL) -> str:
    """A home's signed sheet."""
    return sign_sheet(home, list(orders), channel=channel, contract=CONTRACT)


def amend(home: Home, name: str, revision: int, steps: list[tuple[int, int]]) -> str:
    """A home's signed amendment."""
    payload = Amend(AREA, CHANNEL, CONTRACT, name, revision, SLOT, steps, 1, GATE_S)
    return sign_compact(home.key, AMEND_TYP, encode(payload))


def cancel(home: Home, name: str) -> str:
    """A home's signed cancel."""
    payload = Cancel(AREA, CHANNEL, CONTRACT, name, SLOT, 1, GATE_S)
    return sign_compact(home.key, CANCEL_TYP, encode(payload))


async def place(client: Client, token: str, *sheets: str) -> list[dict[str, Any]]:
    """What the API answers to sheets."""
    data = await client.data(PLACE, token=token, variables={"t": list(sheets)})
    return data["placeOrders"]


async def trade(client: Client, cast: Cast) -> None:
    """Place both orders over the API, each by its own trader."""
    for home, order in ((cast.homes[0], SELL), (cast.homes[2], BUY)):
        answers = await place(client, await client.access(home.key), sheet(home, order))
        assert [answer["code"] for answer in answers] == ["PLACED"]
        await _until(client, functools.partial(_has_orders, client, home))


class Market:
    """The members' work on the slot, and waiting until the API has seen it."""

    def __init__(self, client: Client, cast: Cast) -> None:
        self._client = client
        ledger = client.services.ledger
        reporter = SimulatedReports(ledger, cast, SLOT)
        self._duties = MemberDuties(ledger, cast, SLOT, reporter=reporter)

    async def clear(self) -> None:
        """Market time reaches the gate; the slot closes and clears."""
        await self._work(market_rules(SLOT).gate_s(SLOT), "CLEARED")

    async def settle(self) -> None:
        """Market time reaches the slot's end; it is read and settles."""
        await self._work(SLOT + SLOT_S, "SETTLED")

    async def _work(self, now_s: int, phase: str) -> None:
        ledger = self._client.services.ledger
        clock = ClockArguments(AREA, int(time.time()), now_s, 1)
        await ledger.submit("set_clock", clock, member=Member(DSO, "admin"))
        await self._duties.tick(now_s, lookahead_s=0, last_slot=SLOT)
        await seen(self._client, phase)


async def seen(client: Client, phase: str) -> None:
    """Wait until the read model holds the slot in a phase."""

    async def is_there() -> bool:
        record = await client.services.read_model.slot(AREA, SLOT)
        return record is not None and record.phase == phase

    await _until(client, is_there)


async def _has_orders(client: Client, home: Home) -> bool:
    return await client.services.read_model.count_orders(AREA, home.did) > 0


async def _until(client: Client, is_there: Callable[[], Awaitable[bool]]) -> None:
    """Look again after each change of the read model."""
    async with asyncio.timeout(DEADLINE_S):
        with client.services.subscriptions.open() as changes:
            while not await is_there():
                await anext(changes)
