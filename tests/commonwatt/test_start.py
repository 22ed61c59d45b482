"""What `commonwatt` loads: a command that needs little starts without the parts it does not use."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import import_module

import pytest
import typer.main
from typer.testing import CliRunner

from commonwatt.cli import COMMANDS, app

HEAVY = {
    "api",
    "grpc",
    "ledger_network.fabric",
    "pymodbus",
    "starlette",
    "strawberry",
    "tortoise",
    "uvicorn",
}
BOOK = '{"mechanism": "uniform", "zones": [{"id": "z", "parent": null}], "orders": []}'
RUN = """
import json, sys
from commonwatt.cli import app
try:
    app(sys.argv[1:])
finally:
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("auction",),
        ("auction", "--help"),
        ("wallet", "--help"),
        ("wallet", "show", "w"),
    ],
    ids=" ".join,
)
def test_command_that_needs_little_loads_little(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        input=BOOK,
        capture_output=True,
        text=True,
        env={"COMMONWATT_PASSPHRASE": "x"},
        check=False,
    )

    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "commonwatt.command_line" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = typer.main.get_command(import_module(COMMANDS[name].module).app)

    assert inspect.cleandoc(command.help or "").partition("\n\n")[0] == COMMANDS[name].line


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_found_and_has_no_options_of_the_list(name: str) -> None:
    shown = CliRunner().invoke(app, [name, "--help"])

    assert shown.exit_code == 0, shown.output
    assert f"Usage: commonwatt {name}" in shown.output
    assert "--install-completion" not in shown.output


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("commonwatt wal", {"wallet"}), ("commonwatt wallet ro", {"rotate"})],
)
def test_shell_completes_commands_and_what_is_under_them(typed: str, completed: set[str]) -> None:
    asked = CliRunner().invoke(
        app,
        [],
        prog_name="commonwatt",
        env={
            "_COMMONWATT_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(typed.split()) - 1),
        },
    )

    assert set(asked.output.split()) == completed


def test_version_names_commonwatt_python_and_fabric() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    told = json.loads(CliRunner().invoke(app, ["--version", "--json"]).stdout)

    assert shown.exit_code == 0
    assert (
        {"commonwatt", "python", "fabric"}
        <= told.keys()
        <= {
            "commonwatt",
            "python",
            "fabric",
            "commit",
        }
    )
    for version in told.values():
        assert version in shown.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json"], "--version"),
        (["fly"], "No such command 'fly'; see `commonwatt --help`."),
        (["up", "--speed", "0"], "'--speed': Input should be greater than or equal to 1; see"),
        (["up", "--speed", "fast"], "'--speed': Input should be a valid integer"),
        (["up", "--ledger", "paper"], "'paper' is not one of 'embedded', 'fabric'"),
        (["up", "--fly"], "see `commonwatt up --help`."),
        (["wallet", "show"], "see `commonwatt wallet show --help`."),
    ],
)
def test_wrong_command_line_is_refused_on_one_line(words: list[str], said: str) -> None:
    refused = CliRunner().invoke(app, words, prog_name="commonwatt")

    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert said in refused.stderr


def test_command_that_is_named_alone_prints_its_help() -> None:
    for words in ([], ["wallet"]):
        shown = CliRunner().invoke(app, words, prog_name="commonwatt")

        assert shown.exit_code == 2
        assert "Commands" in shown.stdout
        assert shown.stderr == ""
