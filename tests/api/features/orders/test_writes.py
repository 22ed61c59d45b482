"""Carrying tokens: who may bring which, one answer for each, and a ledger that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from graphql import parse

from api.access.table import Viewer
from api.faults import ApiFault
from api.features.orders import writes as orders
from api.features.orders.writes import submit
from api.graphql.document import market_schema
from api.graphql.fast_path.list_plan import Plans
from chaincode.orders.sheets import SheetOrder, Step, TokensArguments
from commonwatt.demonstration.cast import RETAILERS, make_cast
from ledger_network.port import Conflict, Ledger, Member, Receipt, Unknown
from tests.api.graphql.fast_path.plan_records import ListedReads, services_over
from tests.api.served_market import CLERK, GRID, SLOT, served
from tests.api.traded_slot import PLACE, SELL, amend, cancel, place, sheet

AMEND = "mutation($t: [String!]!) { amendOrders(tokens: $t) { code orders } }"
CANCEL = "mutation($t: [String!]!) { cancelOrders(tokens: $t) { code orders } }"


def test_an_order_is_placed_amended_and_cancelled_by_its_trader(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, market):
            home = market.homes[0]
            token = await client.access(home.key)

            (placed,) = await place(client, token, sheet(home, SELL))
            (again,) = await place(client, token, sheet(home, SELL))
            amended = await client.data(
                AMEND, token=token, variables={"t": [amend(home, "s1", 1, [(90_000, 300)])]}
            )
            gone = await client.data(
                CANCEL, token=token, variables={"t": [cancel(home, "s1"), cancel(home, "s2")]}
            )

            name = f"{SLOT}/{home.did}/s1"
            assert (placed["code"], placed["orders"]) == ("PLACED", [name])
            receipt = await client.services.ledger.transaction(placed["transaction"])
            assert receipt is not None
            assert receipt.block == placed["block"]
            assert again["code"] == "EXISTS"
            assert amended["amendOrders"] == [{"code": "AMENDED", "orders": [name]}]
            # An id without an order is used up by its cancel, and shows no order.
            assert [each["code"] for each in gone["cancelOrders"]] == ["CANCELLED", "CANCELLED"]
            (used,) = await place(
                client, token, sheet(home, msgspec.structs.replace(SELL, id="s2"))
            )
            assert used["code"] == "ID_USED"

    asyncio.run(story())


def test_tokens_that_do_not_fit_into_a_batch_are_sent_in_the_next(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, market):
            home = market.homes[0]
            token = await client.access(home.key)
            steps: list[Step] = [(1, 1)] * 20
            sheets = [
                sheet(home, *(SheetOrder(f"o{n}-{k}", "sell", SLOT, steps) for k in range(20)))
                for n in range(6)
            ]

            answers = await place(client, token, *sheets)

            assert "BATCH_FULL" not in {answer["code"] for answer in answers}
            assert len({answer["transaction"] for answer in answers[:5]}) == 1
            assert len({answer["transaction"] for answer in answers}) == 2

    asyncio.run(story())


def test_each_token_of_a_batch_has_its_own_answer_in_order(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, market):
            home, other = market.homes[0], market.homes[1]
            token = await client.access(home.key)
            good = sheet(home, SELL)
            tampered = f"{good[:-4]}AAAA"

            answers = await place(
                client,
                token,
                sheet(other, SELL),
                "no token",
                good,
                tampered,
                sheet(home, SheetOrder("s2", "sell", SLOT, [(10**9, 5)])),
                sheet(home, SheetOrder("s3", "sell", SLOT, [(100_000, 5)]), channel="elsewhere"),
            )

            assert [answer["code"] for answer in answers] == [
                "NOT_OWN_TOKEN",
                "SHEET_UNREADABLE",
                "PLACED",
                "SIGNATURE_INVALID",
                "PRICE_BAND",
                "CHANNEL_WRONG",
            ]
            assert [answer["transaction"] is None for answer in answers] == [
                True, True, False, False, False, False,
            ]  # fmt: skip
            assert all(answer["sentence"] for answer in answers if answer["code"] != "PLACED")
            assert [bool(answer["remedy"]) for answer in answers] == [
                answer["code"] != "PLACED" for answer in answers
            ]

    asyncio.run(story())


def test_the_short_way_and_the_standard_way_answer_alike(tmp_path: Path) -> None:
    """The same tokens and the same stopped ledger; an inline fragment takes the standard way.

    Data and errors are compared: the block told beside them moves on meanwhile.
    """
    short = (
        "mutation($t: [String!]!) { done: placeOrders(tokens: $t) { code sentence remedy orders } }"
    )
    standard = (
        "mutation($t: [String!]!) "
        "{ done: placeOrders(tokens: $t) { ... on TokenResult { code sentence remedy orders } } }"
    )

    async def story() -> None:
        async with served(tmp_path) as (client, market):
            home = market.homes[0]
            token = await client.access(home.key)
            good = sheet(home, SELL)
            await place(client, token, good)
            mixed: dict[str, object] = {
                "t": [good, sheet(market.homes[1], SELL), "no token", f"{good[:-4]}AAAA"]
            }
            wrong: list[dict[str, object]] = [{"t": None}, {"t": [1]}, {}]
            taken: list[dict[str, object]] = [{"t": []}, {"t": good}, mixed]

            async def both(variables: dict[str, object]) -> list[dict[str, Any]]:
                asked = [
                    await client.ask(document, token=token, variables=variables)
                    for document in (short, standard)
                ]
                answers: list[dict[str, Any]] = [each.json() for each in asked]
                for answer in answers:
                    del answer["extensions"]
                return answers

            for each in [*taken, *wrong]:
                ways = await both(each)
                assert ways[0] == ways[1]
                assert ("errors" in ways[0]) == (each in wrong)

            await client.services.ledger.close()
            ways = await both(mixed)
            assert ways[0] == ways[1]
            (error,) = ways[0]["errors"]
            assert (ways[0]["data"], error["path"]) == (None, ["done"])

    asyncio.run(story())


def test_a_clerk_carries_the_sheets_of_its_retailer_s_clients_only(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, market):
            token = await client.access(CLERK)
            assert [home.retailer for home in market.homes] == [
                RETAILERS[0], RETAILERS[0], RETAILERS[1],
            ]  # fmt: skip

            answers = await place(client, token, *(sheet(home, SELL) for home in market.homes))

            assert [answer["code"] for answer in answers][2] == "NOT_OWN_CLIENT"
            assert {answer["code"] for answer in answers[:2]} == {"PLACED"}

    asyncio.run(story())


def test_a_dso_and_a_stranger_place_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, market):
            variables: dict[str, object] = {"t": [sheet(market.homes[0], SELL)]}

            as_dso = await client.code(PLACE, token=await client.access(GRID), variables=variables)
            as_stranger = await client.code(PLACE, variables=variables)

            assert as_dso[1] == "FORBIDDEN"
            assert as_stranger[1] == "UNAUTHENTICATED"

    asyncio.run(story())


def test_while_the_ledger_is_stopped_writes_say_so_and_reads_go_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, market):
            home = market.homes[0]
            token = await client.access(home.key)
            await client.services.ledger.close()

            refused = await client.ask(PLACE, token=token, variables={"t": [sheet(home, SELL)]})
            client.services.freshness.drop()
            read = await client.ask("{ market { writable sentence } zones { id } }", token=token)

            error = refused.json()["errors"][0]
            assert error["extensions"]["code"] == "LEDGER_UNAVAILABLE"
            assert "takes no writes" in error["message"]
            answer = read.json()
            assert len(answer["data"]["zones"]) == 3
            assert answer["data"]["market"]["writable"] is False
            assert answer["extensions"]["writable"] is False
            assert answer["extensions"]["ageS"] >= 0

    asyncio.run(story())


class Moody:
    """A ledger whose submits end as told, one after the other."""

    def __init__(self, *ends: Receipt | Exception, known: Mapping[str, int] | None = None) -> None:
        self._ends = list(ends)
        self._known = dict(known or {})
        self.looked_up = 0

    async def submit(self, *_: object, **__: object) -> Receipt:
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    async def transaction(self, transaction: str) -> Receipt | None:
        self.looked_up += 1
        left = self._known.get(transaction)
        if left is None or self.looked_up < left:
            return None
        return Receipt(transaction, 9, 0, b"{}")


@pytest.mark.parametrize(
    ("end", "code"),
    [(Unknown("t7", "no word"), "OUTCOME_UNKNOWN"), (RuntimeError("ours"), None)],
)
def test_what_may_be_on_its_way_is_not_carried_again_in_the_standard_way(
    monkeypatch: pytest.MonkeyPatch, end: Exception, code: str | None
) -> None:
    """A second submit would find the list of ends empty: an `IndexError` would be told."""
    monkeypatch.setattr(orders, "LOOK_UP_EVERY_S", 0)
    home = make_cast(1, 2).homes[0]
    viewer = Viewer(home.did, "HOUSEHOLD", None, "area", "family")
    services = replace(services_over(ListedReads()), ledger=cast("Any", Moody(end)))
    plan = Plans(market_schema()).plan(parse(PLACE), None)
    assert plan is not None

    answer = asyncio.run(plan.answer(services, viewer, {"t": [sheet(home, SELL)]}))

    (error,) = answer.errors
    assert answer.data is None
    assert error.path == ["placeOrders"]
    assert (error.extensions or {}).get("code") == code
    assert (error.original_error is end) == (code is None)


def submitted(ledger: Moody) -> Receipt:
    arguments: msgspec.Struct = TokensArguments(["token"])
    work = submit(cast("Ledger", cast("Any", ledger)), "place_orders", arguments, Member("X"))
    return asyncio.run(work)


def test_a_batch_that_lost_to_others_is_sent_again() -> None:
    receipt = Receipt("t", 3, 0, b"{}")

    assert submitted(Moody(Conflict(), Conflict(), receipt)) == receipt


def test_a_batch_that_always_loses_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "ATTEMPTS_MAX", 3)

    with pytest.raises(ApiFault, match="attempts: 3") as caught:
        submitted(Moody(Conflict(), Conflict(), Conflict()))

    assert caught.value.code == "LEDGER_BUSY"


def test_an_unknown_outcome_is_looked_up_and_never_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orders, "LOOK_UP_EVERY_S", 0)
    ledger = Moody(Unknown("t7", "no word"), known={"t7": 3})

    assert submitted(ledger).block == 9
    assert ledger.looked_up == 3


def test_an_outcome_that_stays_unknown_says_which_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orders, "LOOK_UP_EVERY_S", 0)

    with pytest.raises(ApiFault, match=r"t7.*Send the same again") as caught:
        submitted(Moody(Unknown("t7", "no word")))

    assert caught.value.code == "OUTCOME_UNKNOWN"
