"""`commonwatt api`: the schema, the settings, an API by itself on an embedded ledger."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from api.schema.document import sdl
from commonwatt.commands.api import app
from commonwatt.demonstration.cast import make_cast
from tests.api.served_market import founded

RUNNER = CliRunner()
ADDRESS = re.compile(r"http://[\w.]+:\d+")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file of an API on a founded ledger that nobody has open."""

    async def found() -> None:
        async with founded(tmp_path, make_cast(1, 2)):
            pass

    asyncio.run(found())
    file = tmp_path / "api.toml"
    file.write_text(
        f"""
        [api]
        port = 0
        read_model = "sqlite:///{tmp_path}/read-model.sqlite3"
        log_format = "json"

        [market]
        area = "lindenhof"
        member = "NordGrid"
        folder = "{tmp_path}/ledger"

        [[market.accounts]]
        did = "did:key:z6Mk"
        role = "REGULATOR"
        member = "EnergyAuthority"
        name = "the authority"
        """
    )
    return file


def test_schema_is_printed_as_sdl() -> None:
    answer = RUNNER.invoke(app, ["schema"])

    assert answer.exit_code == 0
    assert answer.stdout == sdl()


def test_settings_are_printed_without_their_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "api.toml"
    file.write_text('[api]\nread_model = "postgres://reader:secret@db/market"\nport = 9000\n')
    monkeypatch.setenv("COMMONWATT_API_PORT", "9001")
    monkeypatch.setenv("COMMONWATT_API_SIGNING_KEY", "a secret key")

    answer = RUNNER.invoke(app, ["settings", "--config", str(file)])

    shown = orjson.loads(answer.stdout)
    assert shown["port"] == 9001
    assert shown["read_model"] == "postgres://reader:**********@db/market"
    assert "secret" not in answer.stdout.replace("secret_", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[api]\nport = 70000", "port"),
        ("[api]\nprot = 1", "prot"),
        ("[api]\norigins = ['https://a.example/page']", "origins"),
        ("[api", "is no TOML"),
        ("[api]\nrefresh_idle_s = 700000", "refresh_idle_s"),
        ("[api]\naccess_token_s = 'secret'", "access_token_s"),
    ],
)
def test_setting_that_is_not_taken_is_named_and_not_shown(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "api.toml"
    file.write_text(text)

    answer = RUNNER.invoke(app, ["settings", "--config", str(file)])

    assert answer.exit_code == 2
    assert said in answer.stderr
    assert "secret" not in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_file_without_a_ledger_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "api.toml"
    file.write_text('[market]\narea = "a"\nmember = "b"\n')

    answer = RUNNER.invoke(app, ["serve", "--config", str(file)])

    assert answer.exit_code == 2
    assert "either profiles or a folder" in answer.stderr


def test_read_model_is_made_anew(config: Path) -> None:
    answer = RUNNER.invoke(app, ["rebuild", "--config", str(config)])

    assert answer.exit_code == 0, answer.stderr
    assert re.search(r"up to block \d+", answer.stdout)


def test_api_by_itself_serves_until_it_is_stopped(config: Path) -> None:
    code = f"from commonwatt.commands.api import app; app(['serve', '--config', {str(config)!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        found = None
        for line in process.stderr:
            found = ADDRESS.search(line)
            if found:
                break
        assert found is not None
        asked = {"query": "{market{area}}"}
        answer = httpx.post(f"{found[0]}/graphql", json=asked, timeout=30, trust_env=False)
        assert answer.json()["data"]["market"]["area"] == "lindenhof"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
