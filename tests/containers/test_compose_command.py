"""What `compose` and `join` print, also when they are mistyped."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from commonwatt.commands.network.compose import Composed, compose
from commonwatt.commands.network.join import join
from commonwatt.deploy.market_compose import compose_file
from ledger_network.fabric.consortium.definition import read_consortium

pytestmark = pytest.mark.network

app = typer.Typer()
app.command("compose")(compose)
app.command("join")(join)
runner = CliRunner()


def test_without_images_it_makes_material_and_file_and_says_what_is_next(tmp_path: Path) -> None:
    data, file = tmp_path / "material", tmp_path / "compose.yaml"
    places = ["--data", str(data), "--file", str(file)]

    answer = runner.invoke(app, ["compose", *places, "--no-build", "--tag", "2", "--json"])

    assert answer.exit_code == 0, answer.output
    composed = msgspec.json.decode(answer.stdout, type=Composed)
    variables = f"COMMONWATT_MATERIAL={data} COMMONWATT_TAG=2"
    assert composed.next == f"{variables} docker compose -f {file} up -d"
    assert composed.images == []
    assert file.read_bytes() == compose_file(read_consortium())
    assert (data / "agreement" / "channel.block").is_file()
    assert (data / "market" / "api" / "api.toml").is_file()


def test_consortium_that_cannot_be_taken_is_refused_in_one_line(tmp_path: Path) -> None:
    wrong = tmp_path / "consortium.yaml"
    wrong.write_text("name: 7\n", "utf-8")

    answer = runner.invoke(app, ["compose", "--consortium", str(wrong), "--data", str(tmp_path)])

    assert answer.exit_code == 2
    assert len(answer.stderr.strip().splitlines()) == 1
    assert str(wrong) in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["consortium.yaml"]


def test_joining_without_material_is_refused_in_one_line(tmp_path: Path) -> None:
    answer = runner.invoke(app, ["join", "--material", str(tmp_path / "nothing")])

    assert answer.exit_code == 2
    assert "cannot be read" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
