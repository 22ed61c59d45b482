"""What the data folder of a market remembers, and which folders are refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from commonwatt.demonstration.cast import HOMES_EMPTY
from commonwatt.demonstration.market_plan import HOUSEHOLDS_DEFAULT
from commonwatt.wiring.ledger_choice import LedgerKind
from commonwatt.wiring.market_folder import (
    KeptMarket,
    UpRefused,
    choose_market,
    keep_market,
    read_market,
)

NOW_S = 1_797_735_721


def test_folder_remembers_its_market_whatever_is_asked_later(tmp_path: Path) -> None:
    kept = choose_market(tmp_path, None, 90, NOW_S)

    assert (kept.plan.households, kept.plan.empty) == (HOUSEHOLDS_DEFAULT, HOMES_EMPTY)
    assert choose_market(tmp_path, None, 1, NOW_S + 86_400) == kept == read_market(tmp_path)


def test_another_number_of_households_is_refused(tmp_path: Path) -> None:
    choose_market(tmp_path, None, 90, NOW_S)

    with pytest.raises(UpRefused, match="has 24 households, not 5"):
        choose_market(tmp_path, 5, 90, NOW_S)


def test_another_ledger_is_refused(tmp_path: Path) -> None:
    choose_market(tmp_path, None, 90, NOW_S)

    with pytest.raises(UpRefused, match="say --ledger embedded"):
        choose_market(tmp_path, None, 90, NOW_S, LedgerKind.FABRIC)


@pytest.mark.parametrize("text", ['{"seed": "x"}', "", '{"v": 2}', "\x00"])
def test_damaged_file_is_named_and_not_written_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "market.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UpRefused, match="is damaged"):
        choose_market(tmp_path, None, 90, NOW_S)

    assert path.read_text(encoding="utf-8") == text


def test_folder_of_an_older_layout_is_refused_with_what_to_do(tmp_path: Path) -> None:
    older = {"v": 1, "seed": 1, "households": 6, "first_slot": 1_797_724_800, "founded": True}
    (tmp_path / "market.json").write_bytes(msgspec.json.encode(older))

    with pytest.raises(UpRefused, match=r"layout 1, this one has 2\); choose another --data"):
        choose_market(tmp_path, None, 90, NOW_S)


@pytest.mark.parametrize("written", ["ledger", "network/nodes/orderer-a/data"])
def test_ledger_without_its_market_is_never_founded_over(tmp_path: Path, written: str) -> None:
    (tmp_path / written).mkdir(parents=True)

    with pytest.raises(UpRefused, match=r"holds a ledger and no market\.json"):
        choose_market(tmp_path, None, 90, NOW_S)


def test_network_that_was_made_and_never_started_is_taken(tmp_path: Path) -> None:
    (tmp_path / "network" / "nodes" / "orderer-a" / "config").mkdir(parents=True)

    assert not choose_market(tmp_path, None, 90, NOW_S).founded


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(UpRefused, match="choose another --data"):
        choose_market(tmp_path / "file" / "market", None, 90, NOW_S)


def test_market_that_is_founded_is_remembered_as_such(tmp_path: Path) -> None:
    kept = choose_market(tmp_path, 3, 90, NOW_S)

    founded: KeptMarket = msgspec.structs.replace(kept, founded=True)
    keep_market(tmp_path, founded)

    assert read_market(tmp_path) == founded
