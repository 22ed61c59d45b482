"""A profile: what a client of one organisation needs, as files and addresses."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ledger_network.fabric.consortium.definition import ConsortiumInvalid, read_consortium
from ledger_network.fabric.consortium.placement import NetworkFolder, Placement
from ledger_network.fabric.consortium.profile import Profile, profile
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.operations.material import Material
from tests.ledger_network.fabric.consortium.files import default_document, member, parsed

PLACEMENT = Placement("native", NetworkFolder(Path("network")), Path("builder"))


def test_own_peer_comes_first_and_the_regulator_s_is_nobody_else_s() -> None:
    found = profile(read_consortium(), "GreenPower", PLACEMENT)

    assert [peer.msp for peer in found.peers] == [
        "GreenPower", "NordGrid", "SouthGrid", "CityEnergy", "MeterHouse",
    ]  # fmt: skip
    assert found.peers[0].endpoint == "127.0.0.1:17020"
    assert (found.role, found.msp) == ("retailer", "GreenPower")
    assert (found.channel, found.contract) == ("lindenhof-market", "commonwatt")


def test_regulator_asks_its_own_peer_first() -> None:
    found = profile(read_consortium(), "EnergyAuthority", PLACEMENT)

    assert found.peers[0].msp == "EnergyAuthority"


def test_member_without_a_peer_goes_through_those_of_others() -> None:
    document = default_document()
    document["organisations"].append(member("Visitor", "guest"))

    found = profile(parsed(document), "Visitor", PLACEMENT)

    assert found.msp == "Visitor"
    assert found.peers[0].msp == "NordGrid"


def test_stranger_has_no_profile() -> None:
    with pytest.raises(ConsortiumInvalid, match="'Nobody' is not an organisation"):
        profile(read_consortium(), "Nobody", PLACEMENT)


def test_profile_is_of_use_in_any_folder() -> None:
    found = profile(read_consortium(), "NordGrid", PLACEMENT)

    paths = [peer.tls_root for peer in found.peers]
    paths += [path for user in found.users.values() for path in (user.certificate, user.key)]
    assert all(Path(path).is_absolute() for path in paths)


def test_files_of_every_profile_are_there_and_fit_each_other(made: Material) -> None:
    for organisation in made.consortium.organisations:
        found = profile(made.consortium, organisation.name, made.placement)
        for peer in found.peers:
            assert "BEGIN CERTIFICATE" in Path(peer.tls_root).read_text("ascii")
        for role in found.users:
            credential = found.identity(role).current()  # refuses a key of another certificate
            assert credential.msp_id == organisation.msp


def test_profile_shows_no_key(made: Material) -> None:
    text = msgspec.json.encode(profile(made.consortium, "NordGrid", made.placement))

    assert b"BEGIN" not in text
    assert msgspec.json.decode(text, type=Profile).organisation == "NordGrid"


def test_endpoints_are_for_the_gateway_client() -> None:
    found = profile(read_consortium(), "NordGrid", PLACEMENT)

    root = Path(found.peers[0].tls_root)
    assert found.endpoints[0] == Endpoint("127.0.0.1:17000", "NordGrid", root)
