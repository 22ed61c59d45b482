"""A peer whose data is gone: `up` brings it back, with blocks, private values and its contract."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest

from chaincode.contract import Contract
from commonwatt.bench.fabric.network import unheard
from commonwatt.demonstration.cast import DSO, ORACLE, RETAILERS
from identity.canonical import encode
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.ledger.contract_service import READ, About
from ledger_network.fabric.operations import lifecycle
from ledger_network.fabric.operations.doctor import Finding, examine
from ledger_network.fabric.operations.network import UP, Network
from ledger_network.fabric.operations.status import contracts_run
from ledger_network.fabric.runtime.probe import until
from tests.ledger_network.fabric import odd_contracts
from tests.ledger_network.fabric.grounds import StandingNetwork, small

pytestmark = pytest.mark.network

FETCHED_S = 60.0
READER = "EnergyAuthority"  # its peer endorses nothing, so that the market goes on without it


def lose(network: StandingNetwork, *members: str) -> None:
    """Remove the data of members' peers, which do not run."""
    for member in members:
        shutil.rmtree(network.network.folder.data(network.peer(member)))


async def down(network: StandingNetwork) -> None:
    """Take the network down; its data stays."""
    await network.network.down(purge=False, progress=unheard)


async def endorsed_by(network: StandingNetwork, member: str) -> None:
    """An order or a reading that is valid only with the endorsement of this member's peer."""
    contract = network.consortium.contract
    submitter = ORACLE if member == ORACLE else DSO
    partner = RETAILERS[0] if member == DSO else DSO
    async with network.gateway(submitter, "client") as gateway:
        if member == ORACLE:
            signed = network.report()
            call, transient = [b"record_readings", encode(signed.arguments)], signed.transient
        else:
            call, transient = [b"place_orders", encode(network.order())], None
        await gateway.submit(
            contract, call, transient=transient, organisations=[member, partner], repeats=3
        )


async def ordered(network: StandingNetwork) -> int:
    """How many blocks there are."""
    status = await network.until_well()
    return max(node.height or 0 for node in status.nodes)


async def wrong(network: StandingNetwork) -> list[Finding]:
    """What the doctor finds wrong."""
    return [finding for finding in await examine(network.network) if not finding.is_well]


@pytest.mark.parametrize(
    "lost",
    [[RETAILERS[0]], [DSO, RETAILERS[1], READER]],
    ids=["a retailer's", "those of the first member and of others"],
)
def test_peers_whose_data_was_lost_while_the_network_was_down_endorse_again_after_up(
    lost: list[str], network: StandingNetwork
) -> None:
    before = network.run(ordered(network))
    network.run(down(network))
    lose(network, *lost)

    network.up()

    assert network.run(wrong(network)) == []
    assert network.run(ordered(network)) == before, "nothing had to be approved or committed again"
    for member in lost:
        if member != READER:
            network.run(endorsed_by(network, member))
    network.trades_on()


def test_peer_whose_data_was_lost_while_the_others_ran_is_found_and_up_brings_it_back(
    network: StandingNetwork,
) -> None:
    peer = network.peer(READER)

    async def scene() -> list[Finding]:
        await network.network.stop(peer.name)
        lose(network, READER)
        await network.network.start(peer.name)
        findings = await wrong(network)
        async with network.ledger() as ledger:
            await network.place(ledger)  # the others trade on
        return findings

    (finding,) = network.run(scene())
    network.up()

    assert finding.about == peer.name
    assert f"It is not in the channel {network.consortium.channel}" in finding.sentence
    assert finding.mend == UP
    assert network.run(wrong(network)) == []
    network.run(ordered(network))


def test_orderer_whose_data_was_lost_joins_again_and_fetches_the_chain(
    network: StandingNetwork,
) -> None:
    (orderer, *_) = network.consortium.nodes("orderer")
    before = network.run(ordered(network))

    async def scene() -> None:
        await network.network.stop(orderer.name)
        shutil.rmtree(network.network.folder.data(orderer))
        async with network.ledger() as ledger:
            await network.place(ledger)  # three of four order on

    network.run(scene())
    network.up()

    assert network.run(ordered(network)) > before
    assert network.run(wrong(network)) == []
    network.trades_on()


def test_peer_that_lost_its_package_alone_is_found_and_up_installs_it(
    network: StandingNetwork,
) -> None:
    member = RETAILERS[0]
    peer = network.peer(member)
    data = network.network.folder.data(peer)

    async def scene() -> list[Finding]:
        await network.network.stop(peer.name)
        shutil.rmtree(data / "lifecycle")
        shutil.rmtree(data / "externalbuilder")
        await network.network.start(peer.name)
        return await wrong(network)

    (finding,) = network.run(scene())
    network.up()

    assert finding.about == f"contract of {member}"
    assert "Its peer does not have the contract's package" in finding.sentence
    assert finding.mend == UP
    assert network.run(wrong(network)) == []
    network.run(endorsed_by(network, member))


def test_private_values_that_others_hold_come_back_to_a_peer_that_lost_them(
    network: StandingNetwork,
) -> None:
    signed, key = network.report_with_key()

    async def record() -> None:
        async with network.gateway(ORACLE, "client") as gateway:
            await gateway.submit(
                network.consortium.contract,
                [b"record_readings", encode(signed.arguments)],
                transient=signed.transient,
                repeats=3,
            )

    async def read() -> bytes:
        """The value at the oracle's peer, whose contract has a query for it for the time."""
        found = b""
        call = [odd_contracts.READ_KEY.encode(), msgspec.json.encode(key), READ]

        async def missing() -> str:
            nonlocal found
            try:
                found = await gateway.evaluate(
                    network.consortium.contract, call, organisations=[ORACLE]
                )
            except GatewayError as error:
                return str(error)
            return ""

        async with (
            network.replaced({ORACLE: odd_contracts.command("readings")}),
            network.gateway(ORACLE, "client") as gateway,
        ):
            await until(f"the reading {key}", missing, within_s=FETCHED_S)
        return found

    network.run(record())
    before = network.run(read())
    network.run(down(network))
    lose(network, ORACLE)
    network.up()

    assert before not in (b"", b"null")
    assert network.run(read()) == before
    network.run(endorsed_by(network, ORACLE))


@pytest.fixture
def half_approved(tmp_path: Path) -> Generator[StandingNetwork]:
    """A small network, down, whose contract is committed and approved by its first member alone."""
    standing = StandingNetwork(small(approvals=1), tmp_path)
    network = standing.network
    bare = Network(
        network.consortium,
        network.folder.root,
        network.installed,
        contract_command=[],
        version=Contract.version,
        ends_with_us=True,
    )

    async def approve_and_commit() -> None:
        await bare.up(unheard)
        deployed = bare.deployed()
        agreed = bare.definition(deployed)
        async with bare.rollout() as rollout:
            first = rollout.members[0]
            await rollout.install(bare.packages(deployed.sequence))
            await rollout.approve(first, agreed, deployed.packages)
            await lifecycle.commit(rollout.admin(first), agreed, [first.msp])

    try:
        try:
            standing.run(approve_and_commit())
        finally:
            standing.run(bare.down(purge=False, progress=unheard))
        yield standing
    finally:
        standing.close()
    assert standing.left() == []


def test_member_that_has_not_approved_what_is_committed_does_so_by_up(
    half_approved: StandingNetwork,
) -> None:
    """A contract is committed as soon as enough members approve; the others follow with `up`."""
    network = half_approved.network

    async def served() -> dict[str, About | str]:
        async with network.rollout() as rollout:
            names = [member.name for member in rollout.members]
            return await contracts_run(network, rollout, names)

    half_approved.up()

    found = half_approved.run(served())
    assert list(found) == [member.name for member in network.consortium.organisations]
    assert all(isinstance(about, About) for about in found.values()), found
