"""The contract is replaced on the running network, in the middle of a slot, under orders."""

from __future__ import annotations

import asyncio
import re
import sys

import msgspec
import pytest

from chaincode.orders.handlers import TokensAnswer
from chaincode.orders.sheets import SheetOrder, TokensArguments
from chaincode.queries.market import OpenOrdersAnswer, SlotView
from chaincode.slots.gate import SlotAnswer, SlotArguments
from commonwatt.bench.fabric.market import FabricMarket, fabric_market
from commonwatt.bench.fabric.network import unheard
from commonwatt.demonstration.cast import AREA, DSO, RETAILERS, market_rules
from commonwatt.demonstration.duties.seeds import SeedDuties, submit_to
from ledger_network.fabric.ledger.contract_service import About
from ledger_network.fabric.operations.material import NetworkFault
from ledger_network.fabric.operations.network import Network
from ledger_network.fabric.operations.status import contracts_run
from ledger_network.port import Conflict, Member
from tests.ledger_network.fabric import next_contract

pytestmark = pytest.mark.network

HOMES = 6
ORDERS_MIN, ORDERS_MAX = 3, 45  # of a household; a row holds 50


async def place(market: FabricMarket, home: int, name: str) -> None:
    """Place one order of a household, again as long as it meets the upgrade."""
    sheet = market.sheet(home, SheetOrder(name, "buy", market.first_slot, [(100_000, 10)]))
    member = Member(RETAILERS[home % len(RETAILERS)])
    while True:
        try:
            receipt = await market.ledger.submit(
                "place_orders", TokensArguments([sheet]), member=member
            )
        except Conflict:
            continue
        (answer,) = receipt.read(TokensAnswer).answers
        assert answer.code in ("PLACED", "EXISTS")
        return


async def versions(network: Network) -> dict[str, str]:
    """Which version every member's service runs."""
    async with network.rollout() as rollout:
        names = [member.name for member in rollout.members]
        found = await contracts_run(network, rollout, names)
    return {name: one.version if isinstance(one, About) else one for name, one in found.items()}


def newer(network: Network) -> Network:
    """The same network as it is after Commonwatt has been upgraded."""
    return Network(
        network.consortium,
        network.folder.root,
        network.installed,
        contract_command=[sys.executable, "-m", "tests.ledger_network.fabric.next_contract"],
        version=next_contract.VERSION,
    )


async def upgraded(market: FabricMarket) -> None:
    """Orders before, during and after the upgrade; then the slot is cleared by the new contract."""
    network = market.network
    placed: list[str] = []
    done = asyncio.Event()

    async def keep_placing(home: int) -> None:
        for number in range(ORDERS_MAX):
            if done.is_set() and number >= ORDERS_MIN:
                return
            await place(market, home, f"o{number}")
            placed.append(f"{home}/o{number}")

    async def upgrade() -> None:
        await newer(network).upgrade(next_contract.VERSION, lambda _: None)
        done.set()

    async with asyncio.TaskGroup() as group:
        for home in range(HOMES):
            group.create_task(keep_placing(home))
        group.create_task(upgrade())

    assert set((await versions(network)).values()) == {next_contract.VERSION}
    slot = market.first_slot
    answer = await market.ledger.evaluate(
        "list_open_orders", SlotArguments(AREA, slot), member=Member(DSO)
    )
    listed = msgspec.json.decode(answer, type=OpenOrdersAnswer).orders
    homes = {home.did: home.number for home in market.cast.homes}
    assert sorted(f"{homes[one.trader]}/{one.order.id}" for one in listed) == sorted(placed)

    await market.set_time(market_rules(slot).gate_s(slot))
    await market.ledger.submit("close_gate", SlotArguments(AREA, slot), member=Member(DSO))
    await SeedDuties(market.ledger, market.cast, submit_to(market.ledger)).reveal(slot)
    phase = ""
    while phase != "CLEARED":
        receipt = await market.ledger.submit(
            "clear_slot", SlotArguments(AREA, slot), member=Member(DSO)
        )
        phase = receipt.read(SlotAnswer).phase
    view = await market.ledger.evaluate(
        "describe_slot", SlotArguments(AREA, slot), member=Member(DSO)
    )
    assert msgspec.json.decode(view, type=SlotView).phase == "CLEARED"


def test_contract_is_upgraded_in_the_middle_of_a_slot_and_no_order_is_lost() -> None:
    async def run() -> None:
        async with fabric_market(HOMES) as market:
            assert set((await versions(market.network)).values()) == {"1"}
            await upgraded(market)
            running = market.network.processes()
            assert running is not None
            contracts = [one.name for one in running.running if one.name.startswith("contract")]
            assert all(name.endswith(".2") for name in contracts)

    asyncio.run(run())


def test_upgrade_that_was_cut_short_behind_its_commit_is_told_by_up_and_finished_by_upgrade() -> (
    None
):
    """The channel has the new definition, and the folder does not know it yet."""

    async def run() -> None:
        async with fabric_market(1) as market:
            network = market.network
            before = network.folder.contracts.read_bytes()
            await newer(network).upgrade(next_contract.VERSION, unheard)
            network.folder.contracts.write_bytes(before)

            said = (
                f"The channel has version {next_contract.VERSION} of the contract, definition 2, "
                f"and {network.folder.root} serves definition 1: finish the upgrade that was cut "
                "short, with `commonwatt network upgrade`."
            )
            with pytest.raises(NetworkFault, match=re.escape(said)):
                await network.up(unheard)
            await newer(network).upgrade(next_contract.VERSION, unheard)

            assert set((await versions(network)).values()) == {next_contract.VERSION}
            await place(market, 0, "o1")
            await newer(network).up(unheard)

    asyncio.run(run())
