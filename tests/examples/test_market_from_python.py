"""The examples that use `commonwatt.market`: what they print follows from the market, and is drawn."""

from __future__ import annotations

from pathlib import Path

from tests.examples.program import run

PNG = b"\x89PNG\r\n\x1a\n"


def test_book_is_cleared_and_drawn(tmp_path: Path) -> None:
    printed = run("clear_a_book.py", "curves.png", folder=tmp_path)

    assert printed.splitlines()[-1] == "1900 Wh at 110000 micro/kWh"
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)


def test_two_price_rules_are_compared_on_the_same_orders(tmp_path: Path) -> None:
    asked = ("--days", "1", "--households", "6")
    printed = run("compare_price_rules.py", "week.png", *asked, folder=tmp_path)

    told = {line.split()[0]: line.split()[1:] for line in printed.splitlines()[2:]}
    assert set(told) == {"buyer", "seller"}
    assert told["buyer"][0] == told["seller"][0]
    assert float(told["seller"][2]) < float(told["buyer"][2])
    assert (tmp_path / "week.png").read_bytes().startswith(PNG)
