"""A mechanism over a whole tree: it gets one book, and all of its outcome is stored.

The mechanism is one of this test, registered for it: orders of all zones meet at one price of the
root, and each edge earns a tariff on what it carries.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from chaincode.auctions import uniform
from chaincode.auctions.book import Book, Zone
from chaincode.auctions.mechanisms import MECHANISMS, Mechanism, area_mechanisms
from chaincode.auctions.outcome import LossAccount, Outcome, Trade
from chaincode.clearing.auction_books import path_tariff, top_of
from chaincode.orders.sheets import SheetOrder
from chaincode.queries.market import BookAnswer, BookArguments, SlotView, TradesAnswer
from chaincode.slots.gate import SlotArguments
from tests.chaincode.town import AREA, ROOT, RULES, SLOT, ZONES, Town

TARIFF = 2_000  # micro/kWh that the mechanism of this test takes from buyers abroad
EAST, WEST = ZONES


def everywhere(book: Book) -> Outcome:
    """One price for the whole tree; who buys in another zone pays TARIFF more for the way."""
    root = book.zones[0].id
    flat = [msgspec.structs.replace(order, zone=root) for order in book.orders]
    met = uniform.clear(msgspec.structs.replace(book, zones=[Zone(root)], orders=flat))
    homes = {order.name: order.zone for order in book.orders}
    flows: Counter[str] = Counter()
    trades: list[Trade] = []
    for trade in met.trades:
        seller, buyer = homes[trade.sell], homes[trade.buy]
        abroad = seller != buyer
        if abroad:
            flows[seller] -= trade.quantity
            flows[buyer] += trade.quantity
        path = [seller, root, buyer] if abroad else [seller]
        price = trade.buy_price + TARIFF * abroad
        trades.append(msgspec.structs.replace(trade, path=path, buy_price=price))
    edges = [zone.id for zone in book.zones if zone.parent is not None]
    zones = [zone.id for zone in book.zones]
    return msgspec.structs.replace(
        met,
        prices=dict.fromkeys(zones, met.prices[root]),
        price_range=dict.fromkeys(zones, met.price_range[root]),
        flows={zone: flows[zone] for zone in edges},
        congestion_rent=dict.fromkeys(edges, 7),
        edge_income={zone: TARIFF * max(0, flows[zone]) for zone in edges},
        loss_account={zone: LossAccount(3, 2, 1) for zone in edges},
        area_income=11,
        trades=trades,
    )


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> Town:
    """A town whose area trades by the mechanism of this test."""
    row = Mechanism("everywhere", everywhere, "tree", "at_gate", "One price everywhere.")
    monkeypatch.setitem(MECHANISMS, row.name, row)
    return Town(4, rules=msgspec.structs.replace(RULES, mechanism=row.name))


def placed(town: Town) -> None:
    """Trader 0 of one zone sells to trader 1 of the other one and to trader 2 of its own."""
    for number, side, price, wh in (
        (0, "sell", 90_000, 700),
        (1, "buy", 200_000, 400),
        (2, "buy", 190_000, 300),
    ):
        order = SheetOrder("o", side, SLOT, [(price, wh)])  # pyright: ignore[reportArgumentType] a side
        sheet = town.sheet(town.traders[number], [order])
        assert [answer.code for answer in town.send("place_orders", [sheet])] == ["PLACED"]
    town.at(RULES.gate_s(SLOT))
    town.close_gate(SLOT)
    town.clear(SLOT)


def test_zones_of_a_tree_trade_with_each_other_and_all_of_the_outcome_is_stored(
    town: Town,
) -> None:
    placed(town)

    arguments = SlotArguments(AREA, SLOT)
    answer = town.submit("list_trades", arguments)
    trades = {
        (view.trade.buy_meter, view.trade.quantity_wh): view.trade
        for view in msgspec.json.decode(answer, type=TradesAnswer).trades
    }
    abroad, near = trades["m001", 400], trades["m002", 300]
    assert abroad.path == [EAST, ROOT, WEST]
    assert near.path == [EAST]
    assert (abroad.relation, near.relation) == ("regional", "local")
    assert abroad.buy_price - abroad.sell_price == TARIFF
    assert (abroad.tariff, near.tariff) == (0, 0), "the area posts no tariffs of edges yet"

    view = msgspec.json.decode(town.submit("describe_slot", arguments), type=SlotView)
    zones = {zone.zone: zone for zone in view.zones}
    assert {name: (z.volume_wh, z.orders, z.trades) for name, z in zones.items()} == {
        ROOT: (0, 0, 0),
        EAST: (300, 2, 1),
        WEST: (400, 1, 1),
    }
    assert len({zone.outcome_digest for zone in view.zones}) == 1
    assert view.tree is not None
    assert {edge.zone: edge.flow_wh for edge in view.tree.edges} == {EAST: -400, WEST: 400}
    assert [edge.income_nano for edge in view.tree.edges] == [0, TARIFF * 400]
    assert {
        (e.rent_nano, e.loss_collected_nano, e.loss_wh, e.loss_spent_nano) for e in view.tree.edges
    } == {(7, 3, 2, 1)}
    assert view.tree.income_nano == 11


def test_the_book_of_any_zone_is_the_one_that_was_cleared(town: Town) -> None:
    placed(town)

    books = {
        bytes(
            msgspec.json.decode(
                town.submit("get_book", BookArguments(AREA, SLOT, zone)), type=BookAnswer
            ).book
        )
        for zone in (ROOT, EAST, WEST)
    }

    (text,) = books
    assert [zone["id"] for zone in msgspec.json.decode(text)["zones"]] == [ROOT, EAST, WEST]


def test_rules_name_mechanisms_of_the_table_only() -> None:
    assert area_mechanisms() == ["uniform"]
    assert all(row.docs.endswith(".") for row in MECHANISMS.values())


def test_a_path_costs_the_edges_that_it_leaves_and_enters() -> None:
    zones = [
        Zone("root"),
        Zone("a", "root", export_tariff=1, import_tariff=10),
        Zone("b", "a", export_tariff=2, import_tariff=20),
        Zone("c", "root", export_tariff=4, import_tariff=40),
    ]

    for path, top, tariff in (
        (["b"], "b", 0),
        (["b", "a"], "a", 2),
        (["a", "b"], "a", 20),
        (["b", "a", "root", "c"], "root", 2 + 1 + 40),
        (["c", "root", "a", "b"], "root", 4 + 10 + 20),
    ):
        assert (top_of(path, zones), path_tariff(path, zones)) == (top, tariff)
