"""A member whose contract is not the agreed one, and strangers at the port of a contract."""

from __future__ import annotations

import asyncio
import random
import ssl

import grpc
import pytest

from commonwatt.demonstration.cast import DSO, RETAILERS
from identity.canonical import encode
from ledger_network.fabric.operations.doctor import Finding, examine
from ledger_network.port import Invalid
from tests.chaincode.shim.authority import Authority, Pair
from tests.chaincode.shim.peer import ScriptedPeer
from tests.ledger_network.fabric import odd_contracts
from tests.ledger_network.fabric.grounds import StandingNetwork

pytestmark = pytest.mark.network

ODD, OTHER = RETAILERS
ANSWER_S = 20.0
TOO_MANY_BYTES = 101 * 2**20  # of a message; a service takes 100 MiB


def test_member_that_runs_another_version_is_named_by_the_doctor(network: StandingNetwork) -> None:
    async def wrong() -> list[Finding]:
        async with network.replaced({ODD: odd_contracts.command("version")}):
            findings = await examine(network.network)
        return [finding for finding in findings if not finding.is_well]

    (finding,) = network.run(wrong())

    assert finding.about == f"contract of {ODD}"
    assert f"runs version {odd_contracts.OTHER_VERSION}, the channel agreed on 1" in (
        finding.sentence
    )
    assert finding.mend == f"Let {ODD} run version 1, or let all members upgrade."
    assert [one for one in network.run(examine(network.network)) if not one.is_well] == []


def test_member_whose_contract_answers_otherwise_is_named_and_the_others_trade_on(
    network: StandingNetwork,
) -> None:
    async def scene() -> str:
        async with (
            network.replaced({ODD: odd_contracts.command("result")}),
            network.ledger() as ledger,
            network.gateway(DSO, "client") as gateway,
        ):
            height = await gateway.height()
            with pytest.raises(Invalid) as invalid:
                await network.place(ledger, member=ODD)
            assert await gateway.height() == height  # nothing of it was ordered
            await network.place(ledger, member=OTHER)

            verdict = await gateway.disagreement(
                network.consortium.contract,
                [b"place_orders", encode(network.order())],
                organisations=[DSO, "SouthGrid", ODD, OTHER],
            )
            assert verdict.odd == (ODD,)
            assert verdict.differing == ("result",)
            return str(invalid.value)

    said = network.run(scene())

    assert "the organisations' contracts disagree" in said
    assert ODD in said
    network.trades_on()


@pytest.mark.parametrize("seed", range(2))
def test_garbage_on_the_port_of_a_contract_does_no_harm(
    seed: int, network: StandingNetwork
) -> None:
    node = network.contract(DSO)
    noise = random.Random(seed).randbytes(65_536)  # noqa: S311 noise, no secret

    async def scene() -> None:
        reader, writer = await asyncio.open_connection(node.site.host, node.port)
        try:
            writer.write(noise)
            async with asyncio.timeout(ANSWER_S):
                try:
                    await reader.read()
                except ConnectionError:
                    return
        finally:
            writer.close()

    network.run(scene())
    network.trades_on()


def strangers(network: StandingNetwork) -> dict[str, Pair | None]:
    """Who comes to the port of a DSO's contract without being a peer of that DSO."""
    config = network.network.folder.config(network.peer(OTHER)) / "tls"
    return {
        "no certificate": None,
        "of another authority": Authority("peers").issue("peer0"),
        "of another member's peer": Pair(
            (config / "server.crt").read_bytes(), (config / "server.key").read_bytes()
        ),
    }


@pytest.mark.parametrize(
    "stranger", ["no certificate", "of another authority", "of another member's peer"]
)
def test_tls_client_that_is_no_peer_of_the_member_is_not_talked_to(
    stranger: str, network: StandingNetwork
) -> None:
    node = network.contract(DSO)
    root = network.network.folder.tls_root(node).read_bytes()

    async def scene() -> None:
        own = strangers(network)[stranger]
        async with ScriptedPeer(node.address, root, own, registers=False) as other:
            await other.end()

            assert other.status is not None
            assert other.status[0] is grpc.StatusCode.UNAVAILABLE
            assert other.received == []

    network.run(scene())
    network.trades_on()


def test_handshake_of_a_plain_tls_client_comes_to_nothing(network: StandingNetwork) -> None:
    node = network.contract(DSO)
    context = ssl.create_default_context(cafile=str(network.network.folder.tls_root(node)))

    async def scene() -> bytes:
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_connection(
                    node.site.host, node.port, ssl=context
                )
                writer.write(b"GET / HTTP/1.1\r\nHost: contract\r\n\r\n")
                said = await reader.read()
                writer.close()
        except (ConnectionError, ssl.SSLError):
            return b""
        return said

    assert b"HTTP/1.1 200" not in network.run(scene())
    network.trades_on()


def test_message_that_is_too_large_ends_its_stream_alone(network: StandingNetwork) -> None:
    node = network.contract(DSO)
    tls = network.network.folder.config(network.peer(DSO)) / "tls"
    own = Pair((tls / "server.crt").read_bytes(), (tls / "server.key").read_bytes())
    root = network.network.folder.tls_root(node).read_bytes()

    async def scene() -> None:
        async with ScriptedPeer(node.address, root, own, registers=False) as peer:
            await peer.message(1)
            await peer.send_bytes(bytes(TOO_MANY_BYTES))
            await peer.end()

            assert peer.status is not None
            assert peer.status[0] is grpc.StatusCode.RESOURCE_EXHAUSTED

    network.run(scene())
    network.trades_on()
    processes = network.network.processes()
    assert processes is not None
    service = processes.named(node.name)
    assert service is not None
    assert (service.state, service.restarts) == ("running", 0)
