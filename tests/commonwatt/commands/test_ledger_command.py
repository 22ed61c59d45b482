"""`commonwatt ledger` on the folder that a simulation leaves."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commonwatt.cli import app
from commonwatt.commands.auction import run_auction
from commonwatt.demonstration.cast import ZONES
from commonwatt.demonstration.simulation import SimulationResult, simulate


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimulationResult]:
    """A day of six households, kept."""
    folder = tmp_path_factory.mktemp("simulated") / "ledger"
    return folder, asyncio.run(simulate(days=1, households=6, seed=3, data=folder))


@pytest.fixture
def ledger(simulated: tuple[Path, SimulationResult], tmp_path: Path) -> Path:
    """A copy of that day's ledger, to be touched."""
    return shutil.copytree(simulated[0], tmp_path / "ledger")


def test_verify_says_what_it_checked(ledger: Path) -> None:
    result = CliRunner().invoke(app, ["ledger", "verify", "--data", str(ledger), "--json"])

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["fault"] is None
    boundaries, days = 97, 2  # each reading is noted in its day, each day once for its meter
    assert report["private_values"] == 6 * (2 * boundaries + days)


def test_verify_names_a_changed_byte_and_exits_1(ledger: Path) -> None:
    log = ledger / "private.log"
    content = bytearray(log.read_bytes())
    content[-1] ^= 0x80
    log.write_bytes(content)

    result = CliRunner().invoke(app, ["ledger", "verify", "--data", str(ledger)])

    assert result.exit_code == 1
    assert result.stdout.startswith("DAMAGED: ")
    assert "private.log" in result.stdout


def test_rebuild_ends_in_the_state_hash_of_the_simulation(
    ledger: Path, simulated: tuple[Path, SimulationResult]
) -> None:
    for file in ledger.glob("state.sqlite*"):
        file.unlink()

    result = CliRunner().invoke(app, ["ledger", "rebuild", "--data", str(ledger), "--json"])

    rebuilt = json.loads(result.stdout)
    assert rebuilt["state_hash"] == simulated[1].state_hash
    assert rebuilt["blocks"] == simulated[1].blocks


def test_exported_blocks_hold_every_transaction_and_no_private_value(
    ledger: Path, simulated: tuple[Path, SimulationResult]
) -> None:
    result = CliRunner().invoke(app, ["ledger", "export", "--data", str(ledger)])

    blocks = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(blocks) == simulated[1].blocks
    names = {t["name"] for block in blocks for t in block.get("transactions", [])}
    assert {"place_orders", "close_gate", "clear_slot", "record_readings", "settle_slot"} <= names
    assert "export_to_wh" not in result.stdout


def test_exported_book_clears_again_to_the_recorded_digest(ledger: Path) -> None:
    noon = 1_781_474_400 + 12 * 3_600
    result = CliRunner().invoke(
        app,
        ["ledger", "book", "--data", str(ledger), "--slot", str(noon), "--zone", ZONES[0]],
    )

    assert result.exit_code == 0
    recorded = dict(line.split() for line in result.stderr.splitlines())
    again = json.loads(run_auction(result.stdout.encode()))
    assert again["digest"] == recorded["outcome"]


@pytest.mark.parametrize("command", ["verify", "rebuild", "export"])
def test_folder_without_a_ledger_ends_with_a_sentence(tmp_path: Path, command: str) -> None:
    result = CliRunner().invoke(app, ["ledger", command, "--data", str(tmp_path / "nothing")])

    assert result.exit_code in (1, 2)
    assert "holds no ledger" in result.stderr
