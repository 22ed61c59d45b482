"""What the commands of services around a consortium say where they cannot do their work."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from commonwatt.commands import demonstration as demonstration_command
from commonwatt.deploy.staged_market import stage_market
from commonwatt.wiring.ledger_gateway import ledger_gateway
from commonwatt.wiring.network_readiness import await_network

app = typer.Typer()
app.command("await")(await_network)
app.command("ledger-gateway")(ledger_gateway)
app.add_typer(demonstration_command.app, name="demonstration")
runner = CliRunner()
NOW_S = 1_790_000_000


def refusal(*words: str) -> str:
    """The one line that a command says which cannot take its input."""
    answer = runner.invoke(app, list(words))
    assert answer.exit_code == 2, answer.output
    (line,) = answer.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize("content", [None, "{}", "no JSON"])
def test_waiting_without_a_profile_is_refused_and_becomes_nothing(
    tmp_path: Path, content: str | None
) -> None:
    profile, mark = tmp_path / "profile.json", tmp_path / "mark"
    if content is not None:
        profile.write_text(content, "utf-8")

    said = refusal("await", "--profile", str(profile), "--", "touch", str(mark))

    assert str(profile) in said
    assert not mark.exists()


def test_address_that_is_none_is_refused(tmp_path: Path) -> None:
    profile = str(tmp_path / "profile.json")

    said = refusal("await", "--profile", profile, "--listening", "database", "--", "true")

    assert "'database' is not host:port" in said


@pytest.mark.parametrize(
    ("field", "value"),
    [("listen", "7001"), ("nodes", []), ("area", 7), ("api", "api:8400"), ("surplus", "field")],
)
def test_ledger_s_side_refuses_settings_that_it_cannot_take(
    tmp_path: Path, field: str, value: object
) -> None:
    good: dict[str, object] = {
        "area": "lindenhof",
        "listen": "127.0.0.1:7001",
        "tls": {"certificate": "a.pem", "key": "a.key", "authority": "b.pem"},
        "profile": "profile.json",
        "nodes": ["did:key:z6Mk"],
    }
    file = tmp_path / "side.yaml"
    file.write_bytes(msgspec.yaml.encode(good))
    assert str(tmp_path / "profile.json") in refusal("ledger-gateway", "--config", str(file))

    file.write_bytes(msgspec.yaml.encode(good | {field: value}))

    assert str(file) in refusal("ledger-gateway", "--config", str(file))


@pytest.mark.parametrize("part", ["meters", "members"])
def test_part_of_a_demonstration_without_a_plan_is_refused(tmp_path: Path, part: str) -> None:
    plan = tmp_path / "plan.json"

    assert str(plan) in refusal("demonstration", part, "--plan", str(plan))


def test_members_without_profiles_are_refused(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_bytes(msgspec.json.encode(stage_market(3, 90, NOW_S)))

    said = refusal("demonstration", "members", "--plan", str(plan))

    assert "holds no member's profile" in said
