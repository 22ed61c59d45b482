"""The short way of the hot lists answers as the standard execution does, in every value."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.types import ExecutionResult

from api.graphql.fast_path.list_plan import Plans
from api.graphql.guard.admission import Guard, Kind
from api.read_model.records import OrderRecord, PostingRecord, PriceRecord, TradeRecord
from api.schema.document import make_schema
from api.schema.hot import HOT_LISTS
from tests.api.graphql.fast_path.plan_records import (
    ALICE,
    AREA,
    BOB,
    DSO,
    HOUSEHOLD,
    SLOT,
    ListedReads,
    ask,
    services_over,
)

PLANS = Plans()
SCHEMA = make_schema()
GUARD = Guard(SCHEMA.as_str())

STATES = ("LISTED", "MATCHED", "EXECUTING", "SETTLED", "DISPUTED", "EXPIRED", "CANCELLED")
WH = st.integers(0, 2**53 - 1)
PRICE = st.integers(-500_000, 4_000_000)
BLOCK = st.integers(0, 2**31 - 1)
DID = st.sampled_from([ALICE, BOB, "did:key:z6MkCarol"])
WORDS = st.text(max_size=12)


def trade(number: int) -> st.SearchStrategy[TradeRecord]:
    return st.builds(
        TradeRecord,
        area=st.just(AREA),
        slot=st.sampled_from([SLOT, SLOT + 900]),
        number=st.just(number),
        buyer=DID,
        seller=DID,
        buy_order=WORDS,
        sell_order=WORDS,
        buy_meter=WORDS,
        sell_meter=WORDS,
        zone_path=st.just(["north"]),
        quantity_wh=WH,
        buy_price=PRICE,
        sell_price=PRICE,
        relation=st.sampled_from(["local", "regional"]),
        tariff=PRICE,
        settled_wh=st.none() | WH,
        disputed=st.booleans(),
        block=BLOCK,
        state=st.sampled_from(STATES),
    )


def order(number: int) -> st.SearchStrategy[OrderRecord]:
    return st.builds(
        OrderRecord,
        area=st.just(AREA),
        slot=st.sampled_from([SLOT, SLOT + 900]),
        trader=st.just(ALICE),
        client_id=st.just(f"o{number}"),
        meter=WORDS,
        zone=WORDS,
        side=st.sampled_from(["buy", "sell"]),
        quantity_wh=WH,
        limit_price=PRICE,
        steps=st.lists(st.tuples(PRICE, WH), max_size=3),
        expires_s=st.none() | st.integers(0, 2**40),
        revision=st.integers(0, 9),
        open=st.booleans(),
        matched_wh=WH,
        settled_wh=WH,
        left_out=st.sampled_from(["", "NO_COVER"]),
        placed_s=st.integers(0, 2**40),
        block=BLOCK,
        state=st.sampled_from(STATES),
    )


def posting(number: int) -> st.SearchStrategy[PostingRecord]:
    return st.builds(
        PostingRecord,
        sequence=st.just(number),
        area=st.just(AREA),
        slot=st.none() | st.sampled_from([SLOT, SLOT + 900]),
        number=st.just(number),
        account=st.just(ALICE),
        amount_nano=st.integers(-(2**63), 2**63 - 1),
        kind=st.sampled_from(["energy", "fee:grid", "vat", "vat:grid", "credit", "other"]),
        trade=st.none() | st.integers(0, 99),
        explain=WORDS,
        cause=WORDS,
        transaction=WORDS,
        block=BLOCK,
    )


def price(number: int) -> st.SearchStrategy[PriceRecord]:
    return st.builds(
        PriceRecord,
        area=st.just(AREA),
        slot=st.just(SLOT + 900 * number),
        zone=st.sampled_from(["north", "south"]),
        price=st.none() | PRICE,
        volume_wh=WH,
        orders=st.integers(0, 999),
        trades=st.integers(0, 999),
        block=BLOCK,
    )


READS = st.builds(
    ListedReads,
    trades=st.tuples(*(trade(number) for number in range(6))),
    orders=st.tuples(*(order(number) for number in range(6))),
    postings=st.tuples(*(posting(number) for number in range(6))),
    prices=st.tuples(*(price(number) for number in range(6))),
)

CURSORS = {
    "myTrades": f"{SLOT}.2",
    "trades": f"{SLOT}.2",
    "myOrders": f"{SLOT}.o2",
    "postings": "2",
}


@st.composite
def selection(draw: st.DrawFn, names: tuple[str, ...], prefix: str) -> str:
    """Some of the plain fields in some order, each perhaps under another name."""
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=8, unique=True))
    aliased = draw(st.integers(0, 3))
    return " ".join(
        f"{prefix}{place}: {name}" if place < aliased else name for place, name in enumerate(chosen)
    )


@st.composite
def root(draw: st.DrawFn, name: str, place: int) -> tuple[str, str, dict[str, Any]]:
    """A root field, the definitions of its variables, and their values."""
    hot = HOT_LISTS[name]
    arguments: list[str] = []
    definitions: list[str] = []
    values: dict[str, Any] = {}
    rare = draw(st.sampled_from([0, 500, 7, 8, 9]))
    choices: dict[str, list[tuple[str, Any]]] = {
        "first": [("Int", 1), ("Int", 2), ("Int", 3), ("Int", 4), ("Int", 3.0), ("Int", rare)],
        "after": [("String", None), ("String", None), ("String", CURSORS.get(name))],
        "slot": [("Time", SLOT), ("Time", SLOT + 900)],
        "owner": [("ID", ALICE), ("ID", ALICE), ("ID", None), ("ID", BOB)],
        "openOnly": [("Boolean", True), ("Boolean", False)],
        "zone": [("ID", "north"), ("ID", "south")],
        "from": [("Time", SLOT)],
        "to": [("Time", SLOT + 900 * 4), ("Time", SLOT + 900), ("Time", SLOT - rare)],
    }
    for key, argument in hot.arguments.items():
        if not argument.is_required and draw(st.booleans()):
            continue
        kind, value = draw(st.sampled_from(choices[key]))
        if draw(st.booleans()) and not isinstance(value, float):
            arguments.append(f"{key}: {orjson.dumps(value).decode()}")
            continue
        variable = f"v{place}{key}"
        arguments.append(f"{key}: ${variable}")
        is_required = argument.is_required or (value is not None and draw(st.booleans()))
        definitions.append(f"${variable}: {kind}{'!' if is_required else ''}")
        if value is not None or draw(st.booleans()):
            values[variable] = value
    plain = draw(selection(tuple(hot.columns), "a"))
    parts = [plain]
    if hot.connection is not None:
        offered = [
            f"nodes {{ {plain} }}",
            f"edges {{ cursor node {{ {plain} }} }}",
            "pageInfo { hasNextPage end: endCursor }",
            "totalCount",
        ]
        parts = draw(st.lists(st.sampled_from(offered), min_size=1, max_size=4, unique=True))
    listed = f"({', '.join(arguments)})" if arguments else ""
    text = f"r{place}: {name}{listed} {{ {' '.join(parts)} }}"
    return text, ", ".join(definitions), values


@st.composite
def question(draw: st.DrawFn, names: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """A document of one or two hot lists, with its variables."""
    texts: list[str] = []
    definitions: list[str] = []
    values: dict[str, Any] = {}
    for place in range(draw(st.integers(1, 2))):
        text, defined, given_ = draw(root(draw(st.sampled_from(names)), place))
        texts.append(text)
        definitions.extend([defined] if defined else [])
        values |= given_
    head = f"query Q({', '.join(definitions)})" if definitions else "query Q"
    return f"{head} {{ {' '.join(texts)} }}", values


def everything_of(name: str) -> str:
    """The document that asks for every plain field of a list."""
    hot = HOT_LISTS[name]
    values = {"slot": SLOT, "zone": '"north"', "from": SLOT, "to": SLOT + 900 * 6}
    needed = [f"{key}: {values[key]}" for key, each in hot.arguments.items() if each.is_required]
    fields = " ".join(hot.columns)
    listed = f"({', '.join(needed)})" if needed else ""
    if hot.connection is None:
        return f"{{ {name}{listed} {{ {fields} }} }}"
    below = f"nodes {{ {fields} }} edges {{ cursor node {{ {fields} }} }} totalCount"
    return f"{{ {name}{listed} {{ {below} pageInfo {{ hasNextPage endCursor }} }} }}"


def told(result: ExecutionResult) -> bytes:
    """An answer in bytes: data with its order of fields, errors with codes and paths."""
    errors = [[error.message, error.path, error.extensions] for error in result.errors or ()]
    return orjson.dumps([result.data, errors])


@settings(max_examples=10, deadline=None)
@given(reads=READS)
@pytest.mark.parametrize("name", sorted(HOT_LISTS))
def test_every_plain_field_has_the_same_value_both_ways(name: str, reads: ListedReads) -> None:
    document = everything_of(name)
    viewer = DSO if name == "trades" else HOUSEHOLD
    services = services_over(reads)

    quick = ask(SCHEMA, GUARD, services, document, viewer, plans=PLANS)
    standard = ask(SCHEMA, GUARD, services, document, viewer)

    assert not quick.errors
    assert told(quick) == told(standard)


@settings(max_examples=60, deadline=None)
@given(reads=READS, asked=question(("myTrades", "myOrders", "postings", "prices")))
def test_a_household_gets_the_same_answer_both_ways(
    reads: ListedReads, asked: tuple[str, dict[str, Any]]
) -> None:
    document, values = asked
    services = services_over(reads)

    quick = ask(SCHEMA, GUARD, services, document, HOUSEHOLD, variables=values, plans=PLANS)
    standard = ask(SCHEMA, GUARD, services, document, HOUSEHOLD, variables=values)

    assert told(quick) == told(standard)


@settings(max_examples=30, deadline=None)
@given(reads=READS, asked=question(("trades", "myTrades", "prices")))
def test_a_dso_gets_the_same_answer_both_ways(
    reads: ListedReads, asked: tuple[str, dict[str, Any]]
) -> None:
    document, values = asked
    services = services_over(reads)

    quick = ask(SCHEMA, GUARD, services, document, DSO, variables=values, plans=PLANS)
    standard = ask(SCHEMA, GUARD, services, document, DSO, variables=values)

    assert told(quick) == told(standard)


@pytest.mark.parametrize("name", sorted(HOT_LISTS))
def test_all_plain_fields_of_a_list_have_a_plan(name: str) -> None:
    admission = GUARD.admit(everything_of(name), "REGULATOR")

    assert PLANS.plan(admission.document, None) is not None


@pytest.mark.parametrize(
    "document",
    [
        "{ market { area } }",
        "{ myTrades { nodes { id postings { id } } } }",
        "{ myOrders { nodes { id steps { price } } } }",
        "{ myTrades { nodes { ...F } } } fragment F on Trade { id }",
        "{ myTrades { nodes { ... on Trade { id } } } }",
        "{ myTrades { nodes { id @include(if: true) } } }",
        "{ myTrades @skip(if: false) { nodes { id } } }",
        "{ myTrades { nodes { id id } } }",
        "{ myTrades { nodes { __typename } } }",
        "{ myTrades { nodes { id } } market { area } }",
        'mutation { placeOrders(tokens: ["t"]) { code } }',
        "mutation($t: [String!]!) { placeOrders(tokens: $t) { code __typename } }",
        "mutation($t: [String!]!) { placeOrders(tokens: $t) { code } b: signOut }",
        "mutation { signOut }",
        "subscription { myTrades { id } }",
    ],
)
def test_what_is_not_plain_is_left_to_the_standard_execution(document: str) -> None:
    kinds: frozenset[Kind] = frozenset({"query", "mutation", "subscription"})

    admission = GUARD.admit(document, "HOUSEHOLD", kinds=kinds)

    assert PLANS.plan(admission.document, None) is None


def test_the_short_way_is_taken() -> None:
    document = "{ myTrades { nodes { id side } } }"
    services = services_over(ListedReads(trades=[_sold()]))
    taken: list[object] = []

    class Watched(Plans):
        def plan(self, document: Any, operation_name: str | None) -> Any:
            taken.append(super().plan(document, operation_name))
            return taken[-1]

    result = ask(SCHEMA, GUARD, services, document, HOUSEHOLD, plans=Watched())

    assert len(taken) == 1
    assert taken[0] is not None
    assert result.data == {"myTrades": {"nodes": [{"id": f"{SLOT}.3", "side": "SELL"}]}}


def _sold() -> TradeRecord:
    return TradeRecord(
        AREA, SLOT, 3, BOB, ALICE, "b", "s", "m1", "m2", ["north"], 100, 5, 5, "local", 0, None,
        disputed=False, block=4, state="MATCHED",
    )  # fmt: skip
