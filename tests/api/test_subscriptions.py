"""What is watched: the value as it is, then each change, own rows only; who is slow is ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from api.access.table import Viewer
from api.faults import ApiFault
from api.graphql.guard.admission import Guard
from api.live.subscriptions import QUEUE_MAX, Hub
from api.read_model.projection import Changed
from api.schema.document import make_schema
from api.sign_in.session import RequestContext
from commonwatt.demonstration.cast import AREA, Home
from ledger_network.port import Position
from tests.api.served_market import SLOT, Client, served
from tests.api.traded_slot import DEADLINE_S, Market, trade

SCHEMA = make_schema()
GUARD = Guard(SCHEMA.as_str())


@asynccontextmanager
async def watching(
    client: Client, document: str, viewer: Viewer | None
) -> AsyncGenerator[Callable[[], Any]]:
    """A subscription; each call waits for its next data."""
    reader = "STRANGER" if viewer is None else viewer.role
    admission = GUARD.admit(document, reader, kinds=frozenset({"subscription"}))
    sessions = client.app.state.sessions
    context = RequestContext(viewer, client.services, sessions, admission, None)
    results = await SCHEMA.stream(document, context_value=context)

    async def following() -> Any:
        async with asyncio.timeout(DEADLINE_S):
            result: Any = await anext(results)
        assert not result.errors, result.errors
        return result.data

    try:
        yield following
    finally:
        await results.aclose()


def viewer_of(home: Home) -> Viewer:
    return Viewer(home.did, "HOUSEHOLD", None, AREA, "family")


def test_a_slot_is_told_phase_by_phase_to_whoever_watches(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            await trade(client, cast)
            document = "subscription { slots { start phase zones { zone price } } }"
            async with watching(client, document, None) as following:
                first = (await following())["slots"]
                await Market(client, cast).clear()
                phase, zones = first["phase"], first["zones"]
                while phase != "CLEARED":
                    told = (await following())["slots"]
                    phase, zones = told["phase"], told["zones"]

                assert (first["start"], first["phase"], first["zones"]) == (SLOT, "OPEN", [])
                prices = {each["zone"]: each["price"] for each in zones}
                assert prices["lindenhof-north"] is not None

    asyncio.run(story())


def test_prices_are_told_for_the_zone_that_is_watched(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            await trade(client, cast)
            document = 'subscription { prices(zone: "lindenhof-north") { slot zone volume } }'
            async with watching(client, document, None) as following:
                clearing = asyncio.create_task(Market(client, cast).clear())
                told = (await following())["prices"]
                await clearing

                assert told == {"slot": SLOT, "zone": "lindenhof-north", "volume": 400}

    asyncio.run(story())


def test_a_trader_is_told_of_its_own_trades_until_they_settle(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            await trade(client, cast)
            buyer = viewer_of(cast.homes[2])
            document = "subscription { myTrades { side quantity settled state counterparty } }"
            market = Market(client, cast)
            async with watching(client, document, buyer) as following:
                clearing = asyncio.create_task(market.clear())
                matched = (await following())["myTrades"]
                await clearing
                settling = asyncio.create_task(market.settle())
                settled = matched
                while settled["state"] != "SETTLED":
                    settled = (await following())["myTrades"]
                await settling

                assert matched["side"] == "BUY"
                assert matched["counterparty"] == cast.homes[0].did
                assert (matched["quantity"], matched["settled"]) == (400, None)
                assert settled["settled"] is not None

    asyncio.run(story())


def test_nobody_is_told_of_the_trades_of_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            await trade(client, cast)
            bystander = viewer_of(cast.homes[1])
            document = "subscription { myTrades { id } }"
            async with watching(client, document, bystander) as following:
                waiting = asyncio.create_task(following())
                await Market(client, cast).clear()
                trades = await client.services.read_model.count_trades_of_slot(AREA, SLOT)

                assert trades == 1
                assert not waiting.done()
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(story())


def test_a_balance_is_told_as_it_is_and_when_it_is_reserved(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            await trade(client, cast)
            document = "subscription { myBalance { owner amount available reserved } }"
            async with watching(client, document, viewer_of(cast.homes[2])) as following:
                before = (await following())["myBalance"]
                clearing = asyncio.create_task(Market(client, cast).clear())
                after = (await following())["myBalance"]
                await clearing

                assert before["owner"] == cast.homes[2].did
                assert before["reserved"] == "0"
                assert int(after["reserved"]) > 0
                assert int(after["available"]) + int(after["reserved"]) == int(after["amount"])

    asyncio.run(story())


class Source:
    """Something that changes when it is told to."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[Changed], None]] = []

    def subscribe(self, callback: Callable[[Changed], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def change(self, block: int) -> None:
        empty: frozenset[Any] = frozenset()
        for callback in self.callbacks:
            callback(Changed(Position(block, 0), empty, empty, empty))


def test_who_falls_behind_is_ended_and_the_others_are_not() -> None:
    async def story() -> None:
        source = Source()
        hub = Hub(source)
        with hub.subscription() as slow, hub.subscription() as quick:
            for block in range(QUEUE_MAX + 2):
                source.change(block)
                assert (await anext(quick)).position.block == block

            with pytest.raises(ApiFault, match=f"{QUEUE_MAX} changes behind") as caught:
                await anext(slow)

            assert caught.value.code == "SLOW_SUBSCRIBER"
            source.change(999)
            assert (await anext(quick)).position.block == 999

        assert hub.count == 0

    asyncio.run(story())


def test_there_is_room_for_so_many_subscriptions_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.live.subscriptions.SUBSCRIPTIONS_MAX", 2)

    async def story() -> None:
        hub = Hub(Source())
        with hub.subscription(), hub.subscription():
            full = pytest.raises(ApiFault, match="2 subscriptions")
            with full, hub.subscription():
                pass
        with hub.subscription():
            assert hub.count == 1

    asyncio.run(story())
