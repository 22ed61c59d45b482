"""The schema as printed, and what each query answers over a market that has traded and settled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, get_args

from api.features.accounts.types import PostingKind, PostingRule
from api.features.market.types import SlotPhase
from api.graphql.document import regulator_schema, sdl
from chaincode.accounts.posting import KINDS, Rule
from chaincode.slots.gate import Phase
from commonwatt.demonstration.cast import RETAILERS, SEED_HOLDERS, ZONES
from tests.api.served_market import CLERK, GRID, OPERATOR, REGULATOR, SLOT, served
from tests.api.traded_slot import BUY, Market, trade

ROOT = Path(__file__).parents[3]
NORTH = ZONES[0]


def test_the_printed_sdl_is_that_of_the_code() -> None:
    assert (ROOT / "docs/reference/graphql.graphql").read_text() == sdl()


def test_the_regulator_s_schema_has_no_mutation() -> None:
    assert "type Mutation" not in regulator_schema().as_str()


def test_a_market_that_traded_is_told_to_each_who_may_see_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            await trade(client, cast)
            seller, buyer = cast.homes[0], cast.homes[2]
            token = await client.access(buyer.key)
            book = await client.data(
                f'{{ book(slot: {SLOT}, zone: "{NORTH}") '
                "{ buys { price quantity } sells { price quantity } clearingPrice } }",
                token=token,
            )
            market = Market(client, cast)
            await market.clear()
            await market.settle()

            own = await client.data(OWN, token=token)
            everybody = await client.data(PUBLIC)
            dso = await client.data(SLOT_TRADES, token=await client.access(GRID))
            clerk = await client.data(CLIENTS, token=await client.access(CLERK))
            operator = await client.data(METERS, token=await client.access(OPERATOR))

            assert book["book"] == {
                "buys": [{"price": 200_000, "quantity": 400}],
                "sells": [{"price": 100_000, "quantity": 500}],
                "clearingPrice": None,
            }
            _check_own(own, seller.did, buyer.did)
            assert everybody["slot"]["phase"] == "SETTLED"
            seeds = everybody["slot"]["seeds"]
            assert [seed["member"] for seed in seeds] == sorted(SEED_HOLDERS)
            assert {(seed["state"], len(seed["seed"])) for seed in seeds} == {("REVEALED", 64)}
            (point,) = everybody["prices"]
            assert (point["volume"], point["trades"]) == (400, 1)
            (seen,) = dso["trades"]["nodes"]
            assert (seen["side"], seen["buyer"], seen["seller"]) == (None, buyer.did, seller.did)
            clients = {each["did"]: each for each in clerk["clients"]["nodes"]}
            assert clients.keys() == {home.did for home in cast.homes[:2]}
            assert clients[seller.did]["meters"] == [{"id": seller.meter}]
            assert operator["meters"]["totalCount"] == 3
            last = operator["meters"]["nodes"][0]["lastReading"]
            assert (last["slot"], last["quality"]) == (SLOT, "MEASURED")

    asyncio.run(story())


def test_slot_that_is_corrected_says_so_and_its_trades_stay_settled(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            await trade(client, cast)
            market = Market(client, cast)
            await market.clear()
            await market.settle()
            async with client.services.read_model.database.transaction() as writer:
                await writer.one("UPDATE slot SET phase = ? WHERE slot = ?", "CORRECTING", SLOT)

            own = await client.data(OWN, token=await client.access(cast.homes[2].key))
            everybody = await client.data(PUBLIC)

            assert everybody["slot"]["phase"] == "CORRECTING"
            assert [order["state"] for order in own["myOrders"]["nodes"]] == ["SETTLED"]
            assert [each["state"] for each in own["myTrades"]["nodes"]] == ["SETTLED"]

    asyncio.run(story())


def test_schema_knows_every_phase_of_the_contract() -> None:
    assert {phase.value for phase in SlotPhase} == {"OPEN", *get_args(Phase)}


def test_schema_knows_every_kind_and_rule_of_the_books() -> None:
    assert [kind.value.lower() for kind in PostingKind] == [kind.name for kind in KINDS]
    assert {rule.value.lower() for rule in PostingRule} == {"paid", *get_args(Rule)}


OWN = """{
  viewer { did role retailer zone locked meters { id zone } }
  myOrders(first: 5) { totalCount nodes { id state matched trades { number } } }
  myTrades(first: 5) { nodes { id side counterparty state postings { account kind trade section explanation { kind fee rule quantity rate taxRate inPrice base reference retailer cause } } } }
  balance { owner amount available reserved }
  postings { nodes { account amount kind cause } pageInfo { hasNextPage } }
}"""
PUBLIC = f"""{{
  market {{ area slotS openSlots {{ start gate }} }}
  slot(start: {SLOT}) {{ phase settled residual zones {{ zone price }} seeds {{ member state seed }} }}
  prices(zone: "{NORTH}", from: {SLOT}, to: {SLOT + 900}) {{ slot price volume trades }}
  slots {{ totalCount edges {{ cursor node {{ start }} }} }}
  zones {{ id parent lastSlot }}
}}"""
SLOT_TRADES = f"{{ trades(slot: {SLOT}) {{ nodes {{ side buyer seller }} }} }}"
CLIENTS = "{ clients { nodes { did meters { id } balance { amount } } } }"
METERS = "{ meters { totalCount nodes { id lastReading { slot quality } health { state } } } }"


def _check_own(own: dict[str, Any], seller: str, buyer: str) -> None:
    assert own["viewer"]["did"] == buyer
    assert own["viewer"]["role"] == "HOUSEHOLD"
    assert own["viewer"]["retailer"] == RETAILERS[1]
    (order,) = own["myOrders"]["nodes"]
    assert order["id"] == f"{SLOT}/{buyer}/{BUY.id}"
    assert (order["state"], order["matched"]) == ("SETTLED", 400)
    (trade_,) = own["myTrades"]["nodes"]
    assert order["trades"] == [{"number": int(trade_["id"].partition(".")[2])}]
    assert (trade_["side"], trade_["counterparty"]) == ("BUY", seller)
    assert all(posting["account"] == buyer for posting in trade_["postings"])
    amounts = [int(posting["amount"]) for posting in own["postings"]["nodes"]]
    assert own["postings"]["pageInfo"]["hasNextPage"] is False
    assert sum(amounts) == int(own["balance"]["amount"])
    assert own["balance"]["available"] == own["balance"]["amount"]


def test_rows_of_others_are_answered_as_if_they_were_not_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            await trade(client, cast)
            seller, other = cast.homes[0], cast.homes[1]
            token = await client.access(other.key)
            asked = [
                f'{{ order(id: "{SLOT}/{seller.did}/s1") {{ id }} }}',
                f'{{ order(id: "{SLOT}/{seller.did}/none") {{ id }} }}',
                f'{{ balance(owner: "{seller.did}") {{ amount }} }}',
                f'{{ postings(owner: "{seller.did}") {{ nodes {{ amount }} }} }}',
                f'{{ certificates(owner: "{seller.did}") {{ nodes {{ minted }} }} }}',
                f'{{ readings(meter: "{seller.meter}", from: {SLOT}, to: {SLOT}) {{ slot }} }}',
                f'{{ readings(meter: "no-meter", from: {SLOT}, to: {SLOT}) {{ slot }} }}',
                f'{{ offerProposal(slot: {SLOT}, meter: "{seller.meter}") {{ quantity }} }}',
            ]

            codes = [await client.code(query, token=token) for query in asked]
            own = await client.data(asked[0], token=await client.access(seller.key))
            by_regulator = await client.data(asked[0], token=await client.access(REGULATOR))
            by_clerk = await client.data(asked[2], token=await client.access(CLERK))

            assert codes == [(200, "NOT_FOUND")] * len(asked)
            assert own == by_regulator == {"order": {"id": f"{SLOT}/{seller.did}/s1"}}
            assert int(by_clerk["balance"]["amount"]) > 0

    asyncio.run(story())


def test_pages_go_on_where_they_ended_and_refuse_what_is_no_cursor(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (client, cast):
            token = await client.access(OPERATOR)
            query = (
                "query($after: String, $first: Int) { meters(first: $first, after: $after) "
                "{ nodes { id } pageInfo { hasNextPage endCursor } totalCount } }"
            )
            seen: list[str] = []
            after: str | None = None
            while True:
                variables: dict[str, object] = {"first": 2, "after": after}
                page = (await client.data(query, token=token, variables=variables))["meters"]
                seen.extend(node["id"] for node in page["nodes"])
                if not page["pageInfo"]["hasNextPage"]:
                    break
                after = page["pageInfo"]["endCursor"]
            slots = 'query { slots(after: "nothing") { totalCount } }'
            backwards = f'{{ prices(zone: "{NORTH}", from: {SLOT}, to: 5) {{ slot }} }}'

            assert seen == [home.meter for home in cast.homes]
            assert page["totalCount"] == 3
            assert (await client.code(slots))[1] == "ARGUMENT_CURSOR"
            assert (await client.code(backwards))[1] == "ARGUMENT_RANGE"

    asyncio.run(story())
