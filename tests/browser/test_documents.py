"""Each document of the dashboard fits the schema, and the guard lets those who see the page ask it.

Which documents are a page's is read from the imports of the sources.
"""

from __future__ import annotations

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from api.access.table import ROLES, Reader, is_allowed
from api.graphql.guard.admission import Guard, Kind
from api.schema.document import market_schema, regulator_schema
from api.server.dashboard_build import FOLDER
from api.services import Role
from tests.browser.documents import Written, documents, page_modules, reached
from tests.browser.double import SDL

DOCUMENTS = documents()
KINDS: frozenset[Kind] = frozenset({"query", "mutation", "subscription"})


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


def test_menu_is_read() -> None:
    assert set(page_modules()) == set(ROLES)
    assert all(len(modules) >= 3 for modules in page_modules().values())


@pytest.mark.parametrize("written", DOCUMENTS, ids=name)
def test_every_document_is_of_some_page_or_of_the_frame(written: Written) -> None:
    modules = {path for paths in page_modules().values() for path in paths}
    modules.add(FOLDER / "src" / "main.tsx")

    assert any(written.path in reached(module) for module in modules)


@pytest.mark.parametrize("role", ROLES)
def test_guard_takes_the_documents_of_a_roles_pages(role: Role, guard: Guard) -> None:
    for written in documents_of(role):
        admission = guard.admit(written.text, role, variables={"first": 100}, kinds=KINDS)

        assert all(is_allowed(role, field) for field in admission.fields_for(role)), written


def test_regulators_pages_ask_what_the_regulators_endpoint_has(readonly_guard: Guard) -> None:
    for written in documents_of("REGULATOR"):
        admission = readonly_guard.admit(written.text, "REGULATOR", variables={"first": 96})

        assert all(is_allowed("REGULATOR", field) for field in admission.fields_for("REGULATOR"))


def test_guard_takes_the_documents_of_the_first_page_of_a_visitor(guard: Guard) -> None:
    """An onlooker may ask all of them; a stranger all but the book, which the page then leaves out."""
    landing = FOLDER / "src" / "features" / "home" / "landing.tsx"
    found = [each for each in DOCUMENTS if each.path == landing]
    assert len(found) >= 3
    for written in found:
        reader: Reader = "ONLOOKER" if "book(" in written.text else "STRANGER"
        admission = guard.admit(written.text, reader)

        assert all(is_allowed(reader, field) for field in admission.fields_for(reader))


def documents_of(role: Role) -> list[Written]:
    """The documents of a role's pages; those of what carries them are everybody's."""
    paths = {path for module in page_modules()[role] for path in reached(module)}
    found = [
        each for each in DOCUMENTS if each.path in paths and "transport" not in each.path.parts
    ]
    assert found
    return found
