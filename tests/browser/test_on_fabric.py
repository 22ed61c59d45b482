"""The market on a Fabric network of its own, through a browser.

`commonwatt up --ledger fabric` in a process of its own, started once. The network stands on free
ports: it is made before, of the default consortium moved to them, and `up` finds it in its folder.
"""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
from collections.abc import Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from chaincode.contract import Contract
from commonwatt.bench.fabric.network import CONTRACT_COMMAND, on_free_ports, unheard
from commonwatt.demonstration.cast import ORACLE
from commonwatt.demonstration.personas import REGULATOR
from ledger_network.fabric.binaries.install import install
from ledger_network.fabric.consortium.definition import read_consortium
from ledger_network.fabric.consortium.profile import profile
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.operations.network import Network
from ledger_network.fabric.runtime.probe import until
from ledger_network.fabric.runtime.processes import Process
from tests.browser.looks import become, settle
from tests.browser.newcomer import join, place
from tests.commonwatt.wiring.running_market import address_of, market, stop

pytestmark = pytest.mark.network

T = TypeVar("T")

LASTS_S = 300  # a market that runs for so long is killed
SETTLED_MS = 120_000  # some slots of five seconds, and the first ended before there were meters
CAUGHT_UP_S = 30.0
BLOCKS = 4  # so many come in two slots at the least
OWN_PATH, REGULATORS_PATH = "/graphql", "/regulator/graphql"
ASKED_BLOCK = {"query": "{ market { block engine } }"}
SCHEMA = {"query": "{ __schema { queryType { name } mutationType { name } } }"}
WRITING = {"query": 'mutation { challenge(did: "did:key:z6Mk") { nonce } }'}


class OnFabric(NamedTuple):
    """A running market: its process, its pages, its network, the folder of all its data."""

    process: subprocess.Popen[str]
    address: str
    network: Network
    data: Path

    def peer(self, organisation: str) -> Process:
        """The process of a member's peer."""
        consortium = self.network.consortium
        (node,) = consortium.peers_of(consortium.organisation(organisation))
        running = self.network.processes()
        assert running is not None
        found = running.named(node.name)
        assert found is not None
        assert found.process is not None
        return found.process

    def processes(self) -> list[str]:
        """The command lines of all processes at work in the market's folder."""
        found: list[str] = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                folder = (process / "cwd").readlink()
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:  # it has ended, or only its remains are there
                continue
            line = b" ".join(words).decode(errors="replace")
            if folder.is_relative_to(self.data) or str(self.data) in line:
                found.append(line)
        return found


@pytest.fixture(scope="module")
def on_fabric(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[OnFabric]:
    """The market, and at the end its network's processes if it should have left them."""
    assert dist.is_dir()
    data = tmp_path_factory.mktemp("market")
    network = Network(
        on_free_ports(read_consortium()),
        data / "network",
        install(),
        contract_command=CONTRACT_COMMAND,
        version=Contract.version,
    )
    network.make()
    try:
        options = ("--ledger", "fabric", "--households", "12")
        with market(data, *options, speed=180, lasts_s=LASTS_S) as process:
            yield OnFabric(process, address_of(process), network, data)
    finally:
        apart(network.down(purge=True, progress=unheard))


def apart(work: Coroutine[Any, Any, T]) -> T:
    """The result of asynchronous work in a thread of its own: the browser holds this one's loop."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


def play(page: Page, role: str) -> None:
    """Become the first persona of a role, on the page where it starts."""
    option = page.locator("option", has_text=f"({role})").first
    expect(option).to_have_count(1)
    become(page, option.inner_text())
    settle(page)


def test_operator_sees_the_engine_and_that_it_takes_orders(
    browser: Browser, on_fabric: OnFabric
) -> None:
    page = browser.new_page()
    page.goto(on_fabric.address)
    play(page, "oracle operator")

    page.get_by_role("link", name="Ledger").click()

    figures = page.locator(".figure")
    expect(figures.filter(has_text="Engine").locator("dd")).to_have_text("fabric")
    expect(figures.filter(has_text="Orders").locator("dd")).to_have_text("accepted")
    page.close()


def test_newcomer_joins_and_an_order_stands(browser: Browser, on_fabric: OnFabric) -> None:
    page = browser.new_page()
    join(page, on_fabric.address)

    place(page, side="Sell", kwh="0.2", price="-20", button="Sign and offer")

    order = page.locator(".orders > li", has_text="Sell")
    expect(order.get_by_label(re.compile("State: "))).to_be_visible()
    expect(order).to_contain_text(re.compile(r"block \d+"))
    page.close()


def test_slot_settles_on_what_the_oracles_own_peer_endorsed(
    browser: Browser, on_fabric: OnFabric
) -> None:
    """A household sees a measured reading; the block that it names holds the oracle's report, and
    the endorsements of that; then the grid operator sees a slot settled without an estimate.
    """
    page = browser.new_page()
    page.goto(on_fabric.address)
    play(page, "household")
    page.get_by_role("link", name="Meter").click()
    reading = page.locator("table tbody tr", has_text="measured").first
    expect(reading).to_be_visible(timeout=SETTLED_MS)
    block = int(reading.locator("td .value").last.inner_text())

    endorsers = apart(_endorsers(on_fabric.network, block, "record_readings"))

    msp = on_fabric.network.consortium.organisation(ORACLE).msp
    assert endorsers
    assert all(msp in each for each in endorsers)
    play(page, "grid operator")
    page.get_by_role("link", name="Slots").click()
    settled = page.locator("tbody tr").filter(
        has=page.locator(".state", has_text=re.compile("^settled$"))
    )
    measured = settled.filter(has=page.locator("td", has_text=re.compile("^Estimated meters0$")))
    traded = measured.filter(has_not=page.locator("td", has_text=re.compile("^Orders0$")))
    expect(traded.first).to_be_visible(timeout=SETTLED_MS)
    page.close()


async def _endorsers(network: Network, block: int, transaction: str) -> list[tuple[str, ...]]:
    """The organisations that endorsed each valid transaction of a name in a block."""
    own = profile(network.consortium, REGULATOR, network.placement)
    async with Gateway(own.identity("client"), own.endpoints, channel=own.channel) as gateway:
        found = await gateway.block(block)
    return [
        one.endorsers
        for one in found.transactions
        if one.valid and one.arguments[:1] == (transaction.encode(),)
    ]


def test_regulator_reads_from_its_own_peer_and_cannot_write(
    browser: Browser, on_fabric: OnFabric
) -> None:
    """Its page asks its own endpoint. While its peer rests, what that answers stands still and
    everybody else's goes on; when the peer goes on, it catches up.
    """
    page = browser.new_page()
    asked: list[tuple[str, str]] = []
    page.on("request", lambda one: asked.append((one.url, one.headers.get("authorization", ""))))
    page.goto(on_fabric.address)
    play(page, "regulator")
    expect(page.locator("tbody tr").first).to_contain_text(re.compile(r"\d\d:\d\d"))
    page.close()

    path = f"{on_fabric.address}{REGULATORS_PATH}"
    token = next(token for url, token in asked if url == path)
    with httpx.Client(base_url=on_fabric.address, headers={"authorization": token}) as client:
        schema = client.post(REGULATORS_PATH, json=SCHEMA).json()["data"]["__schema"]
        assert schema == {"queryType": {"name": "Query"}, "mutationType": None}
        refused = client.post(REGULATORS_PATH, json=WRITING)
        assert refused.json()["errors"]
        assert not refused.json().get("data")

        with _resting(on_fabric.peer(REGULATOR)):
            apart(_until_block(client, OWN_PATH, _block(client, OWN_PATH) + BLOCKS))
            held = _block(client, REGULATORS_PATH)
            apart(_until_block(client, OWN_PATH, _block(client, OWN_PATH) + BLOCKS))
            assert _block(client, REGULATORS_PATH) == held
            ahead = _block(client, OWN_PATH)
            assert held < ahead
        apart(_until_block(client, REGULATORS_PATH, ahead))


@contextmanager
def _resting(process: Process) -> Generator[None]:
    """A process that does nothing for a while."""
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)


def _block(client: httpx.Client, path: str) -> int:
    """The block that an endpoint has read up to."""
    market = client.post(path, json=ASKED_BLOCK).raise_for_status().json()["data"]["market"]
    assert market["engine"] == "fabric"
    return market["block"]


async def _until_block(client: httpx.Client, path: str, block: int) -> None:
    """Wait until an endpoint has read a block."""

    async def missing() -> str:
        found = await asyncio.to_thread(_block, client, path)
        return "" if found >= block else f"block {found}"

    await until(f"block {block} at {path}", missing, within_s=CAUGHT_UP_S)


def test_market_that_is_told_to_stop_leaves_no_process_of_its_network(
    on_fabric: OnFabric,
) -> None:
    """The last here: the market is gone afterwards."""
    nodes = len(on_fabric.network.consortium.nodes())
    assert len(on_fabric.processes()) > nodes

    stopped = stop(on_fabric.process, signal.SIGTERM)

    assert stopped.code == 0, stopped.printed
    assert "The same command goes on from here." in stopped.printed
    assert on_fabric.processes() == []
