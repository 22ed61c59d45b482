"""The wheel, installed in a clean environment and run outside the checkout, as a user has it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from api.server.dashboard_build import build
from tests.house.tree import PACKAGES, ROOT

# One test installs what the others use, so one worker runs them all.


def book(*, sold_wh: int) -> str:
    """One buyer of 500 Wh at 150,000 micro/kWh, one seller of `sold_wh` at 60,000, in one zone."""
    buy = {"id": "b1", "zone": "p", "side": "buy", "price": 150_000, "quantity": 500}
    sell = {"id": "s1", "zone": "p", "side": "sell", "price": 60_000, "quantity": sold_wh}
    return json.dumps(
        {
            "mechanism": "uniform",
            "rules": {"price_rule": "midpoint", "price_band": [-500_000, 4_000_000]},
            "zones": [{"id": "p", "parent": None}],
            "orders": [buy | {"participant": "x"}, sell | {"participant": "y"}],
        }
    )


def result_of(*, price: int, price_range: list[int], unfilled: list[object]) -> dict[str, object]:
    """The whole answer when 500 Wh trade at `price`, without its digest."""
    trade = {"buy": "b1", "sell": "s1", "quantity": 500, "path": ["p"]}
    return {
        "volume": 500,
        "welfare": (150_000 - 60_000) * 500,
        "prices": {"p": price},
        "price_range": {"p": price_range},
        "flows": {},
        "congestion_rent": {},
        "edge_income": {},
        "loss_account": {},
        "area_income": 0,
        "fills": [
            {"order": "b1", "quantity": 500, "price": price},
            {"order": "s1", "quantity": 500, "price": price},
        ],
        "trades": [trade | {"buy_price": price, "sell_price": price}],
        "unfilled": unfilled,
    }


def run(*command: str | Path, cwd: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of ours or of this Python's on its path."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name != "VIRTUAL_ENV"
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the locked build backend; the dashboard in it is built before."""
    build(lambda _: None)
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    built = run(
        sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, ROOT, cwd=folder
    )
    assert built.returncode == 0, built.stderr
    (file,) = folder.glob("commonwatt-*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a clean environment with the wheel and its locked requirements."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "env", with_pip=True, symlinks=True)
    commands = folder / "env" / "bin"
    pip = (commands / "python", "-m", "pip", "--disable-pip-version-check", "install")
    locked = ("--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements.txt")
    for arguments in (locked, ("--no-deps", "--no-index", wheel)):
        answer = run(*pip, *arguments, cwd=folder)
        assert answer.returncode == 0, answer.stderr
    return commands


def test_wheel_holds_packages_type_markers_data_and_licences(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert {f"{package}/__init__.py" for package in PACKAGES} <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert "commonwatt/data/simbench/simbench-week-2016-06-13.csv" in names
    assert "commonwatt/data/simbench/README.md" in names
    assert {"api/dashboard/dist/index.html", "api/server/dashboard_build.py"} <= names
    assert not [name for name in names if "node_modules" in name or name.endswith((".ts", ".tsx"))]
    (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= names


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_locked_requirements_are_all_that_the_wheel_asks_for(installed: Path) -> None:
    answer = run(installed / "python", "-m", "pip", "check", cwd=installed.parent)

    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("sold_wh", "expected"),
    [
        # Both are filled: any price from limit to limit does, the rule takes the midpoint.
        (500, result_of(price=105_000, price_range=[60_000, 150_000], unfilled=[])),
        # The seller has Wh left: a partly filled step is at the price.
        (
            1_600,
            result_of(
                price=60_000,
                price_range=[60_000, 60_000],
                unfilled=[{"order": "s1", "quantity": 1_100, "reason": "PRIORITY"}],
            ),
        ),
    ],
)
def test_auction_of_two_orders_gives_the_documented_answer(
    installed: Path, tmp_path: Path, sold_wh: int, expected: dict[str, object]
) -> None:
    answer = run(installed / "commonwatt", "auction", cwd=tmp_path, given=book(sold_wh=sold_wh))

    assert answer.returncode == 0, answer.stderr
    # The answer is plain ASCII without large numbers, so sorted compact JSON is canonical.
    canonical = json.dumps(expected, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(canonical).hexdigest()
    assert json.loads(answer.stdout) == expected | {"digest": digest}


def test_unreadable_book_is_refused_in_one_line(installed: Path, tmp_path: Path) -> None:
    answer = run(installed / "commonwatt", "auction", cwd=tmp_path, given="{")

    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 1


def test_profiles_are_read_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    script = (
        "from commonwatt.demonstration.profiles import row_of, simbench_week;"
        "print(len(simbench_week().columns['PV1']), row_of(1781474400))"
    )

    answer = run(installed / "python", "-c", script, cwd=tmp_path)

    assert answer.stdout.split() == ["672", "0"], answer.stderr
