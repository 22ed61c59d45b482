"""The table of rights: every field of the schema has a row, and each role gets what its row says."""

from __future__ import annotations

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    build_schema,
    is_leaf_type,
    is_required_argument,
)

from api.access.table import (
    READERS,
    ROLES,
    SUBJECTS,
    Reader,
    Scope,
    Subject,
    Viewer,
    is_signed_in,
    may_see_row,
    reader_of,
    scope,
)
from api.faults import ApiFault
from api.graphql.document import guard_of, market_schema, regulator_schema
from api.graphql.fields import rights_of
from api.graphql.guard.admission import Kind
from api.services import Role

MARKET = market_schema()
RIGHTS = rights_of(MARKET)
FIELDS = RIGHTS.fields
SCHEMA = build_schema(MARKET.as_str())
COORDINATES = sorted(
    f"{name}.{field}"
    for name, kind in SCHEMA.type_map.items()
    if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
    for field in kind.fields
)
SESSION_FIELDS = {"challenge", "signIn", "refresh", "signOut"}
STRANGERS = {
    "Query": {"market", "viewer", "zones", "slots", "slot", "prices"},
    "Mutation": SESSION_FIELDS,
    "Subscription": {"prices", "slots"},
}
BOOK = {coordinate for coordinate in COORDINATES if coordinate.startswith(("Book.", "BookStep."))}


def viewer(role: Role, *, member: str | None = None) -> Viewer:
    return Viewer(f"did:key:{role}", role, member, "street", "family")


def field_of(coordinate: str) -> GraphQLField:
    """The field of the schema that a `Type.field` names."""
    kind, _, name = coordinate.partition(".")
    of = SCHEMA.type_map[kind]
    assert isinstance(of, GraphQLObjectType)
    return of.fields[name]


def type_of(argument: GraphQLArgument) -> str:
    """The type of an argument as SDL writes it."""
    return str(argument.type)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # generic without its argument


def behind(field: GraphQLField) -> GraphQLNamedType:
    """The type that a field answers with, lists and non-null taken off."""
    return SCHEMA.type_map[str(field.type).strip("[]!")]  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # generic without its argument


def root_document(coordinate: str) -> str:
    """A document that asks one field of a root, with arguments of the right kinds."""
    root, _, name = coordinate.partition(".")
    values = {"String!": '"a"', "ID!": '"a"', "Time!": "0", "[String!]!": '["a"]'}
    field = field_of(coordinate)
    given = [
        f"{argument}:{values[type_of(of)]}"
        for argument, of in field.args.items()
        if is_required_argument(of)
    ]
    arguments = f"({','.join(given)})" if given else ""
    below = "" if is_leaf_type(behind(field)) else "{__typename}"
    return f"{root.lower()}{{{name}{arguments}{below}}}"


def test_every_field_of_the_schema_has_a_row() -> None:
    assert [coordinate for coordinate in COORDINATES if coordinate not in FIELDS] == []


def test_every_row_is_of_a_field_of_the_schema() -> None:
    assert sorted(field for field in FIELDS if field not in COORDINATES) == []


def test_field_without_a_row_is_refused_to_everybody() -> None:
    for reader in READERS:
        assert not RIGHTS.is_allowed(reader, "Query.everything")
        with pytest.raises(ApiFault):
            RIGHTS.check(reader, ("Query.everything",))


@pytest.mark.parametrize("reader", READERS)
def test_walk_of_the_schema_gives_each_role_the_roots_of_its_rows(reader: Reader) -> None:
    guard = guard_of(MARKET)
    kinds: frozenset[Kind] = frozenset({"query", "mutation", "subscription"})
    walked = 0
    for root in ("Query", "Mutation", "Subscription"):
        for coordinate in COORDINATES:
            if not coordinate.startswith(f"{root}."):
                continue
            walked += 1
            try:
                guard.admit(root_document(coordinate), reader, kinds=kinds)
                code = None
            except ApiFault as fault:
                code = fault.code
            refused = "FORBIDDEN" if is_signed_in(reader) else "UNAUTHENTICATED"
            assert code == (None if reader in FIELDS[coordinate] else refused), coordinate
    assert walked > 25


def test_strangers_see_the_public_market_and_may_sign_in() -> None:
    for root, names in STRANGERS.items():
        allowed = {
            coordinate.partition(".")[2]
            for coordinate in COORDINATES
            if coordinate.startswith(f"{root}.") and RIGHTS.is_allowed("STRANGER", coordinate)
        }
        assert allowed == names


def test_onlookers_see_the_depth_of_the_book_besides_and_nothing_more() -> None:
    seen = {each for each in COORDINATES if RIGHTS.is_allowed("ONLOOKER", each)}

    assert seen - {each for each in COORDINATES if RIGHTS.is_allowed("STRANGER", each)} == {
        "Query.book",
        *BOOK,
    }


@pytest.mark.parametrize("coordinate", sorted(BOOK))
def test_field_of_the_book_is_for_those_signed_in_and_onlookers(coordinate: str) -> None:
    allowed = {reader for reader in READERS if RIGHTS.is_allowed(reader, coordinate)}

    assert allowed == {"ONLOOKER", *ROLES}


def test_book_holds_nothing_that_tells_who_ordered() -> None:
    """What an onlooker may read is a price, a quantity, and where and when."""
    assert {behind(field_of(each)).name for each in BOOK} <= {
        "BookStep", "Energy", "ID", "Int", "Price", "Time",
    }  # fmt: skip
    assert not {each for each in BOOK if each.partition(".")[2] in {"trader", "meter", "orders"}}


@pytest.mark.parametrize("reader", ["STRANGER", "ONLOOKER"])
def test_nobody_who_is_not_signed_in_may_introspect(reader: Reader) -> None:
    with pytest.raises(ApiFault) as refused:
        guard_of(MARKET).admit("{__schema{queryType{name}}}", reader)

    assert refused.value.code == "UNAUTHENTICATED"


def test_document_let_through_for_an_onlooker_is_refused_to_a_stranger() -> None:
    """The guard remembers documents by their text; rights are asked each time."""
    guard = guard_of(MARKET)
    document = '{book(slot:0,zone:"a"){buys{price}}}'
    guard.admit(document, "ONLOOKER")

    with pytest.raises(ApiFault) as refused:
        guard.admit(document, "STRANGER")

    assert refused.value.code == "UNAUTHENTICATED"


def test_regulator_reads_everything_and_changes_nothing() -> None:
    for coordinate in COORDINATES:
        kind, _, name = coordinate.partition(".")
        if kind == "Mutation":
            assert RIGHTS.is_allowed("REGULATOR", coordinate) == (name in SESSION_FIELDS), (
                coordinate
            )
        elif kind not in {"TokenResult", "HomeOffer", "Enrolment"}:  # answers of mutations
            assert RIGHTS.is_allowed("REGULATOR", coordinate), coordinate


def test_schema_of_the_regulator_has_no_mutation_type() -> None:
    assert build_schema(regulator_schema().as_str()).mutation_type is None


def test_whoever_may_select_a_root_may_select_all_that_lies_below() -> None:
    """A root that answers with fields which its reader may not see would be of no use."""
    for root in ("Query", "Mutation", "Subscription"):
        for coordinate in [each for each in COORDINATES if each.startswith(f"{root}.")]:
            for reader in sorted(FIELDS[coordinate]):
                below = fields_below(coordinate)
                if coordinate == "Query.viewer" and not is_signed_in(reader):
                    continue
                refused = [each for each in below if not RIGHTS.is_allowed(reader, each)]
                assert refused == [], (coordinate, reader)


def fields_below(coordinate: str) -> list[str]:
    """Every `Type.field` that can be reached from a field."""
    seen: set[str] = set()
    waiting = [coordinate]
    while waiting:
        below = behind(field_of(waiting.pop()))
        if isinstance(below, GraphQLObjectType):
            new = {f"{below.name}.{each}" for each in below.fields} - seen
            seen |= new
            waiting.extend(new)
    return sorted(seen)


# Rows


def test_every_role_has_a_scope_for_every_subject() -> None:
    for role in ROLES:
        for subject in SUBJECTS:
            assert scope(viewer(role), subject) in {"none", "own", "clients", "area", "all"}


@pytest.mark.parametrize(
    ("role", "subject", "expected"),
    [
        ("HOUSEHOLD", "accounts", "own"),
        ("HOUSEHOLD", "clients", "none"),
        ("RETAILER", "accounts", "clients"),
        ("DSO", "trades", "area"),
        ("DSO", "accounts", "own"),
        ("OPERATOR", "meters", "all"),
        ("OPERATOR", "trades", "own"),
        ("REGULATOR", "accounts", "all"),
    ],
)
def test_scope_of_a_role(role: Role, subject: Subject, expected: Scope) -> None:
    assert scope(viewer(role), subject) == expected


def test_household_sees_its_own_rows_and_nobody_elses() -> None:
    anna = viewer("HOUSEHOLD")

    for subject in SUBJECTS[:-1]:
        assert may_see_row(anna, subject, owners=[anna.did], area="street")
        assert may_see_row(anna, subject, owners=["did:key:ben", anna.did], area="street")
        assert not may_see_row(
            anna, subject, owners=["did:key:ben"], retailers=["Green"], area="street"
        )
        assert not may_see_row(anna, subject, owners=[], area="street")


def test_clerk_sees_rows_of_its_retailer_and_its_clients() -> None:
    clerk = viewer("RETAILER", member="Green")

    assert may_see_row(clerk, "trades", owners=["did:key:anna"], retailers=["Green"], area="street")
    assert may_see_row(clerk, "accounts", owners=["Green"], area="street")
    assert not may_see_row(
        clerk, "trades", owners=["did:key:ben"], retailers=["City"], area="street"
    )


def test_member_of_none_is_nobodys_retailer() -> None:
    """A household has no member; a row without a retailer is not its own."""
    stray = viewer("RETAILER")

    assert not may_see_row(stray, "trades", owners=["did:key:ben"], retailers=[], area="street")


def test_rows_of_another_area_are_for_those_who_see_all() -> None:
    dso, regulator = viewer("DSO", member="Grid"), viewer("REGULATOR")

    assert may_see_row(dso, "meters", owners=["did:key:anna"], area="street")
    assert not may_see_row(dso, "meters", owners=["did:key:anna"], area="village")
    assert may_see_row(regulator, "meters", owners=["did:key:anna"], area="village")


@pytest.mark.parametrize("shows_book", [False, True])
def test_reader_of_nobody_is_an_onlooker_only_where_the_book_is_shown(shows_book: bool) -> None:  # noqa: FBT001 pytest passes it by name
    assert reader_of(None, shows_book=shows_book) == ("ONLOOKER" if shows_book else "STRANGER")
    assert reader_of(viewer("DSO"), shows_book=shows_book) == "DSO"
