"""Reports that are replayed, short of signatures, signed twice, foreign or altered, and nodes that
are asked to sign such: the real contract and real nodes refuse each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from chaincode.area.clock import ClockArguments
from chaincode.metering.readings import Leaf
from chaincode.metering.reports import TRANSIENT_LEAVES, Report
from commonwatt.demonstration.cast import AREA, DSO
from identity.canonical import encode
from identity.keys import PrivateKey
from ledger_network.port import Member
from meter_oracle.agreement.consensus import Values
from meter_oracle.agreement.report import make_report, sign_report
from meter_oracle.agreement.signatures import is_signature
from meter_oracle.peers.ledger_gateway import (
    LEDGER_NAME,
    LedgerGatewayServer,
    RemoteLedgerGateway,
    SignedReport,
)
from meter_oracle.peers.messages import (
    Declined,
    Heard,
    ObservationHeader,
    Observed,
    Propose,
    Signed,
    sign_observation,
)
from meter_oracle.peers.transport import PeerLink, PeerUnreachable
from tests.meter_oracle.stand import FIRST_SLOT, SLOT_S, Stand, stand


def on_stand(folder: Path, scene: Callable[[Stand], Awaitable[None]]) -> None:
    async def run() -> None:
        async with stand(folder, households=2) as made:
            await scene(made)

    asyncio.run(run())


def leaf(meter: str, **fields: int) -> Leaf:
    plain = Leaf(
        boundary=FIRST_SLOT, export_wh=0, import_wh=1_100, meter=meter, resolution_wh=1,
        salt=("5a" + meter[-2:]) * 16,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **fields)


def report_of(
    made: Stand, leaves: Sequence[Leaf], **fields: str | int
) -> tuple[Report, list[Leaf]]:
    market = made.market
    report, ordered = make_report(
        leaves, area=AREA, boundary=FIRST_SLOT, oracle=market.oracle, channel=market.channel,
        contract=market.contract,
    )  # fmt: skip
    return msgspec.structs.replace(report, **fields), ordered


def test_the_ledger_gateway_answers_with_the_contracts_codes(tmp_path: Path) -> None:
    async def scene(made: Stand) -> None:
        rule = ClockArguments(AREA, int(time.time()), FIRST_SLOT + 2 * SLOT_S, 1)
        await made.ledger.submit("set_clock", rule, member=Member(DSO, "admin"))
        server = LedgerGatewayServer(made.gateway, made.tls[LEDGER_NAME], made.market.nodes)
        address = f"127.0.0.1:{await server.start('127.0.0.1:0')}"
        gateway = RemoteLedgerGateway(made.tls[made.market.nodes[0]], address)
        keys = made.cast.oracle_keys
        leaves = [leaf(home.meter) for home in made.cast.homes]

        async def code(signers: Sequence[PrivateKey], **fields: str | int) -> str:
            report, ordered = report_of(made, leaves, **fields)
            return await gateway.submit(sign_report(report, ordered, signers))

        assert await code(keys[:2]) == "SIGNATURES_FEW"
        assert await code([keys[0], keys[1], keys[0]]) == "SIGNER_REPEATED"
        assert await code(keys[:3], channel="elsewhere") == "CHANNEL_WRONG"
        assert await code(keys[:3], configuration="ab" * 32) == "ORACLE_CONFIGURATION"
        report, ordered = report_of(made, leaves)
        good = sign_report(report, ordered, keys[:3])
        altered = encode([ordered[0], msgspec.structs.replace(ordered[1], import_wh=1_101)])
        swapped = SignedReport(good.arguments, {TRANSIENT_LEAVES: altered})
        assert await gateway.submit(swapped) == "REPORT_ROOT"
        assert await gateway.readings(FIRST_SLOT) == []
        assert await gateway.submit(good) == "RECORDED"
        assert await gateway.submit(good) == "EXISTS"
        assert await gateway.readings(FIRST_SLOT) == ordered
        assert {one.meter for one in await gateway.meters(FIRST_SLOT)} == {
            home.meter for home in made.cast.homes
        }
        assert await gateway.meters(FIRST_SLOT - SLOT_S) == []
        await gateway.close()
        await server.close()
        assert await gateway.submit(good) == "LEDGER_UNAVAILABLE"
        with pytest.raises(PeerUnreachable):
            await gateway.readings(FIRST_SLOT)
        await gateway.close()

    on_stand(tmp_path, scene)


def test_a_node_signs_what_it_observed_and_nothing_else(tmp_path: Path) -> None:
    """The fourth node asks the first to sign, with its own certificate and any report it likes."""

    async def scene(made: Stand) -> None:
        asker = made.market.nodes[3]
        async with made.running(made.setups(0, 1, 2)):
            recorded = await made.recorded(FIRST_SLOT, 2)
            later = await made.recorded(FIRST_SLOT + SLOT_S, 2)
            link = PeerLink(
                made.tls[asker], made.market.nodes[0], made.addresses[made.market.nodes[0]]
            )

            async def asked(leaves: Sequence[Leaf], **fields: str | int) -> str:
                report, ordered = report_of(made, leaves, **fields)
                answer = await link.ask(Propose(report, ordered, []), timeout_s=10)
                if isinstance(answer, Signed):
                    assert is_signature(answer.token, made.market.nodes[0], report)
                    return "SIGNED"
                assert isinstance(answer, Declined)
                return answer.code

            leaves = list(recorded.values())
            more = [msgspec.structs.replace(one, import_wh=one.import_wh + 9_000) for one in leaves]
            assert await asked(more) == "REPORT_DISAGREES"
            assert await asked(leaves, channel="elsewhere") == "REPORT_FOREIGN"
            assert await asked(leaves, root="ab" * 32) == "REPORT_ROOT"
            assert await asked(leaves, boundary=FIRST_SLOT + 100_000 * SLOT_S) == "REPORT_EARLY"
            assert await asked(leaves, boundary=FIRST_SLOT - 100_000 * SLOT_S) == "REPLAYED"
            assert await asked(list(later.values())) == "REPORT_BOUNDARY"
            await link.close()

    on_stand(tmp_path, scene)


def test_a_node_that_tells_each_something_else_is_found_out(tmp_path: Path) -> None:
    async def scene(made: Stand) -> None:
        liar, key = made.market.nodes[3], made.cast.oracle_keys[3]
        async with made.running(made.setups(0, 1, 2)):
            await made.recorded(FIRST_SLOT, 2)
            links = [
                PeerLink(made.tls[liar], node, made.addresses[node])
                for node in made.market.nodes[:3]
            ]
            report, _ = report_of(made, [])
            header = ObservationHeader(
                area=AREA, boundary=FIRST_SLOT + SLOT_S, channel=made.market.channel,
                configuration=report.configuration, contract=made.market.contract,
                digest="", sent_ns=str(time.time_ns()), sequence=0,
            )  # fmt: skip
            for place, link in enumerate(links):
                values = [
                    Observed(home.meter, *Values(1_000_000 + place, 0, 1))
                    for home in made.cast.homes
                ]
                answer = await link.ask(sign_observation(key, header, values), timeout_s=10)
                assert isinstance(answer, Heard)
                assert answer.code == "OK"
            other = sign_observation(key, header, [])
            report, ordered = report_of(made, [leaf(made.cast.homes[0].meter)])
            await links[0].ask(Propose(report, ordered, [other.token]), timeout_s=10)
            await made.until(lambda: "equivocates" in made.states(3))
            assert len(await made.recorded(FIRST_SLOT + 2 * SLOT_S, 2)) == 2
            for link in links:
                await link.close()

    on_stand(tmp_path, scene)
