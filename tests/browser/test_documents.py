"""Each document of the dashboard fits the schema, and the guard lets those who see the page ask it."""

from __future__ import annotations

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from api.access.table import Reader, is_allowed
from api.graphql.guard.admission import Guard, Kind
from api.schema.document import market_schema, regulator_schema
from api.server.dashboard_build import FOLDER
from tests.browser.documents import Written, documents
from tests.browser.double import SDL

DOCUMENTS = documents()
READERS: dict[str, Reader] = {
    "household": "HOUSEHOLD",
    "retailer": "RETAILER",
    "regulator": "REGULATOR",
    "operator": "OPERATOR",
    "grid": "DSO",
}
KINDS: frozenset[Kind] = frozenset({"query", "mutation", "subscription"})
BY_REGULATOR = ("views/regulator", "views/grid/slots")


def name(written: Written) -> str:
    return f"{written.path.stem}: {' '.join(written.text.split())[:40]}"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SDL.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(market_schema().as_str())


@pytest.fixture(scope="module")
def readonly_guard() -> Guard:
    return Guard(regulator_schema().as_str())


def test_documents_are_found() -> None:
    assert len(DOCUMENTS) >= 30


@pytest.mark.parametrize("written", DOCUMENTS, ids=name)
def test_document_fits_the_schema(written: Written, schema: GraphQLSchema) -> None:
    assert validate(schema, parse(written.text)) == []


@pytest.mark.parametrize("written", DOCUMENTS, ids=name)
def test_guard_takes_the_document_of_whoever_sees_its_page(written: Written, guard: Guard) -> None:
    folder = written.path.parent.name
    reader = READERS.get(folder, "HOUSEHOLD")

    admission = guard.admit(written.text, reader, variables={"first": 100}, kinds=KINDS)

    assert all(is_allowed(reader, field) for field in admission.fields_for(reader))


@pytest.mark.parametrize(
    "written",
    [
        each
        for each in DOCUMENTS
        if each.path.relative_to(FOLDER / "src").as_posix().startswith(BY_REGULATOR)
    ],
    ids=name,
)
def test_regulators_pages_ask_what_the_regulators_endpoint_has(
    written: Written, readonly_guard: Guard
) -> None:
    admission = readonly_guard.admit(written.text, "REGULATOR", variables={"first": 96})

    assert all(is_allowed("REGULATOR", field) for field in admission.fields_for("REGULATOR"))
