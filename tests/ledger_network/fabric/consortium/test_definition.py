"""The consortium's file: the default is taken, and every fault is named with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger_network.fabric.consortium.definition import (
    DEFAULT_FILE,
    NODES_MAX,
    PORT_BLOCK,
    ConsortiumInvalid,
    parse_consortium,
    read_consortium,
)
from tests.ledger_network.fabric.consortium.files import Document, default_document, member, parsed

Spoil = Callable[[Document], object]


def change(place: str, value: Any) -> Spoil:
    """Set the value at a place such as `organisations.0.name`."""

    def spoil(document: Document) -> None:
        *way, last = place.split(".")
        inner: Any = document
        for step in way:
            inner = inner[int(step) if step.isdigit() else step]
        inner[int(last) if last.isdigit() else last] = value

    return spoil


def add(*organisations: Document) -> Spoil:
    """Add organisations."""
    return lambda document: document["organisations"].extend(organisations)


def without(place: str) -> Spoil:
    """Leave a field of the file out."""
    return lambda document: document.pop(place)


FAULTS: dict[str, tuple[Spoil, str]] = {
    # The shape of single fields
    "field-unknown": (change("chanel", "x"), "unknown field `chanel`"),
    "field-unknown-within": (
        change("organisations.1.peer", 1),
        r"unknown field `peer` - at `\$.organisations\[1\]`",
    ),
    "field-missing": (without("channel"), "missing required field `channel`"),
    "role-unknown": (
        change("organisations.0.role", "bank"),
        r"'bank' - at `\$.organisations.*role",
    ),
    "name-of-blanks": (change("organisations.0.name", "Nord Grid"), r"regex.*organisations.*name"),
    "name-with-slash": (change("organisations.0.name", "../etc"), r"regex.*organisations.*name"),
    "channel-in-capitals": (change("channel", "Market"), r"regex .* at `\$.channel`"),
    "domain-as-option": (change("organisations.0.domain", "-x"), r"regex.*domain"),
    "port-too-low": (change("organisations.0.peers.0.port", 80), r">= 1024.*peers.*port"),
    "port-without-room": (change("organisations.0.peers.0.port", 65530), r"<= 65525.*peers.*port"),
    "port-as-text": (change("organisations.0.peers.0.port", "web"), r"`int`, got `str`.*port"),
    "cut-too-short": (change("limits.cut_interval_ms", 1), r">= 5 .*limits.cut_interval_ms"),
    "cut-too-long": (change("limits.cut_interval_ms", 10_001), r"<= 10000.*cut_interval_ms"),
    "window-of-nothing": (change("limits.time_window_s", 0), r">= 1 .*limits.time_window_s"),
    "nobody-approves": (change("policies.lifecycle.at_least", 0), r">= 1 .*lifecycle.at_least"),
    "collection-name": (change("collections.0.name", "a b"), r"regex.*collections.*name"),
    # What stands twice
    "name-twice": (
        add(member("NordGrid", "guest")),
        "organisations: 'NordGrid' appears twice",
    ),
    "slug-twice": (
        add(member("nordgrid", "guest")),
        "organisations: 'nordgrid' appears twice",
    ),
    "domain-twice": (
        change("organisations.1.domain", "nordgrid.example"),
        "organisations: 'nordgrid.example' appears twice",
    ),
    "name-of-an-orderer-msp": (
        add(member("NordGridOrderer", "guest")),
        "organisations: NordGridOrderer is the MSP of its orderers",
    ),
    "collection-twice": (
        lambda document: document["collections"].append(document["collections"][0]),
        "collections: a name appears twice",
    ),
    "port-twice": (
        change("organisations.1.peers.0.port", 17000),
        r"ports: peer-nordgrid \(17000\) and peer-southgrid \(17000\) on 127.0.0.1 need 10",
    ),
    "port-within-a-block": (
        change("organisations.0.orderers.0.port", 17005),
        r"ports: peer-nordgrid \(17000\) and orderer-nordgrid \(17005\) on 127.0.0.1",
    ),
    # What a consortium needs
    "other-fabric": (change("fabric", "2.5.4"), "fabric: this Commonwatt builds 3.1.1, not 2.5.4"),
    "three-orderers": (
        change("organisations.3.orderers", []),
        "orderers: 3; ordering that survives a fault needs 4",
    ),
    "regulator-orders": (
        change("organisations.5.orderers", [{"port": 19000}]),
        "EnergyAuthority.orderers: a regulator reads and orders nothing",
    ),
    "regulator-without-peer": (
        change("organisations.5.peers", []),
        "EnergyAuthority.peers: a regulator runs a peer of its own",
    ),
    "oracle-without-peer": (
        change("organisations.4.peers", []),
        "MeterHouse.peers: .* oracle runs a peer",
    ),
    "dso-without-peer": (change("organisations.0.peers", []), "NordGrid.peers: a dso runs a peer"),
    "too-many-nodes": (
        add(
            *(
                member(f"Guest{number}", "guest", peers=[{"port": 20000 + PORT_BLOCK * number}])
                for number in range(NODES_MAX)
            )
        ),
        f"organisations: {NODES_MAX + 10} nodes; at most {NODES_MAX} are supported",
    ),
    # Who decides
    "nobody-endorses": (
        change("policies.endorsement", []),
        "policies.endorsement: nobody would have to endorse",
    ),
    "empty-group": (
        change("policies.endorsement", [[]]),
        "policies.endorsement: nobody of an empty group runs a peer",
    ),
    "group-without-peer": (
        change("policies.endorsement", [["guest"]]),
        "policies.endorsement: nobody of guest runs a peer",
    ),
    "regulator-endorses": (
        change("policies.endorsement", [["dso", "regulator"]]),
        "policies.endorsement: a regulator endorses nothing",
    ),
    "more-approvals-than-members": (
        change("policies.lifecycle.at_least", 5),
        "policies.lifecycle: 5 of 4 cannot approve",
    ),
    "collection-without-members": (
        change("collections.0.members", ["guest"]),
        "collections.readings.members: no organisation has one of these roles",
    ),
    "regulator-endorses-collection": (
        change("collections.0.endorsement", [["regulator"]]),
        "collections.readings.endorsement: a regulator endorses nothing",
    ),
    "nobody-endorses-collection": (
        change("collections.0.endorsement", []),
        "collections.readings.endorsement: nobody would have to endorse",
    ),
    "more-holders-required-than-reached": (
        lambda document: document["collections"][0].update(required_peers=3, max_peers=2),
        "collections.readings: required_peers is more than max_peers",
    ),
    "more-holders-required-than-there-are": (
        change("collections.0.members", ["oracle"]),
        "collections.readings: required_peers asks for more peers than hold it",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), FAULTS.values(), ids=FAULTS)
def test_fault_is_named_with_its_place(spoil: Spoil, said: str) -> None:
    document = default_document()
    parsed(document)

    spoil(document)

    with pytest.raises(ConsortiumInvalid, match=rf"^ours\.yaml: .*{said}"):
        parsed(document)


def test_all_faults_are_named_at_once() -> None:
    document = default_document()
    change("fabric", "2.5.4")(document)
    change("policies.endorsement", [])(document)
    change("organisations.1.peers.0.port", 17009)(document)

    with pytest.raises(ConsortiumInvalid) as refused:
        parsed(document)

    for place in ("fabric: ", "ports: ", "policies.endorsement: "):
        assert place in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [b"", b"a: [", b"- a list", b"name: {", b"\xff\xfe", b"a: &a [*a]", b"!!python/name:os.system"],
)
def test_text_that_is_no_consortium_is_refused_in_a_sentence(text: bytes) -> None:
    with pytest.raises(ConsortiumInvalid, match=r"^ours\.yaml: "):
        parse_consortium(text, "ours.yaml")


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConsortiumInvalid, match=r"gone\.yaml cannot be read: No such file"):
        read_consortium(tmp_path / "gone.yaml")


def test_default_file_names_two_of_each_trading_role_and_four_orderers() -> None:
    consortium = read_consortium()

    roles = [organisation.role for organisation in consortium.organisations]
    assert roles == ["dso", "dso", "retailer", "retailer", "oracle", "regulator"]
    assert [node.organisation.role for node in consortium.nodes("orderer")] == [
        "dso", "dso", "retailer", "retailer",
    ]  # fmt: skip
    assert len(consortium.nodes("peer")) == len(consortium.nodes("contract")) == len(roles)


def test_no_two_nodes_of_the_default_file_share_a_name_or_a_port() -> None:
    consortium = read_consortium(DEFAULT_FILE)

    nodes = [*consortium.nodes("orderer", "peer"), *consortium.contracts(1)]
    nodes += consortium.contracts(2)
    ports = [port for node in nodes for port in (node.port, node.operations_port)]
    assert len(set(ports)) == len(ports)
    assert len({node.name for node in consortium.nodes()}) == len(consortium.nodes())
    for node in nodes:
        assert node.site.port <= node.port < node.operations_port < node.site.port + PORT_BLOCK


def test_contract_that_takes_over_serves_other_ports_and_the_one_after_the_first_again() -> None:
    consortium = read_consortium()

    first, second, third = (
        [(node.port, node.operations_port) for node in consortium.contracts(sequence)]
        for sequence in (1, 2, 3)
    )

    assert first == third
    assert not {port for pair in first for port in pair} & {
        port for pair in second for port in pair
    }


def test_guest_needs_no_peer_and_is_a_member_all_the_same() -> None:
    document = default_document()
    add(member("Visitor", "guest"))(document)

    consortium = parsed(document)

    guest = consortium.organisation("Visitor")
    assert consortium.peers_of(guest) == []
    assert guest.msp == "Visitor"
    assert guest not in [node.organisation for node in consortium.nodes()]


def test_retailer_may_lean_on_the_peers_of_others() -> None:
    document = default_document()
    change("organisations.3.peers", [])(document)

    consortium = parsed(document)

    assert consortium.organisation("CityEnergy").orderers
    assert "peer-cityenergy" not in [node.name for node in consortium.nodes()]


def test_second_peer_of_a_member_has_names_of_its_own() -> None:
    document = default_document()
    change("organisations.0.peers", [{"port": 17000}, {"port": 17100, "host": "10.0.0.7"}])(
        document
    )

    first, second = parsed(document).peers_of(parsed(document).organisation("NordGrid"))

    assert (first.name, second.name) == ("peer-nordgrid", "peer-nordgrid1")
    assert second.hostname == "peer1.nordgrid.example"
    assert second.address == "10.0.0.7:17100"


def test_same_ports_on_two_hosts_are_no_fault() -> None:
    document = default_document()
    change("organisations.1.peers.0", {"port": 17000, "host": "10.0.0.7"})(document)

    assert parsed(document).nodes("peer")[1].address == "10.0.0.7:17000"


def test_stranger_is_answered_with_the_members() -> None:
    with pytest.raises(
        ConsortiumInvalid, match=r"'Nobody' is not an organisation.*NordGrid, South"
    ):
        read_consortium().organisation("Nobody")
