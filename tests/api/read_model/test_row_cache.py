"""Kept rows equal the rows that a read would give, even if another connection writes; they are few."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.read_model.row_cache import ROWS_MAX, RowCache

PAGES = [
    ("SELECT name, amount FROM thing ORDER BY name LIMIT ?", (3,)),
    ("SELECT name, amount FROM thing ORDER BY name LIMIT ?", (100,)),
    ("SELECT SUM(amount) FROM thing WHERE amount > ?", (2,)),
]


class Stand(NamedTuple):
    """A file with a reader that keeps, one that does not, and two that write."""

    kept: RowCache
    plain: sqlite3.Connection
    writers: tuple[sqlite3.Connection, sqlite3.Connection]
    statements: list[str]


def make_stand(folder: Path) -> Stand:
    connections = [sqlite3.connect(folder / "things.sqlite3") for _ in range(4)]
    reader, plain, first, second = connections
    first.execute("PRAGMA journal_mode = WAL")
    first.execute("CREATE TABLE thing (name TEXT PRIMARY KEY, amount INTEGER)")
    first.commit()
    statements: list[str] = []
    reader.set_trace_callback(statements.append)
    return Stand(RowCache(reader), plain, (first, second), statements)


def end(stand: Stand) -> None:
    stand.kept.close()
    for connection in (stand.plain, *stand.writers):
        connection.close()


@pytest.fixture
def stand(tmp_path: Path) -> Generator[Stand]:
    made = make_stand(tmp_path)
    yield made
    end(made)


def put(connection: sqlite3.Connection, name: str, amount: int) -> None:
    connection.execute("INSERT OR REPLACE INTO thing VALUES (?, ?)", (name, amount))


def selects(stand: Stand) -> int:
    """How often the reader asked SQLite for rows of a page."""
    return sum(1 for text in stand.statements if text.startswith("SELECT"))


def test_page_is_read_once_until_somebody_commits(stand: Stand) -> None:
    put(stand.writers[0], "a", 1)
    stand.writers[0].commit()
    for _ in range(5):
        assert stand.kept.read(*PAGES[0]) == [("a", 1)]
    assert selects(stand) == 1

    put(stand.writers[1], "b", 2)
    assert stand.kept.read(*PAGES[0]) == [("a", 1)]
    assert selects(stand) == 1

    stand.writers[1].commit()
    assert stand.kept.read(*PAGES[0]) == [("a", 1), ("b", 2)]
    assert selects(stand) == 2


def test_what_was_undone_changes_nothing(stand: Stand) -> None:
    put(stand.writers[0], "a", 1)
    stand.writers[0].rollback()
    assert stand.kept.read(*PAGES[0]) == []


def test_fault_is_raised_each_time_and_the_table_read_when_it_is_there(stand: Stand) -> None:
    page = ("SELECT COUNT(*) FROM later", ())
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            stand.kept.read(*page)
    stand.writers[0].execute("CREATE TABLE later (a)")
    assert stand.kept.read(*page) == [(0,)]
    stand.writers[0].execute("DROP TABLE later")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        stand.kept.read(*page)


def test_no_more_is_kept_than_its_bound(stand: Stand) -> None:
    writer = stand.writers[0]
    for number in range(100):
        put(writer, f"{number:03}", number)
    writer.commit()
    page = "SELECT name FROM thing WHERE amount >= 0 AND amount <> -?"
    asked = 2 * ROWS_MAX // 100
    for number in range(1, asked + 1):
        assert len(stand.kept.read(page, (number,))) == 100
    before = selects(stand)

    for number in range(1, asked + 1):
        stand.kept.read(page, (number,))

    assert asked / 2 <= selects(stand) - before < asked


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("read"), st.integers(0, len(PAGES) - 1)),
            st.tuples(
                st.just("put"), st.integers(0, 1), st.sampled_from("abcde"), st.integers(0, 9)
            ),
            st.tuples(st.just("drop"), st.integers(0, 1), st.sampled_from("abcde")),
        ),
        max_size=30,
    )
)
def test_kept_rows_are_those_that_would_be_read(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str | int, ...]]
) -> None:
    stand = make_stand(tmp_path_factory.mktemp("things"))
    for act in acts:
        match act:
            case ("read", int(page)):
                statement, values = PAGES[page]
                plain = stand.plain.execute(statement, values).fetchall()
                assert stand.kept.read(statement, values) == plain
            case ("put", int(writer), str(name), int(amount)):
                put(stand.writers[writer], name, amount)
                stand.writers[writer].commit()
            case (_, int(writer), name):
                stand.writers[writer].execute("DELETE FROM thing WHERE name = ?", (name,))
                stand.writers[writer].commit()
            case _:
                raise AssertionError(act)
    end(stand)
