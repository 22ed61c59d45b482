"""The guard: hostile documents are refused in steps that grow with the document, others pass."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from graphql import get_introspection_query

from api.access.table import Reader
from api.faults import ApiFault
from api.graphql.document import guard_of, market_schema
from api.graphql.guard.admission import ADMITTED_MAX, Guard
from api.graphql.guard.query_cost import (
    ALIASES_MAX,
    DEPTH_MAX,
    INTROSPECTION_DEPTH_MAX,
    REPEATED_MAX,
)
from api.graphql.guard.text_scan import BRACES_MAX, DOCUMENT_BYTES_MAX, TOKENS_MAX
from tests.api.graphql.guard.hostile_documents import Hostile, hostile_documents

CORPUS = hostile_documents()
SCHEMA = market_schema()
STEPS_MAX = 200_000  # lines of Python; to parse 800 tokens takes 120,000 of them
HOUSEHOLD_PAGE = """
query Home($from: Time!, $to: Time!, $zone: ID!) {
  market { area currency slotS marketTime rate block blockTime openSlots { start gate priceMin priceMax shortfallPenalty } }
  viewer { did role name zone retailer meters { id importPower exportPower lastReading { slot import quality } } }
  prices(zone: $zone, from: $from, to: $to) { ...point }
  myTrades(first: 100) {
    nodes { id slot side quantity buyPrice sellPrice settled state block }
    pageInfo { hasNextPage endCursor }
  }
  myOrders(first: 50, openOnly: true) { nodes { id slot side quantity limit state } }
  balance { owner amount available reserved block }
}
fragment point on PricePoint { slot zone price volume orders trades }
"""


@pytest.fixture
def guard() -> Guard:
    return guard_of(SCHEMA)


def code_of(guard: Guard, text: str, reader: Reader = "STRANGER") -> str | None:
    """The code by which a document is refused; None for one that passes."""
    try:
        guard.admit(text, reader)
    except ApiFault as fault:
        return fault.code
    return None


def steps(work: Callable[[], object]) -> int:
    """Lines and calls of Python that `work` takes."""
    count = 0

    def trace(*_: object) -> object:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # pyright: ignore[reportArgumentType]  # it takes whatever it is called with
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_the_corpus_has_a_hundred_documents_and_no_two_alike() -> None:
    assert len({each.text for each in CORPUS}) >= 100


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda each: each.name)
def test_hostile_document_is_refused_by_its_code(guard: Guard, hostile: Hostile) -> None:
    assert code_of(guard, hostile.text) == hostile.code


def test_onlooker_has_the_limits_of_a_stranger_and_of_a_member(guard: Guard) -> None:
    """A crowd that may read the book without signing in can ask for no more than anybody else."""
    for hostile in CORPUS:
        assert code_of(guard, hostile.text, "ONLOOKER") == hostile.code, hostile.name
    book = 'book(slot:0,zone:"a"){buys{price quantity}sells{price quantity}}'
    documents = [
        "{" + " ".join(f"a{n}:{book}" for n in range(count)) + "}" for count in range(1, 60)
    ]
    for text in documents:
        assert code_of(guard, text, "ONLOOKER") == code_of(guard, text, "HOUSEHOLD")
    assert code_of(guard, documents[-1], "ONLOOKER") is not None


def test_no_document_takes_more_steps_than_one_of_the_largest_size(guard: Guard) -> None:
    """Time depends on the machine; steps show that nothing grows faster than its document."""
    taken = {each.name: steps(lambda each=each: code_of(guard, each.text)) for each in CORPUS}

    worst = max(taken, key=lambda name: taken[name])
    assert taken[worst] < STEPS_MAX, worst


def test_fragments_that_spread_each_other_cost_what_they_are_long(guard: Guard) -> None:
    def chain(length: int) -> str:
        spreads = "".join(f" fragment f{n} on Market{{...f{n + 1}}}" for n in range(length))
        return f"{{market{{...f0}}}}{spreads} fragment f{length} on Market{{area}}"

    short, long = (steps(lambda n=n: code_of(guard, chain(n))) for n in (10, 20))

    assert long < 2.2 * short


def test_page_of_the_dashboard_passes(guard: Guard) -> None:
    week = {"zone": "north", "from": 0, "to": 7 * 86_400}

    admission = guard.admit(HOUSEHOLD_PAGE, "HOUSEHOLD", variables=week, operation_name="Home")

    assert admission.roots == ("balance", "market", "myOrders", "myTrades", "prices", "viewer")
    assert {"PricePoint.price", "Trade.buyPrice", "Balance.reserved"} <= admission.fields


def test_stranger_may_ask_for_the_viewer_and_gets_no_further(guard: Guard) -> None:
    text = "{viewer{did meters{id}} market{area}}"

    assert code_of(guard, text) is None
    assert code_of(guard, "{viewer{did} meters{nodes{id}}}") == "UNAUTHENTICATED"


def test_fragment_is_judged_where_it_is_spread(guard: Guard) -> None:
    """The same fragment is harmless to a stranger under `viewer`, and not elsewhere."""
    fragment = "fragment m on Meter{id}"

    assert code_of(guard, f"{{viewer{{meters{{...m}}}}}} {fragment}") is None
    both = f"{{viewer{{meters{{...m}}}} meters{{nodes{{...m}}}}}} {fragment}"
    assert code_of(guard, both) == "UNAUTHENTICATED"


def test_members_may_introspect_in_the_standard_way(guard: Guard) -> None:
    assert code_of(guard, get_introspection_query(), "HOUSEHOLD") is None


def test_introspection_remembered_for_a_member_is_refused_to_a_stranger(guard: Guard) -> None:
    text = "{__schema{queryType{name}}}"

    assert code_of(guard, text, "DSO") is None
    assert code_of(guard, text) == "UNAUTHENTICATED"


def test_introspection_that_runs_in_circles_is_refused_to_members_too(guard: Guard) -> None:
    text = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}"

    assert code_of(guard, text, "HOUSEHOLD") == "INTROSPECTION_NESTS"


def test_size_of_a_page_is_taken_from_the_variables_each_time(guard: Guard) -> None:
    text = "query($n:Int!){slots(first:$n){nodes{zones{slot price volume orders trades}}}}"

    guard.admit(text, "STRANGER", variables={"n": 10})
    for n, code in ((400, "DOCUMENT_TOO_COSTLY"), (501, "ARGUMENT_RANGE")):
        with pytest.raises(ApiFault) as refused:
            guard.admit(text, "STRANGER", variables={"n": n})
        assert refused.value.code == code


def test_span_costs_what_lies_between_its_ends(guard: Guard) -> None:
    fields = "slot zone price volume orders trades"
    text = " ".join(f"a{n}:prices(zone:1,from:0,to:86400){{{fields}}}" for n in range(10))
    month = " ".join(f"a{n}:prices(zone:1,from:0,to:2592000){{{fields}}}" for n in range(10))

    assert code_of(guard, f"{{{text}}}") is None
    assert code_of(guard, f"{{{month}}}") == "DOCUMENT_TOO_COSTLY"


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({f"v{n}": n for n in range(31)}, "VARIABLES_TOO_MANY"),
        ({"tokens": ["a"] * 501}, "LIST_TOO_LONG"),
        ({"tokens": [["a"]]}, "VARIABLES_FORM"),
        ({"tokens": [{"a": 1}]}, "VARIABLES_FORM"),
        ({"tokens": {"a": 1}}, "VARIABLES_FORM"),
    ],
)
def test_variables_of_no_field_are_refused(
    guard: Guard, variables: dict[str, object], code: str
) -> None:
    with pytest.raises(ApiFault) as refused:
        guard.admit("{market{area}}", "STRANGER", variables=variables)

    assert refused.value.code == code


def test_refusal_suggests_no_field_no_argument_and_no_type(guard: Guard) -> None:
    for text in (
        "{markets{area}}",
        "{market{areas}}",
        "{slot(begin:1){start}}",
        "{slot(starts:1){start}}",
    ):
        with pytest.raises(ApiFault) as refused:
            guard.admit(text, "STRANGER")
        assert "Did you mean" not in str(refused.value)


def test_operation_by_another_name_is_refused(guard: Guard) -> None:
    with pytest.raises(ApiFault) as refused:
        guard.admit("query a{market{area}}", "STRANGER", operation_name="b")

    assert refused.value.code == "OPERATION_NAME"


def test_documents_at_their_limits_pass(guard: Guard) -> None:
    aliases = " ".join(f"a{n}:area" for n in range(ALIASES_MAX))
    repeated = "area " * (REPEATED_MAX + 1)

    assert code_of(guard, f"{{market{{{aliases}}}}}") is None
    assert code_of(guard, f"{{market{{{repeated}}}}}") is None
    assert code_of(guard, f"{{market{{area}}}}{' ' * (DOCUMENT_BYTES_MAX - 14)}") is None


def test_what_is_remembered_is_bounded(guard: Guard) -> None:
    for n in range(ADMITTED_MAX + 10):
        guard.admit(f"{{a{n}:market{{area}}}}", "STRANGER")

    assert len(guard) == ADMITTED_MAX


def test_limits_agree_with_each_other() -> None:
    """Text nests at least as deep as fields may; the parser's recursion is far from its end."""
    assert DEPTH_MAX < INTROSPECTION_DEPTH_MAX < BRACES_MAX
    assert TOKENS_MAX < DOCUMENT_BYTES_MAX
