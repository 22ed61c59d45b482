"""`commonwatt meter` as it is typed: a fleet in a process of its own, read and found."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from commonwatt.commands.meter import ReadAnswer, app
from meter_oracle.drivers.modbus.discovery import Found
from meter_oracle.drivers.sources import ModbusSource, SourcesFile

SIMULATE = [sys.executable, "-c", "from commonwatt.commands.meter import app; app()", "simulate"]


class Running:
    """A fleet: its process and where its meters are read."""

    def __init__(self, process: subprocess.Popen[bytes], file: Path) -> None:
        self.process = process
        self.file = file
        assert process.stdout is not None
        listed = msgspec.json.decode(process.stdout.readline(), type=SourcesFile).meters
        self.sources = [each for each in listed if isinstance(each, ModbusSource)]

    def order(self, order: dict[str, object]) -> dict[str, object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        answer: dict[str, object] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    file = tmp_path_factory.mktemp("fleet") / "meters.json"
    command = [*SIMULATE, "--meters", "6", "--units", "3", "--port", "0", "--orders", "--json"]
    command += ["--sources", str(file), "--fault", "meter-00001=exception"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Running(process, file)
        finally:
            process.kill()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_all_are_read_and_the_faulty_one_is_named(fleet: Running) -> None:
    result = run("read", "--sources", str(fleet.file), "--json")

    answer = msgspec.json.decode(result.stdout, type=ReadAnswer)
    assert result.exit_code == 1
    assert [(each.meter, each.code) for each in answer.faults] == [
        ("meter-00001", "METER_EXCEPTION")
    ]
    assert len(answer.reads) == 5
    assert all(each.import_wh > 0 for each in answer.reads)


def test_one_is_read_as_a_table(fleet: Running) -> None:
    result = run("read", "meter-00002", "--sources", str(fleet.file))

    assert result.exit_code == 0
    assert "CW-meter-00002" in result.stdout


def test_one_is_read_without_a_file(fleet: Running) -> None:
    source = fleet.sources[3]
    result = run("read", "--host", source.host, "--port", str(source.port), "--json")

    assert result.exit_code == 0
    assert msgspec.json.decode(result.stdout, type=ReadAnswer).reads[0].serial == source.serial


def test_orders_begin_and_end_faults(fleet: Running) -> None:
    assert fleet.order({"order": "fault", "meter": "meter-00004", "fault": "nan"})["ok"]
    assert "METER_VALUE" in run("read", "meter-00004", "--sources", str(fleet.file)).stderr
    assert fleet.order({"order": "fault", "meter": "meter-00004"})["ok"]
    assert run("read", "meter-00004", "--sources", str(fleet.file)).exit_code == 0
    assert fleet.order({"order": "fault", "meter": "nobody"})["ok"] is False


def test_scan_finds_every_unit_with_models_and_serial(fleet: Running) -> None:
    port = fleet.sources[3].port
    result = run("scan", "127.0.0.1", "--ports", str(port), "--units", "1-5", "--json")

    found = msgspec.json.decode(result.stdout, type=list[Found])
    assert [each.unit for each in found] == [1, 2, 3]
    assert [each.serial for each in found] == [each.serial for each in fleet.sources[3:]]
    for each in found:
        assert each.models in ([1, 203], [1, 701, 123, 704])
        assert each.energy_map == f"sunspec-{each.models[1]}"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["read"], 2, "--sources FILE or --host"),
        (["read", "--sources", "none.json"], 2, "none.json"),
        (["read", "--host", "127.0.0.1", "--registers", "x"], 2, "eastron"),
        (["read", "--host", "127.0.0.1", "--port", "1"], 1, "METER_SILENT"),
        (["scan", "127.0.0.1", "--ports", "1"], 1, "Nothing speaks Modbus"),
        (["scan", "127.0.0.1", "--ports", "5-1"], 2, "5-1"),
        (["scan", "127.0.0.1", "--ports", "x"], 2, "'x'"),
        (["scan", "192.0.2.0/8"], 2, "addresses"),
        (["scan", "192.0.2.0/99"], 2, "not a network"),
        (["scan", "127.0.0.1", "--ports", "1-60000"], 2, "too many"),
        (["simulate", "--fault", "meter-00000=tired"], 2, "silent"),
        (["simulate", "--port", "0", "--fault", "nobody=silent"], 2, "nobody"),
        (["simulate", "--port", "65535", "--meters", "2"], 2, "65535"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments: list[str], code: int, said: str) -> None:
    result = run(*arguments)

    assert result.exit_code == code
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_fleet_stops_cleanly(number: signal.Signals) -> None:
    command = [*SIMULATE, "--meters", "2", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"2 meters" in process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == b""
