"""The retailer's server in a process of its own, with wallets that post sheets to it."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any

import httpx

from chaincode.contract import Contract
from chaincode.orders.sheets import SHEET_BYTES_MAX, SheetOrder
from commonwatt.demonstration.bidding import sign_sheet
from commonwatt.demonstration.cast import CHANNEL, SLOT_S, Home, make_cast
from tests.examples.program import command, environment

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
HANGS_S = 60


@contextmanager
def server(folder: Path) -> Generator[str]:
    """The address of the running example; at the end it is told to stop, and must end well."""
    with subprocess.Popen(
        command("retailer_server.py", "--port", "0"),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        watch = Timer(HANGS_S, process.kill)
        watch.start()
        try:
            assert process.stdout is not None
            printed: list[str] = []
            for line in process.stdout:
                printed.append(line)
                if found := ADDRESS.search(line):
                    yield found[0]
                    break
            else:
                raise AssertionError("".join(printed))
            process.send_signal(signal.SIGINT)
            process.communicate()
        finally:
            watch.cancel()
            process.kill()


def sheet(home: Home, name: str) -> str:
    """An offer of 100 Wh in a slot that stays open for half an hour at the least."""
    now_s = int(time.time())
    slot = now_s - now_s % SLOT_S + 3 * SLOT_S
    order = SheetOrder(id=name, side="buy", slot=slot, steps=[(200_000, 100)])
    return sign_sheet(home, [order], channel=CHANNEL, contract=Contract().name)


def post(address: str, body: str) -> httpx.Response:
    return httpx.post(f"{address}/sheets", content=body, timeout=HANGS_S, trust_env=False)


def test_sheets_of_many_wallets_share_a_transaction_and_each_has_its_answer(tmp_path: Path) -> None:
    """Twelve sheets at once, one of them damaged, one sent twice, and a body that is too large."""
    homes = make_cast(1, 20).homes[:12]
    sheets = [sheet(home, "o1") for home in homes]
    sheets[3] = f"{sheets[3][:-4]}AAAA"

    with server(tmp_path) as address:
        with ThreadPoolExecutor(len(sheets)) as wallets:
            answered = list(wallets.map(partial(post, address), sheets))
        again = post(address, sheets[0])
        large = post(address, "x" * (SHEET_BYTES_MAX + 1))

    answers: list[dict[str, Any]] = [answer.json() for answer in answered]
    codes = [answer["code"] for answer in answers]
    assert codes[3] == "SIGNATURE_INVALID"
    assert [code for place, code in enumerate(codes) if place != 3] == ["PLACED"] * 11
    assert len({answer["transaction"] for answer in answers}) < len(answers)
    assert again.json()["code"] == "EXISTS"
    assert (large.status_code, large.json()["code"]) == (413, "TOO_LARGE")
