"""The tables say what the ledger says, each event once, whatever came in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar, cast

import msgspec
import pytest

from api.features.reads import ReadModel, open_read_model
from api.live.projection import Changed, Projection
from chaincode.accounts.payments import PaymentArguments
from chaincode.accounts.statements import AccountAnswer, OwnerArguments
from chaincode.context import Event
from chaincode.orders.sheets import TokensArguments
from chaincode.queries.market import OrdersAnswer, SlotView, TraderArguments, TradesAnswer
from chaincode.queries.meters import MeteredAnswer, ReadingsAnswer, ReadingsArguments
from chaincode.slots.gate import PageArguments, SlotArguments
from ledger_network.port import CommittedEvents, Ledger, Member, Position
from tests.api.read_model.life import (
    NEXT,
    TRADERS,
    correct,
    tables_of,
    trade_and_settle,
    whole_life,
)
from tests.contract.stage.cast import AREA, DSO, EAST, R1, SLOT, SLOT_S, did_of
from tests.contract.stage.market import Market
from tests.contract.stage.tokens import order_of

T = TypeVar("T")

DEADLINE_S = 30
ALL = 500


async def ask(ledger: Ledger, name: str, arguments: msgspec.Struct, kind: type[T]) -> T:
    answer = await ledger.evaluate(name, arguments, member=Member(DSO))
    return msgspec.json.decode(answer, type=kind)


async def compare(market: Market, reads: ReadModel) -> None:
    """Hold orders, trades, slots, accounts, readings and certificates against the ledger."""
    ledger, now_s = market.ledger, market.clock.now_s
    for slot in (SLOT, NEXT):
        arguments = SlotArguments(AREA, slot)
        trades = await ask(ledger, "list_trades", arguments, TradesAnswer)
        page = await reads.trades_of_slot(AREA, slot, now_s=now_s, first=ALL)
        assert [(t.number, t.buy_price, t.settled_wh, t.state) for t in page.rows] == [
            (v.trade.number, v.trade.buy_price, v.trade.settled_wh, v.state) for v in trades.trades
        ]
        view = await ask(ledger, "describe_slot", arguments, SlotView)
        found = await reads.slot(AREA, slot)
        assert (found.phase if found else "OPEN", found.gate_s if found else view.gate_s) == (
            view.phase,
            view.gate_s,
        )
        prices = await reads.prices(AREA, slot, slot + 1)
        assert [(p.zone, p.price, p.volume_wh) for p in prices] == [
            (z.zone, z.price, z.volume_wh) for z in view.zones
        ]
        if view.settlement is not None:
            assert found is not None
            assert (found.settled_wh, found.minted_wh, found.retired_wh, found.estimated) == (
                view.settlement.settled_wh,
                view.settlement.minted_wh,
                view.settlement.retired_wh,
                view.settlement.estimated,
            )
        for name in TRADERS:
            await compare_orders(market, reads, name, slot)
    await compare_accounts(market, reads)
    await compare_meters(market, reads)


async def compare_orders(market: Market, reads: ReadModel, name: str, slot: int) -> None:
    did, now_s = did_of(name), market.clock.now_s
    arguments = TraderArguments(AREA, slot, did)
    answer = await ask(market.ledger, "list_orders", arguments, OrdersAnswer)
    page = await reads.orders_of(AREA, did, now_s=now_s, first=ALL, slot=slot)
    assert sorted(
        (o.client_id, o.state, o.matched_wh, o.settled_wh, o.left_out, o.steps) for o in page.rows
    ) == sorted(
        (v.order.id, v.state, v.matched_wh, v.settled_wh, v.left_out, v.order.steps)
        for v in answer.orders
    )


async def compare_accounts(market: Market, reads: ReadModel) -> None:
    for owner in (*map(did_of, TRADERS), R1, DSO, "spread"):
        arguments = OwnerArguments(AREA, owner)
        held = await ask(market.ledger, "describe_account", arguments, AccountAnswer)
        found = await reads.account(AREA, owner)
        assert (found.available_nano, found.minted_wh, found.live_wh, found.retired_wh) == (
            held.worth_nano - held.account.reserved_nano,
            held.account.minted_wh,
            held.account.live_wh,
            held.account.retired_wh,
        )


async def compare_meters(market: Market, reads: ReadModel) -> None:
    arguments = ReadingsArguments(AREA, NEXT)
    answer = await ask(market.ledger, "list_readings", arguments, ReadingsAnswer)
    for one in answer.readings:
        (found,) = await reads.readings_of(one.leaf.meter, SLOT, NEXT)
        assert (found.boundary, found.rank, found.export_register_wh) == (
            NEXT,
            one.rank,
            one.leaf.export_wh,
        )
        assert found.export_wh == one.leaf.export_wh  # all registers began at 0 Wh
    metered = await ask(market.ledger, "list_metered", PageArguments(AREA, SLOT), MeteredAnswer)
    minted = {m.meter: (m.minted_wh, m.retired_wh) for m in metered.meters if m.minted_wh}
    certified = [
        certificate
        for name in TRADERS
        for certificate in (await reads.certificates_of(AREA, did_of(name), first=ALL)).rows
    ]
    assert {c.meter: (c.minted_wh, c.retired_wh) for c in certified} == minted


def test_tables_say_what_the_ledger_says_after_every_step(market: Market, url: str) -> None:
    """Projected as it happens; in the end a read model built from the first block is the same."""

    async def work() -> None:
        async with await open_read_model(url) as reads:
            projection = Projection(market.ledger, DSO, reads)
            await projection.catch_up()
            await compare(market, reads)

    market.traders("Z")
    for step in (lambda: trade_and_settle(market), lambda: correct(market)):
        market.run(work())
        step()
    market.run(work())
    grown = market.run(dump(url))
    market.run(rebuilt(market, url))
    assert market.run(dump(url)) == grown


async def dump(url: str) -> dict[str, list[tuple[object, ...]]]:
    async with await open_read_model(url) as reads:
        return await tables_of(reads.database)


async def rebuilt(market: Market, url: str) -> None:
    async with await open_read_model(url) as reads:
        await Projection(market.ledger, DSO, reads).rebuild()


def test_whole_life_in_one_go(market: Market, url: str) -> None:
    whole_life(market)

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            await compare(market, reads)
            assert await reads.participant(did_of("L")) == (did_of("L"), R1, False)
            found = await reads.orders_of(AREA, did_of("P"), now_s=market.clock.now_s, first=1)
            assert found.rows[0].left_out == "NO_COVER"

    market.run(work())


def test_books_sum_to_zero_and_balances_are_the_sums_of_postings(market: Market, url: str) -> None:
    whole_life(market)

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            rows = await reads.database.rows(
                "SELECT account, SUM(amount_nano) FROM posting GROUP BY account"
            )
            booked = {account: int(nano) for account, nano in rows}
            held = await reads.database.rows("SELECT owner, balance_nano FROM account")
            balances = {owner: int(nano) for owner, nano in held}
            assert {o: nano for o, nano in balances.items() if nano or o in booked} == booked
            assert sum(booked.values()) == 0

    market.run(work())


def test_account_beyond_64_bits_is_shown_to_the_last_nano(market: Market, url: str) -> None:
    """Ten credits of 10^18 nano: no column of 64 bits holds them, and the projection goes on."""
    market.trader("P", deposit_nano=0)
    for number in range(10):
        credit = PaymentArguments(AREA, did_of("P"), 10**18, f"large-{number}")
        market.submit("credit_client", credit, R1)
    market.trader("Q", deposit_nano=7)

    async def work() -> None:
        async with await open_read_model(url) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            rich, retailer = await reads.account(AREA, did_of("P")), await reads.account(AREA, R1)
            assert (rich.balance_nano, rich.available_nano) == (10**19, 10**19)
            assert retailer.balance_nano == -(10**19) - 7
            clients = await reads.clients(AREA, R1, first=9)
            balances = {client.did: client.balance_nano for client in clients.rows}
            assert balances == {did_of("P"): 10**19, did_of("Q"): 7}
            await compare_accounts(market, reads)

    market.run(work())


class Stranger:
    """A ledger of a later version: every transaction tells of things that nobody here knows."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    async def events(self, *, after: Position | None = None) -> AsyncIterator[CommittedEvents]:
        unknown = Event("moon_phase_changed", msgspec.Raw(b'{"moon":"new"}'))
        later = Event("orders_changed", msgspec.Raw(b'{"act":"SWAPPED","count":1,"slots":[]}'))
        async for happened in self._ledger.events(after=after):
            events = [unknown, *happened.events, later]
            yield msgspec.structs.replace(happened, events=events)


def test_unknown_events_are_passed_over(market: Market, sqlite: str) -> None:
    whole_life(market)
    market.run(rebuilt(market, sqlite))
    expected = market.run(dump(sqlite))

    async def work() -> None:
        async with await open_read_model(sqlite) as reads:
            stranger = cast("Ledger", Stranger(market.ledger))
            await Projection(stranger, DSO, reads).rebuild()

    market.run(work())
    assert market.run(dump(sqlite)) == expected


def test_two_projections_of_one_database_write_each_event_once(market: Market, url: str) -> None:
    whole_life(market)

    async def work() -> None:
        async with await open_read_model(url) as one, await open_read_model(url) as two:
            await Projection(market.ledger, DSO, one).catch_up()
            expected = await tables_of(one.database)
            await one.database.recreate()
            await two.database.reopen()
            projections = [Projection(market.ledger, DSO, reads) for reads in (one, two)]
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.gather(*(each.catch_up() for each in projections))
            assert await tables_of(one.database) == expected

    market.run(work())


def test_who_subscribes_hears_of_each_batch_after_it_is_in(market: Market, sqlite: str) -> None:
    heard: list[Changed] = []

    async def work() -> None:
        async with await open_read_model(sqlite) as reads:
            projection = Projection(market.ledger, DSO, reads)
            leave = projection.subscribe(heard.append)
            running = asyncio.create_task(projection.run())
            receipt = await market.ledger.submit(
                "place_orders", market_tokens(market), member=Member(R1)
            )
            async with asyncio.timeout(DEADLINE_S):
                await projection.reached(Position(receipt.block, receipt.index))
            assert (await reads.depth(AREA, SLOT, EAST, now_s=0)).sells == [(100_000, 500)]
            leave()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    market.traders("S")
    market.open()
    market.run(work())
    assert [change.position for change in heard] == sorted({change.position for change in heard})
    assert heard[-1].slots == {(AREA, SLOT)}
    assert heard[-1].traders == {did_of("S")}
    assert any(did_of("S") in change.accounts for change in heard)


def market_tokens(market: Market) -> msgspec.Struct:
    order = order_of("s", "sell", [(100_000, 500)], slot=SLOT)
    return TokensArguments([market.tokens.sheet("S", [order], meter="S", zone=EAST)])


def test_what_events_show_holds_no_reading(market: Market) -> None:
    """Leaves travel as transient data: no reader of events may find their salts anywhere."""
    trade_and_settle(market)

    async def work() -> list[bytes]:
        found: list[bytes] = []
        async for happened in market.ledger.events():
            found.append(msgspec.json.encode(happened))
            if "slot_settled" in {event.name for event in happened.events}:
                break
        return found

    shown = b"".join(market.run(work()))
    assert b"readings_recorded" in shown
    assert market.leaf("S").salt.encode() not in shown


@pytest.mark.parametrize("after_s", [0, SLOT_S])
def test_states_move_with_market_time_alone(market: Market, sqlite: str, after_s: int) -> None:
    market.traders("S", "B")
    market.place("who id side price wh\nS s sell 100000 500\nB b buy 100000 500")
    market.clear()

    async def work() -> str:
        async with await open_read_model(sqlite) as reads:
            await Projection(market.ledger, DSO, reads).catch_up()
            found = await reads.order(AREA, SLOT, did_of("S"), "s", now_s=SLOT - 1 + after_s)
            assert found is not None
            return found.state

    assert market.run(work()) == ("EXECUTING" if after_s else "MATCHED")
