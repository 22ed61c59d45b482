"""Clients with wrong papers, a wrong channel, a wrong clock: each is told cause and mend."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from commonwatt.demonstration.cast import DSO
from identity.canonical import encode
from ledger_network.fabric.consortium.profile import Profile, UserProfile
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.operations.doctor import Finding
from ledger_network.port import Invalid, Member, Position
from tests.chaincode.shim.authority import Authority
from tests.ledger_network.fabric.certificates import expired, with_user
from tests.ledger_network.fabric.grounds import StandingNetwork

pytestmark = pytest.mark.network

RETAILER = "GreenPower"
EVENTS_S = 20.0
TWO_MINUTES_S = 120.0
PASSES_S = 2  # between reading the clock and the peer's look at it
WITHIN_S, BEYOND_S = 50.0, 75.0  # of the window of 60 s, with room for a slow machine
MACHINE_WITH_CLOCK_OFF = f"""
import sys, time
right = time.time
time.time = lambda: right() + {TWO_MINUTES_S}
from commonwatt.cli import app
app(sys.argv[1:])
"""


def refused(network: StandingNetwork, profile: Profile, clock_off_s: float = 0) -> str:
    """The sentence with which the network refuses a client that opens a ledger and places an order."""

    async def tried() -> None:
        async with network.ledger(profile, clock=lambda: time.time() + clock_off_s) as ledger:
            await network.place(ledger, member=profile.organisation)

    with pytest.raises(Invalid) as invalid:
        network.run(tried())
    return str(invalid.value)


def test_expired_certificate_is_named_with_its_mend(
    network: StandingNetwork, tmp_path: Path
) -> None:
    own = network.profile(RETAILER)
    user = own.users["client"]
    organisation = network.consortium.organisation(RETAILER)
    authority = network.network.folder.organisation(organisation) / "ca"
    old = tmp_path / "old.pem"
    old.write_bytes(expired(Path(user.certificate), authority))

    said = refused(network, with_user(own, "client", UserProfile(str(old), user.key)))

    assert said.startswith("the certificate of this client has expired: have its organisation's")
    assert "proposal client identity expired" in said
    network.trades_on()


def test_renewed_certificate_is_taken_without_a_restart(
    network: StandingNetwork, tmp_path: Path
) -> None:
    own = network.profile(RETAILER)
    user = own.users["client"]
    organisation = network.consortium.organisation(RETAILER)
    authority = network.network.folder.organisation(organisation) / "ca"
    good = Path(user.certificate).read_bytes()
    path = tmp_path / "own.pem"
    path.write_bytes(good)

    async def scene() -> None:
        profile = with_user(own, "client", UserProfile(str(path), user.key))
        async with network.ledger(profile) as ledger:
            path.write_bytes(expired(Path(user.certificate), authority))
            with pytest.raises(Invalid, match="has expired"):
                await network.place(ledger, member=RETAILER)
            path.write_bytes(good)
            await network.place(ledger, member=RETAILER)

    network.run(scene())


def test_certificate_of_another_authority_is_named_with_its_mend(
    network: StandingNetwork, tmp_path: Path
) -> None:
    pair = Authority("strangers").issue("User1@greenpower.example", units=("client",))
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    papers = UserProfile(str(certificate), str(key))

    said = refused(network, with_user(network.profile(RETAILER), "client", papers))

    assert said.startswith("the peers know no authority for this client: use a")


def test_certificate_under_the_name_of_another_member_is_no_certificate(
    network: StandingNetwork,
) -> None:
    said = refused(network, msgspec.structs.replace(network.profile(RETAILER), msp=DSO))

    assert said.startswith("the peers know no authority for this client: use a")


def test_wrong_channel_is_named_with_its_mend(network: StandingNetwork) -> None:
    profile = msgspec.structs.replace(network.profile(RETAILER), channel="other-market")

    said = refused(network, profile)

    assert said.startswith(
        "the peers have not joined a channel of that name: take the channel's name"
    )
    assert "other-market" in said


def test_wrong_contract_is_named_with_its_mend(network: StandingNetwork) -> None:
    profile = msgspec.structs.replace(network.profile(RETAILER), contract="other")

    said = refused(network, profile)

    assert said.startswith("no contract of that name is committed on the channel: take its name")


@pytest.mark.parametrize(("off_s", "word"), [(TWO_MINUTES_S, "ahead"), (-TWO_MINUTES_S, "behind")])
def test_clock_two_minutes_off_is_told_with_both_times(
    off_s: float, word: str, network: StandingNetwork
) -> None:
    said = refused(network, network.profile(RETAILER), off_s)

    told = re.search(
        rf"the clock here says (\S+ \S+) UTC and the peer's (\S+ \S+) UTC: (\d+) s {word}, and peers "
        "accept 60 s\\. Set the clock of this machine by NTP",
        said,
    )
    assert told is not None, said
    here, there = (datetime.fromisoformat(told[place]) for place in (1, 2))
    shown_s = abs((here - there).total_seconds())
    assert abs(shown_s - int(told[3])) <= 1  # each of the three is rounded
    assert abs(int(told[3]) - abs(off_s)) <= PASSES_S


@pytest.mark.parametrize("off_s", [WITHIN_S, -WITHIN_S])
def test_time_of_a_transaction_is_the_word_of_its_client_within_the_window(
    off_s: float, network: StandingNetwork
) -> None:
    claimed_s = 0

    def clock() -> float:
        nonlocal claimed_s
        claimed_s = int(time.time() + off_s)
        return claimed_s

    async def told_time_s() -> int:
        async with network.ledger(network.profile(DSO), clock=clock) as ledger:
            receipt = await network.place(ledger)
            submitted_s = claimed_s
            before = Position(receipt.block, receipt.index - 1)
            async with contextlib.aclosing(ledger.events(after=before)) as events:
                async with asyncio.timeout(EVENTS_S):
                    happened = await anext(events)
            assert happened.transaction == receipt.transaction
            assert abs(submitted_s - time.time()) > WITHIN_S / 2
            return happened.time_s

    assert abs(network.run(told_time_s()) - (time.time() + off_s)) < WITHIN_S / 2


@pytest.mark.parametrize("off_s", [BEYOND_S, -BEYOND_S])
def test_time_beyond_the_window_is_not_endorsed(off_s: float, network: StandingNetwork) -> None:
    off = [0.0]

    async def scene() -> None:
        profile = network.profile(DSO)
        async with network.ledger(profile, clock=lambda: time.time() + off[0]) as ledger:
            await network.place(ledger)
            off[0] = off_s
            with pytest.raises(Invalid, match="and peers accept 60 s"):
                await network.place(ledger)
            off[0] = 0.0
            await network.place(ledger)

    network.run(scene())


def test_doctor_on_a_machine_whose_clock_is_off_says_so(network: StandingNetwork) -> None:
    folder = str(network.network.folder.root)
    command = [sys.executable, "-c", MACHINE_WITH_CLOCK_OFF, "network", "doctor"]

    done = subprocess.run(
        [*command, "--data", folder, "--json"], check=False, capture_output=True, timeout=60
    )

    wrong = [
        finding
        for finding in msgspec.json.decode(done.stdout, type=list[Finding])
        if not finding.is_well
    ]
    assert done.returncode == 1
    assert [finding.about for finding in wrong] == ["clock"]
    assert "120 s ahead, and peers accept 60 s. Set the clock of this machine by NTP" in (
        wrong[0].sentence
    )


def test_transaction_that_is_ordered_twice_takes_effect_once(network: StandingNetwork) -> None:
    async def codes() -> list[str]:
        arguments = encode(network.order())
        async with network.gateway(DSO, "client") as gateway:
            height = await gateway.height()
            endorsed = await gateway.endorse(
                network.consortium.contract, [b"place_orders", arguments]
            )
            await gateway.submit_endorsed(endorsed)
            # Orderers may take it again, or know it and say so; neither may be a second effect.
            with contextlib.suppress(GatewayError):
                await gateway.order(endorsed)
            async with network.ledger() as ledger:
                await ledger.submit("place_orders", network.order(), member=Member(DSO))
                last = await ledger.submit("place_orders", network.order(), member=Member(DSO))
            blocks = [await gateway.block(number) for number in range(height, last.block + 1)]
            return [
                found.code
                for block in blocks
                for found in block.transactions
                if found.id == endorsed.transaction
            ]

    found = network.run(codes())

    assert found.count("VALID") == 1
    assert set(found) <= {"VALID", "DUPLICATE_TXID"}
