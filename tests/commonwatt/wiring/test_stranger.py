"""A running `commonwatt up` as strangers use it: over HTTP and sockets, with the schema in hand.

Two of them join. Each sells in some slots and buys in the next, at limits that are better than
those of all homes: so each trades in all of them.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate

import httpx
import pytest
from graphql import GraphQLSchema, build_schema, get_introspection_query

from tests.commonwatt.wiring.running_market import RunningMarket, running_market
from tests.commonwatt.wiring.stranger import (
    BALANCE,
    GATES,
    PLACE,
    WAIT_S,
    Row,
    Statement,
    Stranger,
    by_id,
)

SPEED = 450  # a slot in two seconds
LASTS_S = 400  # all tests of this module together
SLOT_S = 900
# One side in each of some slots: a home gives energy in some and takes it in others, and where the
# machine stands still at a boundary a slot is not metered.
SIDES = ("sell", "buy", "sell", "buy")
QUANTITY_WH = 60  # less than the homes of a zone take
CHEAP, DEAR = -200_000, 600_000  # micro-currency per kWh; homes stay between
PHASES = ("OPEN", "CLOSED", "CLEARING", "CLEARED", "SETTLING", "SETTLED")

ORDER = """query Order($id: ID!) {
  order(id: $id) { id trader meter side slot quantity matched settled state trades { id } }
}"""
MY_ORDERS = "{ myOrders { nodes { id state } } }"
TRADE_POSTINGS = "{ myTrades { nodes { postings { account amount kind } } } }"
SLOT = """query Slot($slot: Time!) {
  slot(start: $slot) { phase zones { slot zone price volume orders trades } }
}"""
READINGS = """query Readings($meter: ID!, $from: Time!, $to: Time!) {
  readings(meter: $meter, from: $from, to: $to) { slot quality import export }
}"""
WATCHED = {
    "prices": "subscription { prices { slot zone price volume orders trades } }",
    "slots": "subscription { slots { start phase settled estimatedMeters } }",
    "trades": """subscription { myTrades {
      id slot side buyer seller quantity buyPrice sellPrice settled state
    } }""",
    "balance": "subscription { myBalance { owner amount available reserved block } }",
}


@dataclass(frozen=True)
class Story:
    """What two strangers did, and what the first of them was told.

    `orders` are its orders by slot: all are to sell, but for the last. `told` is what its socket
    told until all slots had settled, `listed` the orders before, `end` its account then.
    """

    first: Stranger
    second: Stranger
    home: Row
    orders: dict[int, str]
    listed: list[Row]
    told: Mapping[str, list[Row]]
    end: Statement


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """The schema as the command prints it."""
    command = [sys.executable, "-m", "commonwatt", "api", "schema"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True)
    return build_schema(printed.stdout)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningMarket]:
    """A market that runs for all tests of this module; one of them starts it again."""
    data = tmp_path_factory.mktemp("market")
    with running_market(data, speed=SPEED, lasts_s=LASTS_S) as running:
        yield running


@pytest.fixture(scope="module")
def story(market: RunningMarket, schema: GraphQLSchema) -> Story:
    """Join, order and watch until all has settled; the first joins last, just before it watches."""
    first, second = (Stranger(market.address, schema) for _ in range(2))
    others_home, home = join(second), join(first)
    with first.watching(**WATCHED) as watch:
        watch.until(lambda: bool(watch.told["balance"]))
        slots = [home["fromSlot"] + number * SLOT_S for number in range(len(SIDES))]
        orders: dict[int, str] = {}
        for slot, side in zip(slots, SIDES, strict=True):
            until_open(first, slot)
            placed = place(first, home, side, slot)
            place(second, others_home, side, slot)
            (orders[slot],) = placed["orders"]
            until_read(first, placed["block"])
        listed = [first.data(ORDER, id=name)["order"] for name in orders.values()]
        watch.until(lambda: all(is_settled(watch.told, slot) for slot in slots))
        end, told = first.statement(), watch.told["balance"]
        watch.until(lambda: told[-1] == end.balance or told[-1]["block"] > end.balance["block"])
    return Story(first, second, home, orders, listed, watch.told, end)


def join(stranger: Stranger) -> Row:
    """Sign in and move in; the home and its deposit are read when this returns."""
    stranger.sign_in()
    home = stranger.move_in()
    while stranger.data(BALANCE)["balance"]["amount"] == "0":
        pass
    (meter,) = stranger.data("{ viewer { meters { id } } }")["viewer"]["meters"]
    assert meter["id"] == home["meter"]
    return home


def until_open(stranger: Stranger, slot: int) -> None:
    """Ask until a slot takes orders: slots open one after the other, a newcomer's first one later."""
    wanted = "{ market { openSlots { start } } }"
    while slot not in {one["start"] for one in stranger.data(wanted)["market"]["openSlots"]}:
        pass


def place(who: Stranger, home: Row, side: str, slot: int) -> Row:
    """An order in a slot; it is taken, and once."""
    limit = CHEAP if side == "sell" else DEAR
    token = who.sheet(home, side, slot, limit=limit, quantity=QUANTITY_WH)
    (placed,) = who.place(token)
    assert placed["code"] == "PLACED", placed
    assert [one["code"] for one in who.place(token)] == ["EXISTS"]
    return placed


def until_read(stranger: Stranger, block: int) -> None:
    """Ask until answers reflect a block."""
    while stranger.ask("{ market { block } }")["extensions"]["block"] < block:
        pass


def is_settled(told: Mapping[str, list[Row]], slot: int) -> bool:
    """Whether a subscriber was told that a slot settled, and all its own trades in it."""
    newest = {trade["id"]: trade for trade in told["trades"] if trade["slot"] == slot}
    states = {trade["state"] for trade in newest.values()}
    phases = [each["phase"] for each in told["slots"] if each["start"] == slot]
    return phases[-1:] == ["SETTLED"] and states == {"SETTLED"}


def test_order_is_listed_once_its_block_is_read(story: Story) -> None:
    sides = [side.upper() for side in SIDES]

    assert [(each["slot"], each["id"]) for each in story.listed] == list(story.orders.items())
    assert [each["side"] for each in story.listed] == sides
    for order in story.listed:
        assert (order["trader"], order["meter"]) == (story.first.did, story.home["meter"])
        assert (order["state"], order["quantity"]) == ("LISTED", QUANTITY_WH)


def test_orders_are_matched_whole_delivered_and_settled_trade_by_trade(story: Story) -> None:
    trades = story.first.trades()
    mine = story.first.data(MY_ORDERS)["myOrders"]["nodes"]
    orders = [story.first.data(ORDER, id=name)["order"] for name in story.orders.values()]

    assert {each["id"]: each["state"] for each in mine} == dict.fromkeys(
        story.orders.values(), "SETTLED"
    )
    for order in orders:
        own = [trades[trade["id"]] for trade in order["trades"]]
        assert order["matched"] == QUANTITY_WH
        assert sum(trade["quantity"] for trade in own) == QUANTITY_WH
        assert sum(trade["settled"] for trade in own) == order["settled"]
    assert any(order["settled"] > 0 for order in orders)


def test_account_is_the_sum_of_its_lines_from_the_deposit_on(story: Story) -> None:
    lines, balance = story.end.postings, story.end.balance
    sold = [line for line in lines if line["kind"].startswith("energy") and line["slot"]]

    assert {line["account"] for line in lines} == {story.first.did}
    assert lines[0]["amount"] == story.home["deposit"]
    assert sum(int(line["amount"]) for line in lines) == int(balance["amount"])
    assert balance["amount"] != story.home["deposit"]
    assert {line["slot"] for line in sold} & set(story.orders)
    by_id(lines)


def test_price_is_told_when_the_slot_clears(story: Story) -> None:
    for slot in story.orders:
        cleared = story.first.data(SLOT, slot=slot)["slot"]["zones"]
        told = [price for price in story.told["prices"] if price["slot"] == slot]
        (own,) = (price for price in told if price["zone"] == story.home["zone"])

        assert sorted(map(str, told)) == sorted(map(str, cleared))
        assert own["volume"] >= QUANTITY_WH
        assert CHEAP <= own["price"] <= DEAR


def test_slot_is_told_from_open_to_settled_and_not_back(story: Story) -> None:
    for slot in story.orders:
        phases = [each["phase"] for each in story.told["slots"] if each["start"] == slot]
        course = phases[: phases.index("SETTLED") + 1]

        assert [PHASES.index(phase) for phase in course] == sorted(map(PHASES.index, course))
        assert {"OPEN", "CLEARED"} <= set(course)


def test_own_trades_are_told_as_matched_and_as_settled_and_nobody_elses(story: Story) -> None:
    kept = story.first.trades()

    assert {trade["id"] for trade in story.told["trades"]} == set(kept)
    for name, trade in kept.items():
        course = [each for each in story.told["trades"] if each["id"] == name]
        assert story.first.did in (trade["buyer"], trade["seller"])
        assert course[0]["settled"] is None
        assert course[0]["state"] in ("MATCHED", "EXECUTING")
        assert course[-1] == trade


def test_balance_is_told_at_sums_of_its_lines_and_with_what_is_reserved(story: Story) -> None:
    told, end = story.told["balance"], story.end.balance
    sums = set(accumulate(int(line["amount"]) for line in story.end.postings))
    until_end = [each for each in told if each["block"] <= end["block"]]

    assert {each["owner"] for each in told} == {story.first.did}
    assert told[0]["amount"] == story.home["deposit"]
    assert any(int(each["reserved"]) > 0 for each in told)
    assert len({each["amount"] for each in until_end}) > 1
    assert {int(each["amount"]) for each in until_end} <= sums
    assert until_end[-1] == end


@pytest.mark.parametrize(
    "document",
    [
        "query Other($order: ID!) { order(id: $order) { id } }",
        "query Other($owner: ID!) { balance(owner: $owner) { amount } }",
        "query Other($owner: ID!) { postings(owner: $owner) { nodes { id } } }",
        "query Other($owner: ID!) { certificates(owner: $owner) { nodes { id } } }",
        READINGS,
    ],
)
def test_what_is_anothers_is_not_found_and_to_nobody_refused(story: Story, document: str) -> None:
    """The one who asks knows the ids; the owner gets an answer."""
    asked: Row = {
        "order": next(iter(story.orders.values())),
        "owner": story.first.did,
        "meter": story.home["meter"],
        "from": min(story.orders),
        "to": max(story.orders),
    }
    given = {name: value for name, value in asked.items() if f"${name}:" in document}
    nobody = Stranger(story.first.address, story.first.schema)

    assert story.second.code(document, **given) == "NOT_FOUND"
    assert nobody.code(document, **given) == "UNAUTHENTICATED"
    assert all(story.first.data(document, **given).values())


def test_trade_shows_each_side_its_own_lines_alone(story: Story) -> None:
    shown = [accounts_in_trades(who) for who in (story.first, story.second)]

    assert shown[0] == {story.first.did}
    assert shown[1] <= {story.second.did}  # nothing where all its slots were estimated


def accounts_in_trades(who: Stranger) -> set[str]:
    """Whose postings a stranger is shown with its trades."""
    trades: list[Row] = who.data(TRADE_POSTINGS)["myTrades"]["nodes"]
    return {line["account"] for trade in trades for line in trade["postings"]}


def test_order_that_another_signed_is_not_carried(story: Story) -> None:
    slot = max(one["start"] for one in story.first.data(GATES)["market"]["openSlots"])
    token = story.first.sheet(story.home, "sell", slot, limit=CHEAP, quantity=QUANTITY_WH)
    nobody = Stranger(story.first.address, story.first.schema)

    (refused,) = story.second.place(token)
    assert (refused["code"], refused["transaction"]) == ("NOT_OWN_TOKEN", None)
    assert nobody.code(PLACE, tokens=[token]) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("method", "content", "status", "code"),
    [
        ("GET", None, 405, "METHOD"),
        ("POST", [{"query": "{ market { area } }"}] * 2, 400, "BATCH"),
        ("POST", {"query": get_introspection_query()}, 401, "UNAUTHENTICATED"),
    ],
)
def test_requests_of_another_form_and_introspection_by_nobody_are_refused(
    market: RunningMarket, method: str, content: object, status: int, code: str
) -> None:
    answer = httpx.request(
        method,
        f"{market.address}/graphql",
        params={"query": "{ market { area } }"} if content is None else None,
        json=content,
        trust_env=False,
    )

    assert answer.status_code == status
    assert answer.json()["errors"][0]["extensions"]["code"] == code
    assert not answer.json().get("data")


def test_read_model_deleted_while_it_is_read_comes_back_with_the_same_answers(
    story: Story, market: RunningMarket
) -> None:
    """Until it is back answers may be incomplete; none is a fault, none shows what never was."""
    first = signed_in_again(story.first, market)
    trades, lines = first.trades(), first.statement().postings
    database = market.data / "read-model.sqlite3"
    answered: list[Mapping[str, Row]] = []

    def is_back() -> bool:
        answered.append(first.trades())
        return database.exists() and answered[-1] == trades and lines_are_kept(first, lines)

    with first.watching(slots=WATCHED["slots"]) as watch:
        for file in market.data.glob(f"{database.name}*"):
            file.unlink()
        watch.until(is_back)
    assert all(each.keys() <= trades.keys() for each in answered)
    assert "its file was deleted" in log_of(market)


def test_read_model_whose_tables_are_dropped_comes_back_with_the_same_answers(
    story: Story, market: RunningMarket
) -> None:
    first = signed_in_again(story.first, market)
    trades, lines = first.trades(), first.statement().postings
    database = market.data / "read-model.sqlite3"

    with first.watching(slots=WATCHED["slots"]) as watch:
        with closing(sqlite3.connect(database, timeout=WAIT_S)) as connection, connection:
            connection.execute("DROP TABLE trade")
            connection.execute("DROP TABLE posting")
        watch.until(
            lambda: (
                "no such table" in log_of(market)
                and first.trades() == trades
                and lines_are_kept(first, lines)
            )
        )


def log_of(market: RunningMarket) -> str:
    """What the API of a market has logged."""
    return (market.data / "api.log").read_text(encoding="utf-8")


def lines_are_kept(stranger: Stranger, lines: Sequence[Row]) -> bool:
    """Whether each of `lines` is still there, and the balance the sum of all."""
    now = stranger.statement()
    found = by_id(now.postings)
    total = sum(int(line["amount"]) for line in now.postings)
    return all(found.get(line["id"]) == line for line in lines) and total == int(
        now.balance["amount"]
    )


def test_market_stopped_and_started_again_has_lost_and_doubled_nothing_and_goes_on(
    story: Story, market: RunningMarket
) -> None:
    first = signed_in_again(story.first, market)
    trades, before = first.trades(), first.statement()
    newest = max(line["slot"] or 0 for line in before.postings)

    stopped = market.stop()
    assert stopped.code == 0
    assert "Run the same command to resume it." in stopped.printed
    market.start()

    again = signed_in_again(story.first, market)
    assert again.trades() == trades
    assert lines_are_kept(again, before.postings)
    with again.watching(slots=WATCHED["slots"]) as watch:
        watch.until(lambda: bool(measured_after(again, story.home, newest, watch.told["slots"])))


def signed_in_again(stranger: Stranger, market: RunningMarket) -> Stranger:
    """The same key, where the market is now."""
    again = Stranger(market.address, stranger.schema, stranger.key)
    again.sign_in()
    return again


def measured_after(stranger: Stranger, home: Row, newest: int, told: Sequence[Row]) -> set[int]:
    """The slots after `newest` that settled, and whose end was measured at the home's meter.

    Nobody reads the boundaries that pass while the market is stopped: the energy between two measured
    boundaries is spread over the slots between them, which have no reading of their own.
    """
    settled = {one["start"] for one in told if one["start"] > newest and one["phase"] == "SETTLED"}
    if not settled:
        return set()
    given = {"meter": home["meter"], "from": min(settled), "to": max(settled) + SLOT_S}
    readings = stranger.data(READINGS, **given)["readings"]
    return settled & {one["slot"] for one in readings if one["quality"] == "MEASURED"}
