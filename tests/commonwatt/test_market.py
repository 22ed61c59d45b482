"""What the package offers to programs: the command's checks and answers, in structs."""

from __future__ import annotations

import json
import subprocess
import sys

import msgspec
import numpy
import pytest

from commonwatt.commands.auction import run_auction
from commonwatt.market import ZONE, Book, BookRefused, Order, Step, clear, simulate

BUY = Order("b1", "buy", [Step(150_000, 500)])
SELL = Order("s1", "sell", [Step(60_000, 300), Step(70_000, 400)])
NOT_FOR_A_BOOK = ("api", "grpc", "ledger_network", "strawberry", "tortoise", "typer", "uvicorn")


def test_book_clears_as_the_command_clears_it() -> None:
    book = {
        "mechanism": "uniform",
        "zones": [{"id": ZONE, "parent": None}],
        "orders": [
            {"id": "b1", "zone": ZONE, "side": "buy", "price": 150_000, "quantity": 500},
            {"id": "s1", "zone": ZONE, "side": "sell", "steps": [[60_000, 300], [70_000, 400]]},
        ],
    }
    printed = json.loads(run_auction(json.dumps(book).encode()))

    cleared = clear(Book([BUY, SELL]))

    assert cleared.digest == printed["digest"]
    assert cleared.price_micro_per_kwh == printed["prices"][ZONE]
    assert (cleared.volume_wh, cleared.welfare_nano) == (printed["volume"], printed["welfare"])
    assert [fill.order for fill in cleared.fills] == ["b1", "s1#1", "s1#2"]
    assert [trade.quantity_wh for trade in cleared.trades] == [300, 200]
    assert [(left.order, left.quantity_wh, left.reason) for left in cleared.unfilled] == [
        ("s1#2", 200, "PRIORITY")
    ]


def test_book_without_trades_has_no_price() -> None:
    cleared = clear(Book([SELL]))

    assert cleared.price_micro_per_kwh is None
    assert cleared.price_range_micro_per_kwh is None
    assert cleared.trades == []


def test_integers_of_a_column_are_taken() -> None:
    price, quantity = numpy.array([150_000, 500], dtype=numpy.int64)

    assert clear(Book([Order("b1", "buy", [Step(price, quantity)]), SELL])) == clear(
        Book([BUY, SELL])
    )


@pytest.mark.parametrize(
    ("book", "field"),
    [
        (Book([Order("b", "buy", [Step(msgspec.json.decode("0.1"), 5)])]), "price_micro_per_kwh"),
        (Book([Order("b", "buy", [Step(float("nan"), 5)])]), "price_micro_per_kwh"),  # pyright: ignore[reportArgumentType]  # a program without types
        (Book([Order("b", "buy", [Step(1, 0)])]), "quantity_wh"),
        (Book([Order("b", "buy", [Step(10**10, 1)])]), "price_micro_per_kwh"),
    ],
)
def test_number_that_breaks_a_rule_is_refused_by_its_name_here(book: Book, field: str) -> None:
    with pytest.raises(BookRefused) as refused:
        clear(book)

    assert refused.value.field == f"orders[0].steps[0].{field}"


@pytest.mark.parametrize(
    ("book", "field"),
    [
        (Book([BUY, BUY]), "orders[1].id"),
        (Book([Order("b", "buy", [Step(1, 1), Step(2, 0)])]), "orders[0].steps[1].quantity_wh"),
        (Book([Order("b", "buy", [])]), "orders[0].steps"),
        (Book([Order("\ud800", "buy", [Step(1, 1)])]), "orders[0].id"),
        (Book([], mechanism="vickrey"), "mechanism"),
        (Book([], price_band_micro_per_kwh=(1, 0)), "price_band_micro_per_kwh"),
        (Book([], price_rule="average"), "price_rule"),  # pyright: ignore[reportArgumentType]  # a program without types
    ],
)
def test_book_that_breaks_a_rule_is_refused_with_the_field_named(book: Book, field: str) -> None:
    with pytest.raises(BookRefused) as refused:
        clear(book)

    assert refused.value.field == field


def test_simulation_tells_each_zone_and_each_slot() -> None:
    simulation = simulate(days=1, households=4, seed=3, price_rule="seller", lot_wh=100)

    traded = [zone for zone in simulation.zones if zone.trades]
    assert len(simulation.slots) == 96
    assert simulation.volume_wh == sum(zone.volume_wh for zone in traded) > 0
    assert simulation.settled_wh == sum(slot.settled_wh for slot in simulation.slots)
    assert {zone.volume_wh % 100 for zone in traded} == {0}
    assert all(
        zone.price_range_micro_per_kwh is not None
        and zone.price_micro_per_kwh == zone.price_range_micro_per_kwh[0]
        for zone in traded
    )


@pytest.mark.parametrize(
    "asked", [{"days": 0}, {"households": 1}, {"lot_wh": 0}, {"lot_wh": 1_001}, {"seed": -1}]
)
def test_number_out_of_bounds_is_refused_before_anything_runs(asked: dict[str, int]) -> None:
    (name,) = asked

    with pytest.raises(ValueError, match=name):
        simulate(**asked)  # pyright: ignore[reportArgumentType]  # the names are those of integers


def test_importing_it_loads_no_ledger_and_no_api() -> None:
    program = "import sys, commonwatt.market; print(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", program]

    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert set(loaded) & set(NOT_FOR_A_BOOK) == set()
