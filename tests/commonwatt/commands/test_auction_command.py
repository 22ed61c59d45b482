"""`commonwatt auction`: what it answers, and everything that it refuses with the field named."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chaincode.auctions.book import AuctionRules, Book, Order, PriceRule, Zone, book_json
from commonwatt.cli import app
from commonwatt.commands.auction import run_auction
from commonwatt.commands.auction_book import read_book
from commonwatt.commands.auction_json import AuctionInputError
from identity.canonical import canonical_json

Json = dict[str, Any]  # the parsing edge: tests bend single members
BEYOND = 2**53  # the least integer that has to be a string


def one_zone() -> Json:
    """A purchase and a sale that meet in one zone."""
    return {
        "mechanism": "uniform",
        "rules": {"price_rule": "seller", "price_band": [-500_000, 4_000_000], "loss_price": None},
        "zones": [{"id": "p", "parent": None}],
        "orders": [
            {"id": "b1", "zone": "p", "side": "buy", "price": 150_000, "quantity": 500, "time": 1},
            {"id": "s1", "zone": "p", "side": "sell", "steps": [[60_000, 300], [90_000, 300]]},
        ],
    }


def tree() -> Json:
    """Zone c below p, with an edge; q is p's other child."""
    edge = {
        "import_wh": None,
        "export_wh": 1_000,
        "import_tariff": 0,
        "export_tariff": 10_000,
        "import_loss_ppm": 0,
        "export_loss_ppm": 20_000,
        "state": "open",
    }
    book: Json = one_zone() | {"mechanism": "coupled"}
    book["rules"]["loss_price"] = 250_000
    book["zones"] += [{"id": "c", "parent": "p"} | edge, {"id": "q", "parent": "p"}]
    return book


def text_of(book: object) -> bytes:
    return json.dumps(book).encode()


def answer_of(book: Json) -> Json:
    return json.loads(run_auction(text_of(book)))


def refused(text: bytes) -> AuctionInputError:
    with pytest.raises(AuctionInputError) as caught:
        run_auction(text)
    line = str(caught.value)
    assert line == f"{caught.value.field}: {caught.value.sentence}"
    assert line.isprintable()
    assert line.isascii()
    return caught.value


def test_answer_has_every_member_of_the_format() -> None:
    answer = answer_of(one_zone())

    fill = {"price": 90_000}
    trade = {"buy": "b1", "buy_price": 90_000, "sell_price": 90_000, "path": ["p"]}
    digest = answer.pop("digest")
    assert answer == {
        "volume": 500,
        "welfare": 500 * 150_000 - 300 * 60_000 - 200 * 90_000,
        "prices": {"p": 90_000},
        "price_range": {"p": [90_000, 90_000]},
        "flows": {},
        "congestion_rent": {},
        "edge_income": {},
        "loss_account": {},
        "area_income": 0,
        "fills": [
            {"order": "b1", "quantity": 500} | fill,
            {"order": "s1#1", "quantity": 300} | fill,
            {"order": "s1#2", "quantity": 200} | fill,
        ],
        "trades": [
            trade | {"sell": "s1#1", "quantity": 300},
            trade | {"sell": "s1#2", "quantity": 200},
        ],
        "unfilled": [{"order": "s1#2", "quantity": 100, "reason": "PRIORITY"}],
    }
    assert digest == sha256(canonical_json(answer)).hexdigest()


def test_answer_is_readable_and_ends_in_a_newline() -> None:
    text = run_auction(text_of(one_zone())).decode()

    assert text.startswith('{\n  "volume": 500,\n')
    assert text.endswith("}\n")


def test_coupled_book_of_one_zone_is_answered_like_uniform() -> None:
    assert answer_of(one_zone() | {"mechanism": "coupled"}) == answer_of(one_zone())


def test_absent_members_have_their_defaults() -> None:
    short = one_zone()
    del short["rules"]
    for order in short["orders"]:
        order.pop("time", None)

    book = read_book(text_of(short))

    assert book.rules == AuctionRules("midpoint", (-(10**9), 10**9), loss_price=None, lots=False)
    assert {(order.time, order.participant) for order in book.orders} == {(0, "")}


def test_order_with_one_step_is_listed_with_its_number() -> None:
    book = one_zone()
    book["orders"][1]["steps"] = [[60_000, 500]]

    assert [fill["order"] for fill in answer_of(book)["fills"]] == ["b1", "s1#1"]


def test_integers_beyond_doubles_are_strings_in_and_out() -> None:
    book = one_zone()
    book["rules"]["price_band"] = [0, 3]
    book["orders"] = [
        {"id": "b", "zone": "p", "side": "buy", "price": 3, "quantity": str(BEYOND)},
        {
            "id": "s",
            "zone": "p",
            "side": "sell",
            "price": 1,
            "quantity": str(BEYOND),
            "time": str(-BEYOND),
        },
    ]

    answer = answer_of(book)

    assert answer["volume"] == str(BEYOND)
    assert answer["welfare"] == str(2 * BEYOND)
    assert answer["fills"][0]["quantity"] == answer["trades"][0]["quantity"] == str(BEYOND)


def test_names_beyond_ascii_are_taken_and_given_back() -> None:
    book = one_zone()
    book["zones"][0]["id"] = book["orders"][0]["zone"] = book["orders"][1]["zone"] = (
        "Zöne \U0001f50c"
    )
    book["orders"][0]["id"] = "käufer"

    answer = answer_of(book)

    assert answer["prices"] == {"Zöne \U0001f50c": 90_000}
    digest = answer.pop("digest")
    assert digest == sha256(canonical_json(answer)).hexdigest()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"", "book"),
        (b"{", "book"),
        (b"[]", "book"),
        (b"null", "book"),
        (b"{} {}", "book"),
        (b"\xff{}", "book"),
        (b"\xef\xbb\xbf{}", "book"),
        (b"[" * 100_000, "book"),
        (b'{"mechanism": NaN}', "zones"),
    ],
)
def test_text_that_is_no_book_is_refused(text: bytes, field: str) -> None:
    assert refused(text).field == field


@pytest.mark.parametrize("member", ["mechanism", "zones", "orders"])
def test_required_member_that_is_missing_is_named(member: str) -> None:
    book = one_zone()
    del book[member]

    assert refused(text_of(book)).field == member


@pytest.mark.parametrize(
    ("within", "again"),
    [
        ('"mechanism": "uniform"', "mechanism"),
        ('"price_rule": "seller"', "rules.price_rule"),
        ('"parent": null', "zones[0].parent"),
        ('"price": 150000', "orders[0].price"),
    ],
)
def test_member_that_is_there_twice_is_named(within: str, again: str) -> None:
    text = json.dumps(one_zone()).replace(within, f"{within}, {within}")

    error = refused(text.encode())

    assert error.field == again
    assert error.sentence == "is there twice"


def put(*path: str | int) -> Callable[[Json, object], None]:
    """Sets the value at a path of a book."""

    def set_in(book: Json, value: object) -> None:
        place: Any = book
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return set_in


NO_INTEGERS: list[object] = [
    1.0,
    1.5,
    1e3,
    "1",
    "1.5",
    "0x10",
    "",
    True,
    None,
    [],
    {},
    BEYOND,
    str(2**53 - 1),
    f"0{BEYOND}",
    f" {BEYOND}",
    f"+{BEYOND}",
    "9" * 81,
    10**90,
]


@pytest.mark.parametrize("value", NO_INTEGERS, ids=repr)
@pytest.mark.parametrize(
    ("path", "field"),
    [
        (("orders", 0, "price"), "orders[0].price"),
        (("orders", 0, "quantity"), "orders[0].quantity"),
        (("orders", 0, "time"), "orders[0].time"),
        (("orders", 1, "steps", 1, 0), "orders[1].steps[1][0]"),
        (("orders", 1, "steps", 1, 1), "orders[1].steps[1][1]"),
        (("rules", "price_band", 0), "rules.price_band[0]"),
        (("zones", 1, "import_tariff"), "zones[1].import_tariff"),
        (("zones", 1, "export_loss_ppm"), "zones[1].export_loss_ppm"),
    ],
)
def test_number_that_is_no_integer_is_refused(
    path: tuple[str | int, ...], field: str, value: object
) -> None:
    book = tree()

    put(*path)(book, value)

    assert refused(text_of(book)).field == field


@pytest.mark.parametrize("field", ["zones[1].import_wh", "zones[1].export_wh", "rules.loss_price"])
@pytest.mark.parametrize("value", [1.0, "1", True, -1], ids=repr)
def test_only_null_stands_in_for_an_amount(field: str, value: object) -> None:
    book = tree()
    place = book["rules"] if field.startswith("rules") else book["zones"][1]
    place[field.rpartition(".")[2]] = value

    assert refused(text_of(book)).field == field


ROOT = ("zones", 0)
CHILD = ("zones", 1)
BUY = ("orders", 0)
SELL = ("orders", 1)


@pytest.mark.parametrize(
    ("path", "value", "field", "said"),
    [
        # words and unknown keys
        (("mechanism",), "dutch", "mechanism", "dutch"),
        (("mechanism",), 1, "mechanism", "not 1"),
        (("mechanism",), "sharing", "mechanism", "sharing"),
        (("rules",), None, "rules", "null"),
        (("rules",), [], "rules", "a list"),
        (("rules", "price_rule"), "low", "rules.price_rule", "low"),
        (("rules", "price_rule"), None, "rules.price_rule", "null"),
        (("rules", "lots"), 1, "rules.lots", "true or false"),
        (("rules", "tie"), "draw", "rules.tie", "unknown key"),
        (("note",), "x", "note", "unknown key"),
        (("a\nb",), "x", "a\\nb", "unknown key"),
        ((*ROOT, "name"), "x", "zones[0].name", "unknown key"),
        ((*BUY, "limit"), 1, "orders[0].limit", "unknown key"),
        ((*BUY, "side"), "hold", "orders[0].side", "hold"),
        ((*CHILD, "state"), "closed", "zones[1].state", "closed"),
        # the band
        (("rules", "price_band"), [5], "rules.price_band", "[lowest, highest]"),
        (("rules", "price_band"), [1, 2, 3], "rules.price_band", "[lowest, highest]"),
        (("rules", "price_band"), None, "rules.price_band", "null"),
        (("rules", "price_band"), [5, 4], "rules.price_band", "[5, 4]"),
        ((*BUY, "price"), 4_000_001, "orders[0].price", "[-500000, 4000000]"),
        ((*SELL, "steps", 0, 0), -500_001, "orders[1].steps[0][0]", "[-500000, 4000000]"),
        ((*CHILD, "export_tariff"), 4_000_001, "zones[1].export_tariff", "4000000"),
        # amounts
        ((*CHILD, "import_tariff"), -1, "zones[1].import_tariff", "negative"),
        ((*CHILD, "import_loss_ppm"), -1, "zones[1].import_loss_ppm", "negative"),
        ((*CHILD, "import_wh"), -1, "zones[1].import_wh", "negative"),
        (("rules", "loss_price"), -1, "rules.loss_price", "negative"),
        (("rules", "loss_price"), None, "zones[1].export_loss_ppm", "loss_price"),
        ((*BUY, "quantity"), 0, "orders[0].quantity", "at least 1"),
        ((*BUY, "quantity"), -5, "orders[0].quantity", "at least 1"),
        ((*SELL, "steps", 1, 1), 0, "orders[1].steps[1][1]", "at least 1"),
        ((*BUY, "quantity"), 2**40, "orders", "2^62"),
        # the tree
        (("zones",), [], "zones", "no root"),
        (("zones",), {}, "zones", "an object"),
        (ROOT, 7, "zones[0]", "7"),
        ((*ROOT, "import_wh"), None, "zones[0].import_wh", "no edge"),
        ((*ROOT, "export_tariff"), 0, "zones[0].export_tariff", "no edge"),
        ((*ROOT, "state"), "paused", "zones[0].state", "paused"),
        ((*ROOT, "state"), "islanded", "zones[0].state", "islanded"),
        ((*ROOT, "parent"), "c", "zones[0].parent", "cycle"),
        ((*ROOT, "parent"), "p", "zones[0].parent", "cycle"),
        (("zones", 2, "parent"), "q", "zones[2].parent", "cycle"),
        (("zones", 2, "parent"), None, "zones[2].parent", "second root"),
        (("zones", 2, "parent"), "x", "zones[2].parent", "unknown zone"),
        (("zones", 2, "parent"), 5, "zones[2].parent", "5"),
        (("zones", 2, "id"), "c", "zones[2].id", "repeated"),
        ((*ROOT, "id"), "", "zones[0].id", "empty"),
        # orders
        (("orders",), None, "orders", "null"),
        (BUY, "b1", "orders[0]", "b1"),
        ((*BUY, "zone"), "x", "orders[0].zone", "unknown zone"),
        ((*BUY, "id"), "\ud800", "orders[0].id", "half a character"),
        ((*BUY, "id"), 5, "orders[0].id", "5"),
        ((*SELL, "id"), "b1", "orders[1].id", "repeated"),
        ((*BUY, "id"), "s1#2", "orders[0].id", "step"),
        ((*BUY, "participant"), None, "orders[0].participant", "null"),
        ((*BUY, "steps"), [[1, 1]], "orders[0].price", "not both"),
        ((*SELL, "quantity"), 1, "orders[1].quantity", "not both"),
        ((*SELL, "steps"), [], "orders[1].steps", "1 to 20"),
        ((*SELL, "steps"), [[1, 1]] * 21, "orders[1].steps", "1 to 20"),
        ((*SELL, "steps"), None, "orders[1].steps", "null"),
        ((*SELL, "steps", 0), [1], "orders[1].steps[0]", "[price, quantity]"),
        ((*SELL, "steps", 0), [1, 2, 3], "orders[1].steps[0]", "[price, quantity]"),
    ],
)
def test_book_that_breaks_a_rule_is_refused(
    path: tuple[str | int, ...], value: object, field: str, said: str
) -> None:
    book = tree()

    put(*path)(book, value)

    error = refused(text_of(book))
    assert error.field == field
    assert said in error.sentence


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ((*ROOT, "id"), "zones[0].id"),
        ((*ROOT, "parent"), "zones[0].parent"),
        ((*BUY, "id"), "orders[0].id"),
        ((*BUY, "zone"), "orders[0].zone"),
        ((*BUY, "side"), "orders[0].side"),
        ((*BUY, "price"), "orders[0].price"),
        ((*BUY, "quantity"), "orders[0].quantity"),
        ((*SELL, "steps"), "orders[1].price"),
    ],
)
def test_member_without_default_that_is_missing_is_named(
    path: tuple[str | int, ...], field: str
) -> None:
    book = tree()
    place: Any = book
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]

    error = refused(text_of(book))

    assert error.field == field
    assert "missing" in error.sentence


def test_long_cycle_is_found_and_a_deep_tree_is_none() -> None:
    deep = tree()
    chain = [{"id": f"z{level}", "parent": f"z{level - 1}"} for level in range(1, 5_000)]
    deep["zones"] = [{"id": "p", "parent": None}, {"id": "z0", "parent": "p"}, *chain]
    looped = json.loads(text_of(deep))
    looped["zones"][1]["parent"] = "z4999"

    assert "not available yet" in refused(text_of(deep)).sentence
    assert "cycle" in refused(text_of(looped)).sentence


@pytest.mark.parametrize("mechanism", ["uniform", "continuous", "vickrey"])
def test_mechanism_of_one_zone_refuses_several(mechanism: str) -> None:
    error = refused(text_of(tree() | {"mechanism": mechanism}))

    assert error.field == "zones"
    assert error.sentence == f"{mechanism} clears one zone, the book has 3"


@pytest.mark.parametrize("mechanism", ["continuous", "vickrey", "pay_as_bid"])
def test_mechanism_that_is_not_there_yet_says_so(mechanism: str) -> None:
    error = refused(text_of(one_zone() | {"mechanism": mechanism}))

    assert str(error) == f"mechanism: {mechanism} is not available yet"


def test_coupled_book_of_several_zones_says_that_it_is_not_there_yet() -> None:
    error = refused(text_of(tree()))

    assert str(error) == "zones: coupled of several zones is not available yet"


STEPS = st.tuples(st.integers(-9, 9), st.integers(1, 2**50))


@st.composite
def orders_of_one_id(draw: st.DrawFn, number: int) -> list[Order]:
    """An order by price and quantity, or one by steps."""
    plain = draw(st.booleans())
    order = Order(
        id=f"o{number}",
        step=1,
        plain=plain,
        zone="z",
        side=draw(st.sampled_from(("buy", "sell"))),
        price=0,
        quantity_wh=1,
        time=draw(st.integers(-(2**62), 2**70)),
        participant=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=3)),
    )
    steps = draw(st.lists(STEPS, min_size=1, max_size=1 if plain else 20))
    return [
        msgspec.structs.replace(order, step=step, price=price, quantity_wh=quantity_wh)
        for step, (price, quantity_wh) in enumerate(steps, start=1)
    ]


@given(
    st.data(), st.sampled_from(("seller", "buyer", "midpoint")), st.none() | st.integers(0, 2**70)
)
def test_written_book_is_read_back_as_it_was(
    data: st.DataObject, price_rule: PriceRule, loss_price: int | None
) -> None:
    count = data.draw(st.integers(0, 6))
    orders = [order for number in range(count) for order in data.draw(orders_of_one_id(number))]
    rules = AuctionRules(price_rule=price_rule, price_band=(-9, 9), loss_price=loss_price)
    book = Book("uniform", rules, [Zone("z")], orders)

    written = canonical_json(book_json(book))

    assert read_book(written) == book


def test_command_writes_the_answer_to_standard_output() -> None:
    given_book = text_of(one_zone())

    result = CliRunner().invoke(app, ["auction"], input=given_book)

    assert result.exit_code == 0
    assert result.stdout_bytes == run_auction(given_book)


@pytest.mark.parametrize("text", [b"{", text_of(one_zone() | {"a\nb": 1}), text_of(tree())])
def test_command_refuses_with_exit_code_2_and_one_line(text: bytes) -> None:
    result = CliRunner().invoke(app, ["auction"], input=text)

    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert str(refused(text)) in line
